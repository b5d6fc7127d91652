"""Flag what looks wrong in a series of daily bars, though every bar by itself is possible. Pure.

A flag refuses and alters nothing: a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

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
    measures = _Measures.of(daily, splits, dividends)
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


@dataclass(frozen=True, eq=False)
class _Measures:
    """What the flags are decided by, per bar; a bar is compared with the ones before it in its series.

    Example, a 2-for-1 split on the third bar that the prices follow::

        close     100   102   51
        ratio       1  1.02  0.5
        expected    1     1  0.5     by the split
        move        0  0.02    0     abs(log(ratio / expected))

    Attributes:
        ratio: close over the close before; 1 for the first bar of a series.
        expected: what the splits since the bar before should have multiplied the price by; 1 without any.
        volume: volume over the median volume before; 1 where that is unknown.
        move: how far the close moved beyond what splits explain, as an absolute logarithm.
        unexplained: the same beyond what splits and dividends explain, whichever is less. From 27.00 to 15.00
            over a dividend of 12.00 is no move: (15 + 12) / 27 = 1. What is no move without the dividend is
            none either: the flag is about prices, not about a dividend that may be wrong.
        usual_move: the median of ``unexplained`` before; infinite where too few bars come before.
        beyond_range: vwap over the low or high that it crosses; 1 where it crosses neither.
        equal_bars: how many bars up to and including this one have the same four prices.
    """

    ratio: Floats
    expected: Floats
    volume: Floats
    move: Floats
    unexplained: Floats
    usual_move: Floats
    beyond_range: Floats
    equal_bars: Int64s

    @classmethod
    def of(cls, daily: DailyBars, splits: Splits, dividends: Splits) -> Self:
        """Measure the bars."""
        same = np.concatenate(([False], daily.instrument_id[1:] == daily.instrument_id[:-1]))
        ratio = _ratio(daily.close, same)
        expected = _expected_ratio(daily, splits, same)
        with_dividend = expected * _expected_ratio(daily, dividends, same)
        move = np.abs(np.log(ratio / expected))
        unexplained = np.minimum(move, np.abs(np.log(ratio / with_dividend)))
        return cls(
            ratio=ratio,
            expected=expected,
            volume=_volume_ratio(daily, same),
            move=move,
            unexplained=unexplained,
            usual_move=_trailing_median(unexplained, same),
            beyond_range=_outside_range(daily),
            equal_bars=_equal_bars(daily, same),
        )

    @property
    def has_split(self) -> Bools:
        """Whether a split takes effect on the bar."""
        changed: Bools = self.expected != 1.0
        return changed

    @property
    def is_outlier(self) -> Bools:
        """Whether the close moved far, and far beyond what is usual for the instrument."""
        return (self.unexplained > LEAST_MOVE) & (self.unexplained > TIMES_USUAL * self.usual_move)


def _split_denied(measures: _Measures) -> tuple[Bools, Floats]:
    """The close is nearer to the one before than to what the split makes of it; small splits do not tell."""
    is_large = np.abs(np.log(measures.expected)) > 2 * RATIO_TOLERANCE
    ignores_split = np.abs(np.log(measures.ratio)) < measures.move / 2
    return measures.has_split & is_large & ignores_split, measures.ratio


def _split_missing(measures: _Measures) -> tuple[Bools, Floats]:
    """The close jumped by a ratio that splits have, and the money traded stayed as usual."""
    turnover = measures.volume * measures.ratio
    is_usual = (turnover > TURNOVER[0]) & (turnover < TURNOVER[1])
    is_missing = ~measures.has_split & measures.is_outlier & _near_split(measures.ratio) & is_usual
    return is_missing, measures.ratio


def _outlier_move(measures: _Measures) -> tuple[Bools, Floats]:
    """The close moved far, and no flag about a split explains it."""
    explained = _split_denied(measures)[0] | _split_missing(measures)[0]
    return measures.is_outlier & ~explained, measures.ratio


def _vwap_outside_range(measures: _Measures) -> tuple[Bools, Floats]:
    """The vwap lies outside the session's low and high."""
    return measures.beyond_range != 1.0, measures.beyond_range


def _volume_scale(measures: _Measures) -> tuple[Bools, Floats]:
    """The volume is out of scale by about 100, and no split explains it."""
    scale = np.maximum(measures.volume, 1.0 / measures.volume)
    is_out_of_scale = (scale > SCALE[0]) & (scale < SCALE[1])
    return is_out_of_scale & ~measures.has_split, measures.volume


def _stale_price(measures: _Measures) -> tuple[Bools, Floats]:
    """The four prices repeat; only the bar that makes them STALE_SESSIONS is flagged."""
    return measures.equal_bars == STALE_SESSIONS, measures.equal_bars.astype(np.float64)


_TESTS: Mapping[str, Callable[[_Measures], tuple[Bools, Floats]]] = {
    "split_denied": _split_denied,
    "split_missing": _split_missing,
    "outlier_move": _outlier_move,
    "vwap_outside_range": _vwap_outside_range,
    "volume_scale": _volume_scale,
    "stale_price": _stale_price,
}
"""Flag to the function that returns, per bar, whether it has the flag, and what was measured."""


def _ratio(values: Floats, same: Bools) -> Floats:
    ratio = np.ones(len(values))
    ratio[1:] = values[1:] / values[:-1]
    return np.where(same, ratio, 1.0)


def _outside_range(daily: DailyBars) -> Floats:
    """Return, per bar, its vwap over the low or high that it crosses; 1 where it crosses neither."""
    vwap = np.where(np.isnan(daily.vwap), daily.close, daily.vwap)
    over = vwap / np.clip(vwap, daily.low, daily.high)
    return np.where(np.abs(over - 1.0) > RANGE_TOLERANCE, over, 1.0)


def _expected_ratio(daily: DailyBars, splits: Splits, same: Bools) -> Floats:
    """Return, per bar, what the splits since the bar before should have multiplied its price by."""
    bar = np.searchsorted(keys_of(daily), pack(splits.instrument_id, splits.ex_ordinal))
    inside = bar < len(daily)
    inside[inside] = daily.instrument_id[bar[inside]] == splits.instrument_id[inside]
    expected = np.ones(len(daily))
    np.multiply.at(expected, bar[inside], (splits.split_from / splits.split_to)[inside])
    return np.where(same, expected, 1.0)


def _volume_ratio(daily: DailyBars, same: Bools) -> Floats:
    """Return, per bar, its volume over the median volume before it; 1 where there is none."""
    usual = _trailing_median(daily.volume, same)
    known = (usual > 0) & (daily.volume > 0) & np.isfinite(usual)
    return np.where(known, daily.volume / np.where(known, usual, 1.0), 1.0)


def _trailing_median(values: Floats, same: Bools) -> Floats:
    """Return, per bar, the median of the TRAILING values before it; infinite where there are fewer."""
    median = np.full(len(values), np.inf)
    if len(values) > TRAILING:
        windows = np.lib.stride_tricks.sliding_window_view(values[:-1], TRAILING)
        median[TRAILING:] = np.median(windows, axis=1)
        bars_before: Int64s = np.cumsum(same) - np.maximum.accumulate(np.where(same, 0, np.cumsum(same)))
        median[bars_before < TRAILING] = np.inf
    return median


def _near_split(close_ratio: Floats) -> Bools:
    usual = np.log(np.array([*SPLIT_RATIOS, *(1 / ratio for ratio in SPLIT_RATIOS)]))
    distance = np.abs(np.log(close_ratio)[:, None] - usual[None, :]).min(axis=1)
    near: Bools = distance < RATIO_TOLERANCE
    return near


def _equal_bars(daily: DailyBars, same: Bools) -> Int64s:
    """Return, per bar, how many bars up to it are equal in all four prices."""
    equal = same.copy()
    for prices in (daily.open, daily.high, daily.low, daily.close):
        equal[1:] &= prices[1:] == prices[:-1]
    row = np.arange(len(equal))
    return row - np.maximum.accumulate(np.where(equal, 0, row)) + 1
