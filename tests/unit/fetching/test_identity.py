"""Who carried which symbol when, worked out by hand."""

import datetime as dt

from batch_layer.fetching.identity import Entity, Listing, assigned, entities_of, renamed, updated
from batch_layer.shared.models.symbols import EVER, FOREVER, SymbolSpan

D = dt.date


def spans_by_figi(listings, renames=None):
    return {entity.figi: entity.spans for entity in entities_of(listings, renames)}


def test_an_active_listing_carries_its_symbol_for_ever():
    (entity,) = entities_of([Listing("IBM", "F1")])
    assert entity == Entity("F1", (SymbolSpan("IBM", EVER, FOREVER),), 0)


def test_a_reused_symbol_is_divided_at_the_delisting():
    found = spans_by_figi([Listing("X", "F2"), Listing("X", "F1", D(2015, 6, 30))])
    assert found == {
        "F1": (SymbolSpan("X", EVER, D(2015, 6, 30)),),
        "F2": (SymbolSpan("X", D(2015, 7, 1), FOREVER),),
    }


def test_three_companies_under_one_symbol_have_their_time_in_turn():
    listings = [Listing("X", "", D(2010, 1, 4)), Listing("X"), Listing("X", "", D(2005, 3, 1))]
    assert [entity.spans[0] for entity in entities_of(listings)] == [
        SymbolSpan("X", EVER, D(2005, 3, 1)),
        SymbolSpan("X", D(2005, 3, 2), D(2010, 1, 4)),
        SymbolSpan("X", D(2010, 1, 5), FOREVER),
    ]


def test_one_figi_under_two_symbols_is_one_entity():
    found = spans_by_figi([Listing("META", "F1"), Listing("FB", "F1", D(2022, 6, 8))])
    assert found == {
        "F1": (SymbolSpan("FB", EVER, D(2022, 6, 8)), SymbolSpan("META", D(2022, 6, 9), FOREVER))
    }


def test_a_rename_takes_its_time_from_the_listing_of_another():
    listings = [Listing("META", "F1"), Listing("FB", "F9")]
    renames = {"F1": [(D(2022, 6, 9), "META"), (D(2012, 5, 18), "FB")]}
    found = spans_by_figi(listings, renames)
    assert found["F1"] == (SymbolSpan("FB", EVER, D(2022, 6, 8)), SymbolSpan("META", D(2022, 6, 9), FOREVER))
    assert found["F9"] == (SymbolSpan("FB", D(2022, 6, 9), FOREVER),)


def test_a_history_that_leads_elsewhere_renames_nothing():
    span = SymbolSpan("ABC")
    assert renamed(span, [(D(2010, 1, 4), "XYZ"), (D(2000, 1, 3), "OLD")]) == (span,)


def test_instruments_are_recognised_by_figi_before_symbol():
    entities = entities_of([Listing("META", "F1"), Listing("FB", "F9")])
    known = {1: [SymbolSpan("FB")], 2: [SymbolSpan("META")]}
    by_figi = dict(
        zip([entity.figi for entity in entities], assigned(entities, known, {"F1": 1}), strict=True)
    )
    assert by_figi == {"F1": 1, "F9": None}


def test_without_figi_the_carrier_of_the_symbol_is_the_entity_and_the_second_is_new():
    entities = entities_of([Listing("X", "", D(2015, 6, 30)), Listing("X")])
    assert assigned(entities, {7: [SymbolSpan("X")]}, {}) == [7, None]


def test_taking_a_span_out_of_another_leaves_what_lies_beside_it():
    whole = SymbolSpan("X", D(2000, 1, 1), D(2000, 12, 31))
    middle = SymbolSpan("X", D(2000, 3, 1), D(2000, 3, 31))
    assert whole.without(middle) == [
        SymbolSpan("X", D(2000, 1, 1), D(2000, 2, 29)),
        SymbolSpan("X", D(2000, 4, 1), D(2000, 12, 31)),
    ]
    assert middle.without(whole) == []
    assert whole.without(SymbolSpan("Y")) == [whole]


def test_a_new_symbol_in_the_reference_is_taken_after_the_last_bar():
    entity = Entity("F1", (SymbolSpan("META"),), 0)
    assert updated([SymbolSpan("FB")], entity, D(2022, 6, 8)) == (
        SymbolSpan("FB", EVER, D(2022, 6, 8)),
        SymbolSpan("META", D(2022, 6, 9), FOREVER),
    )


def test_a_reference_that_knows_the_last_symbol_only_leaves_the_dates_of_renames():
    held = [SymbolSpan("FB", EVER, D(2022, 6, 8)), SymbolSpan("META", D(2022, 6, 9), FOREVER)]
    assert updated(held, Entity("F1", (SymbolSpan("META"),), 0), D(2024, 1, 2)) == tuple(held)


def test_a_delisting_ends_the_last_symbol():
    entity = Entity("", (SymbolSpan("X", EVER, D(2015, 6, 30)),), 0)
    assert updated([SymbolSpan("X")], entity, D(2015, 6, 30)) == entity.spans
