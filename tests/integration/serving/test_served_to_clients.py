"""What programs of others make of an answer over a real socket: curl, jq, pandas, Polars, a spreadsheet."""

import csv
import io
import json
import shutil
import subprocess
from urllib.request import urlopen

import pandas as pd
import polars as pl
import pytest

import condvest
from tests.support.serving import served

QUESTION = "/v1/bars?symbols=AAPL,IBM&interval=21&include_open=true"


@pytest.fixture(scope="module")
def address(sample):
    with served(sample.workspace.settings) as one:
        yield one


@pytest.fixture(scope="module")
def wanted(sample):
    """The rows as Python gives them."""
    return condvest.bars(
        ["AAPL", "IBM"], interval=21, include_open=True, settings=sample.workspace.settings
    ).to_pylist()


def test_curl_gets_json_and_jq_reads_it(address, wanted):
    """Where they are installed; what they read is JSON as its standard has it, by the standard library."""
    with urlopen(address + QUESTION) as answer:  # noqa: S310  # the test's own server
        text = answer.read().decode()

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    rows = json.loads(text, parse_constant=refuse)["rows"]
    assert [row["close"] for row in rows] == [row["close"] for row in wanted]
    if shutil.which("curl") and shutil.which("jq"):
        made = subprocess.run(["curl", "-s", address + QUESTION], capture_output=True, check=True).stdout
        told = subprocess.run(["jq", ".rows | length"], input=made, capture_output=True, check=True).stdout
        assert int(told) == len(wanted)


def test_pandas_reads_csv_and_parquet_from_the_url(address, wanted):
    frame = pd.read_csv(f"{address}{QUESTION}&format=csv", parse_dates=["first_session", "last_session"])
    assert frame["close"].tolist() == [row["close"] for row in wanted]
    assert frame["is_complete"].tolist() == [row["is_complete"] for row in wanted]
    assert [each.date() for each in frame["last_session"]] == [row["last_session"] for row in wanted]
    whole = pd.read_parquet(f"{address}{QUESTION}&format=parquet")
    assert whole["volume"].tolist() == [row["volume"] for row in wanted]


def test_polars_reads_arrow_and_csv_from_the_url(address, wanted):
    with urlopen(f"{address}{QUESTION}&format=arrow") as answer:  # noqa: S310  # the test's own server
        frame = pl.read_ipc_stream(answer.read())
    assert frame.to_dicts() == wanted
    with urlopen(f"{address}{QUESTION}&format=csv") as answer:  # noqa: S310  # as above; Polars asks ranges
        text = pl.read_csv(answer.read(), try_parse_dates=True)
    assert text["vwap"].to_list() == [row["vwap"] for row in wanted]


def test_csv_is_of_the_shape_that_spreadsheets_take(address, wanted):
    """Every line has as many fields, dates are ISO, numbers have a point; and it is saved, not shown."""
    with urlopen(f"{address}{QUESTION}&format=csv") as answer:  # noqa: S310  # the test's own server
        text, headers = answer.read().decode(), answer.headers
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert headers["content-disposition"] == 'attachment; filename="bars.csv"'
    head, *rows = csv.reader(io.StringIO(text, newline=""), dialect="excel")
    assert {len(row) for row in rows} == {len(head)} == {len(wanted[0])}
    assert rows[0][head.index("first_session")] == str(wanted[0]["first_session"])
    assert [float(row[head.index("open")]) for row in rows] == [row["open"] for row in wanted]
