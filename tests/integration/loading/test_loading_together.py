"""Payloads loaded in one transaction leave what payloads loaded one after the other leave."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.fetching.fetch import Fetcher, FetchReport
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Fetched
from tests.support.payloads import bar, bars_payload, payload, split, splits_payload

FIRST = 15_000
SYMBOLS = ("A", "B", "C", "D", "E", "F", "G", "a")
TABLES = {
    "instruments": "instrument_id",
    "loads": "load_id, provider_id, dataset, name, archive_key, digest, fetched_at, rows, inserted, changed, "
    "unchanged, withdrawn, outranked, duplicates, refused",
}
"""The columns that tell no time of the clock; all of any other table."""


@st.composite
def bars(draw):
    """Draw a vendor's answer for one or two sessions, or a file with some of them."""
    first = FIRST + draw(st.integers(0, 7))
    last = first + draw(st.sampled_from([0, 0, 0, 1]))
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=len(SYMBOLS)))
    version, broken = draw(st.integers(0, 1)), draw(st.sampled_from([None, None, *SYMBOLS]))
    return {
        "rows": [
            (symbol, ordinal, version, symbol == broken)
            for ordinal in range(first, last + 1)
            for symbol in symbols
        ],
        "asked": (first, last) if draw(st.integers(0, 3)) else None,
        "provider": draw(st.sampled_from(["massive", "massive", "massive", "yahoo"])),
    }


@st.composite
def histories(draw):
    """Draw payloads, and where they are cut into those that are loaded together."""
    drawn = draw(st.lists(st.one_of(bars(), bars(), bars(), st.just({"split": FIRST + 3})), max_size=12))
    cuts = draw(st.lists(st.integers(1, 5), min_size=len(drawn), max_size=len(drawn)))
    return drawn, cuts


def made(world, one):
    """Return the payload that was drawn."""
    if "split" in one:
        return splits_payload([split("B", world.date(one["split"]))], provider="massive")
    rows = [
        bar(symbol, world.date(ordinal), version, **({"high": 0.01} if is_broken else {}))
        for symbol, ordinal, version, is_broken in one["rows"]
    ]
    asked = one["asked"] and tuple(map(world.date, one["asked"]))
    if not rows and not asked:
        rows, asked = [], tuple(map(world.date, (FIRST, FIRST)))
    return bars_payload(rows, asked=asked, provider=one["provider"])


def state(world):
    """Return all that is stored but the times of the clock, and the numbers of the records of changes."""
    held = {
        name: world.ask(f"SELECT t::text FROM {name} t ORDER BY 1")
        for name in world.relations()
        if name not in ("changes", "instruments", "loads")
    }
    for name, columns in TABLES.items():
        held[name] = world.ask(f"SELECT {columns} FROM {name} ORDER BY 1")
    held["changes"] = world.ask(
        "SELECT partition, instrument_id, provider_id, first_ordinal, last_ordinal FROM changes "
        "ORDER BY 1, 2, 3, 4, 5"  # a split that waited is placed after the bars loaded with it
    )
    return held


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_together_or_one_after_the_other(world, history):
    """Withdrawn, corrected, refused, cut short, of two providers and of new symbols: the same to the row."""
    drawn, cuts = history
    world.empty()
    alone = [replace(world.load(made(world, one)), seconds={}) for one in drawn]
    wanted, kept = state(world), set(world.archive.payloads)

    world.empty()
    together, at = [], 0
    for cut in cuts:
        together += world.load_all([made(world, one) for one in drawn[at : at + cut]])
        at += cut
    assert [replace(one, seconds={}, notices=()) for one in together] == [
        replace(one, notices=()) for one in alone
    ]
    assert state(world) == wanted
    assert set(world.archive.payloads) == kept
    world.resample()
    assert world.differences() == []


class Given:
    """A provider that gives what it is told to."""

    name = "massive"

    def __init__(self, payloads):
        self._payloads = payloads

    def reference(self):
        return [Fetched(each) for each in self._payloads]

    def details(self, _):
        return ()

    def renames(self, _):
        return ()


def test_one_that_cannot_be_read_costs_itself_only(world):
    """What comes before and after it is stored; it is named, and in the archive."""
    good = [bars_payload([bar("A", world.date(FIRST + number))], provider="massive") for number in range(3)]
    bad = payload("daily_bars", b"nothing,of,this\n1", provider="massive")
    loader = replace(world.workspace.loader(world.sessions), archive=world.archive)
    fetched = FetchReport()
    Fetcher(Given([good[0], good[1], bad, good[2]]), loader).metadata((), fetched)
    assert [load.inserted for load in fetched.loads] == [1, 1, 1]
    assert [(failed.name, type(failed.error)) for failed in fetched.failed] == [(bad.name, InputError)]
    assert world.number("SELECT count(*) FROM daily_bars") == 3
    assert len(world.archive.payloads) == 4


def test_nothing_of_a_transaction_that_fails_is_stored(world, monkeypatch):
    """The archive gives out at the third of four: no session is half there, and the next try has them all."""
    payloads = [
        bars_payload([bar("A", world.date(FIRST + number))], provider="massive") for number in range(4)
    ]
    keep, kept = world.archive.keep, []

    def fails_at_the_third(one, **how):
        kept.append(one)
        if len(kept) == 3:
            raise OSError("the disk is gone")
        return keep(one, **how)

    monkeypatch.setattr(world.archive, "keep", fails_at_the_third)
    with pytest.raises(OSError, match="the disk is gone"):
        world.load_all(payloads)
    assert world.number("SELECT count(*) FROM daily_bars") == world.number("SELECT count(*) FROM loads") == 0
    world.load_all(payloads)
    assert world.number("SELECT count(*) FROM daily_bars") == 4
