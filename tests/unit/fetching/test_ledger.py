"""Which sessions a load enters in the ledger, and what follows from it."""

import statistics

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from condvest.batch_layer.fetching.ledger import (
    complete_sessions,
    keep_complete,
    missing_sessions,
    sessions_affected,
    sessions_in_doubt,
)
from condvest.batch_layer.shared.models.loads import LedgerRows


def int32(*values):
    return np.array(values, dtype=np.int32)


def ledger(complete, passed=100):
    """Return rows of the ledger: ordinal to whether it is complete, ``passed`` rows each."""
    ordinals = int32(*complete)
    counts = np.full(len(ordinals), passed, dtype=np.int32)
    return LedgerRows(
        ordinals, np.array(list(complete.values()), dtype=bool), counts, counts, *[counts * 0] * 4
    )


def ledger_of(held):
    """Return rows of the ledger: ordinal to (whether it is complete, rows that passed), in any order."""
    rows = sorted(held.items())
    counts = int32(*(count for _, (_, count) in rows))
    complete = np.array([complete for _, (complete, _) in rows], dtype=bool)
    return LedgerRows(int32(*(ordinal for ordinal, _ in rows)), complete, counts, counts, *[counts * 0] * 4)


NOTHING = ledger({})


class TestComplete:
    """A session is cut short below four fifths of the median of those around it; with 100 each, below 80."""

    def test_it_is_judged_by_the_sessions_around_it(self):
        held = ledger(dict.fromkeys(range(10), True))
        assert complete_sessions(int32(10, 11, 12), int32(100, 79, 80), held).tolist() == [True, False, True]

    def test_those_of_the_same_answer_count_too(self):
        """The first five have nothing to be compared with, and then the sixth has them."""
        passed = int32(100, 100, 100, 100, 100, 50)
        assert complete_sessions(np.arange(6, dtype=np.int32), passed, NOTHING).tolist() == [True] * 5 + [
            False
        ]

    def test_what_is_cut_short_is_no_measure_for_the_next(self):
        held = ledger(dict.fromkeys(range(5), True))
        passed = int32(*[50] * 30)
        assert not complete_sessions(np.arange(5, 35, dtype=np.int32), passed, held).any()

    def test_partial_and_far_sessions_are_no_measure(self):
        """Only five sessions say something, and of those within a year of session 4 there are but four."""
        held = ledger({0: True, 1: True, 2: True, 3: True, 4: False, 257: True, 258: True})
        assert complete_sessions(int32(4), int32(1), held).tolist() == [True]

    def test_later_sessions_are_a_measure_for_whoever_goes_back_in_time(self):
        held = ledger(dict.fromkeys(range(10, 15), True))
        assert complete_sessions(int32(9), int32(79), held).tolist() == [False]
        assert complete_sessions(int32(9), int32(80), held).tolist() == [True]

    def test_no_rows_are_never_complete(self):
        assert complete_sessions(int32(0), int32(0), NOTHING).tolist() == [False]
        assert len(complete_sessions(int32(), int32(), NOTHING)) == 0

    def test_a_market_that_shrinks_slowly_is_complete(self):
        passed = int32(*(round(1000 * 0.99**step) for step in range(60)))
        assert complete_sessions(np.arange(60, dtype=np.int32), passed, NOTHING).all()


def looks_cut_short(session, count, known):
    """Say it once more: below four fifths of the median of the nearest sessions within a year, if five are.

    Of two equally near the earlier is the nearer one; ``known`` is ordinal to count.
    """
    near = sorted(
        (abs(other - session), other) for other in known if other != session and abs(other - session) <= 252
    )
    counts = [known[other] for _, other in near[:20]]
    return len(counts) >= 5 and count < 0.8 * statistics.median(counts)


FAR_AND_NEAR = st.one_of(st.integers(-40, 40), st.integers(-600, 600))
COUNTS = st.sampled_from([0, 50, 79, 80, 100, 125])


@given(
    held=st.dictionaries(FAR_AND_NEAR, st.tuples(st.booleans(), COUNTS.filter(bool)), max_size=70),
    asked=st.dictionaries(FAR_AND_NEAR, COUNTS, min_size=1, max_size=12),
)
@example(held=dict.fromkeys(range(0, 50, 10), (True, 100)), asked={252: 79})
@example(held=dict.fromkeys(range(0, 50, 10), (True, 100)), asked={253: 79})
@example(held=dict.fromkeys(range(10, 70), (True, 100)), asked={9: 79})
@example(held=dict.fromkeys(range(10), (True, 100)), asked=dict.fromkeys(range(10), 50))
@example(held={n: (n % 2 == 0, 100) for n in range(20)}, asked={20: 79, 1: 79})
@example(
    held=dict.fromkeys(range(101, 121), (True, 100)) | dict.fromkeys(range(-80, -60), (True, 50)),
    asked={100: 79},
)
@example(held={n: (n < 4, 50) for n in range(20)}, asked={20: 30})
def test_complete_is_as_said_session_by_session(held, asked):
    """Sessions of the answer are judged in their order; what it replaces, and partial ones, count nothing."""
    known = {one: count for one, (complete, count) in held.items() if complete and one not in asked}
    expected = []
    for session, count in sorted(asked.items()):
        expected.append(count > 0 and not looks_cut_short(session, count, known))
        if expected[-1]:
            known[session] = count
    ordinals, counts = (int32(*column) for column in zip(*sorted(asked.items()), strict=True))
    assert complete_sessions(ordinals, counts, ledger_of(held)).tolist() == expected


@given(held=st.dictionaries(FAR_AND_NEAR, st.tuples(st.booleans(), COUNTS.filter(bool)), max_size=70))
@example(held={0: (True, 79)} | {n: (True, 98 if n <= 10 else 100) for n in range(1, 40)})
@example(held={50: (True, 79)} | {n: (True, 98 if n >= 40 else 100) for n in range(50)})
def test_in_doubt_is_as_said_session_by_session(held):
    known = {one: count for one, (complete, count) in held.items() if complete}
    expected = [one for one, count in sorted(known.items()) if looks_cut_short(one, count, known)]
    assert sessions_in_doubt(ledger_of(held)).tolist() == expected


def test_the_first_sessions_are_in_doubt_when_later_ones_show_that_they_were_cut_short():
    held = ledger(dict.fromkeys(range(8), True))
    assert sessions_in_doubt(held).tolist() == []
    held.passed[2] = 79
    assert sessions_in_doubt(held).tolist() == [2]
    assert sessions_in_doubt(held.take(slice(5))).tolist() == [], "four others say nothing"


def test_a_complete_session_never_becomes_partial_again():
    held = ledger({0: True, 1: False})
    entries = ledger({0: False, 1: False, 2: False})
    assert keep_complete(entries, held).ordinal.tolist() == [1, 2]
    assert keep_complete(ledger({0: True, 1: True}), held).ordinal.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("held", "entries", "affected"),
    [
        ({}, {5: True, 7: False}, [5, 7]),
        ({5: True}, {5: True}, []),
        ({5: False}, {5: True}, [5]),
        ({5: False}, {5: False}, []),
        ({5: True}, {6: False}, [6]),
        # 6 and 7 come to lie behind the last loaded session, which ends the basis of open windows.
        ({5: True}, {8: True}, [6, 7, 8]),
        ({5: True}, {7: True, 9: True}, [6, 7, 8, 9]),
        ({5: True, 9: True}, {7: True}, [7]),
        ({5: True, 9: True}, {7: True, 11: True}, [7, 10, 11]),
        ({5: True}, {}, []),
        ({}, {}, []),
    ],
)
def test_affected_are_new_completed_and_passed_over_sessions(held, entries, affected):
    found = sessions_affected(ledger(entries), ledger(held))
    assert found.tolist() == affected
    assert found.dtype == np.int32


def test_missing_is_what_is_not_held_as_complete():
    held = ledger({3: True, 4: False, 6: True, 9: True})
    assert missing_sessions(held, 2, 8).tolist() == [2, 4, 5, 7, 8]
    assert missing_sessions(held, 3, 3).tolist() == []
    assert missing_sessions(held, 4, 3).tolist() == []
    assert missing_sessions(NOTHING, -1, 1).tolist() == [-1, 0, 1]
