"""Answers in every format, and which format is given."""

import csv
import datetime as dt
import io
import json

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from condvest.serving_layer.formats import FORMATS, NotAcceptable, compressed, content_coding, negotiated

TABLE = pa.table(
    {
        "symbol": pa.array(["A", '<b>,"x"\n'], pa.string()),
        "session": pa.array([dt.date(2024, 7, 31), None], pa.date32()),
        "close": pa.array([0.1 + 0.2, 1e300], pa.float64()),
        "trades": pa.array([None, 2**53], pa.int64()),
        "is_complete": pa.array([True, None], pa.bool_()),
    }
)
ROWS = [
    {
        "symbol": "A",
        "session": "2024-07-31",
        "close": 0.30000000000000004,
        "trades": None,
        "is_complete": True,
    },
    {"symbol": '<b>,"x"\n', "session": None, "close": 1e300, "trades": 9007199254740992, "is_complete": None},
]


def encoded(name, beside=None):
    return FORMATS[name].encode(TABLE, beside or {"version": "v1"})


def test_json_rows_hold_every_value_and_what_stands_beside():
    assert json.loads(encoded("json")) == {"rows": ROWS, "count": 2, "version": "v1"}


def test_json_columns_hold_the_same():
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    assert json.loads(encoded("columns")) == {"columns": columns, "count": 2, "version": "v1"}


def test_json_lines_hold_a_row_each():
    assert [json.loads(line) for line in encoded("ndjson").splitlines()] == ROWS


def test_csv_has_empty_fields_for_what_is_unknown():
    rows = list(csv.reader(io.StringIO(encoded("csv").decode(), newline="")))
    assert rows == [
        ["symbol", "session", "close", "trades", "is_complete"],
        ["A", "2024-07-31", "0.30000000000000004", "", "true"],
        ['<b>,"x"\n', "", "1e+300", "9007199254740992", ""],
    ]


def test_arrow_and_parquet_hold_the_table_to_the_bit_and_the_version():
    arrow = pa.ipc.open_stream(encoded("arrow")).read_all()
    parquet = pq.read_table(io.BytesIO(encoded("parquet")))
    for read in (arrow, parquet):
        assert read.equals(TABLE)
        assert read.schema.metadata[b"condvest.version"] == b'"v1"'


@pytest.mark.parametrize(
    ("name", "accept", "given"),
    [
        (None, None, "json"),
        (None, "*/*", "json"),
        (None, "text/csv", "csv"),
        (None, "text/*", "csv"),
        (None, "text/html, application/vnd.apache.arrow.stream;q=0.9, */*;q=0.1", "arrow"),
        (None, "application/json;q=0, text/csv", "csv"),
        ("parquet", "text/csv", "parquet"),
    ],
)
def test_the_format_is_what_is_asked_for(name, accept, given):
    assert negotiated(name, accept).name == given


@pytest.mark.parametrize(
    ("name", "accept"), [("xml", None), (None, "text/html"), (None, "application/json;q=0")]
)
def test_what_there_is_not_is_refused_with_what_there_is(name, accept):
    with pytest.raises(NotAcceptable, match="csv"):
        negotiated(name, accept)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, ""),
        ("gzip", "gzip"),
        ("gzip, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("zstd;q=0, *", "br"),
        ("identity", ""),
        ("gzip;q=0", ""),
    ],
)
def test_the_content_coding_goes_by_weight_then_by_ours(accept, coding):
    assert content_coding(accept, FORMATS["json"]) == coding
    assert content_coding(accept, FORMATS["parquet"]) == ""


@pytest.mark.parametrize(("coding", "codec"), [("zstd", "zstd"), ("br", "brotli"), ("gzip", "gzip")])
def test_what_is_compressed_reads_back(coding, codec):
    content = b"bars " * 1000
    packed = compressed(content, coding)
    assert len(packed) < len(content)
    with pa.input_stream(io.BytesIO(packed), compression=codec) as stream:
        assert stream.read() == content


def test_values_are_those_of_arrow_whatever_their_bits():
    """Numbers and dates come by another way than Arrow's own, to the last bit and the very type."""
    random_ = np.random.default_rng(3)
    floats = random_.integers(0, 2**64, 4000, dtype=np.uint64).view(np.float64)
    floats = floats[np.isfinite(floats)]
    count = len(floats)
    unknown = random_.random(count) < 0.2
    numbers = random_.integers(-(2**62), 2**62, count)
    days = random_.integers(-700_000, 2_900_000, count).astype(np.int32)
    table = pa.table(
        {
            "float": floats,
            "float or null": pa.array(floats, mask=unknown),
            "int": numbers,
            "int or null": pa.array(numbers, mask=unknown),
            "bool": unknown,
            "bool or null": pa.array(unknown, mask=unknown),
            "date": pa.array(days).cast(pa.date32()),
            "date or null": pa.array(days, mask=unknown).cast(pa.date32()),
            "text": [str(number) for number in numbers],
            "instant": pa.array(numbers // 2**12).cast(pa.timestamp("us", "UTC")),
        }
    )
    for each in (table, table.slice(7, 5), table.slice(0, 0), pa.concat_tables([table[:3], table[9:]])):
        rows = [orjson.loads(line) for line in FORMATS["ndjson"].encode(each, {}).splitlines()]
        wanted = each.to_pylist()
        assert rows == orjson.loads(orjson.dumps(wanted))
        assert FORMATS["json"].encode(each, {}) == orjson.dumps({"rows": wanted, "count": len(each)})
