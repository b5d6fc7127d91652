"""A split or dividend of a symbol that nobody carried on its date is of none who carried another one then.

OLD has a bar on session 3, and is told to have become NEW on session 10. An action of NEW on session 5 is of
a company that nobody knows, unless the list names symbols of today.
"""

from dataclasses import replace

import pytest

from condvest.batch_layer.fetching.check_archive import check_archive
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from tests.support.payloads import bar, dividend, dividends_payload, split, splits_payload
from tests.support.worlds.long_world import LongWorld, everything_in
from tests.support.worlds.playing import play

RENAMED = ("stated", {(10, "OLD"): "NEW"})
TAKEN_BACK = ("stated", {(10, "OLD"): ""})
WHOSE = "SELECT array_agg(symbol ORDER BY valid_from) FROM {} JOIN symbols USING (instrument_id) GROUP BY {}"
KINDS = pytest.mark.parametrize("kind", ["splits", "dividends"])


@pytest.fixture
def known(workspace, sessions):
    """A world that knows OLD."""
    world = LongWorld(workspace, sessions)
    world.bars([bar("OLD", world.date(3))])
    yield world
    world.close()


def told(world, kind, *symbols, means="date", provider="sample"):
    date = world.date(5)
    payload = {
        "splits": lambda: splits_payload([split(symbol, date) for symbol in symbols], provider=provider),
        "dividends": lambda: dividends_payload(
            [dividend(symbol, date, 1.0) for symbol in symbols], provider=provider
        ),
    }[kind]()
    world.load(replace(payload, options=FileOptions(symbols_mean=means)))


def owners(world, kind):
    """Return the symbols of the instrument of each stored action, after insisting that the archive agrees."""
    assert list(check_archive(world.loader(), None, 0)) == []
    return sorted(symbols for (symbols,) in world.ask(WHOSE.format(kind, "instrument_id, ex_date")))


def insist_on_rebuilt(world):
    world.resample()
    assert world.differences() == []
    before = everything_in(world)
    world.rebuild()
    world.resample()
    assert everything_in(world) == before


@KINDS
@pytest.mark.parametrize("comes", ["first", "later"])
def test_it_waits_through_a_rename_and_its_end(known, kind, comes):
    """It was OLD's while OLD was held to have become NEW, and stayed OLD's when that was taken back."""
    if comes == "first":
        told(known, kind, "NEW")
    play(known, RENAMED)
    if comes == "later":
        told(known, kind, "NEW")
    assert owners(known, kind) == []
    play(known, TAKEN_BACK)
    assert owners(known, kind) == []
    assert known.ask("SELECT symbol, code FROM refused_rows") == [("NEW", "no_instrument")]
    insist_on_rebuilt(known)


@KINDS
def test_it_is_stored_with_the_company_that_had_the_symbol_when_that_is_known(known, kind):
    play(known, RENAMED)
    told(known, kind, "NEW")
    known.bars([bar("NEW", known.date(4))])
    assert owners(known, kind) == [["NEW"]]
    assert known.ask("SELECT * FROM refused_rows") == []
    insist_on_rebuilt(known)


@KINDS
def test_it_is_not_in_the_way_of_what_a_rename_moves(known, kind):
    """NEW is an instrument of its own from session 10 on when both actions come, and then OLD's once more."""
    for event in (RENAMED, TAKEN_BACK):
        play(known, event)
    told(known, kind, "OLD", "NEW")
    play(known, RENAMED)
    assert owners(known, kind) == [["OLD", "NEW"]]
    insist_on_rebuilt(known)


@KINDS
@pytest.mark.parametrize("comes", ["first", "later"])
def test_in_names_of_today_it_is_the_companys(known, kind, comes):
    if comes == "first":
        told(known, kind, "NEW", means="today")
        assert owners(known, kind) == []
    play(known, RENAMED)
    if comes == "later":
        told(known, kind, "NEW", means="today")
    assert owners(known, kind) == [["OLD", "NEW"]]
    insist_on_rebuilt(known)


def test_a_person_is_told_how_to_say_that_names_are_of_today(known):
    play(known, RENAMED)
    told(known, "splits", "NEW", provider="file")
    ((reason,),) = known.ask("SELECT reason FROM refused_rows")
    assert reason == (
        f"NEW {known.date(5)}: nobody carried the symbol then, so it waits for bars of that symbol; "
        "correct a typo, and of a list in symbols of today say --symbols-mean today"
    )
