"""First and last bars by what was known and what was read since are those of all bars."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.processing.publishing.reaches import Reach, known_reaches
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.spans import Spans

YEARS = ((0, 9), (10, 19), (20, 29))
bars = st.sets(st.tuples(st.integers(1, 3), st.integers(0, 29)))


def spans_of(keys):
    """Return the first and last ordinal of each instrument among (instrument, ordinal)."""
    ids = sorted({instrument for instrument, _ in keys})
    own = [[ordinal for instrument, ordinal in keys if instrument == each] for each in ids]
    columns = (ids, [min(ordinals) for ordinals in own], [max(ordinals) for ordinals in own])
    return Spans(*(np.array(column, dtype=np.int32) for column in columns))


def daily(keys):
    ids, ordinals = np.array(sorted(keys), dtype=np.int32).reshape(-1, 2).T
    floats = np.ones(len(ids))
    return DailyBars(ids, ordinals, floats, floats, floats, floats, floats, floats, ids.astype(np.int64))


def rows(spans):
    return list(zip(*(values.tolist() for values in vars(spans).values()), strict=True))


@given(before=bars, now=bars, changed=st.sets(st.sampled_from(YEARS)))
def test_what_is_known_is_right_and_the_rest_is_named(before, now, changed):
    inside = [any(first <= ordinal <= last for first, last in changed) for ordinal in range(30)]
    stored = {key for key in now if inside[key[1]]} | {key for key in before if not inside[key[1]]}
    read = [
        Reach.of(first, last, daily({key for key in stored if first <= key[1] <= last}))
        for first, last in changed
    ]
    known, unknown = known_reaches(spans_of(before), read)
    right = {row[0]: row for row in rows(spans_of(stored))}
    assert rows(known) == [row for each, row in right.items() if each not in unknown.tolist()]
    assert right.keys() <= {*known.instrument_id.tolist(), *unknown.tolist()}


def test_a_night_asks_for_nobody():
    before, night = (
        spans_of({(1, 0), (1, 28), (2, 5), (2, 27)}),
        {(1, 28), (1, 29), (2, 27), (2, 29), (3, 29)},
    )
    known, unknown = known_reaches(before, [Reach.of(20, 29, daily(night))])
    assert rows(known) == [(1, 0, 29), (2, 5, 29), (3, 29, 29)]
    assert len(unknown) == 0
