"""Rows of lists in names of today follow their symbols when somebody is said to have carried another one.

X is traded in the sessions 0 to 9, and Y from session 10 on. Lists of session 12 name symbols as of then.
"""

import datetime as dt
from dataclasses import replace

import pytest

from condvest.batch_layer.fetching.check_archive import check_archive
from condvest.batch_layer.shared.core.names.names_of_today import Carriage
from condvest.batch_layer.shared.models.undo import undo_of
from tests.support.exchange import NOW
from tests.support.payloads import bar, json_payload, payload
from tests.support.worlds.long_world import LongWorld
from tests.support.worlds.telling import (
    RENAMED,
    VALUES,
    day,
    insist_on_agreed,
    insist_on_sound,
    listed,
    recorded,
    renames,
    series,
    session_of,
    state,
    tell,
)


@pytest.fixture
def market(workspace, sessions):
    """A world with X until session 9 and Y since session 10."""
    world = LongWorld(workspace, sessions)
    tell(world, "daily_bars", [("X", at, 0) for at in range(RENAMED)], means="date")
    tell(world, "daily_bars", [("Y", at, 0) for at in range(RENAMED, 13)], means="date")
    yield world
    world.close()


def refused(world):
    """Return (symbol, session, code) of each refused row."""
    rows = world.ask("SELECT symbol, session, code FROM refused_rows ORDER BY line")
    return [(symbol, session_of(world, date), code) for symbol, date, code in rows]


def massives(world, dataset, rows):
    """Load a list of Massive's of session 12, which may have an action under its company's former symbol."""
    results = {
        "splits": lambda at, new: {"execution_date": str(at), "split_from": 1, "split_to": new},
        "dividends": lambda at, cash: {"ex_dividend_date": str(at), "cash_amount": cash},
    }[dataset]
    given = [{"ticker": symbol, **results(day(world, at), value)} for symbol, at, value in rows]
    on = dt.datetime.combine(day(world, 12), dt.time(23), dt.UTC)
    world.load(replace(json_payload(dataset, given), fetched_at=on))


def take_back(world):
    state(world, f"X,,{day(world, RENAMED)}")


@pytest.mark.parametrize("dataset", ["splits", "dividends"])
@pytest.mark.parametrize("first", ["list", "rename"])
def test_an_action_in_names_of_today_leaves_the_former_symbol_with_the_rename(market, dataset, first):
    """Y's action of session 5 is Y's, who came later; while X became Y it was of the one series."""
    value = {"splits": (1, 2), "dividends": (2,)}[dataset]
    if first == "rename":
        renames(market)
    tell(market, dataset, [("Y", 5, 2.0)])
    if first == "list":
        assert series(market, dataset) == {"Y": {5: value}}
        renames(market)
    assert series(market, dataset) == {"X>Y": {5: value}}
    insist_on_agreed(market)
    take_back(market)
    assert series(market, dataset) == {"Y": {5: value}}
    insist_on_agreed(market)
    renames(market)
    assert series(market, dataset) == {"X>Y": {5: value}}
    insist_on_sound(market)


@pytest.mark.parametrize("dataset", ["splits", "dividends"])
@pytest.mark.parametrize("first", ["list", "rename"])
def test_a_list_that_has_both_symbols_of_one_series_counts_once(market, dataset, first):
    """Of session 6 they agree, and the row is stored once; of session 5 they differ, and none is."""
    rows = [("X", 5, 7), ("X", 6, 8), ("Y", 5, 9), ("Y", 6, 8), ("Y", 7, 9)]
    if first == "rename":
        renames(market)
    massives(market, dataset, rows)
    if first == "list":
        renames(market)
    value = {"splits": lambda new: (1, new), "dividends": lambda cash: (cash,)}[dataset]
    assert series(market, dataset) == {"X>Y": {6: value(8), 7: value(9)}}
    assert refused(market) == [("X", 5, "conflicting_duplicate"), ("Y", 5, "conflicting_duplicate")]
    insist_on_sound(market)


def test_a_row_that_was_given_to_the_renamed_company_once_is_named_and_mended_by_a_rebuild(
    market, monkeypatch
):
    """As versions of before gave it: to whoever had the symbol then."""

    def of_whoever_had_it(self, symbol, naming, date):
        return self.carrier(symbol, naming.day) or self.carrier(symbol, date)

    renames(market)
    right = series(market, "daily_bars")
    with monkeypatch.context() as before:
        before.setattr(Carriage, "owner", of_whoever_had_it)
        tell(market, "daily_bars", [("X", 5, 7)])
    assert series(market, "daily_bars")["X>Y"][5] != right["X>Y"][5]
    where = {finding.where for finding in check_archive(market.loader(), None, 0)}
    assert str(day(market, 5)) in where
    market.rebuild()
    assert series(market, "daily_bars") == right
    insist_on_agreed(market)


@pytest.mark.parametrize("dataset", ["daily_bars", "splits", "dividends"])
@pytest.mark.parametrize("first", ["list", "rename"])
def test_what_is_under_a_former_symbol_that_nobody_has_today_waits(market, dataset, first):
    """X became Y: in names of today its rows are under Y. Those under X are of whoever took X since."""
    before = series(market, dataset)
    if first == "rename":
        renames(market)
    load = tell(market, dataset, [("X", 5, 7), ("X", 6, 8), ("Y", 6, 9)])
    if first == "list":
        renames(market)
    x_of_5, x_of_6, y_of_6 = (values for _, _, values in load["rows"])
    renamed = {"X>Y": before.get("X", {}) | before.get("Y", {}) | {6: y_of_6}}
    assert series(market, dataset) == renamed
    assert refused(market) == [("X", 5, "no_instrument"), ("X", 6, "no_instrument")]
    counts = "SELECT inserted + changed, refused FROM loads WHERE load_id > 2 AND dataset = %s"
    assert market.ask(counts, dataset) == [(1, 2)]
    insist_on_agreed(market)
    take_back(market)
    assert series(market, dataset)["X"] == before.get("X", {}) | {5: x_of_5, 6: x_of_6}
    assert series(market, dataset)["Y"] == before.get("Y", {}) | {6: y_of_6}
    assert refused(market) == []
    assert market.ask(counts, dataset) == [(3, 0)]
    renames(market)
    assert series(market, dataset) == renamed
    insist_on_sound(market)


@pytest.mark.parametrize("first", ["list", "rename"])
def test_massives_lists_keep_some_actions_under_the_symbol_of_then(market, first):
    """X became Y, and its split of session 5 is Y's under either symbol: Massive leaves some as they were."""
    if first == "rename":
        renames(market)
    massives(market, "splits", [("X", 5, 2)])
    if first == "list":
        renames(market)
    assert series(market, "splits") == {"X>Y": {5: (1, 2)}}
    take_back(market)
    assert series(market, "splits") == {"X": {5: (1, 2)}}
    assert refused(market) == []
    insist_on_sound(market)


def test_bars_that_wait_are_given_to_whom_a_statement_gives_their_symbol(market):
    """X became Y, and Z is said to have become X: what waited under X is Z's."""
    renames(market)
    tell(market, "daily_bars", [("Z", 3, 0)], means="date")
    tell(market, "daily_bars", [("X", 5, 7)])
    assert refused(market) == [("X", 5, "no_instrument")]
    renames(market, to="X", at=11, symbol="Z")
    assert series(market, "daily_bars")["Z>X"] == {
        3: prices_of("Z", market, 3, 0),
        5: prices_of("X", market, 5, 7),
    }
    assert refused(market) == []
    insist_on_sound(market)


def test_bars_of_an_undone_load_wait_no_more(market):
    """They were kept from Y's series when the load was undone: nothing brings them back."""
    renames(market)
    tell(market, "daily_bars", [("X", 5, 7)])
    [(key,)] = market.ask("SELECT archive_key FROM loads ORDER BY load_id DESC LIMIT 1")
    market.load(undo_of("file", "undo", [key], NOW))
    assert refused(market) == [("X", 5, "taken_back")]
    before = series(market, "daily_bars")
    tell(market, "daily_bars", [("X", 12, 0)], means="date")
    take_back(market)
    renames(market)
    assert series(market, "daily_bars") == before | {"X": {12: prices_of("X", market, 12, 0)}}
    insist_on_sound(market)


def test_prices_by_hand(market):
    """X opens at 40 in session 0; a list has a 2-for-1 split with ex-date in session 5, under Y.

    In the basis of session 9 the open of session 0 is 20 while X became Y, and 40 as soon as it did not.
    """
    closes = 'SELECT open FROM bars WHERE "interval" = 34 AND instrument_id = %s'
    flat = [
        {**bar("X", day(market, at)), **dict.fromkeys(("open", "high", "low", "close", "vwap"), price)}
        for at, price in ((0, 40.0), (1, 40.0), (2, 40.0), (3, 40.0), (4, 40.0), (5, 21.0))
    ]
    market.bars(flat)
    renames(market)
    tell(market, "splits", [("Y", 5, 2.0)])
    market.resample()
    [(company,)] = market.ask("SELECT instrument_id FROM symbols WHERE symbol = 'X'")
    assert market.ask(closes, company)[0] == (20.0,)
    take_back(market)
    market.resample()
    [(company,)] = market.ask("SELECT instrument_id FROM symbols WHERE symbol = 'X'")
    assert market.ask(closes, company)[0] == (40.0,)


def test_what_stood_in_the_place_of_anothers_comes_forth(market):
    """While X became Y, the later list corrected the earlier; now each has its own, as of then, too."""
    renames(market)
    tell(market, "splits", [("Y", 5, 2.0)])
    tell(market, "splits", [("X", 5, 3.0)], means="date")
    assert series(market, "splits") == {"X>Y": {5: (1, 3)}}
    take_back(market)
    assert series(market, "splits") == {"X": {5: (1, 3)}, "Y": {5: (1, 2)}}
    assert market.ask("SELECT * FROM split_revisions") == []
    insist_on_sound(market)


def test_two_that_become_one_are_one_and_the_later_word_counts(market):
    """Both lie under session 5 when the rename is stated: the one must not be lost, nor the other twice."""
    tell(market, "splits", [("X", 5, 3.0)], means="date")
    tell(market, "splits", [("Y", 5, 2.0)])
    assert series(market, "splits") == {"X": {5: (1, 3)}, "Y": {5: (1, 2)}}
    renames(market)
    assert series(market, "splits") == {"X>Y": {5: (1, 2)}}
    assert market.ask("SELECT split_to, load_id, superseded_by FROM split_revisions") == [(3, 3, 4)]
    insist_on_sound(market)


def test_two_of_one_list_contradict_each_other_as_long_as_they_are_of_one(market):
    massives(market, "splits", [("X", 5, 3.0), ("Y", 5, 2.0)])
    assert series(market, "splits") == {"X": {5: (1, 3)}, "Y": {5: (1, 2)}}
    renames(market)
    assert series(market, "splits") == {}
    assert market.ask("SELECT symbol, code FROM refused_rows ORDER BY 1") == [
        ("X", "conflicting_duplicate"),
        ("Y", "conflicting_duplicate"),
    ]
    assert market.ask("SELECT inserted, refused FROM loads WHERE dataset = 'splits'") == [(0, 2)]
    insist_on_agreed(market)
    take_back(market)
    assert series(market, "splits") == {"X": {5: (1, 3)}, "Y": {5: (1, 2)}}
    assert market.ask("SELECT * FROM refused_rows") == []
    insist_on_sound(market)


def test_bars_in_names_of_today_go_with_their_symbol(market):
    """A download of Y's whole past, as Yahoo's, is Y's alone, once X did not become Y."""
    renames(market)
    tell(market, "daily_bars", [("Y", at, 1) for at in range(4)], provider="mine")
    assert sorted(series(market, "daily_bars")["X>Y"]) == list(range(13))
    take_back(market)
    of_symbol = series(market, "daily_bars")
    assert sorted(of_symbol["Y"]) == [0, 1, 2, 3, 10, 11, 12]
    assert of_symbol["X"] == {at: prices_of("X", market, at, 0) for at in range(RENAMED)}
    assert of_symbol["Y"][2] == prices_of("Y", market, 2, 1)
    insist_on_sound(market)


def prices_of(symbol, world, at, version):
    row = bar(symbol, day(world, at), version)
    return tuple(row[name] for name in VALUES["daily_bars"].split(", "))


def test_an_action_that_nobodys_symbol_names_any_more_waits_again(market):
    """A vendor lists X as Z, without bars of Z, and later as W, and its record knows no Z."""
    for symbol in "XZ":
        listed(market, (symbol,), None)
    tell(market, "dividends", [("Z", 5, 2.0)], on=8)
    assert list(series(market, "dividends").values()) == [{5: (2,)}]
    listed(market, ("W",), None)
    recorded(market, "F0", [(0, "X"), (RENAMED, "W")])
    assert series(market, "dividends") == {}
    assert market.ask("SELECT symbol, code FROM refused_rows") == [("Z", "no_instrument")]
    assert market.ask("SELECT inserted, refused FROM loads WHERE dataset = 'dividends'") == [(0, 1)]
    insist_on_agreed(market)
    recorded(market, "F0", [(0, "Z"), (RENAMED, "W")])
    assert list(series(market, "dividends").values()) == [{5: (2,)}]
    assert market.ask("SELECT * FROM refused_rows") == []
    insist_on_sound(market)


def test_a_company_that_bars_make_takes_what_was_told_of_its_symbol(market):
    """Y is Z since session 11; then bars show that another company had Z before, in session 3, too."""
    renames(market, to="Z", at=11, symbol="Y")
    tell(market, "splits", [("Z", 3, 2.0)], on=8)
    assert series(market, "splits") == {"Y>Z": {3: (1, 2)}}
    tell(market, "daily_bars", [("Z", 2, 0)], means="date")
    assert series(market, "splits") == {"Z": {3: (1, 2)}}
    insist_on_sound(market)


def test_what_waits_goes_to_whom_a_statement_gives_its_symbol_though_that_is_no_news(market):
    """The company that became Z in session 4 has its first bar later than that was stated."""
    statement = f"Y,Z,{day(market, 4)}"
    state(market, statement)
    tell(market, "daily_bars", [("Y", 1, 0)], means="date", on=14)
    tell(market, "splits", [("Z", 11, 2.0)], on=4)
    assert refused(market) == [("Z", 11, "no_instrument")]
    state(market, f"{statement}\nQ,QQ,{day(market, 4)}")  # what is news in it is refused
    assert series(market, "splits") == {"Y>Z": {11: (1, 2)}}
    assert refused(market) == [("Q", 4, "unknown_symbol")]
    insist_on_sound(market)


def test_a_rehearsal_gives_nothing_to_anybody(market):
    renames(market)
    tell(market, "splits", [("Y", 5, 2.0)])
    before = market.dump(sequences=False)
    market.load(payload("renames", f"from,to,date\nX,,{day(market, RENAMED)}".encode()), rehearsal=True)
    assert market.dump(sequences=False) == before


def test_a_payload_that_is_lost_keeps_the_rename_from_being_taken_back(market):
    """Half of it would be worse: nothing is stored, and the payload is named."""
    renames(market)
    tell(market, "splits", [("Y", 5, 2.0)])
    [(key,)] = market.ask("SELECT archive_key FROM loads WHERE dataset = 'splits'")
    lost = market.archive.payloads.pop(key)
    before = market.dump(sequences=False)
    with pytest.raises(KeyError, match="splits"):
        take_back(market)
    assert market.dump(sequences=False) == before
    market.archive.payloads[key] = lost
    take_back(market)
    assert series(market, "splits") == {"Y": {5: (1, 2)}}


def test_killed_before_its_commit_it_has_done_nothing(market, monkeypatch):
    renames(market)
    tell(market, "splits", [("Y", 5, 2.0)])
    before = market.dump(sequences=False)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("condvest.batch_layer.database.stores.loading.told_loads.amend_counts", killed)
        patch.setattr("condvest.batch_layer.fetching.loading.retelling.told_anew.refuse_anew", killed)
        with pytest.raises(KeyboardInterrupt):
            take_back(market)
    assert market.dump(sequences=False) == before
    take_back(market)
    assert series(market, "splits") == {"Y": {5: (1, 2)}}
    insist_on_agreed(market)
