"""Factors that bring prices and volumes from one split basis to another.

A split on ex-date e, ``split_from`` old shares for ``split_to`` new ones, divides what came before e: a price
is multiplied by ``split_from / split_to``, a volume by ``split_to / split_from``.

The order of operations is fixed: each ratio is one float64 division; a factor is 1.0 multiplied by the ratios
one after the other, by ascending ex-date, splits of one ex-date in the order given; a value is multiplied by
its factor once. Where no split comes between, the factor is 1.0 and the value keeps all its bits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.core.search import search_spans
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Floats, Int32s, Positions, run_starts
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.difference import pack

AnyBars = TypeVar("AnyBars", DailyBars, Bars)


def split_factors(
    instrument_id: Int32s, after_ordinal: Int32s, until_ordinal: Int32s, splits: Splits
) -> tuple[Floats, Floats]:
    """Return, per row, the factors that bring its prices and its volume to the basis of a later session.

    The splits that count are the instrument's with ``after_ordinal < ex_ordinal <= until_ordinal``: those
    between a price of session ``after_ordinal`` and the basis of session ``until_ordinal``. There are none
    where ``until_ordinal`` is the earlier one.

    Args:
        instrument_id: int32, rows in any order; fastest if ascending.
        after_ordinal: int32 per row, the session whose basis the row has; exclusive.
        until_ordinal: int32 per row, the session whose basis is wanted; inclusive.
        splits: in any order; those of one instrument and ex-date take effect in the order given.

    Returns:
        The price factors and the volume factors, both float64.
    """
    key = pack(splits.instrument_id, splits.ex_ordinal)
    order = np.argsort(key, kind="stable")
    key, splits = key[order], splits.take(order)
    first = np.searchsorted(key, pack(instrument_id, after_ordinal), side="right")
    end = np.searchsorted(key, pack(instrument_id, until_ordinal), side="right")
    rows, split = expanded(first, np.maximum(end - first, 0))
    price_factor, volume_factor = np.ones(len(instrument_id)), np.ones(len(instrument_id))
    # ufunc.at works pair by pair, so the multiplications happen in the promised order.
    np.multiply.at(price_factor, rows, (splits.split_from / splits.split_to)[split])
    np.multiply.at(volume_factor, rows, (splits.split_to / splits.split_from)[split])
    return price_factor, volume_factor


def rescaled(bars: AnyBars, price_factor: Floats, volume_factor: Floats) -> AnyBars:
    """Return the bars with prices and vwap multiplied by the price factor, volume by the volume factor.

    Args:
        bars: daily bars, or bars of n sessions.
        price_factor: float64 per row.
        volume_factor: float64 per row.
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


def expanded(
    first: npt.NDArray[np.intp], count: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the pairs (i, first[i]), (i, first[i] + 1), ... ``count[i]`` pairs per i, as two arrays.

    Example: ``first`` 5, 9 and ``count`` 2, 1 give 0, 0, 1 and 5, 6, 9.
    """
    rows = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    return rows, first[rows] + within


def adjust_in_place(bars: Bars, splits: Splits, window: Int32s, until_ordinal: Int32s) -> None:
    """Bring bars to the split basis of a later session, each from that of its own window's end.

    The result equals `rescaled` by `split_factors` of every row. But most rows have no split after them and
    stay as they are; the rows between two splits share one factor, which is computed once.

    Args:
        bars: the rows of an instrument are contiguous and ascend by window; altered.
        splits: ascending by instrument and ex-ordinal, of any instruments.
        window: int32 per split, the first window whose basis, that of its end, includes the split.
        until_ordinal: int32 per split, the session whose basis is wanted; the same for one instrument.
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
    """Return, per split, the rows (first, and exclusive end) before it and after the split before it.

    Example, splits of instrument 7 whose first windows are 11 and 12, and one of instrument 8, without bars::

        row            0   1   2   3            split   window   rows
        instrument_id  7   7   7   9             7        11     0 to 1: window 10
        window        10  11  12  10             7        12     1 to 2: window 11
                                                 8        11     4 to 4: none
    """
    starts = run_starts(bars.instrument_id)
    run_of_id = np.argsort(bars.instrument_id[starts])
    ids = bars.instrument_id[starts][run_of_id]
    # One more run, empty and behind all rows, serves the instruments that have no bars.
    bounds = np.append(starts, [len(bars), len(bars)])
    # In the example: runs 0 (instrument 7) and 1 (instrument 9), bounds 0, 3, 4, 4, so the run of 8 is 2.
    nearest = np.searchsorted(ids, splits.instrument_id)
    has_bars = np.isin(splits.instrument_id, ids)
    run = np.full(len(splits), len(starts), dtype=np.intp)
    run[has_bars] = run_of_id[nearest[has_bars]]
    first = bounds[run]
    end = search_spans(bars.window, first, bounds[run + 1], window)
    # The rows before an instrument's second split begin where those before its first one end.
    again = np.flatnonzero(splits.instrument_id[1:] == splits.instrument_id[:-1]) + 1
    first[again] = end[again - 1]
    return first, end
