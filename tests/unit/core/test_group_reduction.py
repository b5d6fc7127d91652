"""Reducing groups of consecutive rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.core.group_layout import Groups, Layout
from condvest.batch_layer.shared.core.group_reduction import Reducer
from tests.support.naive import bars as naive

counts = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def groups(count, full_length):
    return Groups(first=np.cumsum([0, *count[:-1]]), full_length=full_length)


@st.composite
def groupings(draw):
    """Draw several ways to cut the same rows into groups, which may all be shorter than they might be."""
    rows = sum(draw(counts))
    ways = []
    for more in draw(st.lists(st.just(0) | st.integers(1, 50), min_size=1, max_size=4)):
        ends = sorted({*draw(st.sets(st.integers(1, rows))), rows})
        count = np.diff([0, *ends])
        ways.append(groups(count, int(count.max()) + more))
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
        joined = reducer.reduce(column, ufunc)
        for way, of_way in zip(ways, reducer.layout.slices, strict=True):
            result = joined[of_way]
            pieces = np.split(column, way.first[1:])
            assert result.dtype == column.dtype
            assert result.tolist() == [plain(piece.tolist()) for piece in pieces]


@given(groupings(), st.integers(0, 2**32 - 1))
def test_whole_numbers_are_summed_from_running_totals(drawn, seed):
    rows, ways = drawn
    column = np.random.default_rng(seed).integers(-(2**60), 2**60, rows) // 64
    reducer = Reducer(rows, ways)
    totals = np.empty(len(reducer.layout.first), dtype=np.int64)
    reducer.total(column, out=totals)
    for way, of_way in zip(ways, reducer.layout.slices, strict=True):
        assert totals[of_way].tolist() == [sum(piece.tolist()) for piece in np.split(column, way.first[1:])]


def test_totals_are_right_where_the_running_total_wraps_around():
    column = np.array([2**62, 2**62, 2**62 - 1, -5, 7])
    reducer = Reducer(5, [groups([1, 2, 2], full_length=2), groups([1, 1, 3], full_length=3)])
    totals = np.empty(6, dtype=np.int64)
    reducer.total(column, out=totals)
    assert [totals[of_way].tolist() for of_way in reducer.layout.slices] == [
        [2**62, 2**63 - 1, 2],
        [2**62, 2**62, 2**62 + 1],
    ]


def test_rows_beyond_the_group_are_not_looked_at():
    """NaN and infinity beside a group do not leak into it."""
    column = np.array([np.nan, 1.0, 2.0, np.inf, 4.0])
    reducer = Reducer(5, [groups([1, 2, 1, 1], full_length=3)])
    np.testing.assert_array_equal(reducer.reduce(column, np.add), [np.nan, 3.0, np.inf, 4.0])


def test_joined_values_are_found_in_the_order_given():
    """However the reducer orders its groupings, the caller sees its own order."""
    ways = [groups([4], full_length=4), groups([1, 3], full_length=3), groups([2, 2], full_length=2)]
    reducer = Reducer(4, ways)
    joined = reducer.layout.join([np.array([1]), np.array([2, 3]), np.array([4, 5])])
    assert [joined[of_way].tolist() for of_way in reducer.layout.slices] == [[1], [2, 3], [4, 5]]


def test_a_result_may_be_put_where_the_caller_wants_it():
    """The result stands in front of the room that it is worked out in."""
    reducer = Reducer(5, [groups([2, 2, 1], full_length=2), groups([3, 2], full_length=3)])
    rows = np.full((2, reducer.layout.room), np.nan)
    reducer.reduce(np.array([1.0, 2.0, 4.0, 8.0, 16.0]), np.add, out=rows[0])
    reducer.reduce(np.array([5.0, 9.0, 7.0, 6.0, 8.0]), np.maximum, out=rows[1])
    assert [rows[:, of_way].tolist() for of_way in reducer.layout.slices] == [
        [[3.0, 12.0, 16.0], [9.0, 7.0, 8.0]],
        [[7.0, 24.0], [9.0, 8.0]],
    ]


def test_the_layout_of_the_worked_example():
    """13 rows by 3 and by 5: the picture in the module's docstring."""
    layout = Layout(13, [groups([3, 3, 3, 3, 1], full_length=3), groups([5, 5, 3], full_length=5)])
    assert layout.partial_groups.tolist() == [7, 4]
    assert layout.room == 10
    # 16 columns per row of the table: runs of one row stand in 0 to 15, runs of two in 16 to 31.
    assert [(places, positions.tolist()) for places, positions in layout.nth_runs(16)] == [
        (slice(0, 10), [16, 19, 22, 25, 28, 16, 21, 26, 26, 12]),
        (slice(0, 9), [2, 5, 8, 11, 14, 18, 23, 28, 12]),
        (slice(5, 8), [4, 9, 14]),
    ]
