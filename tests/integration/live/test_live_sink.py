"""Running bars over a real NATS server: many readers, an outage, a kill, and nothing that goes back."""

import random
import select
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from click.testing import CliRunner

from condvest.batch_layer.shared.errors import SettingsError, TransientError
from condvest.cli.commands.live import live
from condvest.live.sinking import follow, sinking
from condvest.speed_layer.services.publishing import Publisher
from condvest.speed_layer.sinks.jetstream import STREAM, JetStream, SinkUnavailable
from condvest.speed_layer.sinks.messages import HEAD, Incoming, Outgoing, subject_of, symbol_of
from tests.support.payloads import bar
from tests.support.worlds.alert_process import start
from tests.support.worlds.alerted import Alerted, day
from tests.support.worlds.live_script import DAY, SESSION, Script
from tests.support.worlds.nats_server import NatsServer


@pytest.fixture
def nats(tmp_path):
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def market(world):
    """A and B of Massive, loaded through the session before, with a run that has begun."""
    ordinal = world.number("SELECT ordinal FROM sessions WHERE session = %s", SESSION)
    rows = [bar(symbol, world.date(ordinal - 1)) for symbol in ("A", "B")]
    world.bars(rows, provider="massive", whole=(ordinal - 1, ordinal - 1))
    world.ordinal = ordinal
    with world.workspace.database.transaction() as connection:
        connection.execute(
            "INSERT INTO live_runs (provider, feed, ordinal, state, phase) "
            "VALUES ('massive', 'stream', %s, 'streaming', 'open')",
            (ordinal,),
        )
    return world


def tick(world, minute, **closes):
    """Commit a tick in which symbols have closes, as a collector does."""
    through = f"{SESSION} 15:{minute:02}:00+00"
    with world.workspace.database.transaction() as connection:
        connection.execute(
            "UPDATE live_runs SET ticks = ticks + 1, data_through = %s WHERE state <> 'ended'", (through,)
        )
        for symbol, close in closes.items():
            connection.execute(
                "INSERT INTO live_daily_bars (ordinal, instrument_id, open, high, low, close, volume, phase, "
                "data_through, run_id) SELECT %(ordinal)s, instrument_id, 10, 100, 1, %(close)s, 5, 'open', "
                "%(through)s, (SELECT max(run_id) FROM live_runs) FROM symbols WHERE symbol = %(symbol)s "
                "ON CONFLICT (ordinal, instrument_id) DO UPDATE SET close = excluded.close, "
                "data_through = excluded.data_through",
                {"ordinal": world.ordinal, "close": close, "through": through, "symbol": symbol},
            )
        connection.execute("SELECT pg_notify('condvest_live', '1')")


def known_now(url, symbols=()):
    """Return what a reader that begins now comes to know."""
    for rows, known in follow(url, symbols):
        if not rows and known.head is not None:
            return known
    return None


def closes(known):
    return {symbol: row["close"] for symbol, row in known.rows.items()}


def test_a_reader_gets_what_is_known_and_then_what_changes(market, nats):
    with JetStream(nats.url) as sink:
        publisher = Publisher(market.workspace.database, sink)
        tick(market, 1, A=20, B=30)
        assert publisher.once()
        reading = follow(nats.url)
        seen = []
        for rows, known in reading:
            seen += [(row["symbol"], row["close"]) for row in rows]
            if known.head is not None and known.head["ticks"] == 1:
                tick(market, 2, A=21)
                publisher.once()
            if known.head is not None and known.head["ticks"] == 2:
                break
        assert seen == [("A", 20), ("B", 30), ("A", 21)]
        assert known.is_whole
        assert known.head["bars"] == 2
        assert known.head["merged"] == 0
        only = known_now(nats.url, ["B"])
        assert closes(only) == {"B": 30}


def test_a_server_that_is_away_stops_nobody_and_ticks_that_are_merged_are_counted(market, nats):
    said = []
    with JetStream(nats.url) as sink:
        publisher = Publisher(market.workspace.database, sink, said.append)
        tick(market, 1, A=20, B=30)
        publisher.once()
        nats.kill()
        for minute in (2, 3, 4):
            tick(market, minute, A=20 + minute)
            assert publisher.once() is False
        assert len(said) == 1
        assert "the collector goes on" in said[0]
        nats.start()
        assert publisher.once()
        assert said[1:] == ["running bars are published again"]
    known = known_now(nats.url)
    assert closes(known) == {"A": 24, "B": 30}
    assert (known.head["ticks"], known.head["merged"]) == (4, 2)


def test_readers_resume_after_the_server_was_killed_and_never_go_back(market, nats):
    """Three readers while a collector's publisher runs; the server is killed twice in between."""
    seen, stop, said = [[] for _ in range(3)], threading.Event(), []

    def read(mine):
        for rows, _ in follow(nats.url, say=said.append, sleep=lambda _: stop.wait(0.05)):
            mine += rows
            if any(row["close"] == 59 for row in rows) or stop.is_set():
                return

    tick(market, 0, A=20, B=30)
    readers = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    try:
        with sinking(market.workspace, nats.url, said.append):
            for reader in readers:
                reader.start()
            for minute in range(1, 60):
                tick(market, minute, A=minute, B=100 - minute)
                if minute in (20, 40):
                    nats.kill()
                    nats.start()
        for reader in readers:
            reader.join(60)
        assert not any(reader.is_alive() for reader in readers)
    finally:
        stop.set()
    for mine in seen:
        of_a = [row["data_through"] for row in mine if row["symbol"] == "A"]
        assert of_a == sorted(set(of_a))
    assert closes(known_now(nats.url)) == {"A": 59, "B": 41}


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_row_that_is_over_before_the_next_tick_leaves_the_readers(market, nats, is_killed):
    """Also where the collector that published it was killed, and another one is told nothing of it."""
    with JetStream(nats.url) as sink, JetStream(nats.url) as later:
        publisher = Publisher(market.workspace.database, sink)
        tick(market, 1, A=20, B=30)
        publisher.once()
        market.ask("DELETE FROM live_daily_bars WHERE close = 30 RETURNING 1")
        if is_killed:
            publisher = Publisher(market.workspace.database, later)
        publisher.once()
    assert closes(known_now(nats.url)) == {"A": 20}


def test_a_gap_that_opens_between_two_ticks_is_told_each_time(market, nats):
    tick(market, 1, A=20)
    told = []
    with JetStream(nats.url) as sink:
        publisher = Publisher(market.workspace.database, sink)
        for change in (
            "INSERT INTO live_gaps (run_id, gap_from, reason) SELECT run_id, now(), 'mute' FROM live_runs",
            "UPDATE live_gaps SET healed_at = now(), gap_to = now()",
            "UPDATE live_gaps SET healed_at = NULL, gap_to = NULL",
        ):
            publisher.once()
            told.append(known_now(nats.url).is_whole)
            market.looking.execute(change)
        publisher.once()
        told.append(known_now(nats.url).is_whole)
    assert told == [True, False, True, False]


GATE = 4713


@contextmanager
def ticks_held(world, *ticks):
    """Hold ticks back in the midst of their transactions, by their numbers; give what lets one of them go."""
    for number in ticks:
        world.looking.execute("SELECT pg_advisory_lock(%s, %s)", (GATE, number))
    yield lambda number: world.looking.execute("SELECT pg_advisory_unlock(%s, %s)", (GATE, number))
    world.looking.execute("SELECT pg_advisory_unlock_all()")


def await_tick(world, process, number):
    waits = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        f"AND classid = {GATE} AND objid = %s"
    )
    until = time.monotonic() + 60
    while not world.number(waits, number):
        assert process.poll() is None
        assert time.monotonic() < until, world.ask("SELECT run_id, state, ticks FROM live_runs")


class Readers:
    """Three readers on threads: two that follow, one that notes each message as it comes."""

    def __init__(self, url):
        self.known, self.came, self._stop = [{}, {}], [], threading.Event()
        self.news = [[], []]
        self._threads = [threading.Thread(target=self._follow, args=(url, number)) for number in range(2)]
        self._threads.append(threading.Thread(target=self._note, args=(url,)))
        for thread in self._threads:
            thread.start()

    def _follow(self, url, number):
        for rows, known in follow(url, sleep=lambda _: self._stop.wait(0.05)):
            self.news[number] += rows
            self.known[number] = closes(known)
            if self._stop.is_set():
                return

    def _note(self, url):
        last = 0
        while not self._stop.is_set():
            with JetStream(url) as stream, suppress(SinkUnavailable):
                for batch in stream.read(last, [], 0.2):
                    self.came += [(each.subject, each.content) for each in batch if each.subject != HEAD]
                    last = batch[-1].sequence if batch else last
                    if self._stop.is_set():
                        return
            self._stop.wait(0.05)

    def await_rows(self, rows):
        until = time.monotonic() + 60
        while self.known != [rows] * 2:
            assert all(thread.is_alive() for thread in self._threads)
            assert time.monotonic() < until, (self.known, rows)
            select.select([], [], [], 0.01)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def committed(world):
    return dict(world.ask("SELECT symbol, close FROM live_daily_bars JOIN symbols USING (instrument_id)"))


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.long)])
def test_readers_miss_nothing_of_a_collector_that_is_killed_and_get_nothing_twice(world, nats, kills):
    """SIGKILL in the midst of a tick, with ticks before it published or not; the next one makes up for it."""
    alerted, draw = Alerted(world, sessions_before=2), random.Random(kills)
    world.looking.execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN PERFORM pg_advisory_xact_lock({GATE}, NEW.ticks); RETURN NULL; END$$; "
        "CREATE TRIGGER hold AFTER UPDATE OF ticks ON live_runs FOR EACH ROW EXECUTE FUNCTION hold()"
    )
    readers, minute = Readers(nats.url), 0
    try:
        for _ in range(kills):
            last = draw.randrange(2, 6)
            steps = [
                (
                    f"{10 + at // 60}:{at % 60:02}",
                    {"A": day(high=999, close=10 + at), "B": day(high=999, close=500 - at)},
                )
                for at in range(minute, minute + last)
            ]
            with ticks_held(world, 1, last) as let_go:
                process = start(alerted, "collect", steps, sink=nats.url)
                await_tick(world, process, 1)
                readers.await_rows(committed(world))  # all that the one before left
                let_go(1)
                await_tick(world, process, last)
                if draw.random() < 0.5:
                    readers.await_rows(committed(world))
                process.kill()
                process.wait()
            minute += last - 1
        world.looking.execute("DROP FUNCTION hold CASCADE")
        process = start(
            alerted, "collect", [(f"{10 + minute // 60}:{minute % 60:02}", {"A": day()})], nats.url
        )
        assert process.wait(60) == 0
        readers.await_rows(committed(world))
    finally:
        readers.stop()
    for news in readers.news:
        for symbol in "AB":
            through = [row["data_through"] for row in news if row["symbol"] == symbol]
            assert through == sorted(set(through))
    assert len(readers.came) == len(set(readers.came)) > kills


def test_a_collector_publishes_and_the_command_prints_it(market, nats):
    with market.workspace.database.transaction() as connection:
        connection.execute("TRUNCATE live_runs")
    job = Script([("10:00", {"A": DAY, "B": DAY})]).job(
        market.workspace, market.workspace.settings.home / "live"
    )
    with sinking(market.workspace, nats.url, print):
        job.run(once=True)
    result = CliRunner().invoke(live, ["follow", "--source", nats.url, "--once"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert len(lines) == 2
    assert '"symbol": "A"' in lines[0]
    assert '"close": 11.0' in lines[0]


def test_the_stream_is_bounded_and_a_row_that_is_over_leaves_the_readers(market, nats):
    with JetStream(nats.url) as sink:
        publisher = Publisher(market.workspace.database, sink)
        for minute in range(5):
            tick(market, minute, A=20 + minute, B=30)
            publisher.once()
        state = sink._do(_info(sink), "asking").state
        assert (state.messages, STREAM.max_bytes) == (3, 64 * 2**20)
        market.ask("DELETE FROM live_daily_bars WHERE close = 30 RETURNING 1")
        tick(market, 6, A=26)
        publisher.once()
    assert closes(known_now(nats.url)) == {"A": 26}


async def _info(sink):
    return await (await sink._context()).stream_info(STREAM.name)


def test_a_server_that_is_not_there_or_keeps_nothing_is_said(nats):
    with JetStream(nats.url) as stream, pytest.raises(SinkUnavailable, match="no collector has published"):
        next(stream.read(0, [], 0.1))
    nats.kill()
    result = CliRunner().invoke(live, ["follow", "--source", nats.url, "--once"])
    assert isinstance(result.exception, TransientError)
    with JetStream(nats.url) as stream, pytest.raises(SinkUnavailable, match="subscribing on nats://127"):
        next(stream.read(0, [], 0.1))
    with pytest.raises(SettingsError, match="nats://host:4222"):
        next(follow("http://user:secret@host"))


def test_subjects_stand_for_symbols_and_the_state_of_a_row_is_the_newest():
    for symbol in ("AAPL", "BRK.B", "X#12", "A B", "KIMpL", "100%", "*", ">"):
        assert symbol_of(subject_of(symbol)) == symbol
        assert not set(subject_of(symbol).removeprefix("condvest.live.bar.")) & set(".*> ")
    row = {"symbol": "A", "session": "2024-06-03", "data_through": "2024-06-03T15:00:00Z", "close": 1.0}
    head = {"run_id": 7, "ticks": 1, "state": "stale", "open_gaps": 0}
    outgoing = Outgoing()
    first = outgoing.due([row], head)
    assert outgoing.due([row], head) == first
    outgoing.sent([row])
    assert [message.subject for message in outgoing.due([row], head)] == [HEAD]
    known = Incoming()
    assert not known.is_whole
    assert [known.take(message.subject, message.content) for message in first] == [row, None]
    assert not known.is_whole
    older = b'{"symbol":"A","session":"2024-06-03","data_through":"2024-06-03T14:59:00Z","close":2.0}'
    assert known.take(first[0].subject, older) is None
    assert known.rows["A"]["close"] == 1.0
