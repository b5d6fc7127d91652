"""Which sessions count as loaded, and for whom."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from tests.support.strategies.histories import FIRST, LAST, coverages


def int32(values):
    return np.array(values, dtype=np.int32)


def two_providers():
    """Provider 0 loaded sessions 10, 11 and 12, the last in part; provider 1 loaded session 12 alone."""
    through = np.full(64, NOTHING_LOADED, dtype=np.int32)
    through[:2] = 12
    return Coverage(
        instrument_id=int32([1, 2, 3, 4]),
        providers=np.array([0b01, 0b10, 0b11, 0b100]),
        first_ordinal=10,
        complete=np.array([0b01, 0b01, 0b10]),
        loaded_through=through,
    )


def test_a_session_is_complete_if_a_provider_of_the_instrument_has_loaded_it_in_full():
    """By instrument: 1 from provider 0, 2 from provider 1, 3 from both, 4 from one that loaded nothing."""
    expected = {
        1: [False, True, True, False, False],
        2: [False, False, False, True, False],
        3: [False, True, True, True, False],
        4: [False] * 5,
        5: [False] * 5,  # unknown
    }
    for instrument, complete in expected.items():
        found = two_providers().is_complete(int32([instrument] * 5), *[int32([9, 10, 11, 12, 13])] * 2)
        assert found.dtype == np.bool_
        assert found.tolist() == complete


def test_the_last_session_loaded_counts_partial_ones():
    """Session 12 is loaded for instruments 1 to 3, if only in part; nothing is for 4 and the unknown 5."""
    found = two_providers().last_loaded(int32([3, 1, 5, 2, 4, 1]))
    assert found.dtype == np.int32
    assert found.tolist() == [12, 12, NOTHING_LOADED, 12, NOTHING_LOADED, 12]


def test_an_empty_ledger_and_no_rows():
    """Nothing is complete where nothing is known; no rows give none."""
    none = Coverage(int32([]), np.array([], dtype=np.int64), 0, np.array([], dtype=np.int64), int32([]))
    assert none.is_complete(int32([1, 2]), int32([0, 5]), int32([0, 5])).tolist() == [False, False]
    assert none.last_loaded(int32([1])).tolist() == [NOTHING_LOADED]
    assert two_providers().is_complete(int32([]), int32([]), int32([])).tolist() == []
    assert two_providers().last_loaded(int32([])).dtype == np.int32


def test_a_span_is_complete_if_all_of_its_sessions_are():
    """By instrument, sessions 10 to 12, 10 to 11, 11 to 12, 9 to 11 and 11 to 13."""
    firsts, lasts = int32([10, 10, 11, 9, 11]), int32([12, 11, 12, 11, 13])
    expected = {
        1: [False, True, False, False, False],
        2: [False] * 5,
        3: [True, True, True, False, False],  # session 12 comes from the other provider
        4: [False] * 5,
        5: [False] * 5,
    }
    for instrument, complete in expected.items():
        spans = two_providers().is_complete(int32([instrument] * 5), firsts, lasts)
        assert spans.tolist() == complete


@given(
    coverages([1, 2, 3]),
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 3, 77, 99]), st.integers(FIRST, LAST), st.integers(0, 9))),
)
def test_coverage_is_what_the_sets_say(drawn, rows):
    """Rows in any order, of known and unknown instruments, agree with plain sets of pairs."""
    coverage, complete, last_loaded = drawn
    instruments, firsts, more = (int32([row[column] for row in rows]) for column in range(3))
    assert coverage.is_complete(instruments, firsts, firsts + more).tolist() == [
        all((instrument, ordinal) in complete for ordinal in range(first, first + length + 1))
        for instrument, first, length in rows
    ]
    ends = [last_loaded.get(instrument, int(NOTHING_LOADED)) for instrument, _, _ in rows]
    assert coverage.last_loaded(instruments).tolist() == ends
