"""Charts and files of one basis are let through, and of two bases just the rows on the wrong one are found.

Prices are random walks of at most 2 % a session, with splits of any ratio; on the true basis no price jumps.
"""

import datetime as dt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.files.layouts.adjusted import as_traded
from condvest.batch_layer.shared.clients.yahoo.continuity import SESSIONS_BEFORE, in_doubt
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.given.payload_rows import BarRows

FIRST = np.datetime64("2024-01-02")
RATIOS = st.sampled_from([1.5, 2.0, 3.0, 4.0, 7.0, 10.0, 20.0, 50.0])
ratios = st.builds(lambda ratio, is_reverse: 1 / ratio if is_reverse else ratio, RATIOS, st.booleans())


@st.composite
def walks(draw):
    """Return dates, with halts of up to a year, and closes on one basis."""
    count = draw(st.integers(2, 60))
    seed = np.random.default_rng(draw(st.integers(0, 2**16)))
    days = seed.integers(1, 4, count)
    if draw(st.booleans()):
        days[draw(st.integers(1, count - 1))] = draw(st.integers(20, 365))
    close = 100 * np.exp(np.cumsum(seed.uniform(-0.02, 0.02, count)))
    return FIRST + np.cumsum(days).astype("timedelta64[D]"), close


def today_of(dates):
    return (dates[-1] + np.timedelta64(1)).astype(dt.date)


def doubted(dates, close, splits):
    return sorted(in_doubt(dates, close, close, splits, today_of(dates)))


@given(walks(), st.data())
def test_a_chart_on_one_basis_is_not_in_doubt(walk, data):
    """Splits on the first row, on one after a halt, and on dates without a row are among them."""
    dates, close = walk
    days = st.integers(0, int((dates[-1] - dates[0]).astype(int)))
    splits = data.draw(
        st.dictionaries(days.map(lambda day: dates[0] + np.timedelta64(day)), ratios, max_size=3)
    )
    assert doubted(dates, close, splits) == []


@given(walks(), ratios, st.sampled_from(["late", "twice"]), st.data())
def test_rows_that_the_split_has_not_reached_or_reached_twice_are_in_doubt(walk, ratio, how, data):
    dates, close = walk
    at = data.draw(st.integers(1, len(dates) - 1))
    told = close.copy()
    told[:at] *= ratio if how == "late" else 1 / ratio
    assert doubted(dates, told, {dates[at]: ratio}) == list(range(at))


@given(walks(), ratios, st.data())
def test_rows_that_the_split_has_reached_in_part_are_in_doubt(walk, ratio, data):
    dates, close = walk
    assume(len(dates) > 3)
    at = data.draw(st.integers(2, len(dates) - 1))
    reached = data.draw(st.integers(1, min(at - 1, SESSIONS_BEFORE - 1)))
    told = close.copy()
    told[: at - reached] *= ratio
    assert doubted(dates, told, {dates[at]: ratio}) == list(range(at - reached))


@given(walks(), ratios)
def test_before_a_row_of_the_ex_date_every_price_is_in_doubt(walk, ratio):
    dates, close = walk
    ex_date = dates[-1] + np.timedelta64(1)
    assert doubted(dates, close, {ex_date: ratio}) == list(range(len(dates)))


@given(walks(), ratios, st.randoms(use_true_random=False), st.data())
def test_the_order_of_the_rows_decides_nothing(walk, ratio, chance, data):
    dates, close = walk
    at = data.draw(st.integers(1, len(dates) - 1))
    told = close.copy()
    told[:at] *= ratio
    order = list(range(len(dates)))
    chance.shuffle(order)
    found = in_doubt(dates[order], told[order], told[order], {dates[at]: ratio}, today_of(dates))
    assert sorted(dates[order][list(found)]) == sorted(dates[:at])


def rows_of(dates, close):
    count = len(close)
    prices = (close, close, close, close)
    symbol = np.full(count, "A", dtype=object)
    nothing = np.full(count, np.nan)
    return BarRows(
        np.arange(count), symbol, dates, *prices, np.full(count, 1000.0), nothing, np.full(count, -1)
    )


def read(dates, close, ratio, prices=None):
    rows = rows_of(dates, close)
    header = ("symbol", "date", "open", "high", "low", "close", "volume", "split")
    return as_traded(rows, ratio, header, FileOptions(prices=prices), name="A.csv")[0]


@given(walks(), ratios, st.data())
def test_a_file_is_refused_where_its_prices_deny_its_own_split(walk, ratio, data):
    """As traded it is read as it is; split-adjusted it is refused, or brought back if that is said."""
    dates, adjusted = walk
    at = data.draw(st.integers(0, len(dates) - 1))
    column = np.zeros(len(dates))
    column[at] = ratio
    traded = adjusted.copy()
    traded[:at] *= ratio
    assert read(dates, traded, column).close.tolist() == traded.tolist()
    back = read(dates, adjusted, column, "split-adjusted")
    assert np.allclose(back.close, traded, rtol=1e-14)
    assert np.allclose(back.close * back.volume, adjusted * 1000, rtol=1e-14)
    if at:  # of a split on the first row no price shows on which basis it is
        with pytest.raises(InputError, match="look split-adjusted"):
            read(dates, adjusted, column)
