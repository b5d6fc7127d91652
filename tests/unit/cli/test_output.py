"""What is not known stays so on every way out: an empty cell, an empty field, null; never a value."""

import datetime as dt
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from condvest.cli.output import screen
from condvest.cli.output.data import write_arrow

KINDS = {
    "boolean": (pa.bool_(), True, "true"),
    "int16": (pa.int16(), 7, "7"),
    "int32": (pa.int32(), 7, "7"),
    "int64": (pa.int64(), 7, "7"),
    "float": (pa.float64(), 0.1, "0.1"),
    "text": (pa.string(), "NA", "NA"),
    "date": (pa.date32(), dt.date(2024, 6, 3), "2024-06-03"),
    "instant": (
        pa.timestamp("us", "UTC"),
        dt.datetime(2024, 6, 3, 21, tzinfo=dt.UTC),
        "2024-06-03 21:00:00+00:00",
    ),
}
"""Every type of column that a command writes: a value of it, and how that is written in CSV."""


@pytest.fixture
def data():
    columns = {name: pa.array([value, None], kind) for name, (kind, value, _) in KINDS.items()}
    return pa.table({"row": pa.array([1, 2], pa.int32()), **columns})


def test_an_unknown_value_is_an_empty_field_in_csv(data, tmp_path):
    write_arrow(data, "csv", tmp_path / "out.csv")
    _, known, unknown = (tmp_path / "out.csv").read_text().splitlines()
    assert known == ",".join(["1", *(text for _, _, text in KINDS.values())])
    assert unknown == "2" + "," * len(KINDS)


def test_an_unknown_value_is_null_in_json(data, tmp_path):
    write_arrow(data, "json", tmp_path / "out.json")
    _, unknown = (json.loads(line) for line in (tmp_path / "out.json").read_text().splitlines())
    assert unknown == {"row": 2, **dict.fromkeys(KINDS)}


def test_an_unknown_value_is_null_in_parquet(data, tmp_path):
    write_arrow(data, "parquet", tmp_path / "out.parquet")
    assert pq.read_table(io.BytesIO((tmp_path / "out.parquet").read_bytes())).equals(data)


def test_an_unknown_value_is_an_empty_cell_for_people(data, capsys):
    screen.table(data.column_names, [list(row.values()) for row in data.to_pylist()[1:]])
    assert capsys.readouterr().out.splitlines()[1].split() == ["2"]
