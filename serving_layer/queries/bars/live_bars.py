"""Which bars hold the session under way, and up to when it is known. Pure."""

from __future__ import annotations

import numpy as np

from condvest.batch_layer.shared.models.bars import Bars, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.live import LiveBars


def enter_live(through: Int64s, bars: Bars, live: LiveBars, window: Int32s) -> None:
    """Enter, per bar that holds a live row, up to when that row is known.

    Args:
        through: int64 per bar: microseconds since 1970-01-01 UTC; what is there stays where it is later.
        bars: in any order.
        live: live rows of their instruments.
        window: int32 per live row: the window that holds it.
    """
    # Bars of windows before those of live rows, which is nearly all of them, are left out at once.
    rows = np.flatnonzero(bars.window >= window.min()) if len(window) else np.zeros(0, dtype=np.intp)
    keys = pack(bars.instrument_id[rows], bars.window[rows])
    order = np.argsort(keys)
    keys, rows = keys[order], rows[order]
    wanted = pack(live.instrument_id, window)
    position = np.searchsorted(keys, wanted)
    is_there = position < len(keys)
    is_there[is_there] = keys[position[is_there]] == wanted[is_there]
    np.maximum.at(through, rows[position[is_there]], live.data_through[is_there])
