"""The invariant under attack, step by step: whatever happens, no stored bar is wrong that no record names.

Steps are loads of every kind in any order, corrections, withdrawals, corporate actions that come, change and
go, renames, sessions that are partial and completed later, shards, loaders and resamplers at once, and
connections that are cut at any message. After each of them

- every stored bar is that of the naive recomputation, unless a waiting record touches its window;
- every bar that changed since the step before lies in a window that a recorded change explains;

and at the end of each history all bars are right once every record is taken.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.settings import INTERVALS, DatabaseSettings, Settings
from tests.support.databases.fragile import Fragile, cut_everywhere
from tests.support.exchange import NOW
from tests.support.naive import database as naive_database
from tests.support.strategies.market_events import any_loads
from tests.support.worlds.long_world import LongWorld
from tests.support.worlds.playing import play

STEPS = 10_000
PARTITIONS = range(16)
"""More than there are instruments, which lie in the first ones."""

shards = st.sets(st.sampled_from(PARTITIONS), min_size=1).map(sorted)
moments = st.tuples(st.integers(0, 60), st.booleans())

_LOGGED = (
    "CREATE TABLE change_log (LIKE changes); "
    "CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN INSERT INTO change_log SELECT NEW.*; RETURN NULL; END$$; "
    "CREATE TRIGGER log_change AFTER INSERT ON changes FOR EACH ROW EXECUTE FUNCTION log_change()"
)
_TOUCHED = (
    "SELECT DISTINCT coalesce({0}.instrument_id, supplied.instrument_id), first_ordinal, last_ordinal "
    "FROM {0} LEFT JOIN instrument_providers AS supplied ON supplied.provider_id = {0}.provider_id "
    "AND supplied.instrument_id % 64 = {0}.partition"
)


class Histories(RuleBasedStateMachine):
    """One history; `world` is set by the tests."""

    world = None
    steps = 0

    def __init__(self):
        super().__init__()
        self.world.empty()
        self.bars = {}
        self.waiting = set()

    @rule(what=any_loads())
    def load(self, what):
        play(self.world, what)

    @rule(partitions=shards, full=st.booleans())
    def resample(self, partitions, full):
        self.world.resample(partitions=partitions, full=full)

    @rule()
    def resample_all(self):
        self.world.resample(partitions=PARTITIONS)
        assert self.world.number("SELECT count(*) FROM changes WHERE partition < 16") == 0

    @rule(what=any_loads(), moment=moments, again=st.booleans())
    def load_and_be_cut_off(self, what, moment, again):
        """A client that dies while it loads; then it tries again, or does not."""
        with self._cut(moment):
            play(self.world, what)
        if again:
            play(self.world, what)

    @rule(partitions=shards, moment=moments)
    def resample_and_be_cut_off(self, partitions, moment):
        with self._cut(moment):
            self.world.resample(partitions=partitions)

    @rule(what=st.lists(any_loads(), min_size=2, max_size=3), parts=st.lists(shards, min_size=1, max_size=2))
    def all_at_once(self, what, parts):
        """Loaders and resamplers on connections of their own, whose shards may be the same."""
        payloads = [payload for payload in map(self.world.payload_of, what) if payload is not None]
        with ThreadPoolExecutor(len(payloads) + len(parts)) as pool:
            done = [pool.submit(self._load_apart, payload) for payload in payloads]
            done += [pool.submit(self._resample_apart, partitions) for partitions in parts]
            for one in done:
                one.result(timeout=60)

    @invariant()
    def every_wrong_bar_waits_and_every_change_is_explained(self):
        Histories.steps += 1
        waiting, logged = (self._windows(table) for table in ("changes", "change_log"))
        self.world.looking.execute("TRUNCATE change_log")
        wrong = {(interval, *key) for interval, key, _, _ in self.world.differences()}
        assert wrong <= waiting
        bars = {
            (interval, bar["instrument_id"], bar["window"]): bar
            for interval in INTERVALS
            for bar in naive_database.stored(self.world.looking, interval)
        }
        changed = {key for key in bars.keys() | self.bars.keys() if bars.get(key) != self.bars.get(key)}
        assert changed <= self.waiting | logged
        self.bars, self.waiting = bars, waiting

    def teardown(self):
        self.world.resample()
        assert self.world.differences() == []
        assert self.world.resample(full=True, partitions=PARTITIONS).altered == 0
        super().teardown()

    def _cut(self, moment):
        at, after = moment
        return self.world.workspace.database.cut(at, after=after)

    def _load_apart(self, payload):
        with Database(self.world.url) as database, suppress(InputError):
            replace(self.world.loader(), database=database).load(payload)

    def _resample_apart(self, partitions):
        with Database(self.world.url) as database:
            resample(database, self.world.sessions, partitions=partitions)

    def _windows(self, table):
        """Return (interval, instrument, window) of all that the records of a table touch."""
        return {
            (interval, instrument, window)
            for instrument, first, last in self.world.ask(_TOUCHED.format(table))
            for interval in INTERVALS
            for window in range(max(first, -100) // interval, min(last, 200) // interval + 1)
        }


@pytest.fixture
def attacked(server, sessions, tmp_path, monkeypatch):
    """Lend the histories a database that logs every recorded change."""
    cut_everywhere(monkeypatch)
    with server.lent() as url, Fragile(url) as database:
        world = LongWorld(
            Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=url)), database, NOW), sessions
        )
        world.looking.execute(_LOGGED)
        Histories.world, Histories.steps = world, 0
        yield
        world.close()


def attack(examples, steps):
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.usefixtures("attacked")
def test_no_step_of_a_history_leaves_a_wrong_bar():
    attack(12, 20)
    assert Histories.steps > 100


@pytest.mark.long
@pytest.mark.usefixtures("attacked")
def test_ten_thousand_steps_leave_no_wrong_bar():
    """As many histories as it takes."""
    while Histories.steps < STEPS:
        attack(40, 40)
