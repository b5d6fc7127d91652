"""Following one session: snapshots and minute messages go in, the rows that changed come out; pure.

A collector and a replay of its journal both follow a session by this code, so both come to the same rows.
Minutes alone make no row: what came before them is known from a snapshot only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.models.bars import Bools, Floats, Int16s, Int32s, Int64s, Positions
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.speed_layer.core.guards import UNSURE, Refusal, Seen, refusal
from condvest.speed_layer.core.minutes import MinuteMessages, admitted
from condvest.speed_layer.core.phases import Calm, Hours, Phase, is_on_date, phase_numbers
from condvest.speed_layer.core.provisional import Provisional, bars_of, contradicted
from condvest.speed_layer.core.slots import NO_SLOT, Slots
from condvest.speed_layer.core.snapshot import RefusedRow, Snapshot, refused_rows
from condvest.speed_layer.core.state import (
    MINUTE,
    NEVER,
    Anchors,
    LiveState,
    Minutes,
    Totals,
    Trades,
    join,
    nothing,
    of_anchor,
    of_minutes,
)

Judge = Callable[[BarRows, Mapping[int, str], Sessions, int], tuple[Bools, Mapping[int, tuple[str, str]]]]
"""Says which rows of a session may pass, and of each row that may not the rule and the reason."""


@dataclass(frozen=True, eq=False)
class Step:
    """What came in since the step before changed.

    Attributes:
        through: the instant that the data have got to, microseconds.
        phase: of the session.
        symbols: the symbol of each slot.
        bars: the bars that differ from those of the step before, by slot; all of them at first.
        phases: int16, of each of those bars its phase's number in PHASES.
        refused: rows that broke a rule.
        with_bar: how many symbols have a bar by now.
        drifted: of how many symbols the snapshot denied what was known before.
    """

    through: int
    phase: Phase
    symbols: list[str]
    bars: Provisional
    phases: Int16s
    refused: list[RefusedRow]
    with_bar: int
    drifted: int = 0


@dataclass(eq=False)
class Follower:
    """What is known of one session.

    Attributes:
        sessions: the calendar.
        ordinal: the session.
        judge: the rules of the batch layer.
        expected: tickers that the first snapshot should have at least about; 0 if there is no telling.
    """

    sessions: Sessions
    ordinal: int
    judge: Judge
    expected: int = 0
    slots: Slots = field(default_factory=Slots)
    state: LiveState = field(default_factory=nothing)
    last: Seen | None = None
    _calm: Calm = field(default_factory=Calm.unknown)
    _rows: Floats = field(default_factory=lambda: np.zeros((8, 0)))
    _refused: list[RefusedRow] = field(default_factory=list)
    _arrivals: int = 0
    _watermark: int = int(NEVER)

    @property
    def symbols(self) -> list[str]:
        """The symbol of each slot."""
        return self.slots.symbols

    @property
    def session(self) -> dt.date:
        """The date."""
        return self.sessions.session(self.ordinal)

    @property
    def hours(self) -> Hours:
        """The regular hours of the session."""
        return Hours.of(self.sessions, self.ordinal)

    @property
    def through(self) -> int:
        """The instant that the data have got to, microseconds; NEVER before anything came."""
        return max(self._watermark, self.last.through if self.last else int(NEVER))

    def take(self, snapshot: Snapshot, received: int) -> Step | Refusal:
        """Take a snapshot in, and return what has changed since the step before.

        Args:
            snapshot: as it was read.
            received: when it came, microseconds since 1970-01-01 UTC.
        """
        seen = snapshot.seen()
        refused = refusal(seen, self.last, self.expected, self.session, received)
        if refused is not None:
            return refused
        self.last = seen
        passed, reasons = self._judged(snapshot)
        self._refused += refused_rows(snapshot, reasons)
        before = bars_of(self.state)
        self._join(snapshot, passed)
        bars = bars_of(self.state)
        # Only a snapshot tells of the auction at the close, so minutes alone calm nothing.
        self._calm = self._calm.after(bars, len(self.state), seen.through, self.hours)
        return self._stepped(bars, contradicted(before, bars))

    def take_minutes(self, messages: MinuteMessages, faults: Mapping[int, str]) -> int:
        """Take minute messages in, in the order in which they came; return how many passed.

        Args:
            messages: as they were read.
            faults: what could not be read, by row.
        """
        slot = self.slots.known(messages.symbol.tolist())
        passed, reasons = admitted(
            messages,
            faults,
            self.session,
            slot != NO_SLOT,
            lambda rows, own: self.judge(rows, own, self.sessions, self.ordinal),
        )
        self._refused += [
            RefusedRow(messages.symbol[row], *reasons[row], content=messages.shown(row))
            for row in sorted(reasons)
        ]
        seq = self._arrivals + 1 + np.arange(len(messages), dtype=np.int64)
        self._arrivals += len(messages)
        if not passed.all():
            messages, seq, slot = messages.take(passed), seq[passed], slot[passed]
        if len(messages):
            self._join_minutes(messages, seq, slot)
        return len(messages)

    def step(self) -> Step | None:
        """Return what has changed since the step before; None if no snapshot has been taken yet."""
        return None if self.last is None else self._stepped(bars_of(self.state))

    def forget(self, slots: Positions) -> None:
        """Forget that the bars of slots were told: the next step has them, changed or not."""
        self._rows[:, slots] = np.nan

    def _stepped(self, bars: Provisional, drifted: int = 0) -> Step:
        anchored = self.last.through if self.last else int(NEVER)
        phase = self.hours.phase(self.through)
        settled = self._calm.is_settled(bars, anchored)
        changed = self._changed(bars, settled, phase)
        refused, self._refused = self._refused, []
        return Step(
            through=self.through,
            phase="settled" if len(bars) and settled.all() else phase,
            symbols=self.symbols,
            bars=bars.take(changed),
            phases=phase_numbers(settled[changed], phase),
            refused=refused,
            with_bar=len(bars),
            drifted=drifted,
        )

    def _judged(self, snapshot: Snapshot) -> tuple[Bools, Mapping[int, tuple[str, str]]]:
        """Return which rows have a bar of this session that breaks no rule, and why others break one.

        What stands in a row that changed on another date is another session's.
        """
        position = np.flatnonzero(snapshot.has_bar & is_on_date(snapshot.updated, self.session))
        index_of = {row: at for at, row in enumerate(position.tolist())}
        faults = {index_of[row]: text for row, text in snapshot.faults.items() if row in index_of}
        good, reasons = self.judge(snapshot.rows.take(position), faults, self.sessions, self.ordinal)
        passed = np.zeros(len(snapshot.rows), dtype=np.bool_)
        passed[position[good]] = True
        return passed, {int(position[at]): reason for at, reason in reasons.items()}

    def _join(self, snapshot: Snapshot, passed: Bools) -> None:
        self._arrivals += 1
        rows = snapshot.rows.take(passed)
        slot = self.slots.give(symbols := rows.symbol.tolist(), self.slots.known(symbols))
        seq = np.full(len(rows), self._arrivals, dtype=np.int64)
        at, prices = snapshot.updated[passed], (rows.open, rows.high, rows.low, rows.close)
        if self._watermark != NEVER:  # a row that has not changed is known up to the snapshot all the same
            at = np.maximum(at, snapshot.seen().through - UNSURE)
        open_ = np.where(rows.open == 0, np.nan, rows.open)
        anchors = Anchors(at, seq, open_, *prices[1:], rows.volume, rows.vwap)
        last_at = snapshot.last_at[passed]
        price = np.where(last_at == NEVER, np.nan, snapshot.last_price[passed])
        trades = Trades(last_at, seq, price)
        self.state = join(self.state, of_anchor(len(self.symbols), slot, anchors, trades))

    def _join_minutes(self, messages: MinuteMessages, seq: Int64s, slot: Int32s) -> None:
        slot = self.slots.give(messages.symbol.tolist(), slot)
        prices = (messages.open, messages.high, messages.low, messages.close)
        minutes = Minutes(slot, messages.start, seq, *prices)
        totals = Totals(messages.start + MINUTE, seq, messages.official_open, messages.volume, messages.vwap)
        hours = (self.hours.opens_at, self.hours.closes_at)
        self.state = join(self.state, of_minutes(len(self.symbols), minutes, totals, hours))
        self._watermark = max(self._watermark, int(messages.start.max()) + MINUTE)

    def _changed(self, bars: Provisional, settled: Bools, phase: Phase) -> Int64s:
        """Return the positions of the bars that differ from those of the step before, and remember these."""
        columns: list[npt.NDArray[Any]] = [bars.open, bars.high, bars.low, bars.close, bars.volume, bars.vwap]
        columns += [bars.data_through, phase_numbers(settled, phase)]
        before = np.full((len(columns), len(self.state)), np.nan)
        before[:, : self._rows.shape[1]] = self._rows
        is_changed = np.zeros(len(bars), dtype=np.bool_)
        for known, column in zip(before, columns, strict=True):
            now = np.where(np.isnan(column), -1.0, column)  # to stay unknown is no change
            is_changed |= now != known[bars.slot]
            known[bars.slot] = now
        self._rows = before
        return np.flatnonzero(is_changed)
