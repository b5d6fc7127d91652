"""Following one session: snapshots go in, the rows that changed come out; pure.

A collector and a replay of its journal both follow a session by this code, so both come to the same rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from batch_layer.shared.models.bars import Bools, Int32s, Int64s
from batch_layer.shared.models.payloads import BarRows
from batch_layer.shared.models.sessions import EXCHANGE_ZONE, Sessions
from speed_layer.core.guards import Refusal, Seen, refusal
from speed_layer.core.phases import SECOND, Calm, Hours, Phase
from speed_layer.core.provisional import Provisional, bars_of
from speed_layer.core.snapshot import Snapshot
from speed_layer.core.state import NEVER, Anchors, LiveState, Trades, join, nothing, of_anchor

Judge = Callable[[BarRows, Mapping[int, str], Sessions, int], tuple[Bools, Mapping[int, tuple[str, str]]]]
"""Says which rows of a session may pass, and of each row that may not the rule and the reason."""


@dataclass(frozen=True)
class RefusedRow:
    """A row that broke a rule: its symbol, the rule, the reason, and the row as it came."""

    symbol: str
    code: str
    reason: str
    content: Mapping[str, str | None]


@dataclass(frozen=True, eq=False)
class Step:
    """What one snapshot changed.

    Attributes:
        through: the instant that the data have got to, microseconds.
        phase: of the session.
        symbols: the symbol of each slot.
        bars: the bars that differ from those told before, by slot; all of them at first.
        phases: of each of those bars.
        refused: rows that broke a rule.
        with_bar: how many symbols have a bar by now.
    """

    through: int
    phase: Phase
    symbols: list[str]
    bars: Provisional
    phases: list[Phase]
    refused: list[RefusedRow]
    with_bar: int


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
    symbols: list[str] = field(default_factory=list)
    state: LiveState = field(default_factory=nothing)
    last: Seen | None = None
    _slot_of: dict[str, int] = field(default_factory=dict)
    _calm: Calm = field(default_factory=Calm.unknown)
    _last_values: dict[int, tuple[object, ...]] = field(default_factory=dict)
    _arrivals: int = 0

    @property
    def session(self) -> dt.date:
        """The date of the session."""
        return self.sessions.session(self.ordinal)

    @property
    def hours(self) -> Hours:
        """The regular hours of the session."""
        return Hours.of(self.sessions, self.ordinal)

    def take(self, snapshot: Snapshot, received: int) -> Step | Refusal:
        """Take a snapshot in.

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
        self._join(snapshot, passed)
        bars = bars_of(self.state)
        self._calm = self._calm.after(bars, len(self.state), seen.through, self.hours)
        phase = self.hours.phase(seen.through)
        settled = self._calm.is_settled(bars, seen.through)
        phases: list[Phase] = ["settled" if is_settled else phase for is_settled in settled.tolist()]
        if len(bars) and settled.all():
            phase = "settled"
        changed = self._changed(bars, phases)
        return Step(
            through=seen.through,
            phase=phase,
            symbols=self.symbols,
            bars=bars.take(changed),
            phases=[phases[row] for row in changed.tolist()],
            refused=_refused(snapshot, reasons),
            with_bar=len(bars),
        )

    def _judged(self, snapshot: Snapshot) -> tuple[Bools, Mapping[int, tuple[str, str]]]:
        """Return which rows have a bar of this session that breaks no rule, and why others break one."""
        position = np.flatnonzero(snapshot.has_bar & self._is_of_session(snapshot.updated))
        index_of = {row: at for at, row in enumerate(position.tolist())}
        faults = {index_of[row]: text for row, text in snapshot.faults.items() if row in index_of}
        good, reasons = self.judge(snapshot.rows.take(position), faults, self.sessions, self.ordinal)
        passed = np.zeros(len(snapshot.rows), dtype=np.bool_)
        passed[position[good]] = True
        return passed, {int(position[at]): reason for at, reason in reasons.items()}

    def _is_of_session(self, updated: Int64s) -> Bools:
        """Return which rows changed on the session's date; what stands in the others is another session's."""
        start = dt.datetime.combine(self.session, dt.time(), EXCHANGE_ZONE)
        end = dt.datetime.combine(self.session + dt.timedelta(1), dt.time(), EXCHANGE_ZONE)
        first, after = (int(instant.timestamp()) * SECOND for instant in (start, end))
        is_of_session: Bools = (updated >= first) & (updated < after)
        return is_of_session

    def _join(self, snapshot: Snapshot, passed: Bools) -> None:
        self._arrivals += 1
        rows = snapshot.rows.take(passed)
        slot = self._slots(rows.symbol.tolist())
        seq = np.full(len(rows), self._arrivals, dtype=np.int64)
        at, prices = snapshot.updated[passed], (rows.open, rows.high, rows.low, rows.close)
        open_ = np.where(rows.open == 0, np.nan, rows.open)
        anchors = Anchors(at, seq, open_, *prices[1:], rows.volume, rows.vwap)
        last_at = snapshot.last_at[passed]
        price = np.where(last_at == NEVER, np.nan, snapshot.last_price[passed])
        trades = Trades(last_at, seq, price)
        self.state = join(self.state, of_anchor(len(self.symbols), slot, anchors, trades))

    def _slots(self, symbols: list[str]) -> Int32s:
        """Return the slot of each symbol, a new one for a new symbol; case counts."""
        for symbol in symbols:
            if symbol not in self._slot_of:
                self._slot_of[symbol] = len(self.symbols)
                self.symbols.append(symbol)
        return np.array([self._slot_of[symbol] for symbol in symbols], dtype=np.int32)

    def _changed(self, bars: Provisional, phases: list[Phase]) -> Int64s:
        """Return the positions of the bars that differ from those told before, and remember these."""
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.vwap, bars.data_through)
        values_of_rows = zip(
            *(np.nan_to_num(column, nan=-1.0).tolist() for column in columns), phases, strict=True
        )
        changed = []
        for row, (slot, values) in enumerate(zip(bars.slot.tolist(), values_of_rows, strict=True)):
            if self._last_values.get(slot) != values:
                self._last_values[slot] = values
                changed.append(row)
        return np.array(changed, dtype=np.int64)


def _refused(snapshot: Snapshot, reasons: Mapping[int, tuple[str, str]]) -> list[RefusedRow]:
    symbols = snapshot.rows.symbol
    return [
        RefusedRow(symbols[row], *reasons[row], content=snapshot.source.slice(row, 1).to_pylist()[0])
        for row in sorted(reasons)
    ]
