"""Bars that are folded from published daily bars by portions of instruments are those of all at once."""

import datetime as dt

import pytest

from condvest.serving_layer.sources import published as published_source
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.publishing import from_database, from_files, published


@pytest.fixture
def portions(monkeypatch):
    """The portions that were read."""
    read, daily = [], PublishedSource.daily
    monkeypatch.setattr(
        PublishedSource, "daily", lambda source, spans: (read.append(len(spans)), daily(source, spans))[1]
    )
    return read


ASKED = (
    {"interval": 4},
    {"interval": 1, "adjust": "none"},
    {"interval": 10, "include_open": True},
    {"interval": 5, "anchor": "listing", "include_open": True},
    {"interval": 4, "start": dt.date(2022, 2, 1), "end": dt.date(2022, 3, 1)},
    {"interval": 7, "symbols": ["C", "A"]},
    {"interval": 4, "start": dt.date(1990, 1, 1), "end": dt.date(1990, 2, 1)},
)


def test_the_bars_are_those_of_the_database(year_turn, target, monkeypatch):
    published(year_turn, target)
    for asked in ASKED:
        expected = from_database(year_turn, **asked)
        for rows in (1, 700, 10**9):
            monkeypatch.setattr(published_source, "PORTION", rows)
            assert from_files(target, **asked).equals(expected)


@pytest.mark.parametrize(("rows", "instruments"), [(1, [1, 1, 1]), (700, [2, 1]), (10**9, [3])])
def test_a_portion_has_about_so_many_rows(year_turn, target, monkeypatch, portions, rows, instruments):
    published(year_turn, target)
    monkeypatch.setattr(published_source, "PORTION", rows)
    from_files(target, interval=4)
    assert portions == instruments
