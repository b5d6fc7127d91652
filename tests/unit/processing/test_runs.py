"""Reducing groups of consecutive rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.processing.runs import Groups, Reducer
from tests import naive

counts = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def groups(count, usual):
    count = np.array(count, dtype=np.intp)
    return Groups(first=np.cumsum(count) - count, count=count, usual=usual)


@st.composite
def groupings(draw):
    """Draw several ways to cut the same rows into groups, with usual counts that may be far off."""
    rows = sum(draw(counts))
    ways = []
    for usual in draw(st.lists(st.integers(1, 50), min_size=1, max_size=4)):
        ends = sorted({*draw(st.sets(st.integers(1, rows))), rows})
        ways.append(groups(np.diff([0, *ends]), usual))
    return rows, ways


@given(groupings(), st.integers(0, 2**32 - 1))
def test_every_group_is_reduced_in_the_documented_order(drawn, seed):
    """Sums of fractions have the bits of the naive model's; whole numbers and extremes are exact."""
    rows, ways = drawn
    rng = np.random.default_rng(seed)
    fractions, wholes = rng.normal(size=rows), rng.integers(-(2**60), 2**60, rows) // 64
    reducer = Reducer(rows, ways)
    for column, ufunc, plain in (
        (fractions, np.add, naive.total),
        (wholes, np.add, sum),
        (fractions, np.maximum, max),
        (wholes, np.minimum, min),
    ):
        for way, result in zip(ways, reducer.split(reducer.reduce(column, ufunc)), strict=True):
            pieces = np.split(column, way.first[1:])
            assert result.dtype == column.dtype
            assert result.tolist() == [plain(piece.tolist()) for piece in pieces]


def test_rows_beyond_the_group_are_not_looked_at():
    """NaN and infinity beside a group do not leak into it."""
    column = np.array([np.nan, 1.0, 2.0, np.inf, 4.0])
    reducer = Reducer(5, [groups([1, 2, 1, 1], usual=3)])
    np.testing.assert_array_equal(reducer.reduce(column, np.add), [np.nan, 3.0, np.inf, 4.0])


def test_joined_values_are_split_in_the_order_given():
    """However the reducer orders its groupings, the caller sees its own order."""
    reducer = Reducer(4, [groups([4], usual=4), groups([1, 3], usual=3), groups([2, 2], usual=2)])
    joined = reducer.join([np.array([1]), np.array([2, 3]), np.array([4, 5])])
    assert [part.tolist() for part in reducer.split(joined)] == [[1], [2, 3], [4, 5]]
