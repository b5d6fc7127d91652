"""Two providers' daily bars side by side, on bars made by hand and drawn."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.fetching.comparison import COMPARED, compared
from tests.support.strategies.histories import daily_bars


def bars(*keys, **values):
    """Return plausible bars of (instrument, ordinal): the same for the same keys, but for ``values``."""
    made = daily_bars([one for one, _ in keys], [ordinal for _, ordinal in keys], seed=7)
    return replace(made, **{name: np.full(len(keys), value) for name, value in values.items()})


def found(left, right, tolerance=0.0):
    rows = compared(left, right, tolerance)
    names = ("instrument_id", "ordinal", "field", "left", "right")
    return list(zip(*(getattr(rows, name).tolist() for name in names), strict=True))


KEYS = [(1, 5), (1, 6), (2, 5)]


def test_equal_bars_do_not_differ():
    assert found(bars(*KEYS), bars(*KEYS)) == []


@pytest.mark.parametrize("field", COMPARED)
def test_each_compared_value_is_told_apart_by_its_name(field):
    left, right = bars((1, 5), **{field: 100.0}), bars((1, 5), **{field: 101.0})
    assert found(left, right) == [(1, 5, field, 100.0, 101.0)]
    assert found(right, left) == [(1, 5, field, 101.0, 100.0)]


def test_vwap_and_trades_are_not_compared():
    """Each provider counts trades in its own way."""
    assert found(bars((1, 5), vwap=1.0, trades=1), bars((1, 5), vwap=2.0, trades=2)) == []


def test_the_tolerance_is_relative_to_the_larger_and_itself_tolerated():
    left, right = bars((1, 5), close=50.0), bars((1, 5), close=100.0)
    assert found(left, right, 0.5) == []
    assert [row[2] for row in found(left, right, 0.4999)] == ["close"]


def test_a_bar_that_one_lacks_is_missing_with_the_close_of_the_other():
    left, right = bars((1, 5), (1, 6), close=9.0), bars((1, 6), (2, 6), close=9.0)
    right = replace(right, **{name: left_value(left, name) for name in COMPARED})
    rows = found(left, right)
    assert [(row[0], row[1], row[2]) for row in rows] == [(1, 5, "missing"), (2, 6, "missing")]
    (_, _, _, close, nothing), (_, _, _, nothing_too, close_too) = rows
    assert (close, close_too) == (9.0, 9.0)
    assert math.isnan(nothing)
    assert math.isnan(nothing_too)


def left_value(left, name):
    """Return the value of the second bar, for both bars of the other side."""
    return np.full(2, getattr(left, name)[1])


def test_nothing_differs_from_nothing():
    assert found(bars(), bars()) == []
    assert [row[:3] for row in found(bars(), bars((3, 3)))] == [(3, 3, "missing")]


keys = st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3)), unique=True, max_size=10).map(sorted)


@given(left=keys, right=keys, seeds=st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_it_is_what_comparing_bar_by_bar_gives(left, right, seeds):
    """In order of instrument, ordinal and field; the other way round the columns change places."""
    ours, theirs = (
        daily_bars([one for one, _ in of], [at for _, at in of], seed)
        for of, seed in zip((left, right), seeds, strict=True)
    )
    expected = []
    for key in sorted({*left, *right}):
        if key in left and key in right:
            a, b = left.index(key), right.index(key)
            expected += [
                (*key, name)
                for name in sorted(COMPARED)
                if getattr(ours, name)[a] != getattr(theirs, name)[b]
            ]
        else:
            expected.append((*key, "missing"))
    assert [row[:3] for row in found(ours, theirs)] == expected
    assert [row[:3] for row in found(theirs, ours)] == expected
