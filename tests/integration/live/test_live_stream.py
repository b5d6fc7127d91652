"""A session over an emulated stream, from the wire to the settlement: the trades are the judge."""

import datetime as dt
import itertools
import random
import select
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared.errors import VendorRefused
from condvest.live.replaying import minutes, replayed
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from condvest.speed_layer.feeds.massive.massive_stream import MassiveStream
from tests.support.emulators.massive.folding import minutes_of
from tests.support.emulators.massive.stream import StreamEmulator
from tests.support.emulators.massive.stream_faults import OF_TRUTH, StreamFault
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york
from tests.support.emulators.synthetic.trades import SECOND
from tests.support.worlds.streaming import collecting, live_rows, true_rows, uncovered
from tests.support.worlds.vendor_truth import Desk, after_close, serving

FIRST, BEFORE, SESSION = dt.date(2024, 5, 28), dt.date(2024, 5, 31), dt.date(2024, 6, 3)
LIVE = (
    "live_runs, live_daily_bars, live_unresolved, live_refused, live_gaps, live_settlements, "
    "live_settlement_fields, live_differences"
)


def clock(hour, minute=0):
    return new_york(SESSION, hour, minute)


@contextmanager
def loaded_desk(server, home):
    """Give the vendor, and a database that holds the sessions before."""
    market = Market(3, 60, FIRST, SESSION, revisions=0)
    emulator = serving(market, dirt=False, updated="trade")
    with server.lent() as url, Database(url) as database, emulator:
        made = Desk(database, home, emulator)
        made.url = url
        made.backfill(after_close(BEFORE), start=FIRST)
        yield made


@pytest.fixture(scope="module")
def loaded(server, tmp_path_factory):
    with loaded_desk(server, tmp_path_factory.mktemp("desk")) as made:
        yield made


@pytest.fixture
def desk(loaded):
    """The same without anything live."""
    with loaded.database.transaction() as connection:
        connection.execute(f"TRUNCATE {LIVE}")
    loaded.emulator.knobs.update(
        {
            "now": clock(3, 50),
            "plan": "unlimited",
            "faults": 0.0,
            "updated": "trade",
            "stale_snapshot": 0.0,
            "cut_short": {},
        }
    )
    return loaded


@pytest.fixture
def stream(desk):
    with StreamEmulator(desk.emulator) as emulator:
        yield emulator


def agrees(desk):
    """Say whether the journal comes to the stored rows."""
    return replayed(desk.at(desk.emulator.now()), SESSION)["differing"] == 0


@pytest.mark.parametrize(("plan", "updated"), [("unlimited", "trade"), ("starter", "answer")])
def test_a_session_without_faults_settles_equal_to_the_truth(desk, stream, plan, updated):
    """Stopped and begun again; data a quarter of an hour late, too; by either meaning of `updated`."""
    desk.emulator.knobs.update({"plan": plan, "updated": updated})
    collecting(desk, stream, clock(9, 20), until=clock(10, 20))
    ending = collecting(desk, stream, clock(15, 55))
    assert (ending.exit_code, ending.reason) == (0, "the session is over")
    assert live_rows(desk, SESSION) == true_rows(desk, SESSION)
    assert len(live_rows(desk, SESSION)) > 40
    assert agrees(desk)


@pytest.mark.parametrize("fault", sorted(set(StreamFault) - OF_TRUTH, key=lambda fault: fault.name))
def test_each_fault_is_lived_through(desk, stream, fault):
    """It comes twice if it can; afterwards what is known is what a snapshot says."""
    said = []
    times = 1 if fault in ONCE else 2
    stream.next_faults = [fault] * times
    start = clock(11, 0)
    while start is not None and start < clock(11, 20):
        try:
            collecting(desk, stream, start, said=said, until=clock(11, 20))
            start = None
        except VendorRefused as refused:
            said.append(str(refused))
            start = desk.emulator.now()
    assert stream.by_fault[fault.name] == times
    if fault in WORDS:
        assert any(words in " ".join(said) for words in WORDS[fault])
    elif fault is not StreamFault.SKEWED_CLOCK:
        assert said == []
    if "this plan has no stream" not in " ".join(said):
        assert uncovered(desk, stream) == []
    collecting(desk, stream, clock(11, 21), once=True)
    known = dict(live_rows(desk, SESSION))
    with desk.database.transaction() as connection:
        connection.execute("TRUNCATE live_daily_bars")
    collecting(desk, stream, clock(11, 21), once=True)
    assert known == live_rows(desk, SESSION)


ONCE = frozenset(
    {
        StreamFault.REPEATED_SUBSCRIBE,
        StreamFault.ACKS_IN_DATA,
        StreamFault.PLAN_WITHOUT_STREAM,
        StreamFault.NOT_AUTHORIZED,
    }
)
"""Faults of a handshake after which there is no other."""

MUTE = "nothing comes over the stream"
WORDS = {
    StreamFault.MAX_CONNECTIONS: ("another program uses this key's only connection",),
    StreamFault.AUTH_FAILED: ("refuses the key: authentication failed",),
    StreamFault.PLAN_WITHOUT_STREAM: ("this plan has no stream",),
    StreamFault.AUTH_TIMEOUT: ("authentication timed out",),
    StreamFault.NOT_AUTHORIZED: ("this plan has no stream (not authorized)",),
    StreamFault.UNKNOWN_TOPIC: ("got nothing",),
    StreamFault.MALFORMED: ("cannot be read", "malformed"),
    StreamFault.MUTE: (MUTE,),
    StreamFault.TRICKLE: (MUTE, "fewer than a fifth"),
    StreamFault.CLOSED: ("the connection was closed",),
    StreamFault.RESET_IN_FRAME: ("the connection was closed",),
    StreamFault.HALF_OPEN: (MUTE,),
    StreamFault.SLOW_CONSUMER: (MUTE,),
    StreamFault.UPGRADE_REFUSED: ("refused with HTTP", "no websocket is spoken there"),
}
"""What is said; of the others nothing: what came is right, or is made right by the next snapshot."""


def day_under_faults(desk, stream, spans):
    """Collect over spans of the day, begun again whenever the vendor refuses the key, and every hour.

    Returns the spans in which nobody can say that the stream was lost: the vendor said that the plan has
    none, or the collector was stopped before a mute connection was.
    """
    excused = []
    for start, end in spans:
        at, ending = start, None
        while at < end and ending is None:
            said = []
            until = min(end, at + dt.timedelta(hours=1))
            with suppress(VendorRefused):
                ending = collecting(desk, stream, at, until=until, said=said)
            after = max(desk.emulator.now(), at + dt.timedelta(seconds=1))
            if "this plan has no stream" in " ".join(said):
                excused.append((at.timestamp() * SECOND, after.timestamp() * SECOND))
            excused.append(((after.timestamp() - 600) * SECOND, after.timestamp() * SECOND))
            at = after
    return excused


WHOLE = [(new_york(SESSION, 3, 50), new_york(SESSION + dt.timedelta(1), 1))]
PARTS = [
    (new_york(SESSION, 9, 25), new_york(SESSION, 10, 0)),
    (new_york(SESSION, 15, 50), new_york(SESSION + dt.timedelta(1), 1)),
]


@pytest.mark.parametrize(
    ("spans", "seed"),
    [
        pytest.param(PARTS, 1, id="parts of a day"),
        *(pytest.param(WHOLE, seed, id=f"whole day {seed}", marks=pytest.mark.long) for seed in range(3)),
    ],
)
def test_a_day_under_every_fault_settles_equal_to_the_truth(desk, spans, seed):
    """Three in ten handshakes, bursts and calls fail; every outage is in the gaps, and the journal agrees."""
    desk.emulator.knobs.update({"faults": 0.3})
    with StreamEmulator(desk.emulator, faults=0.3, seed=seed) as stream:
        excused = day_under_faults(desk, stream, spans)
    desk.emulator.knobs.update({"faults": 0.0})
    assert live_rows(desk, SESSION) == true_rows(desk, SESSION)
    assert len(live_rows(desk, SESSION)) > 40
    assert uncovered(desk, stream, excused) == []
    assert agrees(desk)


def test_of_two_programs_on_one_key_one_streams_and_the_other_is_told_why(desk, stream):
    """A rival connects again and again; whoever is closed waits, and both know what happened."""
    said, rivals = [], []

    def subscribed():
        return [client for client in stream.clients if client.topics and not client.is_gone]

    def rival(now):
        if now.second < 30 and now.minute % 10 == 5 and len(rivals) < now.minute // 10 + 1:
            connection = MassiveStream(stream.url, desk.emulator.key).open(lambda: 0)
            with connection.inbox._changed:
                connection.inbox._changed.wait_for(
                    lambda: connection.inbox.is_open or connection.inbox.ending is not None, timeout=60
                )
            rivals.append(connection)
            # The vendor acknowledges both before it closes one of them.
            while len(subscribed()) > 1:
                select.select([], [], [], 0.002)
        assert len(subscribed()) <= 1

    collecting(desk, stream, clock(11, 0), said=said, until=clock(11, 29), during=rival)
    capped = [rival.inbox.ending for rival in rivals if rival.inbox.ending is not None]
    assert len(rivals) == 3
    assert {ending.meaning for ending in capped} <= {"capped"}
    assert len(capped) + len([words for words in said if "another program uses this key" in words]) >= 3
    for connection in rivals:
        connection.abandon()
    collecting(desk, stream, clock(15, 58))
    assert live_rows(desk, SESSION) == true_rows(desk, SESSION)


@pytest.mark.parametrize(
    ("kills", "spans"),
    [
        pytest.param(3, ((9, 28), (16, 5)), id="3 kills"),
        pytest.param(40, ((9, 28), (16, 5)), id="40 kills", marks=pytest.mark.long),
    ],
)
def test_a_collector_that_is_killed_at_any_moment_comes_to_the_same(desk, stream, kills, spans):
    """SIGKILL at counted steps of the clock; in between minutes pass that nobody hears."""
    draw = random.Random(kills)
    first, last = clock(*spans[0]), clock(*spans[1])
    for number in range(kills):
        start = first + (last - first) * number / kills
        desk.emulator.knobs.update({"now": start})
        where = (desk.url, str(desk.home), desk.emulator.url, stream.url, start.isoformat())
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.worlds.stream_child", *where],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        before, steps = stream.steps, draw.randrange(4, 40)
        while stream.steps < before + steps and child.poll() is None:
            select.select([], [], [], draw.uniform(0, 0.002))
        child.send_signal(signal.SIGKILL)
        output, _ = child.communicate()
        assert child.returncode == -signal.SIGKILL, output.decode()
    collecting(desk, stream, max(desk.emulator.now(), clock(16, 5)))
    assert live_rows(desk, SESSION) == true_rows(desk, SESSION)
    assert agrees(desk)
    assert desk.rows("SELECT count(*) FROM live_gaps WHERE reason = 'restart'")[0][0] >= kills - 1


def test_no_reader_sees_a_session_twice_or_a_bar_jump_back_while_the_official_one_is_committed(
    server, tmp_path
):
    """What is live equals what is official here, so nothing but the mark of it may ever change."""
    with loaded_desk(server, tmp_path) as desk:
        desk.emulator.knobs.update({"now": clock(20, 10)})
        with StreamEmulator(desk.emulator) as stream:
            collecting(desk, stream, clock(20, 10), once=True)
        symbols = sorted(live_rows(desk, SESSION))
        seen = read_meanwhile(desk, symbols, lambda: desk.night(after_close(SESSION)))
    for answers in seen:
        states = [shown(answer) for answer in answers]
        assert [bars for bars, _ in states if bars != states[0][0]] == []
        marks = [live for _, live in states]
        assert (marks[0], marks[-1]) == (set(symbols), set())
        assert all(later <= earlier for earlier, later in itertools.pairwise(marks))


def read_meanwhile(desk, symbols, work):
    """Return what four readers saw from before some work until after it, answer by answer."""
    sessions = desk.at(desk.emulator.now()).sessions
    seen, is_done, failures = [[] for _ in range(4)], threading.Event(), []

    def read(mine, interval):
        question = Question(symbols, interval, include_open=True, include_live=True)
        with Database(desk.url) as database:
            is_last = False
            while not is_last:
                is_last = is_done.is_set()
                mine.append(read_bars(database, sessions, question).to_pylist())

    def guarded(mine, interval):
        try:
            read(mine, interval)
        except BaseException as error:
            failures.append(error)
            raise

    readers = [
        threading.Thread(target=guarded, args=(mine, interval))
        for mine, interval in zip(seen, (1, 5, 13, 34), strict=True)
    ]
    for reader in readers:
        reader.start()
    while not all(seen) and not failures:
        select.select([], [], [], 0.002)
    try:
        work()
    finally:
        is_done.set()
        for reader in readers:
            reader.join()
    assert failures == []
    return seen


def shown(answer):
    """Return an answer's bars without what tells live from official, and the symbols that are live."""
    keys = ("symbol", "first_session", "open", "high", "low", "close", "volume", "sessions")
    bars = [tuple(bar[key] for key in keys) for bar in answer]
    assert len(bars) == len(set(bars))
    return bars, {bar["symbol"] for bar in answer if bar["is_live"]}


def test_the_minutes_that_came_are_those_that_were_sent_each_the_last_time_it_was(desk, stream):
    collecting(desk, stream, clock(9, 29), until=clock(9, 50))
    ended = desk.emulator.now()
    table = minutes(desk.at(clock(9, 50)), SESSION)
    sent = {}
    for message in minutes_of(desk.emulator.day(SESSION)):
        # A burst takes 2 seconds, after which all of it is sent.
        if clock(9, 29) < dt.datetime.fromtimestamp(message.at / SECOND, dt.UTC) <= ended:
            sent[message.message["sym"], message.start] = message.message
    names = ("symbol", "start", "open", "high", "low", "close", "volume", "vwap", "volume_so_far")
    got = {
        (row["symbol"], round(row["start"].timestamp() * SECOND)): [row[name] for name in names[2:]]
        for row in table.to_pylist()
    }
    assert len(got) == table.num_rows > 100
    wanted = {
        key: [*(message[name] for name in "ohlc"), float(message["dv"]), message["vw"], float(message["dav"])]
        for key, message in sent.items()
    }
    assert got == wanted
