"""Commands that are stopped in the midst, and a server that is: the next run ends right.

To be in the midst is arranged, not guessed: a trigger makes the command's own server process wait for a
lock that the test holds, after rows of the transaction have been stored.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from tests.support.awaiting import wait_for
from tests.support.databases.embedded_processes import clean_up, kill_server, processes_of, short_directory
from tests.support.gate import GATE, WAITING
from tests.support.naive.database import differences
from tests.support.payloads import BARS, bar, csv_of

CONDVEST = Path(sys.executable).with_name("condvest")
_GATE = (
    f"CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NULL; END$$; "
    "CREATE TRIGGER gate AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION gate()"
)


@pytest.fixture
def file(tmp_path, sessions):
    """60 bars of two symbols."""
    rows = [bar(symbol, sessions.session(at)) for symbol in ("A", "B") for at in range(30)]
    path = tmp_path / "bars.csv"
    path.write_bytes(csv_of(BARS, rows))
    return path


def start(*arguments):
    return subprocess.Popen(
        [CONDVEST, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextlib.contextmanager
def held_in_the_midst(url, table, *command):
    """Start a command and yield it when it has stored rows of ``table`` and can go no further."""
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(_GATE.format(table=table))
        connection.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        process = start(*command)
        try:
            wait_for(lambda: connection.execute(WAITING).fetchone()[0], process)
            yield process
        finally:
            process.kill()
            process.communicate()


def open_gate(url):
    """Let everybody through, once what was started has ended: until then the trigger is in use."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP FUNCTION gate CASCADE")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("table", ["ledger", "closed_bars_13", "open_bars"])
def test_a_stopped_import_leaves_no_half_and_can_be_done_again(url, file, tmp_path, table, sent):
    """Stopped while it loads nothing is stored; while it resamples, the load is and the bars are not."""
    command = ("--home", tmp_path, "--database-url", url, "import", file, "--json")
    with held_in_the_midst(url, table, *command) as process:
        process.send_signal(sent)
        if sent != signal.SIGKILL:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 1
            assert "run the command again" in said
            assert "Traceback" not in said
    open_gate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        counts = "SELECT (SELECT count(*) FROM daily_bars), (SELECT count(*) FROM bars)"
        assert connection.execute(counts).fetchone() == ((0, 0) if table == "ledger" else (60, 0))
        again = start(*command)
        report = json.loads(again.communicate(timeout=60)[0])
        assert again.returncode == 0
        assert (report["inserted"], report["unchanged"]) == ((60, 0) if table == "ledger" else (0, 60))
        assert differences(connection) == []
        assert connection.execute("SELECT count(*) FROM bars").fetchone()[0] > 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_what_a_stopped_import_has_loaded_is_resampled(url, file, tmp_path, sessions, sent):
    """Stopped in its second file, which has a row to be refused: the first one's bars are stored."""
    second = tmp_path / "second.csv"
    second.write_bytes(csv_of(BARS, [bar("C", sessions.session(0), high=-1.0)]))
    command = ("--home", tmp_path, "--database-url", url, "import", file, second)
    with held_in_the_midst(url, "refused_rows", *command) as process:
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "resampling the loaded rows; stop again" in said
    assert "the loaded rows are resampled: " in said
    assert "Traceback" not in said
    open_gate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        counts = "SELECT (SELECT count(*) FROM changes), (SELECT count(*) FROM daily_bars)"
        assert connection.execute(counts).fetchone() == (0, 60)
        assert differences(connection) == []


def test_a_server_that_is_killed_under_a_command_is_recovered_by_the_next(file):
    """The embedded one, with kill -9: the command says that it is away; the next starts it again."""
    home = short_directory()
    try:
        server = EmbeddedServer(home)
        command = ("--home", home, "import", file, "--json")
        with server.lease() as url:
            with Database(url) as database:
                migrate(database)
            pid = server.status().pid
            with held_in_the_midst(url, "ledger", *command) as process:
                kill_server(home, pid, processes_of(url))
                _, said = process.communicate(timeout=60)
                assert process.returncode == 1
                assert "cannot reach the database" in said
                assert "Traceback" not in said
        with server.lease() as url:
            open_gate(url)
            again = start(*command)
            report = json.loads(again.communicate(timeout=60)[0])
            assert (again.returncode, report["inserted"]) == (0, 60)
            with psycopg.connect(url) as connection:
                assert differences(connection) == []
    finally:
        clean_up(home)
        shutil.rmtree(home)
