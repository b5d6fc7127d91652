"""What distinguishes two sets of rows, against dictionaries."""

import math
from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.corporate_actions import SplitEvents
from condvest.batch_layer.shared.models.difference import difference, keys_of, pack

VALUES = st.sampled_from([1.0, 2.0, math.nan])
KEYS = st.tuples(st.integers(0, 3), st.integers(-2, 3))


def daily(rows):
    """Return daily bars by key: (instrument, ordinal) to (vwap, trades)."""
    count = len(rows)
    ones = np.ones(count)
    return DailyBars(
        np.array([key[0] for key in rows], dtype=np.int32),
        np.array([key[1] for key in rows], dtype=np.int32),
        *(ones for _ in range(5)),
        np.array([value[0] for value in rows.values()], dtype=np.float64),
        np.array([value[1] for value in rows.values()], dtype=np.int64),
    )


def same(left, right):
    """By what is printed: NaN is NaN."""
    return str(left) == str(right)


some_rows = st.dictionaries(KEYS, st.tuples(VALUES, st.integers(-1, 1)), max_size=12)


@given(some_rows, some_rows)
def test_every_row_is_in_exactly_one_class(stored, wanted):
    """Inserted, changed or unchanged a wanted row; gone or not a stored one. NaN is NaN."""
    found = difference(daily(stored), daily(wanted))
    keys = list(stored)
    assert found.inserted.tolist() == [key not in stored for key in wanted]
    assert found.changed.tolist() == [key in stored and not same(stored[key], wanted[key]) for key in wanted]
    assert found.replaced.tolist() == [keys.index(key) if key in stored else -1 for key in wanted]
    assert found.gone.tolist() == [key not in wanted for key in stored]
    assert found.unchanged == sum(key in stored and same(stored[key], wanted[key]) for key in wanted)


@given(st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1)), max_size=30))
def test_packed_keys_are_in_the_order_of_the_pairs(pairs):
    columns = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    packed = pack(columns[:, 0], columns[:, 1]).tolist()
    assert [pairs[place] for place in np.argsort(packed, kind="stable")] == sorted(pairs)
    assert len(set(packed)) == len(set(pairs))


def test_dates_are_keys_too():
    """Whether before or after 1970."""
    dates = np.array(["1962-01-02", "1970-01-01", "2024-06-03"], "datetime64[D]")
    events = SplitEvents(np.array([1, 1, 1], np.int32), dates, np.ones(3), np.ones(3))
    assert np.diff(keys_of(events)).tolist() == [2921, 19877]


def test_columns_are_taken_and_joined_alike():
    """Of every column of a subclass."""
    rows = daily({(1, 1): (1.0, 1), (1, 2): (2.0, 2), (2, 1): (3.0, 3)})
    joined = DailyBars.concat([rows.take(slice(2, 3)), rows.take(np.array([True, False, False]))])
    assert len(joined) == 2
    assert joined.trades.tolist() == [3, 1]
    assert all(len(getattr(joined, field.name)) == 2 for field in fields(joined))
