"""Inside `condvest.connected`: whoever asks gets an answer, and the connection serves its owner."""

import asyncio
import contextvars
import datetime as dt
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import psycopg
import pytest

import condvest
from condvest import kept, pool
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.embedded.states import Down
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.errors import DatabaseUnavailable
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.payloads import bar
from tests.support.worlds.world import World

SESSIONS = 4
"""Daily bars of the one instrument."""


@pytest.fixture
def here(world):
    """Settings of a database with four daily bars of A."""
    world.bars([bar("A", world.date(at)) for at in range(SESSIONS)])
    return world.workspace.settings


def ask(settings):
    """Return how many daily bars an answer has."""
    return len(condvest.bars("A", 1, settings=settings))


def connections(settings):
    """Return the server processes of Condvest's connections, but for those that wait for a next call."""
    pool.close_idle()
    with psycopg.connect(settings.database.url) as connection:
        return {
            pid
            for (pid,) in connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE starts_with(application_name, 'condvest') "
                "AND datname = current_database()"
            )
        }


def left_over(settings, before):
    """Return the connections that were not there before, once there are none, or 20 s later.

    A server notices late that a client has gone. So some of those before may be ones of an earlier test.
    """
    deadline = time.monotonic() + 20
    while (more := connections(settings) - before) and time.monotonic() < deadline:
        pass
    return more


class TestWhoeverAsks:
    def test_threads_that_copy_the_context(self, here):
        """`asyncio.to_thread` hands the context, and what it names, to other threads."""

        async def together():
            return await asyncio.gather(*[asyncio.to_thread(ask, here) for _ in range(8)])

        with condvest.connected(here):
            assert asyncio.run(together()) == [SESSIONS] * 8
            assert ask(here) == SESSIONS

    def test_tasks_share_it_and_may_outlive_the_block(self, here):
        async def after(event):
            await event.wait()
            return ask(here)

        async def main():
            left = asyncio.Event()
            with condvest.connected(here):
                late = asyncio.create_task(after(left))
                now = [await asyncio.create_task(asyncio.sleep(0, ask(here))) for _ in range(2)]
            left.set()
            return [*now, await late]

        before = connections(here)
        assert asyncio.run(main()) == [SESSIONS] * 3
        assert left_over(here, before) == set()

    def test_two_tasks_with_a_block_each(self, here):
        async def one(first, second):
            with condvest.connected(here):
                first.set()
                await second.wait()
                return ask(here)

        async def main():
            events = asyncio.Event(), asyncio.Event()
            return await asyncio.gather(one(*events), one(*events[::-1]))

        assert asyncio.run(main()) == [SESSIONS] * 2

    def test_a_thread_with_a_copy_of_the_context_while_the_owner_reads(self, here):
        """As threads of a Python without the GIL are begun: `Thread` runs in a copy there."""
        counts = []
        with condvest.connected(here):
            copies = [contextvars.copy_context() for _ in range(4)]
            threads = [
                threading.Thread(target=lambda one=one: counts.append(one.run(ask, here))) for one in copies
            ]
            for thread in threads:
                thread.start()
            counts += [ask(here) for _ in range(4)]
            for thread in threads:
                thread.join()
        assert counts == [SESSIONS] * 8

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_processes_that_fork(self, here):
        fork = multiprocessing.get_context("fork")
        with condvest.connected(here):
            assert ask(here) == SESSIONS
            with ProcessPoolExecutor(2, mp_context=fork) as pool:
                assert list(pool.map(ask, [here] * 4)) == [SESSIONS] * 4
            assert ask(here) == SESSIONS

    def test_a_child_that_leaves_the_block_ends_nothing_of_its_parent(self, here):
        """The child unwinds the block that it was forked in; the parent's session goes on."""
        with condvest.connected(here):
            assert ask(here) == SESSIONS
            before = connections(here)
            child = os.fork()
            if child == 0:  # pragma: no cover  # in the child
                code = 1
                try:
                    with condvest.connected(here):
                        code = 0 if ask(here) == SESSIONS else 2
                    for one in kept._entered.get():
                        one.opened.database.close()
                    gc.collect()
                finally:
                    os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert left_over(here, before) == set()
            assert ask(here) == SESSIONS
            assert left_over(here, before) == set()

    def test_a_signal_handler_while_the_owner_reads(self, here, monkeypatch):
        from condvest import api  # noqa: PLC0415  # to interrupt it

        heard = []
        read, signal_of = api.read_bars, signal.SIGUSR1

        def interrupted(database, sessions, question):
            with database.transaction(read_only=True):
                if not heard:
                    os.kill(os.getpid(), signal_of)
            return read(database, sessions, question)

        before = signal.signal(signal_of, lambda *_: heard.append("called") or heard.append(ask(here)))
        try:
            monkeypatch.setattr(api, "read_bars", interrupted)
            with condvest.connected(here):
                assert ask(here) == SESSIONS
        finally:
            signal.signal(signal_of, before)
        assert heard == ["called", SESSIONS]


class TestBlocks:
    def test_nested_blocks_of_two_databases(self, here, server, tmp_path):
        """Each call goes to the database of its settings, the outer one's too."""
        other = Settings(home=tmp_path / "other", database=DatabaseSettings(url=server.database()))
        with condvest.connected(here):
            outer = connections(here)
            with condvest.connected(other), condvest.connected(here):
                assert ask(here) == SESSIONS
                with pytest.raises(condvest.CondvestError, match="nothing is loaded"):
                    ask(other)
            assert ask(here) == SESSIONS
            assert left_over(here, outer) == set()
        server.drop(other.database.url)

    def test_generators_closed_in_another_order_and_in_another_context(self, here):
        def counts():
            with condvest.connected(here):
                while True:
                    yield ask(here)

        before = connections(here)
        first, second = counts(), counts()
        assert next(first) == next(second) == SESSIONS
        first.close()
        assert next(second) == ask(here) == SESSIONS
        contextvars.copy_context().run(second.close)
        assert ask(here) == SESSIONS
        assert left_over(here, before) == set()

    def test_a_generator_left_open_is_closed_by_another_thread(self, here):
        def counts():
            with condvest.connected(here):
                yield ask(here)

        before = connections(here)
        left = counts()
        assert next(left) == SESSIONS
        thread = threading.Thread(target=left.close)
        thread.start()
        thread.join()
        assert ask(here) == SESSIONS
        assert left_over(here, before) == set()


class TestTheCalendar:
    def test_a_session_to_come_that_is_struck_while_the_block_lasts(self, here, world):
        """As on a day of mourning: each later session has another ordinal, and the answers their dates."""
        with condvest.connected(here):
            assert ask(here) == SESSIONS
            with psycopg.connect(here.database.url) as connection:
                connection.execute("DELETE FROM sessions WHERE ordinal = 6")
                connection.execute("UPDATE sessions SET ordinal = ordinal + 1000000 WHERE ordinal > 6")
                connection.execute("UPDATE sessions SET ordinal = ordinal - 1000001 WHERE ordinal > 1000000")
            with world.workspace.database.transaction() as connection:
                world.sessions = read_sessions(connection)
            dates = [world.date(at) for at in (5, 6, 7)]
            world.bars([bar("B", date) for date in dates])
            told = condvest.bars("B", 1, settings=here)
        assert told["last_session"].to_pylist() == [dt.date.fromisoformat(str(date)) for date in dates]
        assert told.equals(condvest.bars("B", 1, settings=here))


class TestAServerThatWasAway:
    def test_a_line_that_was_cut_while_it_was_idle(self, here):
        """Also by the server's restart: it ends every session with the same words."""
        with condvest.connected(here):
            assert ask(here) == SESSIONS
            database = kept._entered.get()[-1].opened.database
            with database.transaction() as connection:
                pid = connection.info.backend_pid
            assert pid in connections(here)
            with psycopg.connect(here.database.url) as administrator:
                administrator.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
            assert ask(here) == SESSIONS
            assert pid not in connections(here)

    def test_a_line_that_is_cut_in_the_midst_is_asked_once_more(self, here, monkeypatch):
        from condvest import api  # noqa: PLC0415  # to cut it

        read, asked = api.read_bars, []

        def cut(database, sessions, question):
            asked.append(question)
            if len(asked) == 1:
                with database.transaction() as connection:
                    connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return read(database, sessions, question)

        monkeypatch.setattr(api, "read_bars", cut)
        with condvest.connected(here):
            assert ask(here) == SESSIONS
        assert len(asked) == 2

    def test_a_server_that_stays_away_is_an_error(self, here, monkeypatch):
        from condvest import api  # noqa: PLC0415  # to cut it

        asked = []

        def cut(database, _sessions, question):
            asked.append(question)
            with database.transaction() as connection:
                connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        monkeypatch.setattr(api, "read_bars", cut)
        with condvest.connected(here), pytest.raises(DatabaseUnavailable, match="run it again"):
            ask(here)
        assert len(asked) == 2

    def test_locks_that_went_with_the_line_are_told(self, here):
        """Whoever holds a lock over several transactions is not to go on without it."""
        with Database(here.database.url) as database, database.locked("work"):
            with database.transaction() as connection:
                pid = connection.info.backend_pid
            with psycopg.connect(here.database.url) as administrator:
                administrator.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
            with pytest.raises(DatabaseUnavailable), database.transaction():
                pass

    def test_an_embedded_server_that_was_stopped_is_started_again(self, home, sessions):
        settings = Settings(home=home)
        with open_workspace(settings) as workspace:
            workspace.extended_sessions()
            world = World(workspace, sessions)
            world.bars([bar("A", world.date(at)) for at in range(SESSIONS)])
            world.close()
        with condvest.connected(settings):
            for _ in range(2):
                assert ask(settings) == SESSIONS
                assert EmbeddedServer(home).down(now=True) is Down.STOPPED
            assert ask(settings) == SESSIONS
        assert not EmbeddedServer(home).status().running

    def test_what_writes_does_not_start_a_server_that_was_stopped_under_it(self, home):
        with open_workspace(Settings(home=home)) as workspace:
            assert EmbeddedServer(home).down(now=True) is Down.STOPPED
            with pytest.raises(DatabaseUnavailable, match="cannot reach"), workspace.database.transaction():
                pass
        assert not EmbeddedServer(home).status().running


if sys.version_info >= (3, 12):  # pragma: no cover  # forks beside threads only warn there
    pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
