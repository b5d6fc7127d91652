"""Fill the columns of bars from groups of daily bars, as the rows stand: nothing is rescaled here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from batch_layer.processing.runs import Groups, Places, Reducer
from batch_layer.processing.windows import last_ordinals, windows_of
from batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars, DailyBars, Floats, Int32s, Int64s
from batch_layer.shared.models.coverage import Coverage

_DTYPES: dict[str, np.dtype[Any]] = {
    # The widest first, so that each column begins where its dtype may.
    **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), np.dtype(np.float64)),
    "trades": np.dtype(np.int64),
    "instrument_id": np.dtype(np.int32),
    "window": np.dtype(np.int32),
    "sessions": np.dtype(np.int16),
    "is_complete": np.dtype(np.bool_),
}


def first_rows(daily: DailyBars, intervals: Sequence[int], anchor: int | Int32s) -> dict[int, Int32s]:
    """Return, for each interval, the row (int32, ascending) of the first daily bar of each bar.

    Args:
        daily: ascending by instrument, then by ordinal.
        intervals: sessions in a window, for each interval.
        anchor: ordinal of the first session of window 0, one for all or one a row.

    Raises:
        UsageError: an interval is none.
    """
    is_new = daily.instrument_id[1:] != daily.instrument_id[:-1]
    begins = np.ones(len(daily), dtype=np.bool_)
    rows = {}
    for n in intervals:
        window = windows_of(daily.ordinal, n, anchor)
        np.not_equal(window[1:], window[:-1], out=begins[1:])
        begins[1:] |= is_new
        rows[n] = np.flatnonzero(begins).astype(np.int32)
    return rows


def unfilled(count: int) -> Bars:
    """Return ``count`` bars whose columns have their dtypes, but no values yet.

    The columns share one allocation: the system backs a large one with large pages, which are written to for
    the first time some four times faster than small ones.
    """
    memory = np.empty(count * sum(dtype.itemsize for dtype in _DTYPES.values()), dtype=np.uint8)
    columns, start = {}, 0
    for name, dtype in _DTYPES.items():
        end = start + count * dtype.itemsize
        columns[name] = memory[start:end].view(dtype)
        start = end
    return Bars(**columns)


def fill(
    bars: Mapping[int, Bars],
    firsts: Mapping[int, Int32s],
    daily: DailyBars,
    anchor: int | Int32s,
    coverage: Coverage,
) -> None:
    """Fold the daily bars into the bars of every interval.

    Args:
        bars: interval to the bars to fill.
        firsts: their first rows, as `first_rows` gives them for these daily bars and this anchor.
        daily: ascending by instrument, then by ordinal.
        anchor: ordinal of the first session of window 0, one for all or one a row.
        coverage: which sessions are loaded.
    """
    groups = {n: _groups(firsts[n], len(daily), n) for n in bars}
    reducer = Reducer(len(daily), list(groups.values()))
    first = reducer.first
    instrument_id = daily.instrument_id.take(first)
    volume = reducer.reduce(daily.volume, np.add)
    window, last = _windows(daily, groups, anchor, reducer)
    columns: dict[str, npt.NDArray[Any]] = {
        "instrument_id": instrument_id,
        "window": window,
        "open": daily.open.take(first),
        "high": reducer.reduce(daily.high, np.maximum),
        "low": reducer.reduce(daily.low, np.minimum),
        "close": daily.close.take(first + reducer.count - 1),
        "volume": volume,
        "vwap": _vwap(daily, volume, reducer),
        "trades": _trades(daily, reducer),
        "sessions": reducer.count,
        "is_complete": coverage.is_complete(instrument_id, last),
    }
    for name, column in columns.items():
        for n, values in zip(groups, reducer.split(column), strict=True):
            getattr(bars[n], name)[:] = values


def at(anchor: int | Int32s, rows: slice | Places) -> int | Int32s:
    """Return the anchor of the rows: ``anchor`` itself, if it is one for all."""
    return anchor[rows] if isinstance(anchor, np.ndarray) else anchor


def _groups(first: Int32s, rows: int, n: int) -> Groups:
    first_row = first.astype(np.intp)
    return Groups(first=first_row, count=np.diff(first_row, append=rows), usual=n)


def _windows(
    daily: DailyBars, groups: Mapping[int, Groups], anchor: int | Int32s, reducer: Reducer
) -> tuple[Int32s, Int32s]:
    """Return each bar's window, and the window's last session."""
    windows, lasts = [], []
    for n, of_interval in groups.items():
        of_bar = at(anchor, of_interval.first)
        windows.append(windows_of(daily.ordinal.take(of_interval.first), n, of_bar))
        lasts.append(last_ordinals(windows[-1], n, of_bar))
    return reducer.join(windows), reducer.join(lasts)


def _vwap(daily: DailyBars, volume: Floats, reducer: Reducer) -> Floats:
    """Return each bar's mean price, weighted by volume; ``volume`` is the bars'."""
    turnover = daily.vwap * daily.volume
    turnover[daily.volume == 0] = 0.0  # whether the vwap is known does not matter there
    with np.errstate(invalid="ignore"):  # 0 / 0 where there was no volume: the NaN that is wanted
        vwap = reducer.reduce(turnover, np.add) / volume
    # The mean of one is that one, which multiplied and divided might come back another.
    alone = np.flatnonzero((reducer.count == 1) & (volume > 0))
    vwap[alone] = daily.vwap[reducer.first[alone]]
    return vwap


def _trades(daily: DailyBars, reducer: Reducer) -> Int64s:
    """Return each bar's trades, unknown where those of one daily bar are."""
    trades = reducer.reduce(daily.trades, np.add)
    if (daily.trades < 0).any():
        trades[reducer.reduce(daily.trades, np.minimum) < 0] = UNKNOWN_TRADES
    return trades
