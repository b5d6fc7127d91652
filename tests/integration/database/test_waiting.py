"""A load behind another one that does not end: the user is told for whom it waits."""

import datetime as dt
import subprocess
import sys

import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting import waiting
from condvest.batch_layer.database.postgres.connecting.connection import Database
from tests.support.publishing import quote

LOCK = "SELECT pg_advisory_xact_lock(hashtext('condvest load'))"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE", "20ms")


def test_a_load_says_who_keeps_it_waiting_and_goes_on_afterwards(world):
    told = []
    with psycopg.connect(
        world.workspace.settings.database.url, application_name="condvest (process 4711)"
    ) as other:
        other.execute(LOCK)
        pid = other.info.backend_pid

        def say(sentence):
            told.append(sentence)
            other.commit()  # only now can the load go on

        world.workspace.database.on_wait = say
        world.bars([quote("A", dt.date(2024, 6, 3), 10.0)])
    (sentence,) = told
    assert sentence.startswith(
        f"waiting for condvest (process 4711) (server process {pid}), which is storing"
    )
    assert world.workspace.database.on_wait is say


def test_a_load_that_need_not_wait_says_nothing(world):
    world.workspace.database.on_wait = pytest.fail
    world.bars([quote("A", dt.date(2024, 6, 3), 10.0)])


def test_our_connections_name_our_process(world, monkeypatch):
    with world.workspace.database.another() as database:
        monkeypatch.setattr("os.getpid", lambda: 4711)
        with database.transaction() as connection:
            assert connection.execute("SHOW application_name").fetchone() == ("condvest (process 4711)",)


HOLDER = """
import sys
from condvest.batch_layer.database.postgres.connecting.connection import Database
with Database(sys.argv[1]) as database, database.locked("condvest run", [1, 2]):
    with database.transaction() as connection:
        connection.execute("INSERT INTO runs (command) VALUES ('run --provider sample')")
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_run_says_which_other_process_keeps_it_waiting_and_with_what(world):
    """The other one is a process of its own. A run of before it is not its own."""
    url, told = world.workspace.settings.database.url, []
    world.ask("INSERT INTO runs (command) VALUES ('killed last year') RETURNING run_id")
    command = [sys.executable, "-c", HOLDER, url]
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
        Database(url) as database,
    ):
        assert other.stdout.readline() == "locked\n"
        [(server_process, since)] = world.ask(
            "SELECT pid, to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS UTC') FROM pg_stat_activity "
            "WHERE application_name = %s",
            f"condvest (process {other.pid})",
        )

        def say(sentence):
            told.append(sentence)
            other.stdin.close()  # only now does it end

        database.on_wait = say
        with database.locked("condvest run", [0, 1, 2, 3]) as at_once:
            assert not at_once
            assert world.number(held) == 4
        assert world.number(held) == 0
        assert other.wait(60) == 0
    (sentence,) = told
    assert sentence.startswith(
        f"waiting for condvest (process {other.pid}) (server process {server_process}), which holds the "
        f"lock of condvest run, connected since {since}, run 'run --provider sample' since 20"
    )
    assert "killed last year" not in sentence


def test_a_lock_that_is_given_up_is_left_to_others(url):
    """Ctrl-C while it waits for a part leaves no other part locked."""
    with Database(url) as holder, Database(url) as database, holder.locked("work", [2]):

        def interrupt(_):
            raise KeyboardInterrupt

        database.on_wait = interrupt
        with pytest.raises(KeyboardInterrupt), database.locked("work", [0, 1, 2]):
            pass
        with Database(url) as third, third.locked("work", [0, 1]) as at_once:
            assert at_once


def test_a_database_without_tables_tells_who_migrates_it(server):
    """There are no runs to look into yet."""
    url, told = server.empty_database(), []
    with Database(url) as database, psycopg.connect(url, application_name="somebody") as other:
        other.execute("SELECT pg_advisory_lock(hashtext('condvest migrate'), 0)")
        other.commit()

        def say(sentence):
            told.append(sentence)
            other.execute("SELECT pg_advisory_unlock_all()")
            other.commit()

        database.on_wait = say
        with database.locked("condvest migrate"):
            pass
    server.drop(url)
    assert told[0].startswith("waiting for somebody (server process ")
    assert "condvest migrate, connected since " in told[0]


def test_connections_beside_it_tell_too(database):
    database.on_wait = print
    with database.another() as other:
        assert other.on_wait is print
