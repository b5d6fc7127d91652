"""Whose a row is by a symbol of another day, told by hand."""

import datetime as dt

import pytest

from condvest.batch_layer.shared.core.names.names_of_today import (
    AWAITED,
    NOBODY,
    Carriage,
    Change,
    Naming,
    Resettled,
)
from condvest.batch_layer.shared.core.names.symbol_moves import Move
from condvest.batch_layer.shared.models.instruments.symbols import FOREVER, SymbolSpan

D = dt.date
RENAMED = D(2021, 1, 4)
BEFORE = D(2021, 1, 3)
RENAME = Carriage.of({1: [SymbolSpan("DRAD", last=BEFORE), SymbolSpan("STRR", first=RENAMED)]})
TWO = Carriage.of({1: [SymbolSpan("STRR", first=RENAMED)], 2: [SymbolSpan("DRAD", last=BEFORE)]})
TAKEN = Carriage.of({**RENAME.spans, 4: [SymbolSpan("DRAD", first=D(2023, 1, 3))]})


@pytest.mark.parametrize(
    ("carriage", "symbol", "told_on", "date", "is_bar", "owner"),
    [
        (RENAME, "STRR", D(2024, 1, 2), D(2019, 6, 4), False, 1),
        (RENAME, "STRR", D(2024, 1, 2), D(2019, 6, 4), True, 1),
        (RENAME, "STRR", D(2019, 7, 1), D(2019, 6, 4), False, 1),
        (RENAME, "STRR", D(2019, 7, 1), D(2019, 6, 4), True, NOBODY),
        (RENAME, "DRAD", D(2024, 1, 2), D(2019, 6, 4), False, AWAITED),
        (RENAME, "DRAD", D(2024, 1, 2), D(2019, 6, 4), True, AWAITED),
        (RENAME, "DRAD", D(2020, 1, 2), D(2019, 6, 4), True, 1),
        (RENAME, "DRAD", D(2024, 1, 2), D(2022, 6, 4), False, NOBODY),
        (TWO, "STRR", D(2024, 1, 2), D(2019, 6, 4), False, 1),
        (TWO, "DRAD", D(2024, 1, 2), D(2019, 6, 4), False, 2),
        (TWO, "DRAD", D(2024, 1, 2), D(2019, 6, 4), True, 2),
        (TAKEN, "DRAD", D(2024, 1, 2), D(2019, 6, 4), False, 4),
        (TAKEN, "DRAD", D(2024, 1, 2), D(2019, 6, 4), True, 4),
        (TWO, "NONE", D(2024, 1, 2), D(2019, 6, 4), False, NOBODY),
    ],
)
def test_whose_it_is(carriage, symbol, told_on, date, is_bar, owner):
    assert carriage.owner(symbol, Naming(told_on, is_bar), date) == owner


def test_who_had_the_symbol_then_keeps_what_was_before_the_present_carrier():
    carriage = Carriage.of(
        {1: [SymbolSpan("STRR", first=RENAMED)], 3: [SymbolSpan("STRR", last=D(2020, 12, 31))]}
    )
    assert carriage.owner("STRR", Naming(D(2024, 1, 2), False), D(2019, 6, 4)) == 3
    assert carriage.owner("STRR", Naming(D(2024, 1, 2), True), D(2019, 6, 4)) == 1


def test_what_was_moved_by_its_dates_comes_back():
    """Taken back: instrument 2 got all of 1 before the date, and STRR's rows of then with it."""
    change = Change(RENAME, TWO, [Move(SymbolSpan("DRAD", last=BEFORE), 2, 1)])
    assert change.symbols == {"DRAD", "STRR"}
    assert change.resettled("STRR", Naming(D(2024, 1, 2), False)) == [Resettled(dt.date.min, BEFORE, 2, 1)]
    assert change.resettled("DRAD", Naming(D(2024, 1, 2), False, keeps_former=True)) == []


def test_what_waited_goes_to_who_is_found_to_have_been_meant_and_back():
    """DRAD is a company of its own again, so in a list of 2024 it is DRAD, and was not while 1 was STRR."""
    for is_of_bars in (False, True):
        naming = Naming(D(2024, 1, 2), is_of_bars)
        for before, after, rows in ((RENAME, TWO, (AWAITED, 2)), (TWO, RENAME, (2, AWAITED))):
            assert Change(before, after).resettled("DRAD", naming) == [Resettled(dt.date.min, BEFORE, *rows)]


def test_what_was_nobodys_waits_elsewhere():
    nobody = Carriage.of({})
    assert Change(nobody, RENAME).resettled("STRR", Naming(D(2024, 1, 2), False)) == []
    assert Change(RENAME, nobody).resettled("STRR", Naming(D(2024, 1, 2), False)) == [
        Resettled(dt.date.min, BEFORE, 1, NOBODY),
        Resettled(RENAMED, FOREVER, 1, NOBODY),
    ]
