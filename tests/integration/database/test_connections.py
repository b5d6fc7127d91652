"""Connections as users have them: poolers, other encodings, other schemas, variables of other databases."""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from condvest.batch_layer.database.migrate import check_schema, is_empty, migrate
from condvest.batch_layer.database.migration_files import migrations
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared.errors import DatabaseError, SchemaTooOld
from tests.support.pooler import PGBOUNCER, pooler


def answer(database, query="SELECT 1"):
    with database.transaction() as connection:
        return connection.execute(query).fetchone()


@pytest.mark.skipif(
    PGBOUNCER is None and not os.environ.get("CI"),
    reason="PgBouncer is not installed: apt-get install pgbouncer",
)
class TestPooler:
    @pytest.fixture
    def folder(self, tmp_path_factory):
        directory = tmp_path_factory.mktemp("pooler")
        # PgBouncer runs as another user, who has to get there.
        for path in (directory, *directory.parents):
            if path == Path(tempfile.gettempdir()):
                break
            path.chmod(0o755)
        return directory

    @pytest.mark.parametrize("size", [1, 20])
    def test_in_session_mode_it_is_as_the_server_itself(self, other_server, folder, size):
        with (
            pooler(other_server.empty_database(), folder, "session", size=size) as url,
            Database(url) as database,
        ):
            assert migrate(database) == [str(migration) for migration in migrations()]
            with database.locked("some work") as at_once:
                assert at_once
                pids = {answer(database, "SELECT pg_backend_pid()") for _ in range(3)}
            assert len(pids) == 1
            assert answer(database, "SHOW timezone") == ("UTC",)

    def test_in_transaction_mode_it_is_refused_with_what_to_do(self, other_server, folder):
        with (
            pooler(other_server.empty_database(), folder, "transaction") as url,
            Database(url) as database,
            pytest.raises(DatabaseError, match=r"transaction mode.*session"),
        ):
            answer(database)

    def test_options_that_it_refuses_are_told_from_a_server_that_is_away(self, other_server, folder):
        with (
            pooler(other_server.empty_database(), folder, "session") as url,
            Database(f"{url}?options=-csearch_path%3Dmarket") as database,
            pytest.raises(DatabaseError, match=r"(?s)unsupported startup parameter.*session"),
        ):
            answer(database)


@pytest.fixture
def empty_url(server):
    url = server.empty_database()
    yield url
    server.drop(url)


@pytest.fixture
def administrator(empty_url):
    with psycopg.connect(empty_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def roles(administrator):
    """Make a role that owns the schema market and nothing else, and one that may read it."""
    number = os.getpid()
    owner, reader = f"quant_{number}", f"reader_{number}"
    administrator.execute(f"CREATE ROLE {owner} LOGIN; CREATE ROLE {reader} LOGIN")
    administrator.execute(f"CREATE SCHEMA market AUTHORIZATION {owner}")
    yield owner, reader
    administrator.execute(f"DROP OWNED BY {owner}, {reader}; DROP ROLE {owner}, {reader}")


def as_role(url, role, path=None):
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    query = parts.query + (f"&options=-csearch_path%3D{path}" if path else "")
    return parts._replace(netloc=f"{role}@{place}", query=query).geturl()


class TestSchemas:
    def test_a_role_that_owns_one_schema_gets_the_tables_there(self, empty_url, roles):
        owner, _ = roles
        with Database(as_role(empty_url, owner, "market")) as database:
            migrate(database)
            check_schema(database)
            assert answer(database, "SELECT to_regclass('market.daily_bars') IS NOT NULL") == (True,)

    def test_a_search_path_that_misses_the_tables_is_told_where_they_are(
        self, empty_url, administrator, roles
    ):
        owner, reader = roles
        with Database(as_role(empty_url, owner, "market")) as database:
            migrate(database)
        administrator.execute(f"GRANT USAGE ON SCHEMA market TO {reader}")
        administrator.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA market TO {reader}")
        with Database(as_role(empty_url, reader)) as database:
            for look in (check_schema, is_empty):
                with pytest.raises(
                    DatabaseError, match=r"in schema market.*csearch_path%3Dmarket"
                ) as refused:
                    look(database)
                assert not isinstance(refused.value, SchemaTooOld)
        with Database(as_role(empty_url, reader, "market")) as database:
            check_schema(database)

    def test_the_migrations_of_another_application_are_left_alone(self, empty_url, administrator):
        administrator.execute("CREATE TABLE schema_migrations (version text)")
        with Database(empty_url) as database, pytest.raises(DatabaseError, match="another application's"):
            migrate(database)
        assert administrator.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (1,)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_character_gets_no_schema(server, administrator, encoding):
    name = f"condvest_test_{os.getpid()}_{encoding.lower()}"
    administrator.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        with (
            Database(server.url_of(name)) as database,
            pytest.raises(DatabaseError, match=rf"encoding is {encoding}.*UTF8"),
        ):
            migrate(database)
    finally:
        server.drop(server.url_of(name))


VARIABLES = {
    "PGHOSTADDR": "192.0.2.1",
    "PGSERVICE": "of_another_database",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGTARGETSESSIONATTRS": "standby",
    "PGCLIENTENCODING": "SJIS",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Tokyo",
    "PGSSLMODE": "x",
    "PGGSSENCMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGSSLNEGOTIATION": "direct",
    "PGLOADBALANCEHOSTS": "x",
    "PGOPTIONS": "-c timezone=Asia/Tokyo",
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_embedded_server_heeds_no_variable_of_another_database(url, monkeypatch, variable):
    monkeypatch.setenv(variable, VARIABLES[variable])
    with Database(url, reads_environment=False) as database:
        assert answer(database, "SELECT current_date IS NOT NULL") == (True,)
        assert answer(database, "SHOW timezone") == ("UTC",)
    assert os.environ[variable] == VARIABLES[variable]


@pytest.mark.parametrize("variable", ["PGTZ", "PGDATESTYLE", "PGCLIENTENCODING"])
def test_what_a_variable_may_say_of_any_database_changes_no_answer(url, monkeypatch, variable):
    monkeypatch.setenv(variable, VARIABLES[variable])
    with Database(url) as database:
        assert answer(database, "SELECT date '2024-06-03', 'é'")[1] == "é"
        assert answer(database, "SHOW timezone") == ("UTC",)
        assert answer(database, "SHOW datestyle")[0].startswith("ISO")
