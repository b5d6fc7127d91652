"""What the tests of the embedded server share: clients in processes of their own, and ways to kill."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg

from condvest.batch_layer.database.embedded.server import EmbeddedServer

SCRIPT = Path(__file__).with_name("embedded_client.py")
ORDINARY = 65534


class Client:
    """A process that holds leases; ``tell`` waits for its answer, ``send`` and ``answer`` do it apart."""

    def __init__(self, home, *, table="stored", environ=None, prefix=(), **how):
        self.process = subprocess.Popen(
            [*prefix, sys.executable, str(SCRIPT), str(home), table],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environ or {})},
            start_new_session=True,
            **how,
        )

    def send(self, act):
        self.process.stdin.write(act + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, f"the client died with {self.process.wait()}"
        return json.loads(line)

    def ask(self, act):
        self.send(act)
        return self.answer()

    def tell(self, act):
        answer = self.ask(act)
        assert "error" not in answer, answer
        return answer["value"]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def processes_of(url):
    """Return the process ids of the server's children, the one that answers left out."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return [row[0] for row in rows.fetchall()]


def kill_server(home, pid, children=()):
    """Kill the postmaster, then its children, and wait until the kernel says that all are gone."""
    for process in (pid, *children):
        with suppress(ProcessLookupError):  # children may end by themselves when the postmaster dies
            os.kill(process, signal.SIGKILL)
    wait_until_dead(home)


def wait_until_dead(home):
    """Wait until no process of the server lives: each of them holds this lock."""
    with (Path(home) / "postgres" / "server").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def is_dead(home):
    """Return whether no process of the server lives."""
    with (Path(home) / "postgres" / "server").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def clean_up(home):
    """Stop whatever runs on ``home``, and remove what a killed server left in the directory for sockets."""
    server = EmbeddedServer(home)
    server.down(now=True)
    shutil.rmtree(server.status().socket_directory, ignore_errors=True)


def short_directory():
    """Return a new directory that every user may enter, unlike pytest's."""
    directory = Path(tempfile.mkdtemp(prefix="condvest-test-"))
    directory.chmod(0o755)
    return directory


def as_ordinary_user():
    """Return how to run a client as no root: nothing to do, or as nobody.

    Where nobody may not read this Python, the one capability to read files is given along; it neither
    lets write nor makes PostgreSQL take the user for root.
    """
    if os.geteuid() != 0:
        return {}
    account = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []}
    script = "import psycopg, condvest.batch_layer.database.embedded.server"
    with suppress(PermissionError):
        if (
            subprocess.run(
                [sys.executable, "-c", script], capture_output=True, check=False, **account
            ).returncode
            == 0
        ):
            return account
    assert shutil.which("setpriv"), "nobody cannot read this Python, and there is no setpriv to help"
    capability = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    identity = (f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups")
    return {"prefix": ("setpriv", *identity, *capability)}
