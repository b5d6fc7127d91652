"""Who takes which symbol from whom, by hand and as a rule over random spans."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.core.names.symbol_moves import Move, plan_moves
from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan

LAST_OF_FB, FIRST_OF_META = dt.date(2022, 6, 8), dt.date(2022, 6, 9)


def test_a_rename_takes_the_old_symbol_and_leaves_the_bars_of_another_company():
    known = {7: [SymbolSpan("META")], 8: [SymbolSpan("FB")]}
    wanted = {7: [SymbolSpan("FB", last=LAST_OF_FB), SymbolSpan("META", FIRST_OF_META)]}
    plan = plan_moves(known, wanted)
    assert plan.spans == {7: wanted[7], 8: [SymbolSpan("FB", FIRST_OF_META)]}
    assert plan.moves == [Move(SymbolSpan("FB", last=LAST_OF_FB), taker=7, loser=8)]
    assert plan.unclaimed == [(7, SymbolSpan("META", last=LAST_OF_FB))]


def test_two_instruments_that_swap_a_symbol_take_it_from_each_other():
    known = {1: [SymbolSpan("A")], 2: [SymbolSpan("B")]}
    plan = plan_moves(known, {1: [SymbolSpan("B")], 2: [SymbolSpan("A")]})
    assert plan.moves == [Move(SymbolSpan("B"), 1, 2), Move(SymbolSpan("A"), 2, 1)]
    assert plan.unclaimed == []


def test_what_is_known_already_changes_nothing():
    known = {1: [SymbolSpan("A")], 2: [SymbolSpan("B")]}
    plan = plan_moves(known, {1: [SymbolSpan("A")]})
    assert (plan.spans, plan.moves, plan.unclaimed) == ({}, [], [])


def test_an_heir_gets_the_span_and_the_rows_that_nobody_claims():
    plan = plan_moves({1: [SymbolSpan("A")]}, {1: [SymbolSpan("B")]})
    inherited = plan.with_heirs({9: (1, SymbolSpan("A"))})
    assert inherited.spans == {1: [SymbolSpan("B")], 9: [SymbolSpan("A")]}
    assert inherited.moves == [Move(SymbolSpan("A"), taker=9, loser=1)]


DAYS = [dt.date(2024, 1, day) for day in range(1, 10)]


@st.composite
def carriers(draw, instruments):
    """For each symbol and day one of the instruments, or none; as spans by instrument."""
    spans = {instrument: [] for instrument in instruments}
    for symbol in "AB":
        for day in DAYS:
            instrument = draw(st.sampled_from([None, *instruments]))
            if instrument is not None:
                spans[instrument].append(SymbolSpan(symbol, day, day))
    return spans


@given(known=carriers([1, 2, 3]), wanted=carriers([1, 4]))
def test_each_symbol_and_day_has_the_carrier_asked_for_and_loses_none(known, wanted):
    plan = plan_moves(known, wanted)
    before = {(span.symbol, span.first): instrument for instrument in known for span in known[instrument]}
    claimed = {(span.symbol, span.first): instrument for instrument in wanted for span in wanted[instrument]}
    after = {}
    for instrument, spans in (known | dict(plan.spans)).items():
        for span in spans:
            assert (span.symbol, span.first) not in after
            after[span.symbol, span.first] = instrument
    given_up = {(span.symbol, span.first): instrument for instrument, span in plan.unclaimed}
    assert after | given_up == before | claimed
    moved = {(move.span.symbol, move.span.first): (move.loser, move.taker) for move in plan.moves}
    assert moved == {
        cell: (before[cell], taker)
        for cell, taker in claimed.items()
        if cell in before and before[cell] != taker
    }
