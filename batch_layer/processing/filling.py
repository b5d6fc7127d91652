"""Fill the columns of bars from groups of daily bars, as the rows stand: nothing is rescaled here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from batch_layer.processing.runs import Groups, Places, Reducer
from batch_layer.processing.windows import last_ordinals, windows_of
from batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars, DailyBars, Floats, Int32s
from batch_layer.shared.models.coverage import Coverage

_DTYPES = {
    # The widest first, so that each column begins where its dtype may.
    **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), np.dtype(np.float64)),
    "trades": np.dtype(np.int64),
    "instrument_id": np.dtype(np.int32),
    "window": np.dtype(np.int32),
    "sessions": np.dtype(np.int16),
    "is_complete": np.dtype(np.bool_),
}


def groups_of(daily: DailyBars, n: int, anchor: int | Int32s) -> Groups:
    """Return which daily bars make a bar of n sessions together.

    Args:
        daily: ascending by instrument, then by ordinal.
        n: sessions in a window.
        anchor: ordinal of the first session of window 0, one for all or one a row.

    Raises:
        UsageError: n is no possible interval.
    """
    window = windows_of(daily.ordinal, n, anchor)
    begins = np.ones(len(daily), dtype=np.bool_)
    np.not_equal(window[1:], window[:-1], out=begins[1:])
    begins[1:] |= daily.instrument_id[1:] != daily.instrument_id[:-1]
    first = np.flatnonzero(begins)
    return Groups(first=first, count=np.diff(first, append=len(daily)), usual=n)


def unfilled(count: int) -> Bars:
    """Return ``count`` bars whose columns have their dtypes, but no values yet.

    The columns share one allocation: the system gives a large one in large pages, which saves half the time
    of writing to new memory.
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
    daily: DailyBars,
    groups: Mapping[int, Groups],
    anchor: int | Int32s,
    coverage: Coverage,
) -> None:
    """Fill, for each interval, one bar a group.

    Args:
        bars: interval to the bars to fill, as many as it has groups.
        daily: the daily bars of the groups.
        groups: interval to groups of rows of ``daily``.
        anchor: ordinal of the first session of window 0, one for all or one a row of ``daily``.
        coverage: which sessions are loaded.
    """
    _fill_reduced(bars, daily, groups)
    for n, into in bars.items():
        first = groups[n].first
        of_bar = at(anchor, first)
        into.instrument_id[:] = daily.instrument_id[first]
        into.window[:] = windows_of(daily.ordinal[first], n, of_bar)
        into.open[:] = daily.open[first]
        into.close[:] = daily.close[first + groups[n].count - 1]
        into.sessions[:] = groups[n].count
        into.is_complete[:] = coverage.is_complete(into.instrument_id, last_ordinals(into.window, n, of_bar))


def at(anchor: int | Int32s, rows: slice | Places) -> int | Int32s:
    """Return the anchor of the rows: ``anchor`` itself, if it is one for all."""
    return anchor[rows] if isinstance(anchor, np.ndarray) else anchor


def _fill_reduced(bars: Mapping[int, Bars], daily: DailyBars, groups: Mapping[int, Groups]) -> None:
    """Fill the columns that take all rows of a group."""
    into = [bars[n] for n in groups]
    reducer = Reducer(len(daily), list(groups.values()))
    reducer.reduce(daily.high, np.maximum, [one.high for one in into])
    reducer.reduce(daily.low, np.minimum, [one.low for one in into])
    reducer.reduce(daily.volume, np.add, [one.volume for one in into])
    reducer.reduce(_turnover(daily), np.add, [one.vwap for one in into])
    reducer.reduce(daily.trades, np.add, [one.trades for one in into])
    if (daily.trades < 0).any():
        least = [np.empty_like(one.trades) for one in into]
        reducer.reduce(daily.trades, np.minimum, least)
        for one, fewest in zip(into, least, strict=True):
            one.trades[fewest < 0] = UNKNOWN_TRADES
    for n, one in bars.items():
        _settle_vwap(one, daily, groups[n])


def _turnover(daily: DailyBars) -> Floats:
    """Return vwap * volume: 0 where there was no volume, NaN where there was but the vwap is unknown."""
    turnover = daily.vwap * daily.volume
    turnover[daily.volume == 0] = 0.0
    return turnover


def _settle_vwap(bars: Bars, daily: DailyBars, groups: Groups) -> None:
    """Turn the turnover that stands in the bars' ``vwap`` into the mean price."""
    with np.errstate(invalid="ignore"):  # 0 / 0 where there was no volume: the NaN that is wanted
        np.divide(bars.vwap, bars.volume, out=bars.vwap)
    # The mean of one is that one, which multiplied and divided might come back another.
    alone = np.flatnonzero((groups.count == 1) & (bars.volume > 0))
    bars.vwap[alone] = daily.vwap[groups.first[alone]]
