"""Rows of lists in names of today follow their symbols when somebody is said to have carried another one.

X is traded in the sessions 0 to 9, and Y from session 10 on. Lists of session 12 name symbols as of then.
"""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.fetching.check_archive import check_archive
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.undo import removal_of, undo_of
from tests.integration.loading.test_rebuild import held
from tests.support.exchange import NOW
from tests.support.naive import whose
from tests.support.payloads import (
    bar,
    bars_payload,
    dividend,
    dividends_payload,
    json_payload,
    payload,
    split,
    splits_payload,
)
from tests.support.worlds.long_world import LongWorld
from tests.support.worlds.playing import rename_payload
from tests.support.worlds.world import World

BASE = 15_600
"""The ordinal of session 0: in January 2024."""
RENAMED = 10
DATED = {"daily_bars": "ordinal", "splits": "ex_date", "dividends": "ex_date"}
VALUES = {
    "daily_bars": "open, high, low, close, volume, vwap, trades",
    "splits": "split_from, split_to",
    "dividends": "cash_amount",
}
RANKS = {"sample": 0, "yahoo": 10, "massive": 20, "file": 30, "mine": 30}


def day(world, at):
    return world.date(BASE + at)


def tell(
    world, dataset, rows, *, means="today", on=12, provider="file", whole=None, rehearsal=False, alike=False
):
    """Load rows (symbol, session, value) told after a session; return the load as the model knows it.

    Bars of one value differ by their symbols, unless they are to be ``alike``.
    """
    dated = [(symbol, day(world, at), value) for symbol, at, value in rows]
    asked = whole and tuple(day(world, at) for at in whole)
    make, rows = {
        "daily_bars": (
            bars_payload,
            lambda each: {**bar("A" if alike else each[0], *each[1:]), "symbol": each[0]},
        ),
        "splits": (splits_payload, lambda each: split(*each[:2], min(each[2], 1), each[2])),
        "dividends": (dividends_payload, lambda each: dividend(*each)),
    }[dataset]
    given = [rows(each) for each in dated]
    made = make(given, provider=provider, asked=asked)
    told_at = dt.datetime.combine(day(world, on), dt.time(23), dt.UTC)
    number = len(world.past)
    made = replace(
        made,
        # A column that is not read: no two files have the same bytes.
        content=b"".join(line + b",%d\n" % number for line in made.content.splitlines()),
        options=FileOptions(symbols_mean=means),
        fetched_at=told_at,
    )
    world.load(made, rehearsal=rehearsal)
    columns = VALUES[dataset].split(", ")
    return {
        "dataset": dataset,
        "rank": RANKS[provider],
        "provider": provider,
        "means": means,
        "told_on": day(world, on),
        "period": asked,
        "rows": [
            (row["symbol"], date, tuple(row[name] for name in columns))
            for row, (_, date, _) in zip(given, dated, strict=True)
        ],
    }


def state(world, *rows):
    world.load(payload("renames", "\n".join(["from,to,date", *rows]).encode()))


def renames(world, to="Y", at=RENAMED, symbol="X"):
    state(world, f"{symbol},{to},{day(world, at)}")


def refused(world):
    """Return (symbol, session, code) of each refused row."""
    rows = world.ask("SELECT symbol, session, code FROM refused_rows ORDER BY line")
    return [(symbol, session_of(world, date), code) for symbol, date, code in rows]


def series(world, dataset):
    """Return {symbols of an instrument, joined: {session: values}} of all that is stored."""
    symbols = dict(
        world.ask("SELECT instrument_id, string_agg(symbol, '>' ORDER BY valid_from) FROM symbols GROUP BY 1")
    )
    kept = {}
    for who, key, *values in world.ask(
        f"SELECT instrument_id, {DATED[dataset]}, {VALUES[dataset]} FROM {dataset}"
    ):
        at = key - BASE if dataset == "daily_bars" else session_of(world, key)
        kept.setdefault(symbols[who], {})[at] = tuple(values)
    return kept


def session_of(world, date):
    return next(at for at in range(-5, 40) if day(world, at) == date)


@pytest.fixture
def market(workspace, sessions):
    """A world with X until session 9 and Y since session 10."""
    world = LongWorld(workspace, sessions)
    tell(world, "daily_bars", [("X", at, 0) for at in range(RENAMED)], means="date")
    tell(world, "daily_bars", [("Y", at, 0) for at in range(RENAMED, 13)], means="date")
    yield world
    world.close()


def insist_on_agreed(world):
    """Insist that the archive agrees, and that the bars are right."""
    assert list(check_archive(world.loader(), None, 0)) == []
    world.resample()
    assert world.differences() == []


def insist_on_sound(world):
    """Insist on that, and that a rebuild ends the same; nothing can be loaded afterwards."""
    insist_on_agreed(world)
    before = held(world)
    world.rebuild()
    world.resample()
    after = held(world)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}


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


@pytest.mark.parametrize("dataset", ["daily_bars", "splits", "dividends"])
@pytest.mark.parametrize("first", ["list", "rename"])
def test_a_list_that_has_both_symbols_of_one_series_counts_once(market, dataset, first):
    """Of session 6 they agree, and the row is stored once; of session 5 they differ, and none is."""
    rows = [("X", 5, 7), ("X", 6, 8), ("Y", 5, 9), ("Y", 6, 8), ("Y", 7, 9)]
    before = series(market, dataset).get("X", {})
    if first == "rename":
        renames(market)
    load = tell(market, dataset, rows, alike=True)
    if first == "list":
        renames(market)
    stored, told = series(market, dataset)["X>Y"], {row[:2]: row[2] for row in load["rows"]}
    assert (stored[6], stored[7]) == (told["Y", day(market, 6)], told["Y", day(market, 7)])
    assert stored.get(5) == before.get(5)  # what another list said of it stays
    assert refused(market) == [("X", 5, "conflicting_duplicate"), ("Y", 5, "conflicting_duplicate")]
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
    tell(market, "splits", [("X", 5, 3.0), ("Y", 5, 2.0)])
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
        _listed(market, (symbol,), None)
    tell(market, "dividends", [("Z", 5, 2.0)], on=14)
    assert list(series(market, "dividends").values()) == [{5: (2,)}]
    _listed(market, ("W",), None)
    _recorded(market, "F0", [(0, "X"), (RENAMED, "W")])
    assert series(market, "dividends") == {}
    assert market.ask("SELECT symbol, code FROM refused_rows") == [("Z", "no_instrument")]
    assert market.ask("SELECT inserted, refused FROM loads WHERE dataset = 'dividends'") == [(0, 1)]
    insist_on_agreed(market)
    _recorded(market, "F0", [(0, "Z"), (RENAMED, "W")])
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


SYMBOLS = st.sampled_from("XYZ")
ATS = st.integers(0, 12)
PLACES = st.sampled_from([3, 5, 11])


@st.composite
def tellings(draw):
    """("told", data set, rows, how): a load in names of the date or of a day between."""
    dataset = draw(st.sampled_from(["splits", "splits", "dividends", "daily_bars"]))
    means = draw(st.sampled_from(["today", "today", "date"]))
    provider = draw(st.sampled_from(["file", "mine", "massive", "sample"]))
    on = draw(st.sampled_from([4, 8, 12, 14]))
    if dataset == "daily_bars":
        symbol = draw(SYMBOLS)
        ats = draw(st.sets(st.integers(0, min(on, 12)), min_size=1, max_size=4))
        rows = [(symbol, at, draw(st.integers(0, 1))) for at in sorted(ats)]
        return "told", dataset, rows, {"means": means, "provider": provider, "on": on}
    keys = draw(st.sets(st.tuples(SYMBOLS, PLACES), min_size=1, max_size=4))
    least = 0 if RANKS[provider] == 30 else 1
    rows = [(*key, float(draw(st.integers(least, 3)))) for key in sorted(keys)]
    whole = (0, 6) if provider == "sample" and draw(st.booleans()) else None
    if whole:
        rows = [row for row in rows if row[1] <= 6] or [("X", 3, 2.0)]
    return "told", dataset, rows, {"means": means, "provider": provider, "on": on, "whole": whole}


@st.composite
def statements(draw):
    """("state", symbol, other symbol or none, session): a rename stated, corrected or taken back."""
    symbol = draw(SYMBOLS)
    return (
        "state",
        symbol,
        draw(st.sampled_from(["", "", "X", "Y", "Z"])),
        draw(st.sampled_from([4, 10, 10, 13])),
    )


@st.composite
def vendors_words(draw):
    """A vendor's reference, or its record of the symbols that one of its instruments took."""
    if draw(st.booleans()):
        listed = draw(st.permutations(["X", "Y", "Z"]))[: draw(st.integers(1, 2))]
        return "listed", tuple(listed), draw(st.sampled_from([None, 8]))
    taken = draw(st.dictionaries(st.sampled_from([0, 4, 10]), SYMBOLS, min_size=1, max_size=2))
    return "recorded", draw(st.sampled_from(["F0", "F1"])), tuple(sorted(taken.items()))


undos = st.one_of(
    st.tuples(st.just("undo"), st.integers(0, 9)), st.tuples(st.just("remove"), SYMBOLS, st.just(12))
)
histories = st.lists(
    st.one_of(tellings(), tellings(), statements(), vendors_words(), undos), min_size=3, max_size=12
)


def play(world, events):
    """Do events; return the loads as the model knows them, by the ids under which they are stored."""
    loads, apart = {}, any(event[0] == "remove" for event in events)
    for kind, *given_what in events:
        what = given_what
        if kind == "told" and apart:  # by its value the model knows a row again that was removed
            dataset, rows, how = what
            offset = {"X": 0.0, "Y": 0.25, "Z": 0.5} if dataset != "daily_bars" else dict.fromkeys("XYZ", 0)
            rows = [(symbol, at, value and value + offset[symbol]) for symbol, at, value in rows]
            what = [dataset, rows, how]
        before = world.number("SELECT coalesce(max(load_id), 0) FROM loads")
        load = _PLAYERS[kind](world, *what)
        last = world.number("SELECT max(load_id) FROM loads")
        if load is not None and last > before:
            loads[last] = load | {"load_id": last}
    for back, load_id in world.ask("SELECT taken_back_by, load_id FROM taken_back_loads"):
        loads[load_id]["taken_back_by"] = back
    return loads


def now_of(world):
    """Return another instant each time: by it no two undos are alike."""
    return NOW + dt.timedelta(minutes=len(world.archive.payloads))


def _undo(world, number):
    keys = world.ask(
        "SELECT archive_key FROM loads WHERE dataset IN ('daily_bars', 'splits', 'dividends') "
        "AND archive_key NOT LIKE '%%/undo/%%' AND load_id > 2 ORDER BY load_id"
    )
    if keys:
        (key,) = keys[number % len(keys)]
        World.load(world, undo_of(key.partition("/")[0], "undo", [key], now_of(world)))


def _remove(world, symbol, at):
    """Remove all rows of an instrument; the model is told which, for it knows not who it was then."""
    who = "(SELECT instrument_id FROM symbols WHERE symbol = %s AND %s BETWEEN valid_from AND valid_to)"
    rows = {
        dataset: {
            (load_id, world.date(key) if dataset == "daily_bars" else key, tuple(values))
            for table in (dataset, f"{dataset[:-1]}_revisions")
            for load_id, key, *values in world.ask(
                f"SELECT load_id, {when}, {VALUES[dataset]} FROM {table} WHERE instrument_id = {who}",
                symbol,
                day(world, at),
            )
        }
        for dataset, when in DATED.items()
    }
    if any(rows.values()):
        World.load(world, removal_of("file", "removal", symbol, day(world, at), now_of(world)))
        return {"dataset": "daily_bars", "removed": rows}
    return None


def _listed(world, symbols, delisted):
    rows = [{"ticker": name, "active": True, "composite_figi": f"F{at}"} for at, name in enumerate(symbols)]
    if delisted is not None:
        rows[-1] |= {"active": False, "delisted_utc": f"{day(world, delisted)}T00:00:00Z"}
    world.load(json_payload("instruments", rows, whole=True))


def _recorded(world, figi, taken):
    world.load(rename_payload(world, figi, [(BASE + at, symbol) for at, symbol in taken]))


_PLAYERS = {
    "told": lambda world, dataset, rows, how: tell(world, dataset, rows, **how),
    "state": lambda world, symbol, to, at: renames(world, to, at, symbol),
    "listed": _listed,
    "recorded": _recorded,
    "undo": _undo,
    "remove": _remove,
}


def insist_on_twin(world, loads):
    """Insist that each data set is what a model makes of all loads at the end, now and as of each load."""
    spans = whose.spans_of(world.looking)
    for dataset, when in DATED.items():
        of_dataset = {
            load_id: load
            for load_id, load in loads.items()
            if load["dataset"] == dataset or "removed" in load
        }
        # What waited for an instrument when its load was undone is not known as of before either.
        has_undo = any("taken_back_by" in load for load in loads.values())
        for known_by in [*([] if has_undo else of_dataset), 10**6]:
            by_then = [
                load
                for load_id, load in of_dataset.items()
                if load_id <= known_by < load.get("taken_back_by", 10**7)
            ]
            rows = world.ask(
                f"SELECT instrument_id, {when}, {VALUES[dataset]} FROM {dataset} WHERE load_id <= %(by)s "
                f"UNION ALL SELECT instrument_id, {when}, {VALUES[dataset]} FROM {dataset[:-1]}_revisions "
                "WHERE load_id <= %(by)s AND superseded_by > %(by)s".replace("%(by)s", str(known_by))
            )
            keyed = [
                ((who, world.date(key) if dataset == "daily_bars" else key), tuple(values))
                for who, key, *values in rows
            ]
            assert len({key for key, _ in keyed}) == len(keyed), "no key is known twice"
            assert dict(keyed) == whose.stored(spans, by_then, dataset), (dataset, known_by)


@pytest.mark.usefixtures("lasting_world")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(events=histories)
def test_rows_are_what_they_would_be_had_all_been_known_from_the_beginning(lasting_world, events):
    """As of each load, too: what was told by then, by who is held to have carried what now."""
    world = lasting_world
    world.empty()
    first = [
        ("told", "daily_bars", [("X", at, 0) for at in range(RENAMED)], {"means": "date", "on": 12}),
        ("told", "daily_bars", [("Y", at, 0) for at in range(RENAMED, 13)], {"means": "date", "on": 12}),
    ]
    loads = play(world, [*first, *events])
    insist_on_twin(world, loads)
    insist_on_sound(world)
