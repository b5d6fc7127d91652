"""Flag what looks wrong in a series of daily bars, though every bar by itself is possible. Pure.

A flag refuses and alters nothing: a person decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.core.flags.bar_measures import BarMeasures
from condvest.batch_layer.shared.core.flags.flag_criteria import CRITERIA
from condvest.batch_layer.shared.models.bars import Columns, DailyBars, Floats, Int32s
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
        having, value = CRITERIA[name](measures)
        rows.append(having)
        names.append(np.full(len(having), name, dtype=object))
        values.append(value)
    row, flag, value = np.concatenate(rows), np.concatenate(names), np.concatenate(values)
    order = np.lexsort((flag.astype(str), row))
    row = row[order]
    return Flagged(daily.instrument_id[row], daily.ordinal[row], flag[order], value[order])
