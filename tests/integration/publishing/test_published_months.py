"""A market whose newest year is published by month: the same answers, and a night writes its month alone."""

import datetime as dt
import json

import duckdb
import pytest

import condvest
from condvest.batch_layer.processing.publishing import plan
from condvest.batch_layer.shared.errors import PublishedUnavailable
from condvest.batch_layer.shared.published.versions import current_manifest
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.payloads import split
from tests.support.publishing import Failing, files_of, from_database, from_files, published, quote

FEW, MANY = 1_000, 1
"""Instruments from which on a year is divided: more than the market has, and fewer."""


@pytest.fixture(autouse=True)
def division(monkeypatch):
    monkeypatch.setattr(plan, "MONTHLY", MANY)


@pytest.fixture
def spring(world):
    """Bars of two instruments from November 2021 to April 2022, with a split, a dividend and open windows."""
    first = world.sessions.ordinal(dt.date(2021, 11, 1))
    end = world.sessions.ordinal(dt.date(2022, 4, 22)) - first
    prices = (("A", 10.0), ("B", 50.0))
    world.bars(
        [quote(name, world.date(first + at), price + at % 7) for at in range(end) for name, price in prices]
    )
    world.splits([split("A", world.date(first + 60), 1, 3)])
    world.dividends([{"symbol": "B", "ex_date": world.date(first + 50), "cash_amount": 0.5}])
    return world


def parts_of(target, dataset="daily_bars"):
    return [file.part for file in current_manifest(target).files[dataset]]


def same(world, target, **asked):
    table = from_files(target, **asked)
    assert table.equals(from_database(world, **asked)), asked
    return len(table)


def load_session(world, date, close=60.0):
    world.bars([quote("B", date, close)])


def test_answers_are_those_of_the_database(spring, target):
    published(spring, target)
    assert parts_of(target) == ["2021", "2022-01", "2022-02", "2022-03", "2022-04"]
    calendar = spring.sessions
    begin, through = (calendar.ordinal(dt.date(*date)) for date in ((2021, 11, 1), (2022, 4, 21)))
    ends = [calendar.session(at // 34 * 34 + 33) for at in range(begin, through + 1)]
    months = sorted({f"{end:%Y-%m}" if end.year > 2021 else "2021" for end in ends})
    assert parts_of(target, "bars_34") == months
    for asked in (
        {},
        {"include_open": True},
        {"adjust": "total"},
        {"symbols": ["B"]},
        {"start": dt.date(2022, 1, 31), "end": dt.date(2022, 2, 1)},
        {"start": dt.date(2021, 12, 31), "end": dt.date(2022, 1, 3)},
        {"end": dt.date(2021, 12, 31)},
    ):
        for interval in (1, 3, 7, 34):
            same(spring, target, interval=interval, **asked)
    assert same(spring, target, interval=34, include_open=True) == 2 * len(set(ends))


def test_a_night_writes_its_month_and_no_other(spring, target):
    published(spring, target)
    before = set(files_of(target))
    last = spring.sessions.ordinal(current_manifest(target).last_session)
    date = spring.sessions.session(last + 1)
    load_session(spring, date)
    published(spring, target)
    written = [path for path in set(files_of(target)) - before if path.startswith("daily_bars/")]
    assert [path[: len("daily_bars/2022-04")] for path in written] == [f"daily_bars/{date:%Y-%m}"]
    same(spring, target, interval=1)
    same(spring, target, interval=3, include_open=True)


def test_the_year_is_made_whole_when_another_one_begins(spring, target):
    published(spring, target)
    load_session(spring, dt.date(2023, 1, 3))
    published(spring, target)
    assert parts_of(target)[-2:] == ["2022", "2023-01"]
    assert current_manifest(target).months_from == 2023
    assert same(spring, target, interval=1) > 200
    again = published(spring, target)
    assert (again.is_new, again.written) == (False, 0)


def test_a_set_by_year_goes_on_by_month_and_back(spring, target, monkeypatch):
    formats = []
    for limit in (FEW, MANY, FEW):
        monkeypatch.setattr(plan, "MONTHLY", limit)
        assert published(spring, target).is_new
        formats.append(json.loads(target.read("manifest.json"))["format"])
        same(spring, target, interval=1)
        same(spring, target, interval=13, include_open=True)
    assert formats == [1, 2, 1]


def test_months_that_lose_their_rows_go(spring, target):
    published(spring, target)
    last = parts_of(target)[-1]
    first_day = f"{last}-01"
    spring.looking.execute(
        "DELETE FROM daily_bars WHERE ordinal >= (SELECT min(ordinal) FROM sessions WHERE session >= %s)",
        (first_day,),
    )
    published(spring, target, check=True)
    assert last not in parts_of(target)


def test_a_publication_that_is_cut_off_anywhere_leaves_one_version_whole(spring, target):
    published(spring, target)
    before = from_files(target, interval=3, include_open=True)
    load_session(spring, dt.date(2023, 1, 3))
    for changes in range(100):
        try:
            published(spring, Failing(target, changes))
        except PublishedUnavailable:
            table = from_files(target, interval=3, include_open=True)
            assert table.equals(before) == (current_manifest(target).version == 1)
        else:
            break
    assert changes > 2
    assert same(spring, target, interval=3, include_open=True) > len(before)


def test_other_readers_have_all_files_of_a_year(spring, target):
    published(spring, target)
    files = PublishedSource.open(target).files("daily_bars")
    of_2022 = [file for file in files if "/2022-" in file]
    rows = sum(file.rows for file in current_manifest(target).files["daily_bars"] if file.part > "2022")
    assert len(of_2022) == 4
    [(count, first)] = duckdb.sql(
        f"SELECT count(*), min(session) FROM read_parquet({of_2022})"  # paths of this test
    ).fetchall()
    assert (count, first.year) == (rows, 2022)
    assert rows == len(condvest.bars(None, 1, start="2022-01-01", settings=spring.workspace.settings))
