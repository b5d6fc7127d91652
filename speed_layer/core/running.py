"""Following one session by a vendor that tells of each symbol its running day; pure.

A quote is the vendor's own bar of the day so far. A message tells of one trade after it, and perhaps what
the day has come to: it widens the quote's range, and moves its close and its volume on. A message older than
the quote is in the quote; what came before the first quote waits for it, since nobody knows the day's high
before. What all of that comes to is taken as a snapshot whose rows have instants of their own, by the code
that takes every other snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES
from condvest.batch_layer.shared.models.given.given_rows import GivenRows
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.speed_layer.core.following import Follower, Step
from condvest.speed_layer.core.guards import Refusal, refusal
from condvest.speed_layer.core.minutes import MinuteMessages, admitted
from condvest.speed_layer.core.slots import NO_SLOT
from condvest.speed_layer.core.snapshot import RefusedRow, Snapshot, refused_rows

WAITING = 4096
"""Messages of a symbol that wait for its first quote, the newest."""


@dataclass(frozen=True)
class Trade:
    """A message; prices NaN where they were not told, high and low at least the trade's own."""

    at: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Day:
    """A symbol's day so far: up to when it is known, and up to when a quote told it."""

    at: int
    quoted_at: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    last_at: int

    def after(self, trade: Trade) -> Day:
        """Return the day after a trade that it does not hold yet."""
        is_later = trade.at >= self.at
        return replace(
            self,
            at=max(self.at, trade.at),
            open=trade.open if np.isnan(self.open) else self.open,
            high=max(self.high, trade.high),
            low=min(self.low, trade.low),
            close=trade.close if is_later else self.close,
            volume=self.volume if np.isnan(trade.volume) else max(self.volume, trade.volume),
            last_at=max(self.last_at, trade.at),
        )


@dataclass(eq=False)
class DayFollower(Follower):
    """What is known of one session; see the base and the module."""

    _days: dict[str, Day] = field(default_factory=dict)
    _since: dict[str, list[Trade]] = field(default_factory=lambda: defaultdict(list))
    _received: int = 0

    def take(self, snapshot: Snapshot, received: int) -> Step | Refusal:
        """Take quotes in; see the base. Those that lack a symbol told of before are refused."""
        refused = refusal(snapshot.seen(), None, 0, self.session, received)
        if refused is not None:
            return refused
        symbols = snapshot.rows.symbol.tolist()
        missing = sorted(set(self._days) - set(symbols))
        if missing:
            words = f"expected quotes of {len(self._days)} symbols, got none of {', '.join(missing[:5])}"
            return Refusal("partial", words)
        passed, reasons = self._judged(snapshot)
        self._refused += refused_rows(snapshot, reasons)
        for row in np.flatnonzero(passed).tolist():
            self._anchor(symbols[row], snapshot, row)
        self._received = received
        return super().take(self._as_snapshot(), received)

    def take_minutes(self, messages: MinuteMessages, faults: Mapping[int, str]) -> int:
        """Take messages in, in the order in which they came; return how many passed."""
        # What was not told is no fault here; the rules want every number.
        judged = replace(messages, volume=np.nan_to_num(messages.volume, nan=0.0))
        passed, reasons = admitted(
            judged,
            faults,
            self.session,
            self.slots.known(messages.symbol.tolist()) != NO_SLOT,
            lambda rows, own: self.judge(rows, own, self.sessions, self.ordinal),
        )
        self._refused += [
            RefusedRow(messages.symbol[row], *reasons[row], content=messages.shown(row))
            for row in sorted(reasons)
        ]
        passed &= (messages.start >= self.hours.opens_at) & (messages.start < self.hours.closes_at)
        for row in np.flatnonzero(passed).tolist():
            self._add(messages, row)
        if passed.any():
            self._received = max(self._received, int(messages.received[passed].max()))
        return int(passed.sum())

    def step(self) -> Step | None:
        """Return what has changed since the step before; None before the first quote."""
        if self.last is None:
            return None
        step = super().take(self._as_snapshot(), self._received)
        return step if isinstance(step, Step) else None

    def _anchor(self, symbol: str, snapshot: Snapshot, row: int) -> None:
        bars, at = snapshot.rows, int(snapshot.updated[row])
        if symbol in self._days and at < self._days[symbol].quoted_at:
            return
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        open_, high, low, close, volume = (float(column[row]) for column in columns)
        open_ = np.nan if open_ == 0 else open_
        day = Day(at, at, open_, high, low, close, volume, int(snapshot.last_at[row]))
        self._since[symbol] = [trade for trade in self._since[symbol] if trade.at > at]
        for trade in self._since[symbol]:
            day = day.after(trade)
        self._days[symbol] = day

    def _add(self, messages: MinuteMessages, row: int) -> None:
        symbol = messages.symbol[row]
        numbers = (messages.official_open, messages.high, messages.low, messages.close, messages.volume)
        trade = Trade(int(messages.start[row]), *(float(column[row]) for column in numbers))
        since = self._since[symbol]
        since.append(trade)
        del since[:-WAITING]
        if symbol in self._days and trade.at > self._days[symbol].quoted_at:
            self._days[symbol] = self._days[symbol].after(trade)

    def _as_snapshot(self) -> Snapshot:
        symbols, days = list(self._days), list(self._days.values())
        names = ("open", "high", "low", "close", "volume")
        values = {name: np.array([getattr(day, name) for day in days], dtype=np.float64) for name in names}
        values["open"] = np.nan_to_num(values["open"], nan=0.0)
        return Snapshot(
            rows=BarRows(
                line=np.arange(1, len(days) + 1, dtype=np.int64),
                symbol=np.array(symbols, dtype=object),
                session=np.full(len(days), np.datetime64(self.session, "D")),
                **values,
                vwap=np.full(len(days), np.nan),
                trades=np.full(len(days), UNKNOWN_TRADES, dtype=np.int64),
            ),
            faults={},
            has_bar=np.ones(len(days), dtype=np.bool_),
            updated=np.array([day.at for day in days], dtype=np.int64),
            last_price=values["close"],
            last_at=np.array([day.last_at for day in days], dtype=np.int64),
            source=GivenRows({"symbol": symbols}, len(days)),
        )
