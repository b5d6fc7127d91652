"""`condvest history`: how a daily bar came to be what it is."""

import csv
import datetime as dt
import io
import json
from itertools import pairwise

import pytest

from tests.support.in_process import Program
from tests.support.payloads import bar

COLUMNS = (
    "session,known_from,known_to,open,high,low,close,volume,vwap,trades,provider,name,archive_key,ended_by"
)


@pytest.fixture
def condvest(world):
    """Session 2 of A: as it came, corrected, withdrawn, and given again by another provider."""
    world.archive = world.workspace.archive
    rows = [bar("A", world.date(at)) for at in range(4)]
    others = [bar("B", world.date(at)) for at in range(4)]

    def answer(name, *of_session_2):
        told = [*rows[:2], *of_session_2, rows[3], *others]
        world.bars(told, provider="massive", whole=(0, 3), name=name)

    answer("first answer", rows[2])
    answer("second answer", bar("A", world.date(2), 1))
    answer("third answer")
    world.bars([bar("A", world.date(2), 2)], name="mine.csv")
    return Program(world.url, world.workspace.settings.home)


def states(condvest, *more):
    shown = condvest.done("history", "A", "--format", "csv", *more).out
    assert shown.splitlines()[0] == COLUMNS
    return list(csv.DictReader(io.StringIO(shown)))


def test_each_state_has_its_instants_values_and_payloads(condvest, world):
    found = states(condvest, "--session", world.date(2))
    assert [(row["provider"], row["name"], row["ended_by"]) for row in found] == [
        ("massive", "first answer", "second answer"),
        ("massive", "second answer", "third answer"),
        ("file", "mine.csv", ""),
    ]
    closes = [bar("A", world.date(2), version)["close"] for version in range(3)]
    assert [float(row["close"]) for row in found] == closes
    loaded = [at for (at,) in world.ask("SELECT loaded_at FROM loads ORDER BY load_id")]
    known = [(dt.datetime.fromisoformat(row["known_from"]), row["known_to"]) for row in found]
    assert [at for at, _ in known] == [loaded[0], loaded[1], loaded[3]]
    ends = [dt.datetime.fromisoformat(end) for _, end in known[:2]]
    assert ends == [loaded[1], loaded[2]], "between the third answer and mine there was no bar"
    assert found[2]["known_to"] == ""


def test_every_payload_is_in_the_archive_where_it_is_said_to_be(condvest, world):
    for row in states(condvest):
        kept = world.archive.read(row["archive_key"])
        assert (kept.provider, kept.name) == (row["provider"], row["name"])
        assert row["session"].encode() in kept.content


def test_what_was_known_at_an_instant_is_the_state_between_whose_instants_it_lies(condvest, world):
    """History and as-of tell the same."""
    found = states(condvest, "--session", world.date(2))
    for row in found:
        shown = condvest.done(
            *("bars", "A", "--interval", "1", "--adjust", "none", "--as-of", row["known_from"]),
            *("--start", world.date(2), "--end", world.date(2), "--format", "csv"),
        ).out
        (told,) = csv.DictReader(io.StringIO(shown))
        assert {
            name: told[name] for name in ("open", "high", "low", "close", "volume", "vwap", "trades")
        } == {name: row[name] for name in ("open", "high", "low", "close", "volume", "vwap", "trades")}


def test_without_a_session_it_is_all_of_them_in_order(condvest, world):
    found = states(condvest)
    assert [row["session"] for row in found] == [world.date(at).isoformat() for at in (0, 1, 2, 2, 2, 3)]
    keys = [(row["session"], row["known_from"]) for row in found]
    assert all(before < after for before, after in pairwise(keys))


def test_as_json_the_unknown_is_null(condvest, world):
    lines = condvest.done("history", "A", "--session", world.date(2), "--format", "json").out.splitlines()
    last = json.loads(lines[-1])
    assert (last["known_to"], last["ended_by"]) == (None, None)
    assert last["session"] == world.date(2).isoformat()


def test_as_a_table_it_fits_and_names_the_payloads(condvest, world):
    shown = condvest.done("history", "A", "--session", world.date(2)).out
    assert "mine.csv" in shown


def test_what_there_is_not_is_named(condvest, world):
    assert "no instrument with bars carries the symbol NONE" in condvest("history", "NONE").err
    saturday = condvest("history", "A", "--session", "1962-01-06")
    assert saturday.code == 1
    assert "1962-01-06 is no session of the exchange" in saturday.err
    assert states(condvest, "--session", world.date(50)) == []
