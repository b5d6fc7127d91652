"""Whom a night asks about, and who is set aside, worked by hand."""

import datetime as dt

import pytest

from condvest.batch_layer.fetching.watching import set_aside, symbols_of_night
from condvest.batch_layer.shared.models.instruments.watched import Watched

TODAY = dt.date(2024, 6, 3)
NOW = dt.datetime(2024, 6, 3, 22, tzinfo=dt.UTC)
EARLIER = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


def said(symbol, state, next_ask=None, refusals=0):
    return Watched(symbol, state, EARLIER, refusals, next_ask, "gone" if next_ask else "")


def by_symbol(*watched):
    return {each.symbol: each for each in watched}


def test_a_night_asks_those_supplied_or_added_and_neither_left_out_nor_set_aside():
    watched = by_symbol(
        said("B", "left_out"), said("C", "set_aside", dt.date(2024, 6, 4), 1), said("D", "watched")
    )
    night = symbols_of_night(["C", "A", "B"], watched, TODAY)
    assert (night.usual, night.whole) == (["A"], ["D"])
    night = symbols_of_night(["C", "A", "B"], watched, dt.date(2024, 6, 4))
    assert (night.usual, night.whole) == (["A"], ["C", "D"])


def aside(refused, asked, supplied, watched=()):
    return set_aside(dict.fromkeys(refused, "gone"), asked, supplied, by_symbol(*watched), NOW, TODAY)


def test_a_symbol_that_had_bars_is_set_aside_until_tomorrow_and_a_new_one_is_misspelt():
    assert aside(["A", "NOPE"], ["A", "B", "NOPE"], ["A", "B"]) == [
        Watched("A", "set_aside", NOW, 1, dt.date(2024, 6, 4), "gone")
    ]


@pytest.mark.parametrize(("refusals", "days"), [(1, 2), (2, 4), (4, 16), (5, 32), (6, 32), (40, 32)])
def test_it_is_asked_about_more_and_more_seldom(refusals, days):
    before = said("A", "set_aside", TODAY, refusals)
    (again,) = aside(["A"], ["A", "B"], ["A", "B"], [before])
    assert again.next_ask == TODAY + dt.timedelta(days)
    assert (again.refusals, again.since) == (refusals + 1, EARLIER)


def test_a_night_that_refuses_too_many_is_not_believed():
    symbols = [f"S{number}" for number in range(40)]
    assert len(aside(symbols[:4], symbols, symbols)) == 4
    assert aside(symbols[:5], symbols, symbols) == []
    assert len(aside(["A", "B", "C"], ["A", "B", "C"], ["A", "B", "C"])) == 3


def test_one_that_is_set_aside_counts_against_nobody():
    symbols = [f"S{number}" for number in range(10)]
    watched = [said(symbol, "set_aside", TODAY, 1) for symbol in symbols[:5]]
    assert len(aside(symbols[:6], symbols, symbols, watched)) == 6
