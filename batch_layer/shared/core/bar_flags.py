"""Flag what looks wrong in a series of daily bars, though every bar by itself is possible. Pure.

A flag refuses and alters nothing: a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.core.bar_measures import BarMeasures
from condvest.batch_layer.shared.models.bars import Bools, Columns, DailyBars, Floats, Int32s
from condvest.batch_layer.shared.models.corporate_actions import Splits

FLAGS: Mapping[str, tuple[str, str]] = {
    "split_denied": (
        "error",
        "a split that the prices deny: they went on as if there were none; check the split",
    ),
    "split_twice": (
        "error",
        "a split that the prices follow twice; they may have been taken for split-adjusted and be as traded",
    ),
    "split_missing": (
        "error",
        "prices moved by a split's ratio, trading went on as before, and no split is known; look for it",
    ),
    "dividend_denied": (
        "error",
        "a dividend of over a tenth of the price that the price did not fall by; check its amount and date",
    ),
    "dividend_twice": (
        "warning",
        "much the same dividend as one up to three sessions before; one of the two may be of a wrong date",
    ),
    "dividend_scale": (
        "error",
        "a dividend of about 100 times, or a 100th of, its neighbours' share of the price; check its unit",
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


@dataclass(frozen=True, eq=False)
class Flagged(Columns):
    """Daily bars with a flag.

    Attributes:
        instrument_id, ordinal: int32, of the bar.
        flag: object array of str, a key of FLAGS.
        value: float64, what was measured: the ratio of closes, the ratio of volumes, the number of equal
            bars, the vwap over the low or high that it crosses, the dividend's share of the price, or that
            share over another dividend's.
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
    measures = BarMeasures.of(daily, splits, dividends)
    rows, names, values = [], [], []
    for name in FLAGS:
        mask, value = _TESTS[name](measures)
        rows.append(np.flatnonzero(mask))
        names.append(np.full(len(rows[-1]), name, dtype=object))
        values.append(value[rows[-1]])
    row, flag, value = np.concatenate(rows), np.concatenate(names), np.concatenate(values)
    order = np.lexsort((flag.astype(str), row))
    row = row[order]
    return Flagged(daily.instrument_id[row], daily.ordinal[row], flag[order], value[order])


def _is_outlier(measures: BarMeasures) -> Bools:
    """Return which closes moved far, and far beyond what is usual for the instrument."""
    return (measures.unexplained > LEAST_MOVE) & (measures.unexplained > TIMES_USUAL * measures.usual_move)


def _split_denied(measures: BarMeasures) -> tuple[Bools, Floats]:
    """The close is nearer to the one before than to what the split makes of it; small splits do not tell."""
    is_large = np.abs(np.log(measures.expected)) > 2 * RATIO_TOLERANCE
    ignores_split = np.abs(np.log(measures.ratio)) < measures.move / 2
    return measures.has_split & is_large & ignores_split, measures.ratio


def _split_twice(measures: BarMeasures) -> tuple[Bools, Floats]:
    """What is left when the split is taken out is nearer to the split once more than to nothing."""
    split, left = np.log(measures.expected), np.log(measures.ratio / measures.expected)
    is_large = np.abs(split) > 2 * RATIO_TOLERANCE
    half = np.abs(split) / 2
    is_once_more = (np.abs(left - split) < half) & (measures.unexplained > half)
    # Of a history that has just begun nobody knows what is usual.
    usual = np.where(np.isfinite(measures.usual_move), measures.usual_move, 0.0)
    is_twice = is_once_more & (measures.unexplained > TIMES_USUAL * usual)
    return measures.has_split & is_large & is_twice, measures.ratio


def _split_missing(measures: BarMeasures) -> tuple[Bools, Floats]:
    """The close jumped by a ratio that splits have, and the money traded stayed as usual."""
    turnover = measures.volume * measures.ratio
    is_usual = (turnover > TURNOVER[0]) & (turnover < TURNOVER[1])
    is_missing = ~measures.has_split & _is_outlier(measures) & is_usual
    is_missing[is_missing] = _near_split(measures.ratio[is_missing])
    return is_missing, measures.ratio


def _dividend_denied(measures: BarMeasures) -> tuple[Bools, Floats]:
    """The close is nearer to the one before than to what the dividend makes of it."""
    share = measures.dividends.share
    moved, fall = np.log(measures.ratio / measures.expected), np.log1p(-share)
    return (share > LEAST_DIVIDEND) & (moved > fall / 2), share


def _dividend_twice(measures: BarMeasures) -> tuple[Bools, Floats]:
    """Much the same dividend was paid a few sessions before."""
    times = measures.dividends.times_before
    is_much_the_same = (times < MUCH_THE_SAME) & (times > 1 / MUCH_THE_SAME)
    return (measures.dividends.since <= SESSIONS_TWICE) & is_much_the_same, times


def _dividend_scale(measures: BarMeasures) -> tuple[Bools, Floats]:
    """The share is out of scale by about 100; of a large one, only if the price did not fall by it."""
    times = measures.dividends.times_usual
    is_paid = (measures.dividends.share > LEAST_DIVIDEND) & ~_dividend_denied(measures)[0]
    scale = np.maximum(times, 1 / times)
    return (scale > SCALE[0]) & (scale < SCALE[1]) & ~is_paid, times


def _outlier_move(measures: BarMeasures) -> tuple[Bools, Floats]:
    """The close moved far, and no flag about a split explains it."""
    explained = _split_denied(measures)[0] | _split_twice(measures)[0] | _split_missing(measures)[0]
    return _is_outlier(measures) & ~explained, measures.ratio


def _vwap_outside_range(measures: BarMeasures) -> tuple[Bools, Floats]:
    """The vwap lies outside the session's low and high."""
    return measures.beyond_range != 1.0, measures.beyond_range


def _volume_scale(measures: BarMeasures) -> tuple[Bools, Floats]:
    """The volume is out of scale by about 100, and no split explains it."""
    scale = np.maximum(measures.volume, 1.0 / measures.volume)
    is_out_of_scale = (scale > SCALE[0]) & (scale < SCALE[1])
    return is_out_of_scale & ~measures.has_split, measures.volume


def _stale_price(measures: BarMeasures) -> tuple[Bools, Floats]:
    """The four prices repeat; only the bar that makes them STALE_SESSIONS is flagged."""
    return measures.equal_bars == STALE_SESSIONS, measures.equal_bars.astype(np.float64)


_TESTS: Mapping[str, Callable[[BarMeasures], tuple[Bools, Floats]]] = {
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
"""Flag to the function that returns, per bar, whether it has the flag, and what was measured."""


def _near_split(close_ratio: Floats) -> Bools:
    usual = np.log(np.array([*SPLIT_RATIOS, *(1 / ratio for ratio in SPLIT_RATIOS)]))
    distance = np.abs(np.log(close_ratio)[:, None] - usual[None, :]).min(axis=1)
    near: Bools = distance < RATIO_TOLERANCE
    return near
