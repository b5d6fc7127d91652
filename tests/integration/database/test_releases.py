"""The table of docs/postgres.md: each release of PostgreSQL, by kind of role, pooler, encoding and server.

What a cell says is found out: is a schema made, are daily bars loaded and resampled, and read right?
"""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from condvest.batch_layer.database.opening import open_database
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.publish import publish_all
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import DatabaseError, DatabaseReadOnly
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.serving_layer.queries.bars.bars_table import read_bars, read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.databases.releases import primary_and_standby
from tests.support.exchange import NOW
from tests.support.pooler import PGBOUNCER, pooler
from tests.support.publishing import quote
from tests.support.worlds.world import World

DOCUMENT = Path(__file__).parents[3] / "docs" / "postgres.md"
MAJORS = (14, 15, 16, 17, 18)
CLOSES = [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]
"""Of the daily bars of sessions 0 to 5; so bars of three sessions have 22 and 25."""


def table():
    """Return {row: {major: cell}} of the document's table of releases."""
    (found,) = re.findall(r"\n(\| the connection \|.*?)\n\n", DOCUMENT.read_text(), re.DOTALL)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()]
    assert lines[0][1:] == [str(major) for major in MAJORS]
    return {row[0]: dict(zip(MAJORS, row[1:], strict=True)) for row in lines[2:]}


@dataclass
class Release:
    """Servers of one release, with a database of the name of each kind that is made."""

    primary: str
    standby: str
    home: Path
    sessions: object
    numbers: Iterator[int] = field(default_factory=count)

    def database(self, name, more=""):
        self.run("postgres", f"CREATE DATABASE {name} {more}")
        return self.url(name)

    def run(self, name, *statements):
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def url(self, name, role="postgres", path=""):
        parts = urlsplit(self.primary)
        query = f"options=-csearch_path%3D{path}" if path else ""
        return parts._replace(netloc=f"{role}@127.0.0.1:{parts.port}", path=f"/{name}", query=query).geturl()

    def outcome(self, url):
        """Return what the connection lets Condvest do: works, reads or refused."""
        settings = Settings(home=self.home, database=DatabaseSettings(url=url))
        try:
            with open_database(settings, None) as database:
                workspace = Workspace(settings, database, NOW)
                return self._loaded_and_read(World(workspace, self.sessions))
        except DatabaseError as error:
            assert re.search("transaction mode|encoding", str(error))  # noqa: PT017  # it says why
            return "refused"

    def published_from(self, url):
        """Publish from a connection, and return works if a reader of the files has what was loaded."""
        settings = Settings(home=self.home, database=DatabaseSettings(url=url))
        place = self.home / "published"
        with open_database(settings, None, may_create=False) as database:
            publish_all(Workspace(settings, database, NOW), place)
        asked = Question(symbols=["A"], interval=3, include_open=True)
        bars = read_bars_from(PublishedSource.open(DirectoryTarget(place)), asked)
        assert bars["close"].to_pylist() == [22.0, 25.0]
        return "works"

    def _loaded_and_read(self, world):
        try:
            world.workspace.extended_sessions()
            rows = [quote("A", world.date(at), close) for at, close in enumerate(CLOSES)]
            # A load of what is there already writes nothing, so each has a row of its own.
            rows.append(quote(f"B{next(self.numbers)}", world.date(0), 10.0))
            world.bars(rows)
            world.resample()
            done = "works"
        except (DatabaseError, DatabaseReadOnly) as error:
            assert re.search("may not do this|takes no writes", str(error))  # noqa: PT017  # as above
            done = "reads"
        asked = Question(symbols=["A"], interval=3, include_open=True)
        bars = read_bars(world.workspace.database, world.workspace.sessions, asked)
        assert bars["close"].to_pylist() == [22.0, 25.0]
        return done


@pytest.fixture(scope="module", params=MAJORS)
def major(request):
    return request.param


@pytest.fixture(scope="module")
def release(major, sessions, tmp_path_factory):
    with primary_and_standby(major) as (primary, standby):
        one = Release(primary, standby, tmp_path_factory.mktemp("home"), sessions)
        one.run(
            "postgres",
            "CREATE ROLE owner LOGIN; CREATE ROLE quant LOGIN; CREATE ROLE reader LOGIN",
        )
        one.database("owned", "OWNER owner")
        one.database("shared")
        one.run("shared", "CREATE SCHEMA market AUTHORIZATION quant")
        yield one


def caught_up(release):
    """Wait until the standby has what the primary has."""
    with (
        psycopg.connect(release.primary, autocommit=True) as primary,
        psycopg.connect(release.standby, autocommit=True) as standby,
    ):
        ((through,),) = primary.execute("SELECT pg_current_wal_lsn()").fetchall()
        deadline = time.monotonic() + 60
        while not standby.execute(
            "SELECT coalesce(pg_last_wal_replay_lsn() >= %s, false)", (through,)
        ).fetchone()[0]:
            assert time.monotonic() < deadline, "the standby does not follow"


def pooled(release, mode, stack):
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    directory.chmod(0o755)
    return stack.enter_context(pooler(release.database(f"pooled_{mode}"), directory, mode))


@pytest.mark.skipif(
    PGBOUNCER is None and not os.environ.get("CI"),
    reason="PgBouncer is not installed: apt-get install pgbouncer",
)
def test_every_cell_is_what_happens(release, major):
    """The standby comes last: it can be read because the others have loaded."""
    with ExitStack() as stack:
        found = {
            "a role that owns the database": release.outcome(release.url("owned", "owner")),
            "a role that owns one schema": release.outcome(release.url("shared", "quant", "market")),
        }
        release.run(
            "shared",
            "GRANT USAGE ON SCHEMA market TO reader",
            "GRANT SELECT ON ALL TABLES IN SCHEMA market TO reader",
        )
        found["a role with `SELECT` only"] = release.outcome(release.url("shared", "reader", "market"))
        for mode in ("session", "transaction"):
            found[f"PgBouncer, {mode} mode"] = release.outcome(pooled(release, mode, stack))
        for encoding in ("LATIN1", "SQL_ASCII"):
            url = release.database(encoding.lower(), f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
            found[f"encoding {encoding}"] = release.outcome(url)
        caught_up(release)
        standby = urlsplit(release.standby)._replace(path="/owned").geturl()
        found["a hot standby"] = release.outcome(standby)
        found["publishing from a hot standby"] = release.published_from(standby)
    assert found == {row: cells[major] for row, cells in table().items()}


def test_a_release_that_is_too_old_is_told_both_versions():
    with (
        primary_and_standby(13) as (primary, _),
        pytest.raises(DatabaseError, match="runs PostgreSQL 13; Condvest needs 14"),
        Database(primary) as database,
        database.transaction(),
    ):
        pass
