"""Rows of lists in names of today, by any history, are whose they would be had all been known at first."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.shared.models.undo import removal_of, undo_of
from tests.support.exchange import NOW
from tests.support.naive import whose
from tests.support.worlds.telling import (
    DATED,
    RANKS,
    RENAMED,
    VALUES,
    day,
    insist_on_sound,
    listed,
    recorded,
    renames,
    tell,
)
from tests.support.worlds.world import World

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


def _load(world, payload):
    """Load a payload fetched when its turn is, whatever instant it speaks of, so that it overtakes none."""
    World.load(world, replace(payload, fetched_at=NOW))


def _undo(world, number):
    keys = world.ask(
        "SELECT archive_key FROM loads WHERE dataset IN ('daily_bars', 'splits', 'dividends') "
        "AND archive_key NOT LIKE '%%/undo/%%' AND load_id > 2 ORDER BY load_id"
    )
    if keys:
        (key,) = keys[number % len(keys)]
        _load(world, undo_of(key.partition("/")[0], "undo", [key], now_of(world)))


def _remove(world, symbol, at):
    """Remove all rows of an instrument; the model is told which, for it knows not who it was then.

    What was stored by an undo, or has stayed though its load was undone, is told without its load: it is
    another load's word, too, and the model knows that one.
    """
    who = "(SELECT instrument_id FROM symbols WHERE symbol = %s AND %s BETWEEN valid_from AND valid_to)"
    undone = {
        load_id
        for (load_id,) in world.ask(
            "SELECT load_id FROM loads WHERE archive_key LIKE '%%/undo/%%' "
            "UNION SELECT load_id FROM taken_back_loads"
        )
    }
    rows = {
        dataset: {
            (
                None if load_id in undone else load_id,
                world.date(key) if dataset == "daily_bars" else key,
                tuple(values),
            )
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
        _load(world, removal_of("file", "removal", symbol, day(world, at), now_of(world)))
        return {"dataset": "daily_bars", "removed": rows}
    return None


_PLAYERS = {
    "told": lambda world, dataset, rows, how: tell(world, dataset, rows, **how),
    "state": lambda world, symbol, to, at: renames(world, to, at, symbol),
    "listed": listed,
    "recorded": recorded,
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
