"""A gate in the database: who comes to it waits there, so that a command is killed in the midst."""

import contextlib
import signal
import subprocess

import psycopg

from tests.support.awaiting import wait_for

GATE = 4711
"""The advisory lock that is the gate: a trigger takes it, and a test holds it."""

WAITING = (
    f"SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = {GATE} AND NOT granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
"""Whether somebody waits at the gate of this database; `pg_locks` has those of the whole server."""


def kill_at_gate(url, making, command):
    """Start a command and kill it, kill -9, when it waits at the gate.

    Args:
        url: of the database.
        making: the SQL that makes a function ``gate()``, which takes GATE, and a trigger that calls it.
        command: what to start.
    """
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as gate:
        gate.execute(making)
        gate.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: gate.execute(WAITING).fetchone()[0], process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP FUNCTION gate CASCADE")
