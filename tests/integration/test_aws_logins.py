"""The users that a migration makes on RDS, on a server of the tests' own: roles belong to a whole server."""

import datetime as dt

import psycopg
import pytest

from batch_layer.database.logins import USERS, grant_logins
from batch_layer.database.postgres.connection import Database
from tests.support.databases.servers import embedded_server

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def rds():
    with embedded_server(NOW) as one:
        yield one


def test_the_users_do_their_work_and_leave_the_schema_alone(rds):
    with rds.lent() as url, Database(url) as database:
        assert grant_logins(database) == []
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE ROLE rds_iam")
            assert grant_logins(database) == list(USERS)
            assert grant_logins(database) == list(USERS)
            for user in USERS:
                connection.execute(f"SET ROLE {user}")
                connection.execute("INSERT INTO providers (provider, rank) VALUES (%s, 1)", (user,))
                connection.execute("INSERT INTO instruments DEFAULT VALUES")
                connection.execute("DELETE FROM changes")
                connection.execute("SELECT * FROM schema_migrations")
                for forbidden in ("DELETE FROM schema_migrations", "DROP TABLE bars", "CREATE TABLE t ()"):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(forbidden)
                connection.execute("RESET ROLE")
                member = connection.execute("SELECT pg_has_role(%s, 'rds_iam', 'member')", (user,))
                assert member.fetchone() == (True,)
