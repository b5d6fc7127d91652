"""Parquet files: typed columns become the same rows as text would."""

import datetime as dt
import decimal
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.files import parse
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Payload

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
JANUARY = dt.date(2024, 1, 2)


def written(**columns):
    base = {
        "symbol": ["AAPL", "MSFT"],
        "session": pa.array([JANUARY, JANUARY]),
        "open": [10.0, 1.0],
        "high": [12.0, 1.0],
        "low": [9.0, 1.0],
        "close": [11.0, 1.0],
        "volume": pa.array([100, 1], pa.int64()),
    }
    file = io.BytesIO()
    pq.write_table(pa.table({**base, **columns}), file)
    return file.getvalue()


def parsed(content):
    return parse(
        Payload("f", "daily_bars", content, "parquet", None, None, NOW, is_whole=False, name="p.parquet")
    )


def test_a_plain_file():
    read = parsed(written(vwap=[10.5, None], trades=pa.array([5, None], pa.int32()), note=[["a"], None]))
    rows = read.rows
    assert rows.line.tolist() == [1, 2]
    assert rows.symbol.tolist() == ["AAPL", "MSFT"]
    assert rows.session.tolist() == [JANUARY, JANUARY]
    assert rows.close.tolist() == [11.0, 1.0]
    assert rows.volume.tolist() == [100.0, 1.0]
    assert rows.trades.tolist() == [5, -1]
    assert rows.vwap[0] == 10.5
    assert np.isnan(rows.vwap[1])
    assert read.faults == {}
    assert read.source["open"].to_pylist() == ["10", "1"]
    assert read.source["session"].to_pylist() == ["2024-01-02", "2024-01-02"]
    assert "note" not in read.source.column_names  # nobody asked for it, so it is not read


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pa.array([10.25, 1], pa.float32()), 10.25),
        (pa.array([0.1, 1], pa.float32()), 0.10000000149011612),
        (pa.array([10, 1], pa.uint8()), 10.0),
        (pa.array([2**53 + 2, 1], pa.int64()), 9007199254740994.0),
        (pa.array([decimal.Decimal("0.1"), decimal.Decimal(1)], pa.decimal128(20, 6)), 0.1),
        (pa.array(["10.5", "1"]), 10.5),
        (pa.array(["10.5", "1"]).dictionary_encode(), 10.5),
        (pa.array(["10.5", "1"], pa.large_string()), 10.5),
    ],
)
def test_numbers_of_many_types(column, value):
    read = parsed(written(open=column))
    assert read.rows.open.tolist() == [value, 1.0]
    assert read.faults == {}


def test_a_null_is_missing_and_nan_is_not_finite():
    read = parsed(written(open=pa.array([None, np.nan], pa.float64(), from_pandas=False)))
    assert read.faults == {0: "open: missing"}
    assert np.isnan(read.rows.open).all()


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (pa.array([JANUARY] * 2, pa.date64()), None),
        (pa.array(["2024-01-02"] * 2), None),
        (pa.array([20240102] * 2), None),
        (pa.array([dt.datetime(2024, 1, 2)] * 2, pa.timestamp("ms")), None),  # noqa: DTZ001 - no zone is meant
        (pa.array([dt.datetime(2024, 1, 2, 5, tzinfo=dt.UTC)] * 2, pa.timestamp("us", "UTC")), None),
        (
            pa.array([dt.datetime(2024, 1, 2, 5, tzinfo=dt.UTC)] * 2, pa.timestamp("ns", "America/New_York")),
            None,
        ),
        (pa.array([dt.datetime(2024, 1, 2, tzinfo=dt.UTC)] * 2, pa.timestamp("s", "UTC")), "not midnight"),
        (pa.array([dt.datetime(2024, 1, 2, 16)] * 2, pa.timestamp("ns")), "not midnight"),  # noqa: DTZ001 - the same
        (pa.array([None, None], pa.null()), "session: missing"),
        (pa.array([2**62] * 2).cast(pa.timestamp("ms")), "not an instant"),
    ],
)
def test_sessions_of_many_types(column, fault):
    read = parsed(written(session=column))
    if fault is None:
        assert read.rows.session.tolist() == [JANUARY, JANUARY]
        assert read.faults == {}
    else:
        assert np.isnat(read.rows.session).all()
        assert fault in read.faults[0]


def test_whole_and_other_numbers_of_trades():
    read = parsed(written(trades=pa.array([5.0, np.nan])))
    assert (read.rows.trades.tolist(), read.faults) == ([5, -1], {})
    read = parsed(written(trades=pa.array([5.5, -1.0])))
    assert read.rows.trades.tolist() == [-1, -1]
    assert read.faults[0] == "trades: 5.5 is not a whole number of 0 or more"
    assert 1 in read.faults
    assert parsed(written(trades=pa.array([-1, 4]))).faults == {
        0: "trades: '-1' is not a whole number of 0 or more"
    }


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"open": [True, False]}, "column 'open' is of type bool and should hold numbers"),
        ({"symbol": [1, 2]}, "column 'symbol' is of type int64 and should hold symbols"),
        ({"session": [1.5, 2.5]}, "column 'session' is of type double and should hold dates"),
        ({"symbol": [b"\xff", b"A"]}, "column 'symbol' cannot be read"),
        ({"Open": [1.0, 2.0]}, "column 'open' is there more than once"),
        ({"ticker": ["A", "B"]}, "both stand for symbol"),
    ],
)
def test_a_column_of_the_wrong_kind_refuses_the_file(columns, what):
    with pytest.raises(InputError, match=what):
        parsed(written(**columns))


def test_no_rows():
    file = io.BytesIO()
    pq.write_table(pa.table({"symbol": pa.array([], pa.string())}), file)
    with pytest.raises(InputError, match="no row"):
        parsed(file.getvalue())


GOOD = written()


@given(st.integers(4, len(GOOD) - 1))
@settings(max_examples=100, deadline=None)
def test_a_truncated_file_is_refused(length):
    with pytest.raises(InputError, match="broken"):
        parsed(GOOD[:length])


@given(st.lists(st.tuples(st.integers(4, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_a_mutated_file_is_parsed_or_refused(changes):
    content = bytearray(GOOD)
    for place, byte in changes:
        content[place] = byte
    read, message = None, "p.parquet: "
    try:
        read = parsed(bytes(content))
    except InputError as error:
        message = str(error)
    assert message.startswith("p.parquet: ")
    if read is not None:
        assert len(read.rows) == read.source.num_rows > 0


def test_an_ignored_column_is_not_read_whatever_it_holds():
    nested = pa.StructArray.from_arrays([pa.array([2**62] * 2).cast(pa.timestamp("ms"))], ["at"])
    assert len(parsed(written(note=nested)).rows) == 2
