"""Arrow arrays made of memory are those that ``pa.array`` makes."""

import datetime as dt
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.utils.arrow import column_of, table_of

MOMENTS = pa.timestamp("us", "UTC")
VALUES = {
    pa.string(): st.text(),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    MOMENTS: st.datetimes(timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5))])).filter(
        lambda at: 2 <= at.year <= 9998
    ),
}


@pytest.mark.parametrize("kind", VALUES, ids=str)
@given(data=st.data())
def test_of_python_values(kind, data):
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=9))
    made = column_of(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))
    assert made.null_count == values.count(None)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array(["2024-02-29", "NaT"], dtype="datetime64[D]"), pa.date32()),
        (np.array(["1926-01-02T15:00", "NaT"], dtype="datetime64[s]"), pa.timestamp("s", "UTC")),
        (np.array([1.5, -0.0, np.inf]), pa.float64()),
        (np.array([True, False, True] * 3), pa.bool_()),
        (np.arange(6, dtype=np.int32)[::2], pa.int32()),
        (np.array([7, 8], dtype=np.int16), pa.int64()),
    ],
    ids=str,
)
def test_of_arrays(values, kind):
    made = column_of(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values).cast(kind))


def test_an_array_of_arrow_stays():
    column = pa.array([1, None], pa.int64())
    assert column_of(column, pa.int64()) is column


def test_pandas_is_not_imported():
    program = (
        "import sys, pyarrow as pa; from condvest.batch_layer.shared.utils.arrow import table_of; "
        "table_of({'a': ['x', None], 'b': [1, 2]}, pa.schema([('a', pa.string()), ('b', pa.int32())])); "
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_table_has_the_fields_of_its_schema_in_order():
    schema = pa.schema([pa.field("b", pa.int32(), nullable=False), ("a", pa.string())])
    made = table_of({"a": ["x"], "c": [2], "b": np.array([1], dtype=np.int32)}, schema)
    assert made.schema.equals(schema)
    assert made.to_pylist() == [{"b": 1, "a": "x"}]
