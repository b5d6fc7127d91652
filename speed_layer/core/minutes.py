"""Minute messages of a stream, whoever sent them, and which of them may pass; pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bools, Columns, Floats, Int64s
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.speed_layer.core.guards import LARGEST_LEAD
from condvest.speed_layer.core.phases import is_on_date
from condvest.speed_layer.core.state import MINUTE, NEVER

LARGEST = 1e15
"""Prices and volumes above it are left to the rules of the batch layer, which refuse them."""

Reasons = dict[int, tuple[str, str]]
"""Of each row that may not pass the rule and the reason."""


@dataclass(frozen=True, eq=False)
class MinuteMessages(Columns):
    """Minute messages, in the order in which they came.

    Attributes:
        symbol: object, case counts.
        start: int64, when the minute began, microseconds since 1970-01-01 UTC; NEVER where unknown.
        received: int64, when the message came.
        open, high, low, close: float64, of the minute; NaN where unknown.
        official_open: float64, of the session; NaN where unknown, as before the open.
        volume, vwap: float64, of the whole date so far; NaN where unknown.
    """

    symbol: npt.NDArray[np.object_]
    start: Int64s
    received: Int64s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    official_open: Floats
    volume: Floats
    vwap: Floats

    def shown(self, row: int) -> dict[str, str | None]:
        """Return a message as text, by the names of the columns."""
        names = ("symbol", "start", "open", "high", "low", "close", "official_open", "volume", "vwap")
        values = {name: str(getattr(self, name)[row]) for name in names}
        return {name: None if text in ("nan", str(NEVER)) else text for name, text in values.items()}


def admitted(
    messages: MinuteMessages,
    faults: Mapping[int, str],
    session: dt.date,
    is_known: Bools,
    judge: Callable[[BarRows, Mapping[int, str]], tuple[Bools, Mapping[int, tuple[str, str]]]],
) -> tuple[Bools, Reasons]:
    """Return which messages may pass, and of each that may not the rule and the reason.

    Nearly all are good, which shows in a few comparisons of whole columns; only what these do not clear is
    left to the rules of the batch layer. ``other_session`` is a minute of another date, ``future`` one that
    this machine's clock has not reached.

    Args:
        messages: as they were read.
        faults: what could not be read, by row.
        session: the date under way.
        is_known: of which messages the symbol has passed before.
        judge: the rules, for rows of the session of which no two have one symbol.
    """
    reasons: Reasons = {}
    is_today = is_on_date(messages.start, session)
    is_future = is_today & (messages.start + MINUTE > messages.received + LARGEST_LEAD)
    is_readable = np.ones(len(messages), dtype=np.bool_)
    is_readable[list(faults)] = False
    for row in np.flatnonzero(~is_today & is_readable).tolist():
        reasons[row] = ("other_session", f"{messages.symbol[row]}: expected a minute of {session}")
    for row in np.flatnonzero(is_future & is_readable).tolist():
        reasons[row] = ("future", f"{messages.symbol[row]}: the minute has not ended by this machine's clock")
    passed = is_today & ~is_future & is_readable & _is_plain(messages)
    to_judge = ~(passed & is_known) & ((is_today & ~is_future) | ~is_readable)
    for rows in _each_symbol_once(messages.symbol, np.flatnonzero(to_judge)):
        own = {at: faults[row] for at, row in enumerate(rows.tolist()) if row in faults}
        good, why = judge(_as_bars(messages.take(rows), session), own)
        passed[rows] = good
        reasons |= {int(rows[at]): reason for at, reason in why.items()}
    return passed, reasons


def _is_plain(messages: MinuteMessages) -> Bools:
    """Return which messages break no rule for values; comparisons with NaN are false."""
    open_, high, low, close = (getattr(messages, name) for name in ("open", "high", "low", "close"))
    is_plain: Bools = (low > 0) & (low <= open_) & (low <= close) & (open_ <= high) & (close <= high)
    is_plain &= (high < LARGEST) & (messages.volume >= 0) & (messages.volume < LARGEST)
    return is_plain


def _each_symbol_once(
    symbols: npt.NDArray[np.object_], rows: npt.NDArray[np.intp]
) -> list[npt.NDArray[np.intp]]:
    """Return the rows in groups in which no symbol is twice: for the rules, copies would contradict."""
    groups: list[list[int]] = []
    seen: dict[str, int] = {}
    for row in rows.tolist():
        times = seen.get(symbols[row], 0)
        seen[symbols[row]] = times + 1
        if times == len(groups):
            groups.append([])
        groups[times].append(row)
    return [np.array(group, dtype=np.intp) for group in groups]


def _as_bars(messages: MinuteMessages, session: dt.date) -> BarRows:
    """Return messages as the rows that the rules judge: the minute's prices, the date's volume."""
    count = len(messages)
    return BarRows(
        line=np.arange(1, count + 1, dtype=np.int64),
        symbol=messages.symbol,
        session=np.full(count, np.datetime64(session, "D")),
        open=messages.open,
        high=messages.high,
        low=messages.low,
        close=messages.close,
        volume=messages.volume,
        vwap=np.full(count, np.nan),
        trades=np.full(count, UNKNOWN_TRADES, dtype=np.int64),
    )
