"""Factors that bring prices and volumes from one split basis to another.

A split on ex-date e, ``split_from`` old shares for ``split_to`` new ones, divides what came before e: a price
is multiplied by ``split_from / split_to``, a volume by ``split_to / split_from``.

Exactly: each ratio is one float64 division; a factor is 1.0 multiplied by the ratios one after the other,
by ascending ex-date, splits of one ex-date in the order given; a value is multiplied by its factor once.
Where no split comes between, the factor is 1.0 and the value keeps all its bits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from batch_layer.shared.models.bars import Bars, DailyBars, Floats, Int32s, Int64s, Positions, run_starts
from batch_layer.shared.models.corporate_actions import Splits

AnyBars = TypeVar("AnyBars", DailyBars, Bars)


def split_factors(
    instrument_id: Int32s, after_ordinal: Int32s, until_ordinal: Int32s, splits: Splits
) -> tuple[Floats, Floats]:
    """Return, a row, what its prices and its volume are multiplied by.

    Counted are the instrument's splits with ``after_ordinal < ex_ordinal <= until_ordinal``: those that
    lie between a price of session ``after_ordinal`` and the basis of session ``until_ordinal``. None do
    where ``until_ordinal`` is the earlier one.

    Args:
        instrument_id: int32, rows in any order; fastest if ascending.
        after_ordinal: int32 a row, the session whose basis the row has; exclusive.
        until_ordinal: int32 a row, the session whose basis is wanted; inclusive.
        splits: in any order; those of one instrument and ex-date take effect in the order given.

    Returns:
        The price factors and the volume factors, both float64.
    """
    key = _key(splits.instrument_id, splits.ex_ordinal)
    order = np.argsort(key, kind="stable")
    key, splits = key[order], splits.take(order)
    first = np.searchsorted(key, _key(instrument_id, after_ordinal), side="right")
    end = np.searchsorted(key, _key(instrument_id, until_ordinal), side="right")
    rows, split = expanded(first, np.maximum(end - first, 0))
    price_factor, volume_factor = np.ones(len(instrument_id)), np.ones(len(instrument_id))
    # ufunc.at takes its pairs one after the other, so the multiplications come in the order promised.
    np.multiply.at(price_factor, rows, (splits.split_from / splits.split_to)[split])
    np.multiply.at(volume_factor, rows, (splits.split_to / splits.split_from)[split])
    return price_factor, volume_factor


def rescaled(bars: AnyBars, price_factor: Floats, volume_factor: Floats) -> AnyBars:
    """Return the bars with prices and vwap multiplied by the one factor, volume by the other.

    Args:
        bars: daily bars, or bars of n sessions.
        price_factor: float64 a row.
        volume_factor: float64 a row.
    """
    return replace(
        bars,
        open=bars.open * price_factor,
        high=bars.high * price_factor,
        low=bars.low * price_factor,
        close=bars.close * price_factor,
        volume=bars.volume * volume_factor,
        vwap=bars.vwap * price_factor,
    )


def _key(instrument_id: Int32s, ordinal: Int32s) -> Int64s:
    """Return one integer a row that sorts by instrument, then by ordinal."""
    return (instrument_id.astype(np.int64) << 32) + ordinal


def expanded(
    first: npt.NDArray[np.intp], count: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return row i and place first[i], row i and place first[i] + 1, ... for count[i] places, for every i."""
    rows = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    return rows, first[rows] + within


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


def _rows_before(bars: Bars, splits: Splits, window: Int32s) -> tuple[Positions, Positions]:
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


def _bisected(values: Int32s, first: Positions, end: Positions, sought: Int32s) -> Positions:
    """Return, for each span of ascending values, the place of the first one not below what is sought."""
    low, high = first.copy(), end.copy()
    while len(wide := np.flatnonzero(low < high)):
        middle = (low[wide] + high[wide]) // 2
        is_below = values[middle] < sought[wide]
        low[wide[is_below]] = middle[is_below] + 1
        high[wide[~is_below]] = middle[~is_below]
    return low
