"""Dates read all at once, against those read one by one."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.files.dates import plain_dates


@given(st.lists(st.dates(), unique=True))
def test_dates_come_in_their_order_and_nat_behind(days):
    read = plain_dates(pa.array([day.isoformat() for day in days], pa.string()))
    assert read.dtype == np.dtype("datetime64[D]")
    assert read[:-1].tolist() == days
    assert np.isnat(read[-1])


@pytest.mark.parametrize(
    "text", ["2024-02-30", "0000-01-01", "20240102", " 2024-01-02", "2024-1-2", "", "2024-01-02T00:00"]
)
def test_a_cell_that_is_no_plain_date_leaves_all_to_who_reads_them_one_by_one(text):
    assert plain_dates(pa.array(["2024-01-02", text])) is None
