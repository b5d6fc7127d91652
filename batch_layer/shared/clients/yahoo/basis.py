"""From Yahoo's basis, today's, back to what was traded. Pure.

Let a split with ex-date x make ``split_to`` shares of ``split_from``. Yahoo's price of session s is the
traded one times the product of ``split_from / split_to`` over the splits with s < x <= today, its volume
the traded one divided by it; dividends are treated as prices of their ex-date. So the traded price is
Yahoo's divided by that product.

The product alone does not give back the traded price, for Yahoo rounds: an adjusted number to six decimals,
and every number to single precision (24 bits). AAPL's first close, 28.75 on 1980-12-12 and since then
split 224 for 1, is told as 0.1283479928970337, which is 0.128348 in single precision, and 224 of them
are 28.74995. What was traded was printed in few decimals, so of all the numbers that Yahoo's can stand for,
the one with the fewest decimals is taken: 28.75.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.models.bars import Floats

ADJUSTED_DECIMALS = 6
"""Yahoo rounds a split-adjusted price or dividend to so many decimals."""

PRINTED_DECIMALS = 8
"""A number that no decimal of so many places or fewer explains stays as it is."""

Ratios = Mapping[np.datetime64, float]
"""New shares for each old one, by ex-date."""

LARGEST_RATIO = 1e6
"""Of a split that can be one, as the rules have it (`condvest.batch_layer.fetching.quality.rules`)."""

beyond_all_numbers = np.errstate(over="ignore", invalid="ignore", divide="ignore")
"""Decorates what computes with any number that Yahoo may send: the rules refuse what comes out not finite."""


@beyond_all_numbers
def shares_since(dates: npt.NDArray[np.datetime64], ratios: Ratios) -> Floats:
    """Return, for each date, into how many shares one of that date has been split since; 1 if none.

    Args:
        dates: datetime64[D], any order.
        ratios: the splits through the instant at which the answer was given. One whose ex-date is the date
            itself is in that date's prices already.
    """
    shares = np.ones(len(dates))
    for ex_date, ratio in ratios.items():
        shares[dates < ex_date] *= ratio
    return shares


@beyond_all_numbers
def rounding(volumes: Floats, shares: Floats) -> Floats:
    """Return by how much the traded number may differ from ``told * shares`` for Yahoo's rounding.

    Half a unit in the last place of single precision and, where a split is in it, of the sixth decimal;
    NaN for NaN.
    """
    # Beyond single precision it is NaN.
    single = np.spacing(np.abs(volumes).astype(np.float32)).astype(np.float64) / 2
    decimals = np.where(shares == 1, 0.0, 10.0**-ADJUSTED_DECIMALS / 2)
    # A sixteenth more, so that the error of the multiplication itself never decides.
    return (single + decimals) * shares * 1.0625


@beyond_all_numbers
def shortest_decimals(values: Floats, within: Floats) -> Floats:
    """Return, for each value, the number of fewest decimals within ``within`` of it; itself if there is none.

    For one ``within`` this keeps order: of two values the larger never becomes the smaller. Only 0 becomes 0.
    """
    shortest = values.copy()
    for decimals in range(PRINTED_DECIMALS, -1, -1):
        rounded = np.round(values, decimals)
        fits = (np.abs(rounded - values) <= within) & (rounded != 0)
        shortest = np.where(fits, rounded, shortest)
    return shortest
