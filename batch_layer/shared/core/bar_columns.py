"""Compute the columns of bars from groups of daily bars. Nothing is rescaled here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.core.group_layout import Groups, Layout
from condvest.batch_layer.shared.core.group_reduction import Reducer
from condvest.batch_layer.shared.core.windows import first_ordinals, windows_of
from condvest.batch_layer.shared.models.bars import (
    UNKNOWN_TRADES,
    Bars,
    Bools,
    DailyBars,
    Floats,
    Int16s,
    Int32s,
    Int64s,
    Positions,
)
from condvest.batch_layer.shared.models.coverage import Coverage

_WIDE = 7
"""Columns of 8 bytes: open, high, low, close, volume, vwap and trades."""


@dataclass(frozen=True, eq=False)
class BarBuffer:
    """Memory for bars, or for a slice of them. The 8-byte columns are one array, so one copy moves them all.

    Attributes:
        wide: one row each for open, high, low, close, volume, vwap and trades (int64 viewed as float64).
        instrument_id, window, sessions, is_complete: columns of `Bars`.
    """

    wide: Floats
    instrument_id: Int32s
    window: Int32s
    sessions: Int16s
    is_complete: Bools

    @classmethod
    def of(cls, count: int) -> BarBuffer:
        """Return uninitialized memory for ``count`` bars.

        It is one allocation: the system backs a large one with large pages, whose first write is some four
        times faster than that of small ones.
        """
        # The widest first, so that each column begins where its dtype may.
        widths = np.array([8 * _WIDE, 4, 4, 2, 1])
        memory = np.empty(count * int(widths.sum()), dtype=np.uint8)
        wide, instrument_id, window, sessions, is_complete = np.split(memory, count * widths.cumsum()[:-1])
        return cls(
            wide=wide.view(np.float64).reshape(_WIDE, count),
            instrument_id=instrument_id.view(np.int32),
            window=window.view(np.int32),
            sessions=sessions.view(np.int16),
            is_complete=is_complete.view(np.bool_),
        )

    def take(self, rows: slice) -> BarBuffer:
        """Return a view of a slice of the bars."""
        return BarBuffer(
            wide=self.wide[:, rows],
            instrument_id=self.instrument_id[rows],
            window=self.window[rows],
            sessions=self.sessions[rows],
            is_complete=self.is_complete[rows],
        )

    def write(self, bars: BarBuffer) -> None:
        """Copy in the values of another buffer of the same size."""
        self.wide[:] = bars.wide
        self.instrument_id[:] = bars.instrument_id
        self.window[:] = bars.window
        self.sessions[:] = bars.sessions
        self.is_complete[:] = bars.is_complete

    def bars(self) -> Bars:
        """Return the bars, as views of this memory."""
        open_, high, low, close, volume, vwap, trades = self.wide
        return Bars(
            instrument_id=self.instrument_id,
            window=self.window,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            vwap=vwap,
            trades=trades.view(np.int64),
            sessions=self.sessions,
            is_complete=self.is_complete,
        )


def first_rows(daily: DailyBars, intervals: Sequence[int], anchor: int | Int32s) -> dict[int, Int32s]:
    """Return, for each interval, the row (int32, ascending) of the first daily bar of each bar.

    Args:
        daily: ascending by instrument, then by ordinal.
        intervals: sessions in a window, for each interval.
        anchor: ordinal of the first session of window 0, one for all or one per row.

    Raises:
        UsageError: an interval is out of range.
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


def fill(
    buffers: Mapping[int, BarBuffer],
    firsts: Mapping[int, Int32s],
    daily: DailyBars,
    anchor: int | Int32s,
    coverage: Coverage,
) -> None:
    """Fold the daily bars into the bars of every interval.

    Args:
        buffers: interval to the memory of its bars.
        firsts: their first rows, as `first_rows` gives them for these daily bars and this anchor.
        daily: ascending by instrument, then by ordinal.
        anchor: ordinal of the first session of window 0, one for all or one per row.
        coverage: which sessions are loaded.
    """
    if not len(daily):
        return
    reducer = Reducer(len(daily), [Groups(firsts[n], n) for n in buffers])
    layout = reducer.layout
    instrument_id = daily.instrument_id.take(layout.first)
    window, first, last = _windows(daily, buffers, anchor, layout)
    joined = BarBuffer(
        wide=_wide(daily, reducer),
        instrument_id=instrument_id,
        window=window,
        sessions=layout.count.astype(np.int16),
        is_complete=coverage.is_complete(instrument_id, first, last),
    )
    for buffer, of_interval in zip(buffers.values(), layout.slices, strict=True):
        buffer.write(joined.take(of_interval))


def at(anchor: int | Int32s, rows: slice | Positions) -> int | Int32s:
    """Return the anchor of the rows: ``anchor`` itself, if it is one for all."""
    return anchor[rows] if isinstance(anchor, np.ndarray) else anchor


def _windows(
    daily: DailyBars, intervals: Iterable[int], anchor: int | Int32s, layout: Layout
) -> tuple[Int32s, Int32s, Int32s]:
    """Return each bar's window, and the window's first and last session, both inclusive."""
    ordinal, of_bar = daily.ordinal.take(layout.first), at(anchor, layout.first)
    windows, firsts, lasts = [], [], []
    for n, of_interval in zip(intervals, layout.slices, strict=True):
        since = at(of_bar, of_interval)
        windows.append(windows_of(ordinal[of_interval], n, since))
        firsts.append(first_ordinals(windows[-1], n, since))
        lasts.append(firsts[-1] + np.int32(n - 1))
    return layout.join(windows), layout.join(firsts), layout.join(lasts)


def _wide(daily: DailyBars, reducer: Reducer) -> Floats:
    """Return `BarBuffer.wide` for the bars of all intervals, joined; its rows are longer than needed."""
    layout = reducer.layout
    wide = np.empty((_WIDE, layout.room))
    open_, high, low, close, volume, vwap, trades = wide
    groups = len(layout.first)
    # Clipped, though no position is out of range: NumPy writes straight to ``out`` only if it need not check.
    daily.open.take(layout.first, out=open_[:groups], mode="clip")
    reducer.reduce(daily.high, np.maximum, out=high)
    reducer.reduce(daily.low, np.minimum, out=low)
    daily.close.take(layout.last, out=close[:groups], mode="clip")
    reducer.reduce(daily.volume, np.add, out=volume)
    _fill_vwap(daily, volume[:groups], reducer, out=vwap)
    _fill_trades(daily, reducer, out=trades[:groups].view(np.int64))
    return wide


def _fill_vwap(daily: DailyBars, volume: Floats, reducer: Reducer, out: Floats) -> None:
    """Set each bar's mean price, weighted by volume; ``volume`` is the bars'."""
    turnover = daily.vwap * daily.volume
    turnover[daily.volume == 0] = 0.0  # an unknown vwap does not matter there
    vwap = reducer.reduce(turnover, np.add, out)
    with np.errstate(invalid="ignore"):  # no volume: 0 / 0 is NaN, unknown
        np.divide(vwap, volume, out=vwap)
    # The mean of one price is that price; multiplied and divided by its volume, it might lose a bit.
    alone = np.flatnonzero(reducer.layout.count == 1)
    alone = alone[volume[alone] > 0]
    vwap[alone] = daily.vwap[reducer.layout.first[alone]]


def _fill_trades(daily: DailyBars, reducer: Reducer, out: Int64s) -> None:
    """Set each bar's trades: unknown if those of any of its daily bars are."""
    reducer.total(daily.trades, out)
    if (daily.trades < 0).any():
        out[reducer.reduce(daily.trades, np.minimum) < 0] = UNKNOWN_TRADES
