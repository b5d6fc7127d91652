"""What is usual for a bar, against the standard library's median."""

from statistics import median
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.core.flags import trailing
from condvest.batch_layer.shared.core.flags.trailing import may_be_unusual, usual_before

SERIES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=60), min_size=1, max_size=3)
AT_ONCE = st.integers(1, 50)


def medians_of(series):
    """Return the median before each value of each series; infinite where fewer than 21 come before."""
    return [
        float("inf") if place < 21 else median(values[place - 21 : place])
        for values in series
        for place in range(len(values))
    ]


def columns_of(series):
    values = np.array([value for values in series for value in values], dtype=float)
    return values, np.array([place > 0 for values in series for place in range(len(values))])


@given(SERIES, st.data(), AT_ONCE)
def test_the_usual_value_is_the_median_of_the_21_before_in_the_series(series, data, at_once):
    """Of any rows, whether they are looked at in one go or in several."""
    values, same = columns_of(series)
    rows = sorted(data.draw(st.sets(st.integers(0, len(values) - 1))))
    expected = [medians_of(series)[row] for row in rows]
    with patch.object(trailing, "_ROWS_AT_ONCE", at_once):
        assert usual_before(values, same, np.array(rows, dtype=np.intp)).tolist() == expected


@given(SERIES, st.sampled_from([1.5, 2.0, 3.0]), AT_ONCE)
def test_no_value_that_is_unusual_is_left_out(series, times, at_once):
    """Over so many times the median, or the other way round; in 64ths, some of which are at the bounds."""
    values, _ = columns_of([[value / 64 for value in values] for values in series])
    with patch.object(trailing, "_ROWS_AT_ONCE", at_once):
        chosen = may_be_unusual(values, times).tolist()
    for row, (value, usual) in enumerate(zip(values, medians_of([values.tolist()]), strict=True)):
        is_unusual = row >= 21 and (value >= times * usual or value * times <= usual)
        is_far_from_it = times * 0.99 * usual > value > usual / (times * 0.99)
        assert row in chosen or not is_unusual or value == usual == 0
        assert row not in chosen or (row >= 21 and not is_far_from_it)
    assert chosen == sorted(set(chosen))


@pytest.mark.parametrize("length", [0, 1, 21])
def test_what_has_no_past_is_never_unusual(length):
    values = np.full(length, 1e9)
    assert may_be_unusual(values, 50.0).tolist() == []
    assert usual_before(values, np.arange(length) > 0, np.arange(length)).tolist() == [np.inf] * length
