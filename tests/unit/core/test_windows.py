"""Which sessions make one window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.processing.resample import windows_touched
from condvest.batch_layer.shared.core.windows import (
    LONGEST_INTERVAL,
    first_ordinals,
    last_ordinals,
    windows_of,
)
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.spans import Spans
from tests.support.naive import bars as naive

ordinals = st.integers(-20_000, 20_000)
intervals = st.sampled_from([1, 2, 3, 5, 8, 13, 21, 34, 252])


def int32(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize(
    ("ordinal", "n", "anchor", "window", "first", "last"),
    [
        # Worked by hand.
        (0, 13, 0, 0, 0, 12),
        (12, 13, 0, 0, 0, 12),
        (13, 13, 0, 1, 13, 25),
        (-1, 13, 0, -1, -13, -1),
        (-13, 13, 0, -1, -13, -1),
        (-14, 13, 0, -2, -26, -14),
        (7, 1, 0, 7, 7, 7),
        (-7, 1, 0, -7, -7, -7),
        (100, 5, 98, 0, 98, 102),
        (97, 5, 98, -1, 93, 97),
        (0, 5, -3, 0, -3, 1),
        (32_766, LONGEST_INTERVAL, 0, 0, 0, 32_766),
    ],
)
def test_windows_worked_by_hand(ordinal, n, anchor, window, first, last):
    """A session's window, and that window's ends, are those counted by hand."""
    windows = windows_of(int32(ordinal), n, anchor)
    assert windows.tolist() == [window]
    assert first_ordinals(windows, n, anchor).tolist() == [first]
    assert last_ordinals(windows, n, anchor).tolist() == [last]
    assert {array.dtype for array in (windows, first_ordinals(windows, n), last_ordinals(windows, n))} == {
        np.dtype(np.int32)
    }


def test_windows_are_anchored_at_ordinal_0_unless_told_otherwise():
    assert windows_of(int32(-1, 0, 12), 13).tolist() == [-1, 0, 0]
    assert first_ordinals(int32(-1, 0, 1), 13).tolist() == [-13, 0, 13]
    assert last_ordinals(int32(-1, 0, 1), 13).tolist() == [-1, 12, 25]


def test_each_row_has_its_own_anchor():
    """With an anchor a row, each row is counted from its own."""
    ordinal, anchor = int32(10, 10, 10), int32(10, 8, 11)
    assert windows_of(ordinal, 3, anchor).tolist() == [0, 0, -1]
    assert first_ordinals(windows_of(ordinal, 3, anchor), 3, anchor).tolist() == [10, 8, 8]
    assert last_ordinals(windows_of(ordinal, 3, anchor), 3, anchor).tolist() == [12, 10, 10]


@given(ordinals, intervals, st.integers(-300, 300))
def test_a_window_holds_its_sessions_and_no_other(ordinal, n, anchor):
    """Counted one by one, the window is the same, and the session lies between its ends."""
    window = windows_of(int32(ordinal), n, anchor)
    assert window.tolist() == [naive.window_of(ordinal, n, anchor)]
    first, last = first_ordinals(window, n, anchor)[0], last_ordinals(window, n, anchor)[0]
    assert first <= ordinal <= last
    assert last - first == n - 1
    around = int32(first - 1, first, last, last + 1)
    assert (windows_of(around, n, anchor) - window).tolist() == [-1, 0, 0, 1]


@given(ordinals, st.integers(0, 100), intervals)
def test_touched_windows_are_those_of_the_sessions(first, more, n):
    """The windows that a run of sessions touches are the least and greatest of its sessions'."""
    windows = [naive.window_of(ordinal, n) for ordinal in range(first, first + more + 1)]
    found = windows_touched(Spans(int32(7), int32(first), int32(first + more)), n)
    assert [column.tolist() for column in (found.instrument_id, found.first, found.last)] == [
        [7],
        [min(windows)],
        [max(windows)],
    ]


@pytest.mark.parametrize("n", [0, -3, LONGEST_INTERVAL + 1])
def test_an_impossible_interval_is_refused(n):
    """Every function refuses an interval that no bar can have, and names it."""
    for call in (
        lambda: windows_of(int32(1), n),
        lambda: first_ordinals(int32(1), n),
        lambda: last_ordinals(int32(1), n),
        lambda: windows_touched(Spans(int32(7), int32(1), int32(2)), n),
    ):
        with pytest.raises(UsageError, match=f"not {n}$"):
            call()


def test_no_rows_give_no_rows():
    """Empty columns stay empty and keep their dtype."""
    assert windows_of(int32(), 5).dtype == np.int32
    assert len(windows_of(int32(), 5)) == 0
