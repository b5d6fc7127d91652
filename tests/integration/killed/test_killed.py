"""kill -9 of a command, and of PostgreSQL under it, at any moment of a load and of the resampling after it.

After each, one ordinary import ends in the right state; and a reader that looked all the while saw each load
and each resampling whole or not at all.

The moments are random, and counted, not timed: the killer asks the server again and again whether a
transaction has written something, and strikes at the n-th time that one has. How often that is so over a
whole import is measured first, and again by each that ends before it is struck, so that the moments lie all
over it.
"""

import json
import random
import select
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from condvest.batch_layer.database.embedded.server import EmbeddedServer
from tests.support.databases.embedded_processes import clean_up, kill_server, processes_of, short_directory
from tests.support.naive.database import differences
from tests.support.payloads import BARS, bar, csv_of

CONDVEST = Path(sys.executable).with_name("condvest")
READER = Path(__file__).parents[2] / "support/databases/watching_reader.py"
SYMBOLS = [f"S{number}" for number in range(24)]
SESSIONS = range(100)
BARS_EACH = 34 + 20 + 13 + 8 + 5 + 3
"""Windows of 3, 5, 8, 13, 21 and 34 that hold the sessions 0 to 99."""
_WRITING = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL"


@pytest.fixture
def installation(tmp_path, sessions):
    """An embedded server that is kept up, a reader at work, and files that alter every bar there is."""
    home = short_directory()
    server = EmbeddedServer(home)

    def file(version):
        rows = [
            bar(symbol, sessions.session(at), version, volume=version + 1)
            for symbol in SYMBOLS
            for at in SESSIONS
        ]
        path = tmp_path / f"{version}.csv"
        path.write_bytes(csv_of(BARS, rows))
        return path

    try:
        url = server.up()
        yield SimpleNamespace(home=home, server=server, url=url, file=file)
    finally:
        clean_up(home)
        shutil.rmtree(home)


def importing(installation, version):
    command = [
        CONDVEST,
        "--home",
        str(installation.home),
        "import",
        str(installation.file(version)),
        "--json",
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def watched(installation, process, strike_at=None):
    """Count how often a transaction is seen writing; return at the n-th time, or when the process ends."""
    seen = 0
    with psycopg.connect(installation.url, autocommit=True) as connection:
        while process.poll() is None and seen != strike_at:
            if connection.execute(_WRITING).fetchone()[0]:
                seen += 1
            else:
                # Nothing to strike at yet: leave the processor to the command, which ends with its output.
                select.select([process.stdout], [], [], 0.005)
    return seen


def strike(installation, process, victim):
    """Kill the command, or every process of the server; return whether it was in time."""
    in_time = process.poll() is None
    if victim == "server":
        kill_server(installation.home, installation.server.status().pid, processes_of(installation.url))
    else:
        process.kill()
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    return in_time


def imported(installation, version):
    """Import to the end, and check that this is the right state: all of this version, and nothing waits."""
    process = importing(installation, version)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    report = json.loads(out)
    rows = len(SYMBOLS) * len(SESSIONS)
    assert report["rows"] == rows
    assert rows in (report["inserted"] + report["changed"], report["unchanged"])
    with psycopg.connect(installation.url) as connection:
        volumes = "SELECT array_agg(DISTINCT volume) FROM daily_bars"
        folded = "SELECT array_agg(DISTINCT volume / sessions), count(*) FROM bars"
        assert connection.execute(volumes).fetchone() == ([version + 1],)
        assert connection.execute(folded).fetchone() == ([version + 1], len(SYMBOLS) * BARS_EACH)
        assert connection.execute("SELECT count(*) FROM changes").fetchone() == (0,)


def kill_again_and_again(installation, kills, seed):
    chance = random.Random(seed)
    imported(installation, 0)
    reader = subprocess.Popen(
        [sys.executable, READER, installation.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        process = importing(installation, 1)
        most = watched(installation, process)
        process.communicate()
        done = 0
        for version in range(2, 4 * kills):
            process = importing(installation, version)
            seen = watched(installation, process, strike_at=chance.randrange(most))
            if strike(installation, process, chance.choice(["command", "server"])):
                done += 1
            else:
                most = max(seen, 1)  # a machine that has more to do is asked less often meanwhile
            imported(installation, version)
            if done == kills:
                break
        out, _ = reader.communicate(timeout=60)
    finally:
        reader.kill()
        reader.wait()
    assert done == kills
    with psycopg.connect(installation.url) as connection:
        assert differences(connection) == []
    seen = json.loads(out)
    assert seen["wrong"] == []
    assert seen["states"] > kills
    assert seen["lost"] > 0


def test_some_moments(installation):
    kill_again_and_again(installation, 4, seed=1)


@pytest.mark.long
def test_a_hundred_moments(installation):
    kill_again_and_again(installation, 100, seed=2)
