"""An open of 0 beside good prices is unknown, on every way out; the bar itself is kept."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

ROWS = (
    "OLDX,1962-01-02,0,12,9,10,100",
    "OLDX,1962-01-03,10,13,8,11,100",
    "OLDX,1962-01-04,0.0,14,9,12,100",
    "OLDX,1962-01-05,12,15,9,13,100",
    "OLDX,1962-01-08,0,16,9,14,100",
    "OLDX,1962-01-09,0,17,9,15,100",
)
"""The windows of three sessions: 01-02..01-04, whose open is unknown, and 01-05..01-09, which opens at 12."""


@pytest.fixture
def old(fresh, prices):
    report = fresh.json("import", prices(*ROWS), "--json")
    assert (report["inserted"], report["refused"]) == (6, {})
    return fresh


def as_csv(program, *arguments):
    return list(csv.DictReader(io.StringIO(program.done("bars", "OLDX", *arguments, "--format", "csv"))))


def test_daily_bars_and_bars_of_three_sessions(old, tmp_path):
    assert [row["open"] for row in as_csv(old, "--interval", "1")] == ["", "10.0", "", "12.0", "", ""]
    by_three = [
        (row["open"], row["high"], row["low"], row["close"]) for row in as_csv(old, "--interval", "3")
    ]
    assert by_three == [("", "14.0", "8.0", "12.0"), ("12.0", "17.0", "9.0", "15.0")]
    as_json = map(json.loads, old.done("bars", "OLDX", "--interval", "3", "--format", "json").splitlines())
    assert [row["open"] for row in as_json] == [None, 12.0]
    old.done("bars", "OLDX", "--interval", "3", "-o", str(tmp_path / "bars.parquet"))
    assert pq.read_table(tmp_path / "bars.parquet")["open"].to_pylist() == [None, 12.0]
    assert "nan" not in old.done("bars", "OLDX", "--interval", "3").lower()


def test_archive_publication_and_quality_agree(old, tmp_path):
    old.done("publish", "--to", str(tmp_path / "published"))
    published = as_csv(old, "--interval", "3", "--source", "published", "--from", str(tmp_path / "published"))
    assert published == as_csv(old, "--interval", "3")
    assert old.json("verify", "--json") == {"findings": []}
    assert old.done("quality", "--format", "csv").count("\n") <= 1


def test_adjusted_for_a_dividend_and_a_split_it_stays_unknown(old, prices):
    splits = prices("OLDX,1962-01-05,1,2", name="s.csv", header="symbol,ex_date,split_from,split_to")
    dividends = prices("OLDX,1962-01-08,7", name="d.csv", header="symbol,ex_date,cash_amount")
    old("import", "--splits", splits, "--dividends", dividends)
    assert [row["open"] for row in as_csv(old, "--interval", "1", "--adjust", "splits")][:4] == [
        "",
        "5.0",
        "",
        "12.0",
    ]
    assert as_csv(old, "--interval", "3", "--adjust", "total")[0]["open"] == ""


def test_a_known_open_takes_its_place_and_is_not_lost_again(old, prices):
    assert old.json("import", prices("OLDX,1962-01-02,11,12,9,10,100"), "--json")["changed"] == 1
    assert old.json("import", prices(*ROWS, name="again.csv"), "--json")["changed"] == 0
    assert as_csv(old, "--interval", "3")[0]["open"] == "11.0"


def test_beside_a_row_with_an_open_it_is_the_bad_one(fresh, prices):
    """yfinance issue 17: the last day twice, the second time with an open of 0."""
    path = prices("MBVT,1962-01-02,10,12,9,10,100", "MBVT,1962-01-02,0,12,9,11,90")
    report = fresh.json("import", path, "--json", code=3)
    assert (report["inserted"], report["refused"]) == (1, {"price_not_positive": 1})
