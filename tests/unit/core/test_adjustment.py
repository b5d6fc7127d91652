"""Factors between split bases."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.core.adjustment import adjust_in_place, rescaled, split_factors
from condvest.batch_layer.shared.core.windows import windows_of
from condvest.batch_layer.shared.models.bars import Bars
from tests.support.naive import bars as naive
from tests.support.strategies.histories import FIRST, LAST, daily_bars, splits, splits_of

IDS = [1, 2, 3]


def int32(values):
    return np.array(values, dtype=np.int32)


def factors(instrument_id, after, until, given_splits):
    prices, volumes = split_factors(int32(instrument_id), int32(after), int32(until), given_splits)
    assert prices.dtype == volumes.dtype == np.float64
    return prices.tolist(), volumes.tolist()


def test_a_two_for_one_split_halves_what_came_before():
    """The split on session 10 counts for bars up to session 9 on a basis from session 10 on."""
    split = splits_of([(1, 10, 1, 2)])
    after, until = [8, 9, 9, 10, 9, 12], [20, 10, 9, 20, 8, 3]
    assert factors([1] * 6, after, until, split) == ([0.5, 0.5, 1, 1, 1, 1], [2, 2, 1, 1, 1, 1])


def test_a_reverse_split_multiplies_the_price():
    """After a 1-for-10 reverse split the old price counts tenfold, the old volume a tenth."""
    assert factors([1], [0], [5], splits_of([(1, 5, 10, 1)])) == ([10.0], [0.1])


def test_splits_of_other_instruments_do_not_count():
    """An instrument before and one after the split's own keep their bits."""
    assert factors([0, 1, 2], [0, 0, 0], [9, 9, 9], splits_of([(1, 5, 1, 2)])) == ([1, 0.5, 1], [1, 2, 1])


def test_factors_multiply_by_ascending_ex_date_however_given():
    """Ratios that do not commute in floating point are multiplied in the order of their ex-dates."""
    rows = [(1, 30, 1, 1.1), (1, 10, 7, 3), (1, 20, 3, 7)]
    price = ((1.0 * (7 / 3)) * (3 / 7)) * (1 / 1.1)
    volume = ((1.0 * (3 / 7)) * (7 / 3)) * (1.1 / 1)
    assert factors([1], [0], [40], splits_of(rows)) == ([price], [volume])


def test_splits_of_one_ex_date_take_effect_in_the_order_given():
    """Two orders of three splits on one date give the two products, bit for bit."""
    one, other = [(3, 10), (10, 7), (1, 1.1)], [(1, 1.1), (10, 7), (3, 10)]
    for ratios in (one, other):
        expected = 1.0
        for old, new in ratios:
            expected = expected * (old / new)
        given_splits = splits_of([(1, 10, old, new) for old, new in ratios])
        assert factors([1], [0], [10], given_splits)[0] == [expected]


def test_many_splits_keep_their_order_within_an_ex_date():
    """Forty splits on each of two dates, given in turns, are multiplied date by date in their given order."""
    old = [1.0 + place / 7 for place in range(80)]
    rows = [(1, 20 - place % 2, old[place], 3) for place in range(80)]
    expected = 1.0
    for place in [*range(1, 80, 2), *range(0, 80, 2)]:
        expected = expected * (old[place] / 3)
    assert factors([1], [0], [20], splits_of(rows))[0] == [expected]


def test_negative_ordinals_and_extreme_bounds():
    """Sessions before ordinal 0 compare as numbers do, and the ends of int32 are no special case."""
    split = splits_of([(1, -5, 1, 2)])
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    assert factors([1] * 4, [-6, -5, low, -6], [-5, 0, high, low], split)[0] == [0.5, 1, 0.5, 1]


def test_no_splits_and_no_rows():
    """Without splits every factor is 1; without rows there are none."""
    assert factors([1, 2], [0, 0], [9, 9], splits_of([])) == ([1, 1], [1, 1])
    assert factors([], [], [], splits_of([(1, 5, 1, 2)])) == ([], [])


sessions = st.integers(FIRST - 10, LAST + 10)


@given(splits(IDS), st.lists(st.tuples(st.sampled_from(IDS), sessions, sessions), max_size=20))
def test_factors_are_those_of_the_naive_model(given_splits, rows):
    """Rows in any order get, bit for bit, the product of the splits picked one by one."""
    prices, volumes = factors(*zip(*rows, strict=True), given_splits) if rows else ([], [])
    plain = naive.rows_of(given_splits)
    assert list(zip(prices, volumes, strict=True)) == [naive.factors(plain, *row) for row in rows]


def test_rescaled_multiplies_prices_by_one_factor_and_volume_by_the_other():
    """Each price column and vwap take the price factor, volume the other; the rest stays; NaN stays."""
    bars = daily_bars([1, 1], [0, 1], seed=5)
    bars.vwap[:] = [3.0, np.nan]
    scaled = rescaled(bars, np.array([0.5, 2.0]), np.array([2.0, 0.5]))
    for name in ("open", "high", "low", "close"):
        before, after = getattr(bars, name), getattr(scaled, name)
        assert after.tolist() == [before[0] / 2, before[1] * 2]
    assert scaled.volume.tolist() == [bars.volume[0] * 2, bars.volume[1] / 2]
    assert scaled.vwap[0] == 1.5
    assert np.isnan(scaled.vwap[1])
    assert scaled.trades.tolist() == bars.trades.tolist()
    assert scaled.ordinal.tolist() == [0, 1]


def bars_of(rows):
    """Return bars of (instrument, window), all of one price and volume."""
    ids, windows = zip(*rows, strict=True) if rows else ((), ())
    prices = {name: np.full(len(rows), 3.1) for name in ("open", "high", "low", "close", "volume", "vwap")}
    return Bars(
        int32(ids),
        int32(windows),
        **prices,
        trades=np.ones(len(rows), dtype=np.int64),
        sessions=np.ones(len(rows), dtype=np.int16),
        is_complete=np.ones(len(rows), dtype=bool),
    )


def test_bars_before_a_split_are_adjusted_in_place_and_the_one_that_holds_it_is_not():
    """Bars of 5 sessions: the split on session 12 lies in window 2, which ends on its basis."""
    bars = bars_of([(7, 0), (7, 1), (7, 2), (7, 3), (4, 1)])
    adjust_in_place(bars, splits_of([(7, 12, 1, 2)]), int32([2]), int32([19]))
    assert bars.close.tolist() == [1.55, 1.55, 3.1, 3.1, 3.1]
    assert bars.volume.tolist() == [6.2, 6.2, 3.1, 3.1, 3.1]


def test_a_split_after_the_last_loaded_session_does_not_count():
    bars = bars_of([(7, 0), (7, 1)])
    adjust_in_place(bars, splits_of([(7, 12, 1, 2)]), int32([2]), int32([11]))
    assert bars.close.tolist() == [3.1, 3.1]


@given(
    splits(IDS),
    st.permutations(IDS),
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(-5, 30)), unique=True),
    st.integers(1, 13),
    st.fixed_dictionaries(dict.fromkeys(IDS, sessions)),
)
def test_bars_are_adjusted_in_place_as_row_by_row(given_splits, order, rows, n, loaded):
    """Instruments in any order, windows missing, some splits after the last loaded session: to the bit."""
    rows.sort(key=lambda row: (order.index(row[0]), row[1]))
    key = np.lexsort((given_splits.ex_ordinal, given_splits.instrument_id))
    given_splits = given_splits.take(key)
    bars = bars_of(rows)
    until = int32([loaded.get(one, LAST) for one in given_splits.instrument_id.tolist()])
    adjust_in_place(bars, given_splits, windows_of(given_splits.ex_ordinal, n), until)
    plain = naive.rows_of(given_splits)
    expected = [
        naive.factors(plain, one, min(window * n + n - 1, loaded[one]), loaded[one]) for one, window in rows
    ]
    assert bars.close.tolist() == bars.vwap.tolist() == [3.1 * price for price, _ in expected]
    assert bars.volume.tolist() == [3.1 * volume for _, volume in expected]
