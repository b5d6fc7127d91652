"""Who carried which symbol when, worked out by hand."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.fetching.identity import (
    Entity,
    Listing,
    assigned,
    entities_of,
    names_held,
    names_now,
)
from condvest.batch_layer.fetching.tenures import Name, settled
from condvest.batch_layer.shared.models.instruments.symbols import EVER, FOREVER, SymbolSpan

D = dt.date
FB = Name("FB", D(2022, 6, 8), D(2012, 5, 18), is_exact=True)
META = Name("META", FOREVER, D(2022, 6, 9), is_exact=True)
HISTORY = [(D(2012, 5, 18), "FB"), (D(2022, 6, 9), "META")]


def spans_by_figi(*listings):
    entities = entities_of(listings)
    spans = settled({place: entity.names for place, entity in enumerate(entities)})
    return {entity.figi: spans[place] for place, entity in enumerate(entities)}


def test_an_active_listing_carries_its_symbol_for_ever():
    assert entities_of([Listing("IBM", "F1")]) == [Entity("F1", (Name("IBM"),), 0)]
    assert spans_by_figi(Listing("IBM", "F1")) == {"F1": (SymbolSpan("IBM", EVER, FOREVER),)}


def test_a_reused_symbol_is_divided_at_the_delisting():
    assert spans_by_figi(Listing("X", "F2"), Listing("X", "F1", D(2015, 6, 30))) == {
        "F1": (SymbolSpan("X", EVER, D(2015, 6, 30)),),
        "F2": (SymbolSpan("X", D(2015, 7, 1), FOREVER),),
    }


def test_three_companies_under_one_symbol_have_their_time_in_turn():
    listings = [Listing("X", "", D(2010, 1, 4)), Listing("X"), Listing("X", "", D(2005, 3, 1))]
    entities = entities_of(listings)
    spans = settled({entity.row: entity.names for entity in entities})
    assert spans == {
        2: (SymbolSpan("X", EVER, D(2005, 3, 1)),),
        0: (SymbolSpan("X", D(2005, 3, 2), D(2010, 1, 4)),),
        1: (SymbolSpan("X", D(2010, 1, 5), FOREVER),),
    }


def test_one_figi_under_two_symbols_is_one_entity():
    assert spans_by_figi(Listing("META", "F1"), Listing("FB", "F1", D(2022, 6, 8))) == {
        "F1": (SymbolSpan("FB", EVER, D(2022, 6, 8)), SymbolSpan("META", D(2022, 6, 9), FOREVER))
    }


def test_a_figi_that_two_listed_symbols_share_tells_nothing():
    """A vendor gave a company's shares and its warrants one FIGI."""
    entities = entities_of([Listing("ABC", "F1"), Listing("ABC.WS", "F1")])
    assert [(entity.figi, entity.names) for entity in entities] == [
        ("", (Name("ABC"),)),
        ("", (Name("ABC.WS"),)),
    ]


def test_a_delisted_company_keeps_its_symbol_for_some_days_unless_another_takes_it():
    delisted = Name("X", D(2015, 6, 30))
    assert settled({1: [delisted]}) == {1: (SymbolSpan("X", EVER, D(2015, 7, 5)),)}
    taken = Name("X", FOREVER, D(2015, 7, 2), is_exact=True)
    assert settled({1: [delisted], 2: [Name("Y", D(2015, 7, 1)), taken]})[1] == (
        SymbolSpan("X", EVER, D(2015, 7, 1)),
    )


def test_four_instruments_share_one_symbol():
    """The example of `condvest.batch_layer.fetching.tenures`."""
    spans = settled(
        {
            "A": [Name("X", D(2005, 3, 31))],
            "B": [Name("W", D(2009, 12, 31)), Name("X", D(2015, 6, 30), D(2010, 1, 1)), Name("Y", FOREVER)],
            "C": [Name("X", D(2022, 6, 30))],
            "D": [Name("Z", D(2022, 6, 8)), Name("X", FOREVER, D(2022, 6, 9), is_exact=True)],
        }
    )
    assert {key: span for key, of_key in spans.items() for span in of_key if span.symbol == "X"} == {
        "A": SymbolSpan("X", EVER, D(2005, 4, 5)),
        "B": SymbolSpan("X", D(2010, 1, 1), D(2015, 6, 30)),
        "C": SymbolSpan("X", D(2015, 7, 1), D(2022, 6, 8)),
        "D": SymbolSpan("X", D(2022, 6, 9), FOREVER),
    }


def test_an_exact_rename_ends_whoever_carried_the_symbol_before():
    assert settled({1: [FB, META], 2: [Name("META", D(2022, 7, 1))]}) == {
        1: (SymbolSpan("FB", EVER, D(2022, 6, 8)), SymbolSpan("META", D(2022, 6, 9), FOREVER)),
        2: (SymbolSpan("META", EVER, D(2022, 6, 8)),),
    }


def test_the_symbol_that_a_rename_left_is_free_for_the_next():
    assert settled({1: [FB, META], 2: [Name("FB")]})[2] == (SymbolSpan("FB", D(2022, 6, 9), FOREVER),)


def test_a_guessed_beginning_gives_way_to_the_end_of_the_one_before():
    """SWAP did not trade for a week before its rename; the guess of its successor is a week too early."""
    left = [Name("SWAP", D(2024, 3, 8)), Name("SWAQ", FOREVER, D(2024, 3, 9))]
    taken = [Name("SWPB", D(2024, 3, 1)), Name("SWAP", FOREVER, D(2024, 3, 2))]
    spans = settled({1: left, 2: taken})
    assert spans[1][0] == SymbolSpan("SWAP", EVER, D(2024, 3, 8))
    assert spans[2][1] == SymbolSpan("SWAP", D(2024, 3, 9), FOREVER)


def test_a_former_symbol_listed_as_delisted_without_figi_is_no_company():
    """Its last session was a Friday, the rename on the Monday after."""
    held = [SymbolSpan("FB", EVER, D(2022, 6, 12))]
    assert entities_of([Listing("FB", "", D(2022, 6, 10))], held) == []
    assert (
        len(entities_of([Listing("FB", "F2", D(2022, 6, 10)), Listing("FB", "", D(2019, 1, 2))], held)) == 2
    )


def test_a_history_is_exact_and_one_that_leads_elsewhere_is_not_used():
    held = [SymbolSpan("FB", EVER, D(2022, 6, 7)), SymbolSpan("META", D(2022, 6, 8), FOREVER)]
    assert names_held(held, HISTORY, None) == (FB, META)
    assert names_held(held, [(D(2001, 1, 2), "XYZ")], None) == (
        Name("FB", D(2022, 6, 7)),
        Name("META", FOREVER, D(2022, 6, 8)),
    )
    assert names_held([], HISTORY, None) == ()


def test_a_new_symbol_in_the_reference_is_taken_after_the_last_bar():
    assert names_now([Name("META")], [Name("FB")], D(2022, 6, 8)) == (
        Name("FB", D(2022, 6, 8)),
        Name("META", FOREVER, D(2022, 6, 9)),
    )


def test_a_new_symbol_is_taken_when_the_listing_of_the_former_one_ended():
    listed = [Name("FB", D(2022, 6, 3)), Name("META", FOREVER, D(2022, 6, 4))]
    assert names_now(listed, [Name("FB")], D(2022, 6, 1)) == tuple(listed)


def test_a_reference_that_knows_the_last_symbol_only_leaves_the_dates_of_renames():
    assert names_now([Name("META")], [FB, META], D(2024, 1, 2)) == (FB, META)


def test_two_renames_between_two_references_are_both_kept():
    listed = [Name("ELV", D(2024, 4, 1)), Name("ELVH", FOREVER, D(2024, 4, 2))]
    held = [Name("ANTM", D(2024, 1, 31)), Name("ELV", FOREVER, D(2024, 2, 1))]
    assert [name.symbol for name in names_now(listed, held, None)] == ["ANTM", "ELV", "ELVH"]


def test_a_rename_that_was_taken_back_before_a_bar_leaves_no_trace():
    """META had been seen, and had no bar when the reference said FB again."""
    held = [Name("FB", D(2022, 6, 8)), Name("META", FOREVER, D(2022, 6, 9))]
    assert names_now([Name("FB")], held, D(2022, 6, 8)) == (Name("FB", FOREVER),)


def test_a_delisting_ends_the_last_symbol():
    assert names_now([Name("X", D(2015, 6, 30))], [Name("X")], None) == (Name("X", D(2015, 6, 30)),)


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


def test_without_figi_each_company_of_a_reused_symbol_is_found_again():
    known = {7: [SymbolSpan("X", EVER, D(2015, 7, 1))], 8: [SymbolSpan("X", D(2015, 7, 2), FOREVER)]}
    entities = entities_of([Listing("X"), Listing("X", "", D(2015, 6, 30))])
    assert assigned(entities, known, {}) == [7, 8]


def test_a_company_that_left_the_symbol_behind_is_not_its_carrier():
    known = {3: [SymbolSpan("X", EVER, D(2020, 1, 1)), SymbolSpan("Y", D(2020, 1, 2), FOREVER)]}
    assert assigned(entities_of([Listing("X")]), known, {}) == [None]


@pytest.mark.parametrize("other", [SymbolSpan("Y"), SymbolSpan("X", D(2001, 1, 1), D(2001, 2, 1))])
def test_taking_out_what_does_not_overlap_leaves_a_span_whole(other):
    whole = SymbolSpan("X", D(2000, 1, 1), D(2000, 12, 31))
    assert whole.without(other) == [whole]


def test_taking_a_span_out_of_another_leaves_what_lies_beside_it():
    whole = SymbolSpan("X", D(2000, 1, 1), D(2000, 12, 31))
    middle = SymbolSpan("X", D(2000, 3, 1), D(2000, 3, 31))
    assert whole.without(middle) == [
        SymbolSpan("X", D(2000, 1, 1), D(2000, 2, 29)),
        SymbolSpan("X", D(2000, 4, 1), D(2000, 12, 31)),
    ]
    assert middle.without(whole) == []


DATES = st.dates(D(2020, 1, 1), D(2020, 2, 10))
NAMES = st.builds(
    Name,
    st.sampled_from("XYZ"),
    st.one_of(DATES, st.just(FOREVER)),
    st.one_of(st.none(), DATES),
    st.booleans(),
)


@given(st.dictionaries(st.integers(0, 5), st.lists(NAMES, min_size=1, max_size=3)))
def test_nobody_ever_carries_a_symbol_that_another_carries(names):
    spans = sorted(
        (span.symbol, span.first, span.last) for of_one in settled(names).values() for span in of_one
    )
    assert all(first <= last for _, first, last in spans)
    for (symbol, _, last), (following, first, _) in itertools.pairwise(spans):
        assert symbol != following or last < first


@given(
    st.lists(st.builds(Listing, st.sampled_from("XYZ"), st.sampled_from(["", "F1", "F2"]), st.none() | DATES))
)
def test_a_reference_read_again_is_settled_as_before(listings):
    """What it says of instruments that are known by it already is what is known."""
    entities = entities_of(listings)
    first = settled({place: entity.names for place, entity in enumerate(entities)})
    again = settled(
        {
            place: names_now(entity.names, names_held(first[place], [], None), None)
            for place, entity in enumerate(entities)
        }
    )
    assert again == first
