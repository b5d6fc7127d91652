"""A load is taken back: everything is as if it had never been, and as of before nothing has changed.

The oracle is a second database into which the same payloads were loaded but for those taken back.
"""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.fetching.check_archive import check_archive
from condvest.batch_layer.fetching.rebuild import keys_to_load, rebuild
from condvest.batch_layer.operations.undo import undo_load
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import UnknownSymbol, UsageError
from condvest.batch_layer.shared.models.undo import removal_of, undo_of
from condvest.batch_layer.shared.settings import INTERVALS, DatabaseSettings, Settings
from condvest.serving_layer.queries.bars.bars_table import read_bars, read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.history import published_history, read_history
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sources.published_past import as_known
from tests.support.exchange import NOW
from tests.support.payloads import bar, bars_payload, dividends_payload, payload, splits_payload
from tests.support.publishing import from_database, published
from tests.support.worlds.world import MemoryArchive, World

SESSIONS = range(4)
STORED = {
    "daily_bars": "ordinal, open, high, low, close, volume, vwap, trades",
    "splits": "ex_date, split_from, split_to",
    "dividends": "ex_date, cash_amount",
}


class ReadableArchive(MemoryArchive):
    """The archive of the worlds, which can also be read."""

    def read(self, key):
        return self.payloads[key]

    def keys(self):
        return iter(sorted(self.payloads, key=lambda key: key.rpartition("/")[2]))


@pytest.fixture(scope="module")
def worlds(server, sessions, tmp_path_factory):
    """Three worlds: that of the undo, the oracle's, and one to rebuild in."""
    home = tmp_path_factory.mktemp("home")
    with server.lent() as one, server.lent() as two, server.lent() as three:
        made = []
        for url in (one, two, three):
            database = Database(url)
            workspace = Workspace(Settings(home=home, database=DatabaseSettings(url=url)), database, NOW)
            made.append(World(workspace, sessions))
        yield made
        for world in made:
            world.close()
            world.workspace.database.close()


def emptied(worlds):
    for world in worlds:
        world.archive = ReadableArchive()
        world.empty()
    return worlds


def stored(world):
    """Return every row by data set, symbol and key.

    Not whose word it is: a file that repeated a vendor's value, when a load that is gone had overwritten it,
    keeps it; the oracle's file found nothing to change.
    """
    return {
        name: world.ask(
            f"SELECT symbol, {columns} FROM {name} JOIN symbols USING (instrument_id) ORDER BY 1, 2"
        )
        for name, columns in STORED.items()
    }


def as_of(world, instant):
    """Return the answers as of an instant, of two intervals and with all adjustments."""
    return [
        read_bars(
            world.workspace.database,
            world.sessions,
            Question(interval=interval, adjust=adjust, include_open=True, as_of=instant),
        ).to_pylist()
        for interval in (1, 3)
        for adjust in ("none", "total")
    ]


def now_of(world):
    return world.ask("SELECT max(loaded_at) FROM loads")[0][0]


def undo(world, *positions, dry_run=False):
    """Take back the load of the payloads at positions of the archive."""
    keys = list(world.archive.keys())
    chosen = [keys[position] for position in positions]
    (name,) = {key.partition("/")[0] for key in chosen}
    return world.load(undo_of(name, "undo", chosen, NOW), rehearsal=dry_run)


SYMBOL = st.sampled_from("AB")
SESSION = st.sampled_from(SESSIONS)


@st.composite
def payloads(draw):
    """A payload by name of its kind: a file, a vendor's answer of symbols, or of the whole market."""
    kind = draw(st.sampled_from(["bars", "bars", "whole", "splits", "dividends"]))
    if kind == "whole":
        at = draw(SESSION)
        symbols = draw(st.sets(SYMBOL, min_size=1))
        return kind, "massive", tuple((symbol, at, draw(st.integers(0, 2))) for symbol in sorted(symbols))
    provider = draw(st.sampled_from(["file", "own", "yahoo"]))
    keys = draw(st.sets(st.tuples(SYMBOL, SESSION), min_size=1, max_size=5))
    return kind, provider, tuple((*key, draw(st.integers(0, 2))) for key in sorted(keys))


def payload_of(world, given_payload):
    kind, provider, rows = given_payload
    if kind in ("bars", "whole"):
        asked = (world.date(rows[0][1]),) * 2 if kind == "whole" else None
        bars = [bar(symbol, world.date(at), version) for symbol, at, version in rows]
        return bars_payload(bars, asked=asked, provider=provider)
    dated = [(symbol, world.date(at + 1), version) for symbol, at, version in rows]
    if kind == "splits":  # of version 0 a person takes the split back; a vendor's is refused
        keys = ("symbol", "ex_date", "split_from", "split_to")
        values = [dict(zip(keys, (*row[:2], min(row[2], 1), 2 * row[2]), strict=True)) for row in dated]
        return splits_payload(values, provider=provider)
    values = [dict(zip(("symbol", "ex_date", "cash_amount"), row, strict=True)) for row in dated]
    return dividends_payload(values, provider=provider)


def insist_on_undo(worlds, history, at):
    undone, oracle, again = emptied(worlds)
    if any(kind in ("splits", "dividends") for kind, *_ in history):
        # Else the oracle keeps an action waiting whose instrument is there, without bars, after an undo.
        for world in (undone, oracle):
            world.bars([bar(symbol, world.date(9)) for symbol in "AB"], provider="base", name="base")
    for number, each in enumerate(history):
        before = len(undone.archive.payloads)
        undone.load(replace(payload_of(undone, each), name=f"{number}"))
        if number == at:
            positions = range(before, len(undone.archive.payloads))
        else:
            oracle.load(replace(payload_of(oracle, each), name=f"{number}"))
    undone.resample()
    instant = now_of(undone)
    answers = as_of(undone, instant)
    if not positions:  # its bytes were in the archive already: there is nothing of its own
        return
    key = list(undone.archive.keys())[positions[0]]
    counted = undone.ask("SELECT load_id FROM loads WHERE archive_key = %s", key)
    undo(undone, *positions)
    if not counted:
        return
    assert stored(undone) == stored(oracle)
    _, provider, _ = history[at]
    missing = set(oracle.ledger(provider)) - set(undone.ledger(provider))
    if provider != "massive":
        assert missing == set()
    assert set(undone.ledger(provider)) <= set(oracle.ledger(provider))
    assert as_of(undone, instant) == answers
    undone.resample()
    assert undone.differences() == []
    assert as_of(undone, instant) == answers
    rebuilt(undone, again)
    assert stored(again) == stored(undone)
    assert again.ask("SELECT * FROM ledger ORDER BY 1, 2") == undone.ask("SELECT * FROM ledger ORDER BY 1, 2")
    assert list(check_archive(undone.loader(), None, 0)) == []
    assert undo(undone, *positions).altered == 0


def rebuilt(world, again):
    again.archive = world.archive
    loader = replace(again.loader(), is_rebuild=True)
    rebuild(loader, keys_to_load(loader), [])


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(payloads(), min_size=2, max_size=6, unique=True), data=st.data())
def test_acceptance_3_an_undone_load_is_as_if_it_had_never_been(worlds, history, data):
    insist_on_undo(worlds, history, data.draw(st.integers(0, len(history) - 1)))


@pytest.mark.long
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(payloads(), min_size=2, max_size=8, unique=True), data=st.data())
def test_an_undone_load_is_as_if_it_had_never_been_many_times(worlds, history, data):
    insist_on_undo(worlds, history, data.draw(st.integers(0, len(history) - 1)))


@pytest.fixture
def market(world):
    """A and B of Massive's whole market in the sessions 0 to 5; a file says otherwise of A in two."""
    world.archive = ReadableArchive()
    for at in range(6):
        rows = [bar(symbol, world.date(at)) for symbol in "AB"]
        world.bars(rows, whole=(at, at), provider="massive", name=f"massive {at}")
    world.bars([bar("A", world.date(at), 1) for at in (2, 3)], name="wrong.csv")
    world.resample()
    yield world
    world.resample()
    assert world.differences() == []
    assert list(check_archive(world.loader(), None, 0)) == []


def closes(world, symbol, as_of=None, interval=1):
    question = Question(symbols=[symbol], interval=interval, include_open=True, adjust="none", as_of=as_of)
    return read_bars(world.workspace.database, world.sessions, question)["close"].to_pylist()


def close(world, symbol, at, version=0):
    return bar(symbol, world.date(at), version)["close"]


def test_a_dry_run_says_what_an_undo_would_do_and_stores_nothing(market):
    before = market.dump(sequences=False)
    done = undo(market, 6, dry_run=True)
    assert (done.changed, done.inserted, done.withdrawn) == (2, 0, 0)
    assert done.notices == ("2 sessions count as not loaded now",)
    assert market.dump(sequences=False) == before
    assert len(market.archive.payloads) == 7


def test_an_undo_resamples_what_it_touches_and_nothing_else(market):
    undo(market, 6)
    # A of the sessions 2 and 3: the windows 0 and 1 of 3 sessions, and window 0 of the others.
    assert market.resample().windows == {3: 2, 5: 1, 8: 1, 13: 1, 21: 1, 34: 1}
    assert closes(market, "A") == [close(market, "A", at) for at in range(6)]


def test_what_a_vendor_corrected_while_a_file_outranked_it_counts_after_the_undo(market):
    corrected = [bar("A", market.date(2), 2), bar("B", market.date(2))]
    done = market.bars(corrected, whole=(2, 2), provider="massive", name="massive 2 again")
    assert (done.outranked, closes(market, "A")[2]) == (1, close(market, "A", 2, 1))
    undo(market, 6)
    assert closes(market, "A")[2] == close(market, "A", 2, 2)
    third = market.bars(
        [bar("A", market.date(2), 3), bar("B", market.date(2))], whole=(2, 2), provider="massive"
    )
    assert (third.changed, closes(market, "A")[2]) == (1, close(market, "A", 2, 3))


def test_a_vendors_session_that_is_taken_back_is_missing_and_comes_again(market):
    undo(market, 4)
    assert sorted(market.ledger("massive")) == [0, 1, 2, 3, 5]
    assert closes(market, "B") == [close(market, "B", at) for at in (0, 1, 2, 3, 5)]
    again = market.bars(
        [bar(symbol, market.date(4)) for symbol in "AB"], whole=(4, 4), provider="massive", name="massive 4"
    )
    assert (again.inserted, sorted(market.ledger("massive"))) == (2, list(range(6)))
    assert closes(market, "B") == [close(market, "B", at) for at in range(6)]


def test_a_file_that_is_taken_back_may_be_imported_again(market):
    undo(market, 6)
    again = market.bars([bar("A", market.date(at), 1) for at in (2, 3)], name="wrong.csv")
    assert (again.changed, closes(market, "A")[2]) == (2, close(market, "A", 2, 1))
    assert market.ledger("file") == {2: "complete", 3: "complete"}


def test_a_split_of_a_person_that_is_taken_back_bars_no_vendor(market):
    """Neither the wrong split, nor its taking back by zeros: unlike zeros, an undo says nothing itself."""
    split = {"symbol": "A", "ex_date": market.date(3), "split_from": 1, "split_to": 2}
    market.splits([split], name="splits.csv")
    undo(market, 7)
    assert market.splits([split], provider="massive").inserted == 1
    market.splits([{**split, "split_from": 0, "split_to": 0}], name="zeros.csv")
    assert market.ask("SELECT * FROM splits") == []
    undo(market, -1)
    assert market.number("SELECT count(*) FROM splits") == 1


@pytest.mark.parametrize("provider", ["file", "own"])
def test_what_an_undo_leaves_to_another_file_is_taken_back_with_that_one(market, provider):
    """Both files are wrong about A of session 2: first the one goes, and the other's word is in force."""
    market.bars([bar("A", market.date(2), 1)], provider=provider, name="wrong too.csv")
    undo(market, 6)
    assert closes(market, "A") == [close(market, "A", at, int(at == 2)) for at in range(6)]
    market.resample()
    undo(market, 7)
    assert closes(market, "A") == [close(market, "A", at) for at in range(6)]


def test_a_split_that_two_files_took_back_is_there_again_without_both(market):
    split = {"symbol": "A", "ex_date": market.date(3), "split_from": 1, "split_to": 2}
    market.splits([split], provider="massive", name="splits")
    for name in ("zeros.csv", "zeros too.csv"):
        others = [{**split, "symbol": "B", "split_to": len(name)}]  # no two files have the same bytes
        market.splits([{**split, "split_from": 0, "split_to": 0}, *others], name=name)
    undo(market, 8)
    assert [symbol for symbol, *_ in stored(market)["splits"]] == ["B"]
    undo(market, 9)
    assert market.ask("SELECT split_to FROM splits") == [(2,)]


def test_a_split_that_waits_for_its_symbol_waits_no_longer(market):
    split = {"symbol": "C", "ex_date": market.date(3), "split_from": 1, "split_to": 2}
    market.splits([split], name="splits.csv")
    undo(market, 7)
    market.bars([bar("C", market.date(at)) for at in range(6)], name="c.csv")
    assert market.ask("SELECT * FROM splits") == []


def remove(world, symbol, at):
    return world.load(removal_of("massive", f"removal of {symbol}", symbol, world.date(at), NOW))


def test_a_symbol_that_is_removed_is_gone_now_and_there_as_of_before(market):
    instant = now_of(market)
    before = closes(market, "A", instant)
    market.dividends([{"symbol": "A", "ex_date": market.date(3), "cash_amount": 1}])
    done = remove(market, "A", 5)
    assert done.withdrawn == 7
    market.resample()
    assert closes(market, "A", instant) == before
    with pytest.raises(UnknownSymbol, match="carries the symbol A"):
        closes(market, "A")
    assert closes(market, "B") == [close(market, "B", at) for at in range(6)]
    assert market.ledger("file") == {}
    assert len(market.ledger("massive")) == 6
    assert market.number("SELECT count(*) FROM bars") == len(INTERVALS) + 2  # of B: two windows of 3 and of 5
    # The whole market's next answer gives it again.
    market.bars([bar(symbol, market.date(5)) for symbol in "AB"], whole=(5, 5), provider="massive")
    assert closes(market, "A") == [close(market, "A", 5)]


def test_an_undo_brings_nothing_back_that_was_removed_before(market):
    """What Massive and the first file said of A was removed, and then a file gave two sessions of it anew."""
    remove(market, "A", 5)
    market.bars([bar("A", market.date(at), 2) for at in (3, 9)], name="again.csv")
    market.splits([{"symbol": "B", "ex_date": market.date(3), "split_from": 1, "split_to": 2}])
    undo(market, 8)
    with pytest.raises(UnknownSymbol, match="carries the symbol A"):
        closes(market, "A")
    assert closes(market, "B") == [close(market, "B", at) for at in range(6)]


@pytest.mark.parametrize("take_back", [lambda world: undo(world, 6), lambda world: remove(world, "A", 5)])
def test_what_is_published_follows(market, target, take_back):
    first = now_of(market)
    published(market, target)
    take_back(market)
    published(market, target)
    for symbols in (None, ["B"]):
        for as_of in (None, first):
            asked = {"symbols": symbols, "interval": 3, "include_open": True, "as_of": as_of}
            files = as_known(PublishedSource.open(target), as_of)
            assert read_bars_from(files, Question(**asked)).equals(from_database(market, **asked))
    history = published_history(PublishedSource.open(target), "A", market.date(2))
    assert history.equals(read_history(market.workspace, "A", market.date(2)))


def test_an_undo_that_is_killed_before_its_commit_has_done_nothing(market, monkeypatch):
    before = market.dump(sequences=False)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("condvest.batch_layer.fetching.loading.taking_back.undoing._count", killed)
    with pytest.raises(KeyboardInterrupt):
        undo(market, 6)
    assert market.dump(sequences=False) == before
    monkeypatch.undo()
    assert undo(market, 6).changed == 2


def test_two_at_once_take_a_load_back_once(market):
    key = list(market.archive.keys())[6]
    later = NOW + dt.timedelta(seconds=1)
    done = market.load_all([undo_of("file", "undo", [key], at) for at in (NOW, later)])
    assert [each.changed for each in done] == [2, 0]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (99, "there is no load 99; condvest loads lists them"),
        (7, "load 7 was taken back already, by load 8"),
        (8, "load 8 takes back another one; to have that again, import or fetch it again"),
        (10, "load 10 is of renames; only daily bars, splits and dividends can be taken back"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(market, number, said):
    undo(market, 6)
    market.load(payload("renames", f"from,to,date\nA,Z,{market.date(9)}\n".encode()))
    with pytest.raises(UsageError, match=said):
        undo_load(market.workspace, number, dry_run=True)
