"""Lean's tickers: whatever companies carried, no two of them meet under one ticker on a date."""

import datetime as dt
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.models.instruments.symbols import FOREVER, SymbolSpan
from condvest.serving_layer.exports.lean_tickers import Tickers


def day(at):
    return dt.date(2024, 1, 1) + dt.timedelta(at)


def span(symbol, first, last=None):
    return SymbolSpan(symbol, day(first), FOREVER if last is None else day(last))


def test_a_company_that_lost_its_ticker_ends_though_its_last_bar_is_new():
    tickers = Tickers({1: [span("X", 0, 9)], 2: [span("OLD", 0, 9), span("X", 10)]})
    assert tickers.of(1, day(0), day(8), is_gone=False) == [("x", day(9))]
    assert tickers.of(2, day(0), day(12), is_gone=False) == [("old", day(9)), ("x", FOREVER)]


def test_between_its_tickers_a_company_has_none_of_anothers():
    tickers = Tickers({1: [span("X", 3, 7)], 2: [span("OLD", 0, 2), span("X", 12)]})
    assert tickers.of(2, day(0), day(20), is_gone=False) == [
        ("old", day(2)), ("x_2", day(11)), ("x", FOREVER)
    ]  # fmt: skip


def test_a_ticker_of_one_company_alone_is_its_own_at_any_time():
    tickers = Tickers({1: [span("FB", 5, 9), span("META", 12)]})
    assert tickers.of(1, day(0), day(20), is_gone=True) == [("fb", day(9)), ("meta", day(20))]


def test_case_does_not_count_in_tickers():
    tickers = Tickers({1: [span("ABp", 0)], 2: [span("ABP", 0)], 3: [span("AB_", 0)], 4: [span("AB/", 0)]})
    named = [tickers.of(each, day(0), day(1), is_gone=True)[0][0] for each in (1, 2, 3, 4)]
    assert named == ["abp_", "abp", "ab__", "ab_"]


@st.composite
def markets(draw):
    """Who carried what, at most one company a symbol and day, in parts of four days; and when it had bars."""
    names = st.permutations(["X", "Y", "Yp", "YP", None, None, None])
    parts = draw(st.lists(names, min_size=1, max_size=6))
    spans, bars = {}, {}
    for who in range(4):
        own = []
        for at, part in enumerate(parts):
            last = None if at + 1 == len(parts) else 4 * at + 3
            if part[who] and at and parts[at - 1][who] == part[who]:
                own[-1] = span(part[who], (own[-1].first - day(0)).days, last)
            elif part[who]:
                own.append(span(part[who], 4 * at, last))
        if own:
            spans[who] = own
            first, last = sorted(draw(st.tuples(st.integers(0, 23), st.integers(0, 23))))
            bars[who] = first, last, draw(st.booleans())
    return spans, bars


@given(market=markets())
def test_no_two_companies_meet(market):
    spans, bars = market
    tickers = Tickers(spans)
    met, rows = {}, set()
    for who, (first, last, is_gone) in bars.items():
        own = tickers.of(who, day(first), day(last), is_gone=is_gone)
        assert all(one[1] < other[1] and one[0] != other[0] for one, other in pairwise(own))
        assert own[-1][1] >= day(last)
        lines = {(day(first), own[0][0]), *((end, name) for name, end in own)}  # of its map file
        assert not lines & rows  # Lean refuses map files of which two have a line in common
        rows |= lines
        for at in range(first, 60):
            ticker = next((name for name, end in own if day(at) <= end), None)
            if ticker is not None:
                assert met.setdefault((ticker, at), who) == who
            carried = [each for each in spans[who] if each.first <= day(at) <= each.last]
            if carried and ticker is not None:
                assert ticker.startswith(carried[0].symbol.lower())
                assert ticker.strip("_") == carried[0].symbol.lower()
