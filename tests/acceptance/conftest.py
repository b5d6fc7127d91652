"""Runs the real program in processes of their own, on a server that is shared by one module's tests."""

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROGRAM = BIN / "condvest"


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
        return subprocess.run([PROGRAM, *map(str, arguments)], check=False, **options)

    def start(self, *arguments):
        """Start without waiting for the end."""
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
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


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An embedded server that stays up for the module, in a home whose name has spaces."""
    condvest = Condvest(tmp_path_factory.mktemp("a home with spaces"))
    try:
        condvest.done("db", "up")
        yield condvest
    finally:
        condvest("db", "down", "--now")


@pytest.fixture(scope="module")
def sample(server):
    """The program on a database that holds the sample. Tests only read it."""
    condvest = fresh_on(server)
    condvest.done("run", "--provider", "sample")
    return condvest


@pytest.fixture
def fresh(server):
    """The program on an empty database of its own."""
    return fresh_on(server)


def fresh_on(server):
    url = server.url()
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
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
