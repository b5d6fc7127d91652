"""Flag what looks wrong in a series of daily bars, though every bar by itself is possible. Pure.

Nothing is refused or altered for a flag: a person decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batch_layer.shared.models.bars import Bools, Columns, DailyBars, Floats, Int32s, Int64s
from batch_layer.shared.models.corporate_actions import Splits
from batch_layer.shared.models.difference import keys_of, pack

FLAGS: Mapping[str, tuple[str, str]] = {
    "split_denied": (
        "error",
        "a split that the prices deny: they went on as if there were none; check the split",
    ),
    "split_missing": (
        "error",
        "prices moved by a split's ratio, trading went on as before, and no split is known; look for it",
    ),
    "outlier_move": (
        "warning",
        "a close far from the one before, and no split or dividend to explain it; compare another provider",
    ),
    "vwap_outside_range": (
        "warning",
        "a mean price outside the session's low..high; the vwap, the low or the high counts other trades",
    ),
    "volume_scale": (
        "warning",
        "volume about 100 times, or a 100th of, what it was; the provider may have changed its unit",
    ),
    "stale_price": (
        "warning",
        "the same open, high, low and close for many sessions; the bars may be carried forward",
    ),
}
"""Every flag: its severity, and what it means and what to do."""

LEAST_MOVE = 0.4
"""An outlier moves by this much at least: ``abs(log(close / close_before))``, about +49 % or -33 %."""

TIMES_USUAL = 10.0
"""And by this many times the median absolute move of the TRAILING sessions before it."""

TRAILING = 21
"""Moves and volumes are compared with the median of so many bars before."""

STALE_SESSIONS = 10
"""So many equal bars in a row are stale."""

SCALE = (50.0, 200.0)
"""Between these times the median volume, or its inverse, volume is out of scale by 100."""

TURNOVER = (0.25, 3.0)
"""A split leaves price times volume within these times what it was; news that halves a price does not."""

SPLIT_RATIOS = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 50.0, 100.0, 1.5)
"""The ratios that splits usually have, and their inverses."""

RATIO_TOLERANCE = 0.06
"""How near a move is to a split's ratio, as a difference of logarithms."""


RANGE_TOLERANCE = 1e-9
"""By how much of it a vwap may cross the low or high: it is a quotient, rounded by who computed it."""


@dataclass(frozen=True, eq=False)
class Flagged(Columns):
    """Daily bars with a flag.

    Attributes:
        instrument_id, ordinal: int32, of the bar.
        flag: object array of str, a key of FLAGS.
        value: float64, what was measured: the ratio of closes, the ratio of volumes, the number of equal
            bars, or the vwap over the low or high that it crosses.
    """

    instrument_id: Int32s
    ordinal: Int32s
    flag: npt.NDArray[np.object_]
    value: Floats


def flagged(daily: DailyBars, splits: Splits, dividends: Splits) -> Flagged:
    """Return the flags of series of daily bars, by instrument, ordinal and flag.

    Args:
        daily: as traded, ascending by instrument and ordinal.
        splits: all splits of the instruments.
        dividends: all dividends of the instruments, as `dividend_ratios` gives them.
    """
    same = np.concatenate(([False], daily.instrument_id[1:] == daily.instrument_id[:-1]))
    ratio = _ratio(daily.close, same)
    expected = _expected_ratio(daily, splits, same)
    # From 27.00 to 15.00 over a dividend of 12.00 is no move: (15 + 12) / 27 = 1. What is no move without the
    # dividend is none either: this flag is about prices, not about a dividend that may be wrong.
    with_dividend = expected * _expected_ratio(daily, dividends, same)
    volume = _volume_ratio(daily, same)
    move = np.abs(np.log(ratio / expected))
    unexplained = np.minimum(move, np.abs(np.log(ratio / with_dividend)))
    usual = _trailing_median(unexplained, same)
    by_split = expected != 1.0
    denied = by_split & (np.abs(np.log(expected)) > 2 * RATIO_TOLERANCE) & (np.abs(np.log(ratio)) < move / 2)
    turnover = volume * ratio
    usual_turnover = (turnover > TURNOVER[0]) & (turnover < TURNOVER[1])
    is_outlier = (unexplained > LEAST_MOVE) & (unexplained > TIMES_USUAL * usual)
    missing = ~by_split & is_outlier & _near_split(ratio) & usual_turnover
    outlier = ~denied & ~missing & is_outlier
    scale = np.maximum(volume, 1.0 / volume)
    adjusted = np.where(by_split, 1.0, scale)
    run = _equal_run(daily, same)
    outside = _outside_range(daily)
    found = [
        ("split_denied", denied, ratio),
        ("split_missing", missing, ratio),
        ("outlier_move", outlier, ratio),
        ("vwap_outside_range", outside != 1.0, outside),
        ("volume_scale", (adjusted > SCALE[0]) & (adjusted < SCALE[1]), volume),
        ("stale_price", run == STALE_SESSIONS, run.astype(np.float64)),
    ]
    rows = [np.flatnonzero(mask) for _, mask, _ in found]
    flag = np.repeat(np.array([name for name, _, _ in found], dtype=object), [len(part) for part in rows])
    value = np.concatenate([values[part] for (_, _, values), part in zip(found, rows, strict=True)])
    place = np.concatenate(rows)
    order = np.lexsort((flag.astype(str), place))
    place = place[order]
    return Flagged(daily.instrument_id[place], daily.ordinal[place], flag[order], value[order])


def _ratio(values: Floats, same: Bools) -> Floats:
    ratio = np.ones(len(values))
    ratio[1:] = values[1:] / values[:-1]
    return np.where(same, ratio, 1.0)


def _outside_range(daily: DailyBars) -> Floats:
    """Return, for each bar, its vwap over the low or high that it crosses; 1 where it crosses neither."""
    vwap = np.where(np.isnan(daily.vwap), daily.close, daily.vwap)
    over = vwap / np.clip(vwap, daily.low, daily.high)
    return np.where(np.abs(over - 1.0) > RANGE_TOLERANCE, over, 1.0)


def _expected_ratio(daily: DailyBars, splits: Splits, same: Bools) -> Floats:
    """Return, a bar, by what the splits since the bar before should have multiplied its price."""
    place = np.searchsorted(keys_of(daily), pack(splits.instrument_id, splits.ex_ordinal))
    inside = place < len(daily)
    inside[inside] = daily.instrument_id[place[inside]] == splits.instrument_id[inside]
    expected = np.ones(len(daily))
    np.multiply.at(expected, place[inside], (splits.split_from / splits.split_to)[inside])
    return np.where(same, expected, 1.0)


def _volume_ratio(daily: DailyBars, same: Bools) -> Floats:
    """Return, a bar, its volume over the median of those before; 1 where there is nothing to compare."""
    usual = _trailing_median(daily.volume, same)
    known = (usual > 0) & (daily.volume > 0) & np.isfinite(usual)
    return np.where(known, daily.volume / np.where(known, usual, 1.0), 1.0)


def _trailing_median(values: Floats, same: Bools) -> Floats:
    """Return, a bar, the median of the TRAILING values before it; infinite where there are fewer."""
    median = np.full(len(values), np.inf)
    if len(values) > TRAILING:
        windows = np.lib.stride_tricks.sliding_window_view(values[:-1], TRAILING)
        median[TRAILING:] = np.median(windows, axis=1)
        held: Int64s = np.cumsum(same) - np.maximum.accumulate(np.where(same, 0, np.cumsum(same)))
        median[held < TRAILING] = np.inf
    return median


def _near_split(ratio: Floats) -> Bools:
    usual = np.log(np.array([*SPLIT_RATIOS, *(1 / one for one in SPLIT_RATIOS)]))
    distance = np.abs(np.log(ratio)[:, None] - usual[None, :]).min(axis=1)
    near: Bools = distance < RATIO_TOLERANCE
    return near


def _equal_run(daily: DailyBars, same: Bools) -> npt.NDArray[np.int64]:
    """Return, a bar, how many bars up to it are equal in all four prices."""
    equal = same.copy()
    for prices in (daily.open, daily.high, daily.low, daily.close):
        equal[1:] &= prices[1:] == prices[:-1]
    place = np.arange(len(equal))
    return place - np.maximum.accumulate(np.where(equal, 0, place)) + 1
