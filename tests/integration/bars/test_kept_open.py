"""What `condvest.bars` keeps open between its calls: each call is right, and nothing is left at the end."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

import psycopg
import pytest

import condvest
from condvest import pool
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.errors import SchemaTooNew
from condvest.batch_layer.shared.settings import Settings
from tests.support.payloads import bar, split
from tests.support.worlds.world import World


@pytest.fixture(autouse=True)
def nothing_kept():
    """Nothing of other tests is kept, and nothing is left to them."""
    pool.close_idle()
    yield
    pool.close_idle()


@pytest.fixture
def opened(monkeypatch):
    """Every connection that is opened."""
    made, connect = [], psycopg.connect

    def counted(*arguments, **options):
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(psycopg, "connect", counted)
    return made


@pytest.fixture
def here(world):
    """Settings of a database with bars of A for the windows 0 and 1 of interval 3, resampled."""
    world.bars([bar("A", world.date(at)) for at in range(6)], whole=(0, 5))
    world.resample()
    return world.workspace.settings


def ask(settings, interval=3):
    """Return how many bars an answer has."""
    return len(condvest.bars("A", interval, settings=settings))


class TestOneProcess:
    def test_calls_in_turn_share_a_connection_and_see_what_is_stored_meanwhile(self, here, world, opened):
        assert [ask(here), ask(here, 1), ask(here)] == [2, 6, 2]
        ours = len(opened)
        world.bars([bar("A", world.date(at)) for at in range(6, 9)], whole=(6, 8))
        assert ask(here) == 3  # folded: the window waits
        world.resample()
        assert ask(here) == 3
        before = condvest.bars("A", 3, settings=here)["close"].to_pylist()
        world.splits([split("A", world.date(6), 1, 2)])
        after = condvest.bars("A", 3, settings=here)["close"].to_pylist()
        assert after == [before[0] / 2, before[1] / 2, before[2]]
        assert len(opened) == ours == 1

    def test_calls_that_overlap_each_have_their_own(self, here, opened):
        gate, counts = threading.Barrier(4), []

        def many():
            gate.wait()
            counts.extend(ask(here) for _ in range(10))

        threads = [threading.Thread(target=many) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts == [2] * 40
        assert 1 <= len(opened) <= 4
        pool.close_idle()
        assert [one.closed for one in opened] == [True] * len(opened)

    def test_a_line_that_was_cut_is_opened_again(self, here, opened):
        assert ask(here) == 2
        with psycopg.Connection.connect(here.database.url, autocommit=True) as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s, 10000)", (opened[0].info.backend_pid,))
        assert ask(here) == 2
        assert len(opened) == 2

    def test_statements_that_were_taken_from_the_session(self, here, opened):
        assert ask(here) == 2
        opened[0].pgconn.exec_(b"DISCARD ALL")
        assert [ask(here), ask(here)] == [2, 2]
        assert len(opened) == 1

    def test_other_variables_of_libpq_are_another_database(self, here, opened, monkeypatch):
        assert ask(here) == 2
        monkeypatch.setenv("PGAPPNAME", "somebody")
        assert ask(here) == 2
        assert (len(opened), opened[0].closed) == (2, True)

    def test_a_line_that_was_idle_for_long_is_not_trusted(self, here, opened, monkeypatch):
        assert ask(here) == 2
        monkeypatch.setattr(pool, "LONGEST_IDLE", -1.0)
        assert ask(here) == 2
        assert (len(opened), opened[0].closed) == (2, True)

    def test_a_session_to_come_that_is_struck(self, here, world):
        """Each later session has another ordinal, and the answers have their dates."""
        assert ask(here) == 2
        with psycopg.connect(here.database.url) as connection:
            connection.execute("DELETE FROM sessions WHERE ordinal = 7")
            connection.execute("UPDATE sessions SET ordinal = ordinal + 1000000 WHERE ordinal > 7")
            connection.execute("UPDATE sessions SET ordinal = ordinal - 1000001 WHERE ordinal > 1000000")
        with world.workspace.database.transaction() as connection:
            world.sessions = read_sessions(connection)
        world.bars([bar("A", world.date(at)) for at in range(6, 9)], whole=(6, 8))
        world.resample()
        told = condvest.bars("A", 3, settings=here)
        assert told["last_session"].to_pylist()[-1].isoformat() == str(world.date(8))

    @pytest.mark.parametrize("interval", [3, 4])
    def test_a_schema_that_became_too_new_is_refused(self, here, interval):
        assert ask(here, interval) > 0
        with psycopg.connect(here.database.url) as connection:
            connection.execute("INSERT INTO schema_migrations VALUES (9999, 'later', '', now(), 9999)")
        for _ in range(2):
            with pytest.raises(SchemaTooNew, match="9999_later"):
                ask(here, interval)
        with psycopg.connect(here.database.url) as connection:
            connection.execute("DELETE FROM schema_migrations WHERE version = 9999")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
class TestProcessesThatFork:
    def test_each_has_its_own_and_the_parents_goes_on(self, here, opened):
        assert ask(here) == 2
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as children:
            assert list(children.map(ask, [here] * 4)) == [2] * 4
        assert ask(here) == 2
        assert len(opened) == 1

    @pytest.mark.parametrize("when", ["after the fork", "in the fork"])
    def test_the_embedded_server_stops_with_the_parent(self, filled, when):
        """The child has not asked, lives on for a while, and holds nothing of its parent's.

        Nor does a child that the system lets run only when its parent is gone: it waits in the first of what
        Python does in a new child, before anything of Condvest's.
        """
        script = (
            "import os, sys; from pathlib import Path\n"
            "def live_on():\n"
            "    os.close(1); os.close(2); os.read(0, 1); os._exit(0)\n"
            "if sys.argv[2] == 'in the fork':\n"
            "    os.register_at_fork(after_in_child=live_on)\n"
            "import condvest\n"
            "settings = condvest.Settings(home=Path(sys.argv[1]))\n"
            "print(len(condvest.bars('A', 1, settings=settings)), flush=True)\n"
            "if os.fork() == 0:\n"
            "    live_on()\n"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", script, str(filled.home), when],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert parent.stdout.read() == b"4\n"
        assert parent.wait() == 0
        assert not EmbeddedServer(filled.home).status().running
        parent.stdin.close()  # the child reads its end, and ends
        parent.stdout.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory, sessions):
    """A home with an embedded server and four daily bars of A; to be copied."""
    home = tmp_path_factory.mktemp("kept") / "made"
    load(home, sessions, range(4))
    return home


@pytest.fixture
def filled(made, tmp_path):
    shutil.copytree(made, tmp_path / "home", symlinks=True)
    return Settings(home=tmp_path / "home")


def load(home, sessions, ordinals):
    """Store daily bars of A in a home; its server is stopped then."""
    with open_workspace(Settings(home=home)) as workspace:
        workspace.extended_sessions()
        world = World(workspace, sessions)
        world.bars([bar("A", world.date(at)) for at in ordinals])
        world.close()


class TestAHome:
    def test_the_server_runs_until_the_interpreter_ends(self, filled):
        script = (
            "import sys; from pathlib import Path; import condvest\n"
            "from condvest.batch_layer.database.embedded.server import EmbeddedServer\n"
            "home = Path(sys.argv[1])\n"
            "for _ in range(2):\n"
            "    count = len(condvest.bars('A', 1, settings=condvest.Settings(home=home)))\n"
            "    print(count, EmbeddedServer(home).status().running)\n"
        )
        said = subprocess.run(
            [sys.executable, "-c", script, str(filled.home)], capture_output=True, text=True, check=True
        )
        assert (said.stdout, said.stderr) == ("4 True\n4 True\n", "")
        assert not EmbeddedServer(filled.home).status().running

    def test_another_home_in_its_place_is_another_database(self, filled, sessions, tmp_path):
        shutil.copytree(filled.home, tmp_path / "other", symlinks=True)
        load(tmp_path / "other", sessions, range(4, 6))
        assert ask(filled, 1) == 4
        filled.home.rename(tmp_path / "away")
        (tmp_path / "other").rename(filled.home)
        assert ask(filled, 1) == 6
        pool.close_idle()
        away = Settings(home=tmp_path / "away")
        assert ask(away, 1) == 4
        pool.close_idle()
        assert not EmbeddedServer(away.home).status().running
        assert not EmbeddedServer(filled.home).status().running
