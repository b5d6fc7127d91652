"""By what each flag is decided. Pure.

Few bars can have a flag, so that what is cheap to know of all bars chooses those that are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from condvest.batch_layer.shared.core.flags.bar_measures import BarMeasures
from condvest.batch_layer.shared.core.flags.trailing import may_be_unusual
from condvest.batch_layer.shared.models.bars import Bools, Floats, Positions

LEAST_MOVE = 0.4
"""An outlier moves by this much at least: ``abs(log(close / close_before))``, about +49 % or -33 %."""

TIMES_USUAL = 10.0
"""And by this many times the median absolute move of the TRAILING sessions before it."""

STALE_SESSIONS = 10
"""So many equal bars in a row are stale."""

SCALE = (50.0, 200.0)
"""Between these times the median volume, or its inverse, volume is out of scale by 100."""

TURNOVER = (0.25, 3.0)
"""A split leaves price times volume within these times what it was; news that halves a price does not."""

LEAST_DIVIDEND = 0.1
"""A dividend of a smaller share of the price moves it no more than news does, so prices cannot deny it."""

SESSIONS_TWICE = 3
"""Nobody pays again so few sessions later; some funds pay each week."""

MUCH_THE_SAME = 1.5
"""Two dividends within these times of each other are much the same: told in two currencies, for example."""

SPLIT_RATIOS = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 50.0, 100.0, 1.5)
"""The ratios that splits usually have, and their inverses."""

RATIO_TOLERANCE = 0.06
"""How near a move is to a split's ratio, as a difference of logarithms."""

Test = Callable[[BarMeasures], tuple[Positions, Floats]]
"""Returns the rows of the bars that have a flag, ascending, and what was measured of each of them."""


def _outliers(measures: BarMeasures) -> Positions:
    """Return which closes moved far, and far beyond what is usual for the instrument."""
    far = np.flatnonzero(measures.unexplained > LEAST_MOVE)
    return far[measures.unexplained[far] > TIMES_USUAL * measures.usual_move(far)]


def _large_splits(measures: BarMeasures) -> tuple[Positions, Floats]:
    """Return the bars with a split that is large enough to tell, and its logarithm."""
    rows = np.flatnonzero(measures.has_split)
    split = np.log(measures.expected[rows])
    is_large = np.abs(split) > 2 * RATIO_TOLERANCE
    return rows[is_large], split[is_large]


def _split_denied(measures: BarMeasures) -> tuple[Positions, Floats]:
    """The close is nearer to the one before than to what the split makes of it; small splits do not tell."""
    rows, _ = _large_splits(measures)
    rows = rows[np.abs(np.log(measures.ratio[rows])) < measures.move[rows] / 2]
    return rows, measures.ratio[rows]


def _split_twice(measures: BarMeasures) -> tuple[Positions, Floats]:
    """What is left when the split is taken out is nearer to the split once more than to nothing."""
    rows, split = _large_splits(measures)
    ratio, unexplained = measures.ratio[rows], measures.unexplained[rows]
    left = np.log(ratio / measures.expected[rows])
    half = np.abs(split) / 2
    is_once_more = (np.abs(left - split) < half) & (unexplained > half)
    # Of a history that has just begun nobody knows what is usual.
    usual = measures.usual_move(rows)
    usual[~np.isfinite(usual)] = 0.0
    is_twice = is_once_more & (unexplained > TIMES_USUAL * usual)
    return rows[is_twice], ratio[is_twice]


def _split_missing(measures: BarMeasures) -> tuple[Positions, Floats]:
    """The close jumped by a ratio that splits have, and the money traded stayed as usual."""
    rows = _outliers(measures)
    rows = rows[~measures.has_split[rows]]
    ratio = measures.ratio[rows]
    turnover = measures.times_usual_volume(rows) * ratio
    is_usual = (turnover > TURNOVER[0]) & (turnover < TURNOVER[1])
    is_missing = is_usual & _near_split(ratio)
    return rows[is_missing], ratio[is_missing]


def _dividend_denied(measures: BarMeasures) -> tuple[Positions, Floats]:
    """The close is nearer to the one before than to what the dividend makes of it."""
    rows = np.flatnonzero(measures.dividends.share > LEAST_DIVIDEND)
    share = measures.dividends.share[rows]
    moved, fall = np.log(measures.ratio[rows] / measures.expected[rows]), np.log1p(-share)
    is_denied = moved > fall / 2
    return rows[is_denied], share[is_denied]


def _dividend_twice(measures: BarMeasures) -> tuple[Positions, Floats]:
    """Much the same dividend was paid a few sessions before."""
    rows = np.flatnonzero(measures.dividends.since <= SESSIONS_TWICE)
    times = measures.dividends.times_before[rows]
    is_much_the_same = (times < MUCH_THE_SAME) & (times > 1 / MUCH_THE_SAME)
    return rows[is_much_the_same], times[is_much_the_same]


def _dividend_scale(measures: BarMeasures) -> tuple[Positions, Floats]:
    """The share is out of scale by about 100; of a large one, only if the price did not fall by it."""
    rows = np.flatnonzero(measures.dividends.times_usual != 1.0)
    times = measures.dividends.times_usual[rows]
    is_paid = (measures.dividends.share[rows] > LEAST_DIVIDEND) & ~np.isin(
        rows, _dividend_denied(measures)[0]
    )
    is_out_of_scale = _is_out_of_scale(times) & ~is_paid
    return rows[is_out_of_scale], times[is_out_of_scale]


def _outlier_move(measures: BarMeasures) -> tuple[Positions, Floats]:
    """The close moved far, and no flag about a split explains it."""
    explained = [test(measures)[0] for test in (_split_denied, _split_twice, _split_missing)]
    rows = np.setdiff1d(_outliers(measures), np.concatenate(explained))
    return rows, measures.ratio[rows]


def _vwap_outside_range(measures: BarMeasures) -> tuple[Positions, Floats]:
    """The vwap lies outside the session's low and high."""
    rows = np.flatnonzero(measures.beyond_range != 1.0)
    return rows, measures.beyond_range[rows]


def _volume_scale(measures: BarMeasures) -> tuple[Positions, Floats]:
    """The volume is out of scale by about 100, and no split explains it."""
    rows = may_be_unusual(measures.volume, SCALE[0])
    rows = rows[~measures.has_split[rows]]
    times = measures.times_usual_volume(rows)
    is_out_of_scale = _is_out_of_scale(times)
    return rows[is_out_of_scale], times[is_out_of_scale]


def _stale_price(measures: BarMeasures) -> tuple[Positions, Floats]:
    """The four prices repeat; only the bar that makes them STALE_SESSIONS is flagged."""
    rows = np.flatnonzero(measures.equal_bars == STALE_SESSIONS)
    return rows, measures.equal_bars[rows].astype(np.float64)


CRITERIA: Mapping[str, Test] = {
    "split_denied": _split_denied,
    "split_twice": _split_twice,
    "split_missing": _split_missing,
    "dividend_denied": _dividend_denied,
    "dividend_twice": _dividend_twice,
    "dividend_scale": _dividend_scale,
    "outlier_move": _outlier_move,
    "vwap_outside_range": _vwap_outside_range,
    "volume_scale": _volume_scale,
    "stale_price": _stale_price,
}
"""The test of each flag, by its name."""


def _is_out_of_scale(times: Floats) -> Bools:
    """Return which ratios are of about 100, or of a 100th."""
    scale = np.maximum(times, 1 / times)
    is_out: Bools = (scale > SCALE[0]) & (scale < SCALE[1])
    return is_out


def _near_split(close_ratio: Floats) -> Bools:
    usual = np.log(np.array([*SPLIT_RATIOS, *(1 / ratio for ratio in SPLIT_RATIOS)]))
    distance = np.abs(np.log(close_ratio)[:, None] - usual[None, :]).min(axis=1)
    near: Bools = distance < RATIO_TOLERANCE
    return near
