"""A connection that is cut before or after any message of a load or of a resampling.

Nothing is half done ever; and done once more, all is as it should be, whether the first time had counted or
not.
"""

from itertools import count

import pytest

from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.databases.fragile import Fragile, cut_everywhere
from tests.support.exchange import NOW
from tests.support.payloads import bar, json_payload, split
from tests.support.worlds.long_world import LongWorld
from tests.support.worlds.playing import play

TABLES = (
    "daily_bars", "daily_bar_revisions", "splits", "split_revisions", "dividends", "dividend_revisions",
    "metadata", "metadata_revisions", "symbols", "instrument_providers", "ledger", "loads", "refused_rows",
    "changes", "bars",
)  # fmt: skip


@pytest.fixture
def fragile(url, sessions, tmp_path, monkeypatch):
    """Two instruments over 12 sessions of a vendor's, resampled, on a connection that can be cut."""
    cut_everywhere(monkeypatch)
    with Fragile(url) as database:
        world = LongWorld(
            Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=url)), database, NOW), sessions
        )
        rows = [bar(symbol, world.date(at)) for symbol in ("A", "B") for at in range(12)]
        world.bars(rows, provider="massive", whole=(0, 11))
        world.resample()
        yield world
        world.close()


def held(world):
    """Return a digest of each table."""
    digest = "SELECT '{0}', md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {0} AS t"
    return dict(world.ask(" UNION ALL ".join(digest.format(name) for name in TABLES)))


def new_session(world, version):
    """The next session: one bar of each, one refused, one of an instrument that is new."""
    at = 12 + version
    # All known, so that each version takes as many messages as the others.
    rows = [bar(symbol, world.date(at), vwap=9.0, trades=9) for symbol in ("A", "B", f"N{version}")]
    world.bars([*rows, bar("C", world.date(at), high=0.01)], provider="massive", whole=(at, at))


def correction(world, version):
    """A whole session again: A is corrected, B as it was, a third one new, the last third one withdrawn."""
    rows = [bar("A", world.date(5), version), bar("B", world.date(5)), bar(f"W{version}", world.date(5))]
    world.bars(rows, provider="massive", whole=(5, 5))


def some_splits(world, version):
    world.splits([split("A", world.date(7), 1, 2 + version), split("B", world.date(version % 11))])


def some_dividends(world, version):
    world.dividends([{"symbol": "A", "ex_date": world.date(7), "cash_amount": 1 + version}])


def rename(world, version):
    """B is renamed, by its FIGI: its bars stay, the new symbol is its own."""
    row = {"ticker": "B", "name": f"B {version}", "active": True, "composite_figi": "F1"}
    world.load(json_payload("instruments", [row]))
    play(world, ("renames", "F1", [(0, "B"), (version + 1, "A"), (version + 2, "B")]))


MOST_MISSED = 8
"""So often a version of a load may take a message less than the one before."""

# To the server it is the same whether the client dies after one message or before the next.
BOTH = pytest.mark.parametrize("after", [True, pytest.param(False, marks=pytest.mark.long)], ids=str)


@BOTH
@pytest.mark.parametrize("load", [new_session, correction, some_splits, some_dividends, rename])
def test_a_load_that_is_cut_off_anywhere_is_nothing_or_all(fragile, load, after):
    """At each message in turn, until there are no more.

    A load whose instruments share a partition takes a message less. So the last message, the COMMIT, is
    looked for again if a version of the load ends before it.
    """
    world, counted, cuts, missed = fragile, 0, 0, 0
    for version in count():
        before = held(world)
        with world.workspace.database.cut(cuts, after=after) as cut:
            load(world, version)
        if not cut:
            if counted or not after or missed == MOST_MISSED:
                break
            missed += 1
            cuts -= 1
            continue
        then = held(world)
        load(world, version)
        if load is not rename:  # which is two loads, of which the first may have counted
            assert (then == before) or (then == held(world))
        counted += then != before
        world.resample()
        assert world.differences() == []
        cuts += 1
    assert cuts > 15
    assert 0 < counted < cuts or not after


@BOTH
def test_a_resampling_that_is_cut_off_anywhere_is_nothing_or_all(fragile, after):
    """Either the bars are as before and the records there, or the bars are new and the records gone."""
    world, counted, cuts = fragile, 0, 0
    while True:
        some_splits(world, cuts)
        before = held(world)
        with world.workspace.database.cut(cuts, after=after) as cut:
            world.resample()
        if not cut:
            break
        then = held(world)
        world.resample()
        assert world.differences() == []
        assert then in (before, held(world))
        counted += then != before
        cuts += 1
    assert cuts > 15
    assert 0 < counted < cuts
