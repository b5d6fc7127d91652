"""Roles, databases and URLs as administrators make them: each works, or is refused with what to do."""

import os
import re
import select
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import psycopg
import pytest
from psycopg import sql

from condvest.batch_layer.database.opening import open_database
from condvest.batch_layer.operations.publish import publish_all
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import DatabaseError, TransientError
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.serving_layer.queries.bars.bars_table import read_bars, read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources.published import PublishedSource
from tests.support import publishing
from tests.support.exchange import NOW
from tests.support.worlds.world import World

NAME = f'condvest_test_{os.getpid()} "odd" names'
ROLE, MEMBER = f"Odd role {os.getpid()}", f"member_{os.getpid()}"
SCHEMA = 'Market "data"'


def url_of(server, *, role=ROLE, name=NAME, **parameters):
    """Return a URL of the server of the tests, with its own parameters and others beside them."""
    parts = urlsplit(server.url)
    place = parts.netloc.rpartition("@")[2]
    query = "&".join(
        f"{key}={quote(value, safe='')}"
        for key, value in {**dict(parse_qsl(parts.query)), **parameters}.items()
    )
    return parts._replace(
        netloc=f"{quote(role, safe='')}@{place}", path=f"/{quote(name, safe='')}", query=query
    ).geturl()


def escaped(value):
    """Return a value as ``options`` takes it."""
    return value.replace(" ", "\\ ")


def path_option(schema=SCHEMA):
    """Return what ``options`` says to search one schema."""
    quoted = '"{}"'.format(schema.replace('"', '""'))
    return f"-csearch_path={escaped(quoted)}"


class Desk:
    """A database that belongs to a role, and an administrator's connection to it."""

    def __init__(self, server, home, sessions):
        self.server, self.home, self.sessions = server, home, sessions
        self.loaded = 0
        self.administrator = psycopg.connect(
            url_of(server, role=urlsplit(server.url).username), autocommit=True
        )

    def run(self, statement, *names):
        self.administrator.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def work(self, url):
        """Load the next session, resample, and read it with those that were loaded before."""
        settings = Settings(home=self.home, database=DatabaseSettings(url=url))
        with open_database(settings, None) as database:
            world = World(Workspace(settings, database, NOW), self.sessions)
            if self.loaded == 0:
                world.workspace.extended_sessions()
            world.bars([publishing.quote("A", world.date(self.loaded), 21.0 + self.loaded)])
            self.loaded += 1
            world.resample()
            self.check(lambda asked: read_bars(database, self.sessions, asked))

    def check(self, read):
        """Session 0 closes at 21, session 1 at 22, and so on; a bar of three closes with its last session."""
        closes = [21.0 + at for at in range(self.loaded)]
        of_three = [closes[min(first + 2, self.loaded - 1)] for first in range(0, self.loaded, 3)]
        for interval, expected in ((1, closes), (3, of_three)):
            table = read(Question(symbols=["A"], interval=interval, include_open=True))
            assert table["close"].to_pylist() == expected
            ends = table["last_session"].to_pylist()
            assert ends == [self.sessions.session((at + 1) * interval - 1) for at in range(len(expected))]


@pytest.fixture(scope="module")
def desk(server, sessions, tmp_path_factory):
    with psycopg.connect(server.url, autocommit=True) as connection:
        for statement, names in (
            ("CREATE ROLE {} LOGIN", [ROLE]),
            ("CREATE ROLE {} LOGIN NOINHERIT IN ROLE {}", [MEMBER, ROLE]),
            ("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0", [NAME]),
        ):
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        one = Desk(server, tmp_path_factory.mktemp("home"), sessions)
        one.run("CREATE SCHEMA {} AUTHORIZATION {}", SCHEMA, ROLE)
        one.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        one.run("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", NAME)
        one.run("GRANT TEMPORARY ON DATABASE {} TO {}", NAME, ROLE)
        one.run("ALTER ROLE {} SET search_path = {}", ROLE, SCHEMA)
        yield one
        one.administrator.close()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(NAME)))
        connection.execute(sql.SQL("DROP ROLE {}, {}").format(*map(sql.Identifier, (MEMBER, ROLE))))


@pytest.fixture
def url(desk):
    return url_of(desk.server)


SETTINGS = {
    "how values are written": {
        "array_nulls": "off",
        "bytea_output": "escape",
        "client_encoding": "LATIN1",
        "DateStyle": "German, DMY",
        "extra_float_digits": "-15",
        "IntervalStyle": "iso_8601",
        "quote_all_identifiers": "on",
        "standard_conforming_strings": "off",
        "TimeZone": "Asia/Tokyo",
        "transform_null_equals": "on",
    },
    "how statements are run": {
        "default_transaction_deferrable": "on",
        "default_transaction_isolation": "serializable",
        "enable_seqscan": "off",
        # Long enough for a machine that is busy.
        "idle_in_transaction_session_timeout": "60s",
        "lock_timeout": "60s",
        "plan_cache_mode": "force_generic_plan",
        "row_security": "off",
        "statement_timeout": "60s",
        "synchronous_commit": "off",
        "work_mem": "64kB",
    },
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_of_the_role_change_no_answer(desk, url, kind):
    for name, value in SETTINGS[kind].items():
        desk.run(f"ALTER ROLE {{}} SET {name} = '{value}'", ROLE)
    try:
        desk.work(url)
    finally:
        for name in SETTINGS[kind]:
            desk.run(f"ALTER ROLE {{}} RESET {name}", ROLE)


def of_a_service(desk, monkeypatch, folder):
    """All is in a service file, and a variable names the service."""
    parts = urlsplit(url_of(desk.server))
    host = dict(parse_qsl(parts.query)).get("host", parts.hostname)
    port = dict(parse_qsl(parts.query)).get("port", parts.port)
    file = folder / "services.conf"
    file.write_text(f"[market]\nhost={host}\nport={port}\nuser={ROLE}\ndbname={NAME}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "market")
    return "postgresql://"


def of_variables(desk, monkeypatch, _):
    """The URL says where the server is, and variables say the rest."""
    monkeypatch.setenv("PGUSER", ROLE)
    monkeypatch.setenv("PGDATABASE", NAME)
    monkeypatch.setenv("PGOPTIONS", path_option())
    return url_of(desk.server, role="", name="").replace("//@", "//").replace("/?", "?")


CONNECTIONS = {
    "a service file": of_a_service,
    "variables": of_variables,
    "a search path in options": lambda desk, *_: url_of(desk.server, options=path_option()),
    "any server that takes writes": lambda desk, *_: url_of(desk.server, target_session_attrs="read-write"),
    "a member that becomes the owner": lambda desk, *_: url_of(
        desk.server, role=MEMBER, options=f"{path_option()} -crole={escaped(ROLE)}"
    ),
    "another encoding and name": lambda desk, *_: url_of(
        desk.server, client_encoding="LATIN1", application_name="somebody"
    ),
}


@pytest.mark.parametrize("kind", CONNECTIONS)
def test_what_names_the_database_works(desk, monkeypatch, tmp_path, kind):
    desk.work(CONNECTIONS[kind](desk, monkeypatch, tmp_path))


def test_it_is_published_and_built_anew(desk, url, tmp_path):
    settings = Settings(home=tmp_path, database=DatabaseSettings(url=url))
    with open_database(settings, None) as database:
        workspace = Workspace(settings, database, NOW)
        if desk.loaded == 0:
            desk.work(url)
        assert World(workspace, desk.sessions).resample(full=True).altered == 0
        publish_all(workspace, tmp_path / "published")
    files = PublishedSource.open(DirectoryTarget(tmp_path / "published"))
    desk.check(lambda asked: read_bars_from(files, asked))


REFUSED = {
    "writes are off for the role": (
        {},
        "ALTER ROLE {role} SET default_transaction_read_only = on",
        "ALTER ROLE {role} RESET default_transaction_read_only",
        "takes no writes.*default_transaction_read_only",
    ),
    "no temporary tables": (
        {},
        "REVOKE TEMPORARY ON DATABASE {name} FROM {role}",
        "GRANT TEMPORARY ON DATABASE {name} TO {role}",
        "permission denied to create temporary tables.*docs/postgres.md",
    ),
    "a member that inherits nothing": (
        {"role": MEMBER, "options": path_option()},
        None,
        None,
        r"may not use: GRANT USAGE ON SCHEMA \"Market \"\"data\"\"\"",
    ),
    "a standby is asked for": (
        {"target_session_attrs": "standby"},
        None,
        None,
        "check CONDVEST_DATABASE_URL",
    ),
    "a setting that is none": (
        {"options": "-cnonsense=1"},
        None,
        None,
        "nonsense.*check CONDVEST_DATABASE_URL",
    ),
    "a database without a schema": (
        {"name": "postgres", "options": "-csearch_path=nowhere"},
        None,
        None,
        "names no schema that is there.*CREATE SCHEMA",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_done_says_what_to_do_and_leaves_nothing(desk, kind):
    """None of it may pass by itself, so AWS Batch must not try again."""
    parameters, before, after, advice = REFUSED[kind]
    desk.work(url_of(desk.server))
    names = {"role": sql.Identifier(ROLE), "name": sql.Identifier(NAME)}
    try:
        if before is not None:
            desk.administrator.execute(sql.SQL(before).format(**names))
        with pytest.raises(DatabaseError, match=f"(?s){advice}") as refused:
            desk.work(url_of(desk.server, **parameters))
        assert not isinstance(refused.value, TransientError)
    finally:
        if after is not None:
            desk.administrator.execute(sql.SQL(after).format(**names))
    desk.work(url_of(desk.server))


def test_the_advice_about_a_schema_with_capitals_and_blanks_is_what_helps(desk):
    desk.run("ALTER ROLE {} RESET search_path", ROLE)
    try:
        with pytest.raises(DatabaseError, match=r"Add \?options=") as refused:
            desk.work(url_of(desk.server))
        (option,) = re.findall(r"\?options=(\S+) to", str(refused.value))
        desk.work(url_of(desk.server, options=unquote(option)))
    finally:
        desk.run("ALTER ROLE {} SET search_path = {}", ROLE, SCHEMA)


def test_an_idle_session_that_the_server_ended_under_a_lock_is_told(database):
    with pytest.raises(DatabaseError, match=r"idle session.*raise idle_session_timeout") as refused:
        idle_under_a_lock(database)
    assert not isinstance(refused.value, TransientError)
    with database.transaction() as connection:  # without a lock another session does as well
        assert connection.execute("SELECT 1").fetchone() == (1,)


def idle_under_a_lock(database):
    with database.locked("some work"):
        with database.transaction() as connection:
            connection.execute("SET idle_session_timeout = 1")
        select.select([connection], [], [], 60)  # until the server has said its last words
        with database.transaction():
            pass
