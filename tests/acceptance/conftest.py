"""Runs the real program in processes of their own, on a server that is shared by one module's tests."""

import datetime as dt
import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.calendar_extension import extend_sessions
from condvest.batch_layer.shared.settings import Settings
from tests.support.serving import serving
from tests.support.warm import forked_program

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROGRAM = BIN / "condvest"


_WITH_A_FORK = {"text", "capture_output", "env", "timeout", "input"}
"""Options of ``subprocess.run`` with which a forked command is the same as one that is started anew."""


@dataclass(frozen=True)
class Condvest:
    """The program with its settings.

    Attributes:
        home: CONDVEST_HOME.
        env: further variables.
    """

    home: Path
    env: dict = field(default_factory=dict)

    @property
    def environ(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDVEST_", "PG"))}
        return kept | {
            "CONDVEST_HOME": str(self.home),
            "COLUMNS": "80",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            **self.env,
        }

    def __call__(self, *arguments, **options):
        """Run to the end; text unless told otherwise."""
        options = {"text": True, "capture_output": True, "env": self.environ, "timeout": 120} | options
        is_forked = options.keys() <= _WITH_A_FORK and options.get("capture_output")
        command = [*(forked_program() if is_forked else ()), PROGRAM, *map(str, arguments)]
        return subprocess.run(command, check=False, **options)

    def start(self, *arguments):
        """Start without waiting for the end."""
        is_forked = arguments[0] == "serve" and "--workers" not in arguments
        return subprocess.Popen(
            [*(forked_program() if is_forked else ()), PROGRAM, *map(str, arguments)],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, *arguments, code=0):
        """Run, insist on the exit code, and return standard output."""
        ran = self(*arguments)
        assert ran.returncode == code, ran.stderr
        return ran.stdout

    def json(self, *arguments, code=0):
        """Run and return the JSON object on standard output, which is all there is."""
        return json.loads(self.done(*arguments, code=code))

    def on(self, url):
        """Return the program on another database."""
        return Condvest(self.home, {"CONDVEST_DATABASE_URL": url})

    def url(self):
        return self.env.get("CONDVEST_DATABASE_URL") or self.done("db", "url").strip()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """An embedded server that stays up, whose home has spaces in its name; its own database stays empty."""
    condvest = Condvest(tmp_path_factory.mktemp("a home with spaces"))
    try:
        condvest.done("db", "up")
        with psycopg.connect(condvest.url(), autocommit=True) as connection:
            # Nothing here outlives a crash of the machine.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield condvest
    finally:
        condvest("db", "down", "--now")


@pytest.fixture(scope="session")
def prepared(server):
    """Name of a database of today's schema with the calendar in it, which others are copied from."""
    condvest = fresh_on(server)
    with Database(condvest.url()) as database:
        migrate(database)
        extend_sessions(database, dt.datetime.now(dt.UTC))
    return urlsplit(condvest.url()).path[1:]


@pytest.fixture(scope="session")
def sample(server, prepared):
    """The program on a database that holds the sample. Tests only read it."""
    condvest = fresh_on(server, prepared)
    condvest.done("run", "--provider", "sample")
    return condvest


@pytest.fixture(scope="module")
def client(sample):
    """A client of a server of the sample."""
    with serving(sample) as one:
        yield one


@pytest.fixture(scope="module")
def settings(sample):
    """The settings by which the sample is read."""
    return Settings.from_env(sample.environ)


@pytest.fixture
def fresh(server, prepared):
    """The program on a database of its own into which nothing was loaded."""
    return fresh_on(server, prepared)


@pytest.fixture
def fresh_too(server, prepared):
    """The program on a second such database."""
    return fresh_on(server, prepared)


@pytest.fixture
def without_schema(server):
    """The program on a database of its own with nothing in it."""
    return fresh_on(server)


def fresh_on(server, template="template1"):
    url = server.url()
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.on(url.replace("/condvest?", f"/{name}?"))


@pytest.fixture
def prices(tmp_path):
    """Write a file of daily bars, given lines without their header, and return its path."""

    def write(*lines, name="prices.csv", header="symbol,session,open,high,low,close,volume"):
        path = tmp_path / name
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    return write


@pytest.fixture(scope="session")
def root():
    """The project's root."""
    return ROOT
