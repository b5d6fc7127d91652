"""The numbers that occur in a column, against Python's sets."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from condvest.batch_layer.shared.models.bars import distinct_numbers

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(st.lists(INT32) | st.lists(st.integers(-3, 3)))
@example([-(2**31), 2**31 - 1])
@example([2**31 - 1, 2**31 - 2])
def test_each_number_comes_once_and_ascending(values):
    numbers = distinct_numbers(np.array(values, dtype=np.int32))
    assert numbers.tolist() == sorted(set(values))
    assert numbers.dtype == np.int32
