"""What a person says about renames over what is held, by hand and as rules over random statements."""

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.core.names.laid_over import in_order, laid_over
from condvest.batch_layer.shared.core.names.stated_renames import stated_with
from condvest.batch_layer.shared.models.instruments.symbols import EVER, FOREVER, Rename, SymbolSpan

DAY = dt.timedelta(1)
JUNE = dt.date(2022, 6, 9)


def span(symbol, first=EVER, last=FOREVER):
    return SymbolSpan(symbol, first, last)


def before(symbol, date=JUNE, first=EVER):
    return SymbolSpan(symbol, first, date - DAY)


def since(symbol, date=JUNE):
    return SymbolSpan(symbol, date)


HELD = {
    "two instruments": (
        {1: [span("FB")], 2: [span("META")]},
        [Rename(JUNE, "FB", "META")],
        {1: [since("FB")], 2: [before("FB"), since("META")], -1: [before("META")]},
    ),
    "the new symbol is nobody's yet": (
        {1: [span("FB")]},
        [Rename(JUNE, "FB", "META")],
        {1: [before("FB"), since("META")]},
    ),
    "a record that is three days late": (
        {1: [before("FB", JUNE + 3 * DAY), since("META", JUNE + 3 * DAY)]},
        [Rename(JUNE, "FB", "META")],
        {1: [before("FB"), since("META")]},
    ),
    "a record that is three days early": (
        {1: [before("FB", JUNE - 3 * DAY), since("META", JUNE - 3 * DAY)], 2: [since("FB", JUNE - 3 * DAY)]},
        [Rename(JUNE, "FB", "META")],
        {1: [before("FB"), since("META")], 2: [since("FB")]},
    ),
    "a chain": (
        {1: [span("A")], 2: [span("B")], 3: [span("C")]},
        [Rename(JUNE + 9 * DAY, "B", "C"), Rename(JUNE, "A", "B")],
        {
            1: [since("A")],
            2: [since("B", JUNE + 9 * DAY)],
            3: [before("A"), before("B", JUNE + 9 * DAY, JUNE), since("C", JUNE + 9 * DAY)],
            -1: [before("B")],
            -2: [before("C", JUNE + 9 * DAY)],
        },
    ),
    "one symbol is handed on within a day": (
        {1: [span("GOOG")], 2: [span("GOOGL")], 3: [span("NEW")]},
        [Rename(JUNE, "NEW", "GOOG"), Rename(JUNE, "GOOG", "GOOGL")],
        {
            1: [before("NEW"), since("GOOG")],
            2: [before("GOOG"), since("GOOGL")],
            3: [since("NEW")],
            -1: [before("GOOGL")],
        },
    ),
    "a rename is taken back": (
        {1: [before("OLD", JUNE - 30 * DAY), before("FB", JUNE, JUNE - 30 * DAY), since("META")]},
        [Rename(JUNE, "FB")],
        {1: [since("META")], -1: [before("OLD", JUNE - 30 * DAY), before("FB", JUNE, JUNE - 30 * DAY)]},
    ),
    "what the symbol became was another": (
        {1: [before("FB"), since("META")]},
        [Rename(JUNE, "FB", "FBX")],
        {1: [since("META")], -1: [before("FB"), since("FBX")]},
    ),
    "nobody carried it": ({1: [span("A")]}, [Rename(JUNE, "FB", "META")], {1: [span("A")]}),
    "nothing was renamed": ({1: [span("FB")]}, [Rename(JUNE, "FB")], {1: [span("FB")]}),
}


@pytest.mark.parametrize("case", HELD)
def test_statements_are_laid_over_what_is_held(case):
    spans, renames, wanted = HELD[case]
    found = laid_over(spans, renames).spans
    assert {one: held for one, held in found.items() if held} == wanted


dates = st.integers(0, 40).map(lambda day: dt.date(2022, 6, 1) + day * DAY)
symbols = st.sampled_from("ABCD")


@st.composite
def carriers(draw):
    """Return spans of up to four instruments: each carried one to three symbols, one after the other."""
    spans = {}
    for instrument in range(draw(st.integers(1, 4))):
        cuts = sorted(draw(st.sets(dates, max_size=2)))
        bounds = [EVER, *cuts, FOREVER]
        names = draw(st.lists(symbols, min_size=len(cuts) + 1, max_size=len(cuts) + 1))
        held = [
            SymbolSpan(name, first, last - DAY if last < FOREVER else last)
            for name, (first, last) in zip(names, pairwise(bounds), strict=True)
        ]
        for others in spans.values():
            for other in others:
                held = [rest for one in held for rest in one.without(other)]
        spans[instrument] = held
    return {one: held for one, held in spans.items() if held}


statements = st.builds(Rename, dates, symbols, st.sampled_from(["", *"ABCD"])).filter(
    lambda one: one.symbol != one.to
)


def overlaps(spans):
    """Return the pairs of spans of different instruments, or of one at once, that share a date."""
    every = [(owner, one) for owner, held in spans.items() for one in held]
    return [
        (left, right)
        for place, left in enumerate(every)
        for right in every[place + 1 :]
        if (left[0] == right[0] or left[1].symbol == right[1].symbol)
        and left[1].first <= right[1].last
        and right[1].first <= left[1].last
    ]


@given(carriers(), st.lists(statements, max_size=5))
def test_nobody_carries_two_symbols_at_once_and_no_symbol_is_two_instruments(spans, given_ones):
    held = stated_with(spans, {}, given_ones).holders
    found = laid_over(spans, held)
    assert overlaps(found.spans) == []
    assert {one for one in found.spans if one >= 0} == set(spans)
    assert set(held.values()) <= set(spans)


@given(carriers(), st.lists(statements, max_size=4))
def test_statements_that_hold_change_nothing_when_they_are_laid_again(spans, given_ones):
    held = stated_with(spans, {}, given_ones).holders
    once = {one: spans for one, spans in laid_over(spans, held).spans.items() if spans}
    again = {one: spans for one, spans in laid_over(once, held).spans.items() if spans}
    assert again == once


@given(carriers(), statements)
def test_what_is_said_is_so_or_is_named(spans, one):
    stated = stated_with(spans, {}, [one])
    if one not in stated.holders:
        assert (one in stated.refused) != (one in stated.absent)
        return
    found = laid_over(spans, [one]).spans
    [(owner, *_)] = [
        (owner, span)
        for owner, held in found.items()
        for span in held
        if span.symbol == one.symbol and span.last == one.date - DAY
    ]
    then = [span.symbol for span in found[owner] if span.first <= one.date <= span.last]
    assert then == [one.to] if one.to else then == []


@given(carriers(), statements, st.lists(statements, max_size=3))
def test_the_last_word_counts(spans, last, before_it):
    """Said after others, a statement that would hold by itself is held."""
    held = stated_with(spans, {}, before_it).holders
    stated = stated_with(laid_over(spans, held).spans, held, [last])
    if not last.takes_back and last not in stated.refused:
        assert last in stated.holders


def test_a_correction_takes_the_place_of_what_it_corrects():
    spans = {1: [span("FB")], 2: [span("META")]}
    first, later = Rename(JUNE, "FB", "META"), Rename(JUNE - DAY, "FB", "META")
    held = stated_with(spans, {}, [first]).holders
    assert list(stated_with(spans, held, [later]).holders) == [later]
    assert list(stated_with(spans, held, [Rename(JUNE, "FB", "FBX")]).holders) == [Rename(JUNE, "FB", "FBX")]
    assert list(stated_with(spans, held, [Rename(JUNE, "FB")]).holders) == [Rename(JUNE, "FB")]
    assert stated_with(spans, held, [first]).unchanged == 1


def test_the_same_rename_years_after_one_back_is_another():
    spans = {1: [span("A")]}
    there, back, again = (
        Rename(dt.date(2010, 1, 4), "A", "B"),
        Rename(dt.date(2015, 1, 5), "B", "A"),
        Rename(dt.date(2020, 1, 6), "A", "B"),
    )
    assert set(stated_with(spans, {}, [there, back, again]).holders) == {there, back, again}


def test_statements_of_a_day_free_a_symbol_before_it_is_taken():
    renames = [Rename(JUNE, "A", "B"), Rename(JUNE, "B", "C"), Rename(JUNE - DAY, "Z", "Y")]
    assert [one.symbol for one in in_order(renames)] == ["Z", "B", "A"]
