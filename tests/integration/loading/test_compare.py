"""`condvest compare` and `condvest quality`: what they say, in which shape."""

import csv
import io
import json

import pytest

from tests.support.in_process import Program
from tests.support.payloads import bar

SYMBOLS = ("A", "B")


@pytest.fixture
def condvest(world):
    world.archive = world.workspace.archive
    return Program(world.url, world.workspace.settings.home)


def rows_of(shown):
    return list(csv.DictReader(io.StringIO(shown)))


def differing(condvest, *more):
    shown = condvest.done("compare", "--providers", "mine,yours", "--format", "csv", *more).out
    assert shown.splitlines()[0] == "symbol,session,field,mine,yours"
    return [tuple(row.values()) for row in rows_of(shown)]


def price(world, symbol, at, close):
    return bar(symbol, world.date(at), open=close, high=99, low=1, close=close, volume=10)


def test_every_value_that_differs_and_every_bar_that_one_lacks(condvest, world):
    """Yours came last, so the stored bars are yours: what mine answered counts all the same."""
    world.bars([price(world, "A", at, 50) for at in range(6)], provider="mine")
    yours = [price(world, "A", at, 51 if at == 2 else 50) for at in (1, 2, 3, 5)]
    world.bars(yours, provider="yours")
    session = {at: world.date(at).isoformat() for at in range(6)}
    assert differing(condvest) == [
        ("A", session[2], "close", "50.0", "51.0"),
        ("A", session[2], "open", "50.0", "51.0"),
        ("A", session[4], "missing", "50.0", ""),
    ]


def test_only_what_both_could_have_given_is_compared(condvest, world):
    """B is mine alone; of A yours begins at session 3."""
    world.bars([price(world, symbol, at, 50) for symbol in SYMBOLS for at in range(6)], provider="mine")
    world.bars([price(world, "A", at, 50) for at in (3, 5, 6)], provider="yours")
    assert differing(condvest) == [("A", world.date(4).isoformat(), "missing", "50.0", "")]


def test_the_later_answer_counts(condvest, world):
    """A correction by a file, and a whole-market answer that has taken a bar back."""
    world.bars([price(world, symbol, at, 50) for symbol in SYMBOLS for at in range(4)], provider="yours")
    world.bars(
        [price(world, symbol, at, 51) for symbol in SYMBOLS for at in range(4)], provider="mine", whole=(0, 3)
    )
    assert len(differing(condvest)) == 16
    kept = [price(world, symbol, at, 50) for symbol in SYMBOLS for at in range(4) if (symbol, at) != ("B", 2)]
    world.bars(kept, provider="mine", whole=(0, 3))
    assert differing(condvest) == [("B", world.date(2).isoformat(), "missing", "", "50.0")]


def test_an_answer_that_is_cut_short_takes_nothing_back(condvest, world):
    """3 rows after five sessions of 25: the other 22 of session 5 stay what they were."""
    many = [f"S{number}" for number in range(25)]
    for provider in ("mine", "yours"):
        rows = [price(world, symbol, at, 50) for at in range(6) for symbol in many]
        world.bars(rows, provider=provider, whole=(0, 5))
    short = world.bars([price(world, symbol, 5, 51) for symbol in many[:3]], provider="mine", whole=(5, 5))
    assert short.partial == (world.date(5),)
    assert {row[:3] for row in differing(condvest)} == {
        (symbol, world.date(5).isoformat(), name) for symbol in many[:3] for name in ("open", "close")
    }


def test_the_tolerance(condvest, world):
    for provider, close in (("mine", 50.0), ("yours", 50.00001)):
        world.bars([price(world, "A", 0, close)], provider=provider)
    assert differing(condvest) == []
    assert len(differing(condvest, "--tolerance", "1e-9")) == 2


def test_as_json_and_as_a_table(condvest, world):
    for provider, close in (("mine", 50), ("yours", 51)):
        world.bars([price(world, "A", 0, close)], provider=provider)
    asked = ("compare", "--providers", "mine,yours")
    lines = [json.loads(line) for line in condvest.done(*asked, "--format", "json").out.splitlines()]
    session = world.date(0).isoformat()
    assert lines == [
        {"symbol": "A", "session": session, "field": name, "mine": 50.0, "yours": 51.0}
        for name in ("close", "open")
    ]
    assert "yours" in condvest.done(*asked).out


@pytest.mark.parametrize("asked", ["mine", "mine,", ",mine", "mine,mine", "a,b,c"])
def test_two_names_are_needed(condvest, asked):
    ran = condvest("compare", "--providers", asked)
    assert ran.code == 2
    assert "must name two providers, such as sample,file" in ran.err


def test_a_provider_that_gave_nothing_is_named(condvest, world):
    world.bars([price(world, "A", 0, 50)], provider="mine")
    ran = condvest("compare", "--providers", "mine,nobody")
    assert (ran.code, ran.err) == (2, "error: no daily bars of 'nobody' were ever loaded\n")
    assert world.ask("SELECT provider FROM providers") == [("mine",)]


@pytest.fixture
def flagged(condvest, world):
    """40 quiet sessions of A and B; on 30 A halves as a split would, on 35 B's volume has another unit."""
    rows = []
    for at in range(40):
        close = (100 + at % 3) / (2 if at >= 30 else 1)
        volume = (1000 + at % 3) * (2 if at >= 30 else 1)
        rows.append(bar("A", world.date(at), open=close, high=200, low=1, close=close, volume=volume))
        volume = (1000 + at % 3) * (100 if at == 35 else 1)
        close = 100 + at % 3
        rows.append(bar("B", world.date(at), open=close, high=200, low=1, close=close, volume=volume))
    world.bars(rows)
    return condvest


def test_quality_counts_by_flag_and_by_session_and_gives_reasons(flagged, world):
    told = flagged.done("quality", "--json").json
    sessions = [world.date(at).isoformat() for at in (30, 35)]
    assert told["flags"] == {"split_missing": 1, "volume_scale": 1}
    assert told["sessions"] == dict.fromkeys(sessions, 1)
    assert [(one["symbol"], one["session"], one["severity"]) for one in told["found"]] == [
        ("A", sessions[0], "error"),
        ("B", sessions[1], "warning"),
    ]
    assert "look for it" in told["found"][0]["reason"]
    assert told["found"][0]["value"] == 50 / 102
    assert told["found"][1]["value"] == pytest.approx(100, rel=0.01)


def test_quality_of_some_symbols_in_other_shapes(flagged):
    shown = flagged.done("quality", "B", "--format", "csv").out
    assert shown.splitlines()[0] == "symbol,session,severity,flag,value,reason"
    assert [row["flag"] for row in rows_of(shown)] == ["volume_scale"]
    assert "split_missing" in flagged.done("quality").out
    assert flagged("quality", "NOBODY").code == 1


def test_quality_alters_nothing(flagged, world):
    before = world.dump()
    flagged.done("quality")
    assert world.dump() == before
