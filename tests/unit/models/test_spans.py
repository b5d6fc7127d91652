"""Spans of ordinals, against sets of single ordinals."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.models.spans import Spans, always


def spans_of(rows):
    columns = np.array(rows, dtype=np.int32).reshape(-1, 3)
    return Spans(columns[:, 0], columns[:, 1], columns[:, 2])


def rows_of(spans):
    return list(zip(spans.instrument_id.tolist(), spans.first.tolist(), spans.last.tolist(), strict=True))


def points_of(spans):
    return {(one, at) for one, first, last in rows_of(spans) for at in range(first, last + 1)}


@st.composite
def some_spans(draw):
    rows = st.tuples(st.integers(0, 3), st.integers(-15, 15), st.integers(0, 6))
    return spans_of(
        [(one, first, first + length) for one, first, length in draw(st.lists(rows, max_size=12))]
    )


@given(some_spans())
def test_merged_spans_hold_the_same_and_are_as_few_as_can_be(spans):
    """Ascending, and between two of one instrument lies at least one ordinal that neither holds."""
    merged = spans.merged()
    rows = rows_of(merged)
    assert points_of(merged) == points_of(spans)
    assert rows == sorted(rows)
    for (one, _, last), (other, first, _) in pairwise(rows):
        assert one != other or last + 1 < first
    assert merged.first.dtype == merged.last.dtype == merged.instrument_id.dtype == np.int32


@given(some_spans(), st.lists(st.tuples(st.integers(0, 4), st.integers(-20, 25)), max_size=20))
def test_contain_is_membership(spans, asked):
    ids, ordinals = (np.array([pair[place] for pair in asked], dtype=np.int32) for place in (0, 1))
    held = spans.merged().contain(ids, ordinals)
    assert held.tolist() == [pair in points_of(spans) for pair in asked]


@given(some_spans(), st.data())
def test_without_points_the_rest_is_left(spans, data):
    merged = spans.merged()
    held = sorted(points_of(merged))
    gone = data.draw(st.lists(st.sampled_from(held), unique=True)) if held else []
    ids, ordinals = (np.array([pair[place] for pair in gone], dtype=np.int32) for place in (0, 1))
    left = merged.without(ids, ordinals)
    assert points_of(left) == set(held) - set(gone)
    assert rows_of(left) == rows_of(left.merged())
    assert left.first.dtype == left.last.dtype == left.instrument_id.dtype == np.int32


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-10, 10)), max_size=25))
def test_points_become_runs(points):
    ids, ordinals = (np.array([pair[place] for pair in points], dtype=np.int32) for place in (0, 1))
    runs = Spans.of_points(ids, ordinals)
    assert points_of(runs) == set(points)
    assert rows_of(runs) == rows_of(runs.merged())


@given(some_spans())
def test_between_is_what_the_spans_of_an_instrument_lack(spans):
    merged = spans.merged()
    held = points_of(merged)
    within = {one: [at for other, at in held if other == one] for one, _ in held}
    lacking = {(one, at) for one, own in within.items() for at in range(min(own), max(own))} - held
    assert points_of(merged.between()) == lacking
    assert rows_of(merged.between()) == rows_of(merged.between().merged())
    assert merged.between().first.dtype == merged.between().last.dtype == np.int32


@given(some_spans())
def test_the_points_of_spans_come_in_their_order(spans):
    ids, ordinals = spans.points()
    assert list(zip(ids.tolist(), ordinals.tolist(), strict=True)) == [
        (one, at) for one, first, last in rows_of(spans) for at in range(first, last + 1)
    ]
    assert ids.dtype == ordinals.dtype == np.int32


def test_within_gives_each_the_same_span():
    assert rows_of(Spans.within(np.array([2, 5], np.int32), -3, 4)) == [(2, -3, 4), (5, -3, 4)]


def test_always_holds_every_ordinal_and_merges_with_the_neighbours():
    """The bounds of an int32 stay apart from those of the next instrument."""
    ids = np.array([1, 2], dtype=np.int32)
    spans = Spans.concat([always(ids), spans_of([(1, -5, 5), (3, 0, 0)])]).merged()
    assert rows_of(spans)[2] == (3, 0, 0)
    assert len(spans) == 3
    ends = np.array([-(2**31) + 1, 2**31 - 1], dtype=np.int32)
    assert spans.contain(np.array([1, 2], np.int32), ends).tolist() == [True, True]
    assert spans.contain(np.array([0, 3], np.int32), ends).tolist() == [False, False]
