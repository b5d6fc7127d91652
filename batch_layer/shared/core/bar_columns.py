"""Fill the columns of bars from groups of daily bars, as the rows stand: nothing is rescaled here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batch_layer.shared.core.group_reduction import Groups, Reducer
from batch_layer.shared.core.windows import last_ordinals, windows_of
from batch_layer.shared.models.bars import (
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
from batch_layer.shared.models.coverage import Coverage

_WIDE = 7
"""Columns of 8 bytes: open, high, low, close, volume, vwap and trades."""


@dataclass(frozen=True, eq=False)
class BarBuffer:
    """Room for bars, or for a slice of them. Columns of 8 bytes are rows of one array, to be written at once.

    Attributes:
        wide: a row each of open, high, low, close, volume, vwap and trades, the last int64 seen as float64.
        instrument_id, window, sessions, is_complete: columns of `Bars`.
    """

    wide: Floats
    instrument_id: Int32s
    window: Int32s
    sessions: Int16s
    is_complete: Bools

    @classmethod
    def of(cls, count: int) -> BarBuffer:
        """Return room for ``count`` bars, which have no values yet.

        It is one allocation: the system backs a large one with large pages, which are written to for the
        first time some four times faster than small ones.
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
        """Return the room of a slice of the bars."""
        return BarBuffer(
            wide=self.wide[:, rows],
            instrument_id=self.instrument_id[rows],
            window=self.window[rows],
            sessions=self.sessions[rows],
            is_complete=self.is_complete[rows],
        )

    def write(self, bars: BarBuffer) -> None:
        """Fill this room with the values of another of its size."""
        self.wide[:] = bars.wide
        self.instrument_id[:] = bars.instrument_id
        self.window[:] = bars.window
        self.sessions[:] = bars.sessions
        self.is_complete[:] = bars.is_complete

    def bars(self) -> Bars:
        """Return the bars that are written here."""
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


def fill(
    sheets: Mapping[int, BarBuffer],
    firsts: Mapping[int, Int32s],
    daily: DailyBars,
    anchor: int | Int32s,
    coverage: Coverage,
) -> None:
    """Fold the daily bars into the bars of every interval.

    Args:
        sheets: interval to the room of its bars.
        firsts: their first rows, as `first_rows` gives them for these daily bars and this anchor.
        daily: ascending by instrument, then by ordinal.
        anchor: ordinal of the first session of window 0, one for all or one a row.
        coverage: which sessions are loaded.
    """
    if not len(daily):
        return
    reducer = Reducer(len(daily), [Groups(firsts[n], n) for n in sheets])
    instrument_id = daily.instrument_id.take(reducer.first)
    window, last = _windows(daily, sheets, anchor, reducer)
    joined = BarBuffer(
        wide=_wide(daily, reducer),
        instrument_id=instrument_id,
        window=window,
        sessions=reducer.count.astype(np.int16),
        is_complete=coverage.is_complete(instrument_id, last),
    )
    for sheet, of_interval in zip(sheets.values(), reducer.slices, strict=True):
        sheet.write(joined.take(of_interval))


def at(anchor: int | Int32s, rows: slice | Positions) -> int | Int32s:
    """Return the anchor of the rows: ``anchor`` itself, if it is one for all."""
    return anchor[rows] if isinstance(anchor, np.ndarray) else anchor


def _windows(
    daily: DailyBars, intervals: Iterable[int], anchor: int | Int32s, reducer: Reducer
) -> tuple[Int32s, Int32s]:
    """Return each bar's window, and the window's last session."""
    ordinal, of_bar = daily.ordinal.take(reducer.first), at(anchor, reducer.first)
    windows, lasts = [], []
    for n, of_interval in zip(intervals, reducer.slices, strict=True):
        since = at(of_bar, of_interval)
        windows.append(windows_of(ordinal[of_interval], n, since))
        lasts.append(last_ordinals(windows[-1], n, since))
    return reducer.join(windows), reducer.join(lasts)


def _wide(daily: DailyBars, reducer: Reducer) -> Floats:
    """Return the rows of `Sheet.wide` for the bars of all intervals, joined; they are longer than needed."""
    wide = np.empty((_WIDE, reducer.room))
    open_, high, low, close, volume, vwap, trades = wide
    groups = len(reducer.first)
    # Clipped, though no place is beyond: NumPy takes straight into ``out`` only where it need not look.
    daily.open.take(reducer.first, out=open_[:groups], mode="clip")
    reducer.reduce(daily.high, np.maximum, out=high)
    reducer.reduce(daily.low, np.minimum, out=low)
    daily.close.take(reducer.last, out=close[:groups], mode="clip")
    reducer.reduce(daily.volume, np.add, out=volume)
    _fill_vwap(daily, volume[:groups], reducer, out=vwap)
    _fill_trades(daily, reducer, out=trades[:groups].view(np.int64))
    return wide


def _fill_vwap(daily: DailyBars, volume: Floats, reducer: Reducer, out: Floats) -> None:
    """Set each bar's mean price, weighted by volume; ``volume`` is the bars'."""
    turnover = daily.vwap * daily.volume
    turnover[daily.volume == 0] = 0.0  # whether the vwap is known does not matter there
    vwap = reducer.reduce(turnover, np.add, out)
    with np.errstate(invalid="ignore"):  # 0 / 0 where there was no volume: the NaN that is wanted
        np.divide(vwap, volume, out=vwap)
    # The mean of one is that one, which multiplied and divided might come back another.
    alone = np.flatnonzero(reducer.count == 1)
    alone = alone[volume[alone] > 0]
    vwap[alone] = daily.vwap[reducer.first[alone]]


def _fill_trades(daily: DailyBars, reducer: Reducer, out: Int64s) -> None:
    """Set each bar's trades, unknown where those of one daily bar are."""
    reducer.total(daily.trades, out)
    if (daily.trades < 0).any():
        out[reducer.reduce(daily.trades, np.minimum) < 0] = UNKNOWN_TRADES
