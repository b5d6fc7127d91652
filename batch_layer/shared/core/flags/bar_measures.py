"""What each daily bar is measured by: the bars before it, and its splits and dividends. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from condvest.batch_layer.shared.core.flags.trailing import usual_before
from condvest.batch_layer.shared.models.bars import Bools, DailyBars, Floats, Int64s, Positions
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.difference import keys_of, pack

RANGE_TOLERANCE = 1e-9
"""By how much of it a vwap may cross the low or high: it is a quotient, rounded by who computed it."""

NEIGHBOURS = 4
"""A dividend is compared with so many before it and as many after it."""

FEWEST = 3
"""With fewer neighbours no usual share is known."""


@dataclass(frozen=True, eq=False)
class DividendMeasures:
    """What the flags about dividends are decided by, per daily bar.

    Amounts are compared as shares of the price, which no split changes.

    Attributes:
        share: float64, the dividends that fall on the bar, over their sum with its close; 0 without any.
        since: float64, sessions since the instrument's dividend before; infinite where there is none.
        times_before: float64, share over that of the dividend before; NaN where there is none.
        times_usual: float64, share over the median of the neighbours'; 1 where they are fewer than FEWEST.
    """

    share: Floats
    since: Floats
    times_before: Floats
    times_usual: Floats

    @classmethod
    def of(cls, daily: DailyBars, dividends: Splits) -> Self:
        """Measure dividends, in the shape of `dividend_ratios`, which all fall on bars of ``daily``."""
        count = len(daily)
        row = np.searchsorted(keys_of(daily), pack(dividends.instrument_id, dividends.ex_ordinal))
        order = np.argsort(row, kind="stable")
        row, shares = row[order], (1 - dividends.split_from / dividends.split_to)[order]
        same = np.zeros(len(row), dtype=np.bool_)
        same[1:] = daily.instrument_id[row[1:]] == daily.instrument_id[row[:-1]]
        share, times_usual = np.zeros(count), np.ones(count)
        since, times_before = np.full(count, np.inf), np.full(count, np.nan)
        share[row] = shares
        later, former = row[same], row[np.flatnonzero(same) - 1]
        since[later] = daily.ordinal[later].astype(np.float64) - daily.ordinal[former]
        times_before[later] = share[later] / share[former]
        times_usual[row] = _times_usual(shares, same)
        return cls(share, since, times_before, times_usual)


@dataclass(frozen=True, eq=False)
class BarMeasures:
    """What the flags are decided by, per bar; a bar is compared with the ones before it in its series.

    Example, a 2-for-1 split on the third bar that the prices follow::

        close     100   102   51
        ratio       1  1.02  0.5
        expected    1     1  0.5     by the split
        move        0  0.02    0     abs(log(ratio / expected))

    Attributes:
        ratio: close over the close before; 1 for the first bar of a series.
        expected: what the splits since the bar before should have multiplied the price by; 1 without any.
        volume: as the bars give it.
        move: how far the close moved beyond what splits explain, as an absolute logarithm.
        unexplained: the same beyond what splits and dividends explain, whichever is less. From 27.00 to 15.00
            over a dividend of 12.00 is no move: (15 + 12) / 27 = 1. What is no move without the dividend is
            none either: the flag is about prices, not about a dividend that may be wrong.
        beyond_range: vwap over the low or high that it crosses; 1 where it crosses neither.
        equal_bars: how many bars up to and including this one have the same four prices.
        dividends: of the dividends that fall on the bar.
        same: whether the bar is of the same series as the one before it.
    """

    ratio: Floats
    expected: Floats
    volume: Floats
    move: Floats
    unexplained: Floats
    beyond_range: Floats
    equal_bars: Int64s
    dividends: DividendMeasures
    same: Bools

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
            volume=daily.volume,
            move=move,
            unexplained=unexplained,
            beyond_range=_outside_range(daily),
            equal_bars=_equal_bars(daily, same),
            dividends=DividendMeasures.of(daily, dividends),
            same=same,
        )

    @property
    def has_split(self) -> Bools:
        """Whether a split takes effect on the bar."""
        changed: Bools = self.expected != 1.0
        return changed

    def usual_move(self, rows: Positions) -> Floats:
        """Return the median of ``unexplained`` before some bars; infinite where too few come before."""
        return usual_before(self.unexplained, self.same, rows)

    def times_usual_volume(self, rows: Positions) -> Floats:
        """Return the volume of some bars over the median volume before; 1 where that is unknown."""
        volume, usual = self.volume[rows], usual_before(self.volume, self.same, rows)
        known = (usual > 0) & (volume > 0) & np.isfinite(usual)
        return np.where(known, volume / np.where(known, usual, 1.0), 1.0)


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
    """Return, per bar, what the splits since the bar before should have multiplied its price by.

    A bar that copies the one before it to the last share shows no trade. It neither follows a split nor
    denies it, so the first bar after it that differs has to.
    """
    keys = keys_of(daily)
    trades_anew = np.flatnonzero(~_is_copy(daily, same)[: len(daily)])
    at_or_after = np.searchsorted(keys[trades_anew], pack(splits.instrument_id, splits.ex_ordinal))
    bar = np.append(trades_anew, len(daily))[at_or_after]
    inside = bar < len(daily)
    inside[inside] = daily.instrument_id[bar[inside]] == splits.instrument_id[inside]
    expected = np.ones(len(daily))
    np.multiply.at(expected, bar[inside], (splits.split_from / splits.split_to)[inside])
    return np.where(same, expected, 1.0)


def _is_copy(daily: DailyBars, same: Bools) -> Bools:
    """Return which bars repeat the prices and the volume of the bar before them."""
    copied = same.copy()
    for values in (np.nan_to_num(daily.open), daily.high, daily.low, daily.close, daily.volume):
        copied[1:] &= values[1:] == values[:-1]
    return copied


def _equal_bars(daily: DailyBars, same: Bools) -> Int64s:
    """Return, per bar, how many bars up to it are equal in all four prices."""
    equal = same.copy()
    for prices in (np.nan_to_num(daily.open), daily.high, daily.low, daily.close):
        equal[1:] &= prices[1:] == prices[:-1]
    row = np.arange(len(equal))
    return row - np.maximum.accumulate(np.where(equal, 0, row)) + 1


def _times_usual(share: Floats, same: Bools) -> Floats:
    """Return each dividend's share over the median of its NEIGHBOURS on either side, itself left out."""
    times = np.ones(len(share))
    bounds: Int64s = np.append(np.flatnonzero(~same), len(share))
    for first, last in pairwise(bounds.tolist()):
        if last - first <= FEWEST:
            continue
        for row in range(first, last):
            low, high = max(first, row - NEIGHBOURS), min(last, row + NEIGHBOURS + 1)
            around = np.delete(share[low:high], row - low)
            if len(around) >= FEWEST:
                times[row] = share[row] / np.median(around)
    return times
