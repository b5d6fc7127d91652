"""From Yahoo's split-adjusted single-precision numbers back to what was traded."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.yahoo.basis import rounding, shares_since, shortest_decimals

AAPL = {"1987-06-16": 2, "2000-06-21": 2, "2005-02-28": 2, "2014-06-09": 7, "2020-08-31": 4}


def as_traded(told, shares):
    told, shares = np.array([told]), np.array([float(shares)])
    return float(shortest_decimals(told * shares, rounding(told, shares))[0])


@pytest.mark.parametrize(
    ("told", "traded"),
    [
        (0.1283479928970337, 28.75),
        (0.1289059966802597, 28.875),
        (0.12165199965238571, 27.25),
        (0.11272300034761429, 25.25),
        (0.160714, 36.0),
    ],
)
def test_aapls_first_sessions_come_back_in_eighths_of_a_dollar(told, traded):
    """What Yahoo tells today of December 1980 (AAPL split 224 for 1 since), and what the tape said then."""
    assert as_traded(told, 224) == traded


@pytest.mark.parametrize(
    ("date", "shares"),
    [
        ("1980-12-12", 224),
        ("1987-06-15", 224),
        ("1987-06-16", 112),
        ("2005-02-28", 28),
        ("2020-08-28", 4),
        ("2020-08-31", 1),
    ],
)
def test_a_split_is_in_the_prices_from_its_ex_date_on(date, shares):
    ratios = {np.datetime64(ex_date): float(ratio) for ex_date, ratio in AAPL.items()}
    assert shares_since(np.array([date], dtype="datetime64[D]"), ratios).tolist() == [shares]


@pytest.mark.parametrize(
    ("told", "shares", "traded"),
    [
        (42.310001373291016, 1, 42.31),
        (9999.99, 1, 9999.99),
        (0.000536, 224, 0.12),  # AAPL's first dividend, 12 cents in 1987
        (42.5, 1 / 10, 4.25),  # a reverse split
        (0.0001, 1, 0.0001),
        (3e-9, 1, 3e-9),  # not a decimal that anybody prints: left alone
        (1e-7, 1 / 1000, 1e-10),  # within the rounding of 0, but never 0
    ],
)
def test_the_fewest_decimals_that_yahoos_rounding_allows(told, shares, traded):
    assert as_traded(told, shares) == pytest.approx(traded, rel=1e-12)


@given(
    cents=st.integers(1, 99_999_999),
    decimals=st.sampled_from([2, 3, 4]),
    split=st.sampled_from(
        [(1, 1), (1, 2), (2, 3), (1, 3), (1, 4), (1, 7), (1, 20), (10, 1), (5, 1), (100, 1)]
    ),
)
def test_any_printed_price_of_seven_digits_comes_back_exactly(cents, decimals, split):
    """Adjusted, rounded to six decimals and to single precision as Yahoo does it: the price comes back."""
    price = Decimal(cents) / 10**decimals
    split_from, split_to = split
    adjusted = round(price * split_from / split_to, 6)
    told = float(np.float32(float(adjusted)))
    # Where Yahoo's own rounding leaves more than one price in reach, no reader can tell which it was.
    reach = (Decimal(float(np.spacing(np.float32(told)))) + Decimal("1e-6")) * split_to / split_from
    assume(reach < Decimal(1) / 10**decimals)
    assert as_traded(told, split_to / split_from) == float(price)


@given(
    told=st.lists(st.floats(2**-20, 2**20, width=32), min_size=2, max_size=4),
    shares=st.sampled_from([1.0, 2.0, 224.0, 0.1, 1 / 3]),
)
def test_the_order_of_a_rows_prices_is_kept(told, shares):
    """With the rounding of the largest for all, no open comes to lie above its high."""
    values = np.sort(np.array(told))
    within = np.full(len(values), rounding(values[-1:], np.array([shares]))[0])
    assert (np.diff(shortest_decimals(values * shares, within)) >= 0).all()


def test_what_is_not_finite_stays_so():
    told = np.array([np.nan, np.inf, -np.inf, 1e300])
    traded = shortest_decimals(told * 2, rounding(told, np.full(4, 2.0)))
    assert np.array_equal(traded, [np.nan, np.inf, -np.inf, 2e300], equal_nan=True)
