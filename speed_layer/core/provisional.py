"""From what is known of the session under way to provisional daily bars; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from condvest.batch_layer.shared.models.bars import Columns, Floats, Int32s, Int64s
from condvest.speed_layer.core.state import MINUTE, NEVER, LiveState, Minutes


@dataclass(frozen=True, eq=False)
class Provisional(Columns):
    """Provisional daily bars, by slot: prices and volume float64; see `LiveBars` for their meaning.

    Attributes:
        slot: int32.
        last_price: of the last trade at any hour, NaN where unknown; ``last_at`` when that was, int64.
        data_through: int64, microseconds.
    """

    slot: Int32s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    last_price: Floats
    last_at: Int64s
    data_through: Int64s


def bars_of(state: LiveState) -> Provisional:
    """Return the provisional daily bar of every slot that has had a regular trade, and whose volume is known.

    High and low are the extremes of the anchor, of the minutes after it, of the open and of the close; the
    close is that of the last minute after the anchor, or the anchor's; the open the anchor's, else the
    official one of a minute message, else the first minute's. Volume and vwap are the later of the anchor's
    and a minute message's.
    """
    anchors, totals, trades = state.anchors, state.totals, state.trades
    of_minutes = _by_slot(state.minutes, len(state))
    close = np.where(np.isnan(of_minutes.close), anchors.close, of_minutes.close)
    has_opened = np.where(np.isnan(totals.open), of_minutes.open, totals.open)
    open_ = np.where(np.isnan(anchors.close), has_opened, anchors.open)
    high, low = np.fmax(anchors.high, of_minutes.high), np.fmin(anchors.low, of_minutes.low)
    # The official open is a trade of the session; the minute that held it may have been lost.
    high = np.fmax(np.fmax(high, open_), close)
    low = np.fmin(np.fmin(low, open_), close)
    is_later = (totals.at > anchors.at) | ((totals.at == anchors.at) & (totals.seq > anchors.seq))
    volume = np.where(is_later, totals.volume, anchors.volume)
    vwap = np.where(is_later, totals.vwap, anchors.vwap)
    through = np.maximum(np.maximum(anchors.at, totals.at), of_minutes.end)
    slot = np.flatnonzero(~np.isnan(close) & ~np.isnan(volume)).astype(np.int32)
    columns: list[Any] = [open_, high, low, close, volume, vwap, trades.price, trades.at, through]
    return Provisional(slot, *(column[slot] for column in columns))


def contradicted(before: Provisional, after: Provisional) -> int:
    """Return of how many slots a later bar denies what an earlier one said.

    Another open, less of a range, less of a volume: none of that comes by trading on.
    """
    _, old, new = np.intersect1d(before.slot, after.slot, return_indices=True)
    earlier, later = before.take(old), after.take(new)
    denied = (later.high < earlier.high) | (later.low > earlier.low) | (later.volume < earlier.volume)
    denied |= (later.open != earlier.open) & ~(np.isnan(later.open) | np.isnan(earlier.open))
    return int(denied.sum())


@dataclass(frozen=True, eq=False)
class _Extremes:
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    end: Int64s


def _by_slot(minutes: Minutes, slots: int) -> _Extremes:
    """Return the extremes of the minutes of each slot, NaN where it has none."""
    prices: list[Any] = [np.full(slots, np.nan) for _ in range(4)]
    prices.append(np.full(slots, NEVER, dtype=np.int64))
    extremes = _Extremes(*prices)
    if len(minutes):
        first = np.flatnonzero(np.append([True], minutes.slot[1:] != minutes.slot[:-1]))
        last = np.append(first[1:], len(minutes)) - 1
        slot = minutes.slot[first]
        extremes.open[slot], extremes.close[slot] = minutes.open[first], minutes.close[last]
        extremes.high[slot] = np.maximum.reduceat(minutes.high, first)
        extremes.low[slot] = np.minimum.reduceat(minutes.low, first)
        extremes.end[slot] = minutes.start[last] + MINUTE
    return extremes
