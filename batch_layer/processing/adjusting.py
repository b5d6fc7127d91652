"""Bars brought from the split basis of their own windows' ends to a later one, where they lie. Pure."""

from __future__ import annotations

import numpy as np

from batch_layer.processing.adjustment import expanded, split_factors
from batch_layer.processing.ordering import run_starts
from batch_layer.processing.runs import Places
from batch_layer.shared.models.bars import Bars, Int32s
from batch_layer.shared.models.corporate_actions import Splits


def adjust_in_place(bars: Bars, splits: Splits, window: Int32s, until_ordinal: Int32s) -> None:
    """Bring bars to the split basis of a later session, each from that of its own window's end.

    The same as `rescaled` by `split_factors` of every row; but most rows have no split after them, and those
    between two splits have one factor, so it is sought once for them and the others are left alone.

    Args:
        bars: rows of one instrument together, ascending by window; altered.
        splits: by instrument and ex-ordinal, of any instruments.
        window: int32 a split, the first window on whose end's basis the split has been.
        until_ordinal: int32 a split, the session whose basis is wanted; the same for one instrument.
    """
    first, end = _rows_before(bars, splits, window)
    price_factor, volume_factor = split_factors(
        splits.instrument_id, splits.ex_ordinal - np.int32(1), until_ordinal, splits
    )
    which, rows = expanded(first, end - first)
    for name in ("open", "high", "low", "close", "vwap"):
        getattr(bars, name)[rows] *= price_factor[which]
    bars.volume[rows] *= volume_factor[which]


def _rows_before(bars: Bars, splits: Splits, window: Int32s) -> tuple[Places, Places]:
    """Return the rows, first and end, that lie before each split and after the one before it."""
    starts = run_starts(bars.instrument_id)
    by_id = np.argsort(bars.instrument_id[starts])
    # A run without rows, of no instrument, stands for that of an instrument that has none.
    ids = np.append(bars.instrument_id[starts[by_id]], np.int32(-1))
    place = np.searchsorted(ids[:-1], splits.instrument_id)
    run = np.where(ids[place] == splits.instrument_id, np.append(by_id, 0)[place], len(starts))
    starts = np.append(starts, len(bars))
    first = starts[run]
    end = _bisected(bars.window, first, np.append(starts[1:], len(bars))[run], window)
    again = np.flatnonzero(splits.instrument_id[1:] == splits.instrument_id[:-1]) + 1
    first[again] = end[again - 1]
    return first, end


def _bisected(values: Int32s, first: Places, end: Places, sought: Int32s) -> Places:
    """Return, for each span of ascending values, the place of the first one not below what is sought."""
    low, high = first.copy(), end.copy()
    while len(wide := np.flatnonzero(low < high)):
        middle = (low[wide] + high[wide]) // 2
        is_below = values[middle] < sought[wide]
        low[wide[is_below]] = middle[is_below] + 1
        high[wide[~is_below]] = middle[~is_below]
    return low
