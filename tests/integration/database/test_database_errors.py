"""What the database does not do: each refusal as an error of ours that says what to do, and nothing lost."""

import socket
import time
from urllib.parse import urlsplit

import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting import connection as connection_module
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.shared.errors import (
    DatabaseDamaged,
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefusedValue,
    DatabaseTimeout,
    DatabaseUnavailable,
    SettingsError,
    TransientError,
)
from tests.support.payloads import bar

SECRET = "s3cret"  # noqa: S105  # that it never shows is what is tested


def answer(database, query="SELECT 1"):
    with database.transaction() as connection:
        return connection.execute(query).fetchone()


class TestNoConnection:
    def test_nobody_listens(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))  # bound and never listening: refused
            url = f"postgresql://keeper:{SECRET}@127.0.0.1:{probe.getsockname()[1]}/bars"
            with (
                pytest.raises(DatabaseUnavailable, match=r"(?s)cannot reach.*run it again") as refused,
                Database(url) as database,
            ):
                answer(database)
        assert SECRET not in str(refused.value)
        assert isinstance(refused.value.__cause__, psycopg.OperationalError)

    def test_there_is_no_such_socket(self, tmp_path):
        with (
            pytest.raises(DatabaseUnavailable, match="cannot reach the database"),
            Database(f"postgresql:///bars?host={tmp_path}") as one,
        ):
            answer(one)

    def test_a_stranger_is_refused_for_good(self, any_url):
        """With a password on TCP, without a role on a socket; to try again would be no use."""
        place = urlsplit(any_url)
        host = place.netloc.rpartition("@")[2]
        url = place._replace(netloc=f"stranger:{SECRET}@{host}").geturl()
        with pytest.raises(DatabaseError, match=r"refused the connection.*CONDVEST_DATABASE_URL") as refused:
            answer(Database(url))
        assert "stranger" in str(refused.value)
        assert SECRET not in str(refused.value)

    def test_a_wrong_password_is_refused_for_good(self, other_server):
        """Where a password is asked for at all."""
        place = urlsplit(other_server.url)
        netloc = (
            place.netloc.replace(f":{place.password}@", f":{SECRET}@")
            if place.password
            else "stranger@nowhere"
        )
        with pytest.raises((DatabaseError, DatabaseUnavailable)) as refused:
            answer(Database(place._replace(netloc=netloc).geturl()))
        assert SECRET not in str(refused.value)
        assert (place.password or "no password") not in str(refused.value)
        assert isinstance(refused.value, DatabaseError) == bool(place.password)

    def test_a_database_that_is_not_there_is_named(self, any_server):
        with pytest.raises(DatabaseError, match=r"condvest_no_such.*CONDVEST_DATABASE_URL") as refused:
            answer(Database(any_server.url_of("condvest_no_such")))
        assert not isinstance(refused.value, TransientError)

    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://keeper:{SECRET}%zz@host/bars",
            f"postgresql://keeper:{SECRET}@[::1/bars",
            f'postgresql://keeper:{SECRET}"x@[::1/bars',
            f"postgresql://keeper:{SECRET}@host/bars?no_such_option=1",
        ],
    )
    def test_an_unreadable_url_is_told_without_its_password(self, url):
        with pytest.raises(SettingsError, match="CONDVEST_DATABASE_URL cannot be read") as refused:
            answer(Database(url))
        assert SECRET not in str(refused.value)

    def test_a_server_that_is_too_old_is_told_both_versions(self, url, monkeypatch):
        monkeypatch.setattr(connection_module, "OLDEST_SERVER", 99)
        with pytest.raises(DatabaseError, match=r"runs PostgreSQL \d\d; Condvest needs 99"):
            answer(Database(url))


class TestConnections:
    def test_time_is_utc_whatever_the_server_prefers(self, any_database):
        assert answer(any_database, "SHOW timezone") == ("UTC",)

    def test_options_of_the_url_are_kept(self, any_url):
        """Some hosts are told by them which database is meant."""
        separator = "&" if urlsplit(any_url).query else "?"
        with Database(f"{any_url}{separator}options=-c%20work_mem%3D7MB") as database:
            assert answer(database, "SHOW work_mem") == ("7MB",)
            assert answer(database, "SHOW timezone") == ("UTC",)

    def test_it_is_opened_again_after_it_was_closed_or_lost(self, any_database):
        first = answer(any_database, "SELECT pg_backend_pid()")
        with pytest.raises(DatabaseUnavailable):
            answer(any_database, "SELECT pg_terminate_backend(pg_backend_pid())")
        second = answer(any_database, "SELECT pg_backend_pid()")
        any_database.close()
        third = answer(any_database, "SELECT pg_backend_pid()")
        assert len({first, second, third}) == 3


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("25006", DatabaseReadOnly),
        ("53100", DatabaseFull),
        ("40001", DatabaseUnavailable),
        ("40P01", DatabaseUnavailable),
        ("57014", DatabaseTimeout),
        ("25P03", DatabaseError),
        ("55P03", DatabaseTimeout),
        ("57P01", DatabaseUnavailable),
        ("53400", DatabaseError),
        ("XX001", DatabaseDamaged),
        ("53300", DatabaseUnavailable),
        ("08006", DatabaseUnavailable),
        ("23505", DatabaseError),
        ("22012", DatabaseRefusedValue),
        ("42501", DatabaseError),
    ],
)
def test_each_sqlstate_becomes_the_error_that_says_what_to_do(database, state, kind):
    """The server itself raises each of them; the driver's error stays as the cause."""
    raising = f"DO $$BEGIN RAISE EXCEPTION 'as it happens' USING ERRCODE = '{state}'; END$$"
    with pytest.raises(kind, match="as it happens") as refused:
        answer(database, raising)
    assert type(refused.value) is kind
    assert refused.value.__cause__.sqlstate == state


class TestReadOnly:
    @pytest.fixture
    def closed(self, any_world):
        """A database that takes no writes any more, with one bar in it; the connection is new."""
        any_world.bars([bar("A", any_world.date(0))])
        name = urlsplit(any_world.url).path[1:]
        any_world.looking.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        any_world.workspace.database.close()
        yield any_world
        any_world.looking.execute("SET default_transaction_read_only = off")
        any_world.looking.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    def test_a_load_is_refused_by_name_and_reading_goes_on(self, closed):
        before = closed.dump()
        with pytest.raises(DatabaseReadOnly, match=r"takes no writes.*primary"):
            closed.bars([bar("B", closed.date(0))])
        with closed.workspace.database.transaction(read_only=True) as connection:
            assert read_sessions(connection) is not None
        assert closed.dump() == before

    def test_a_block_that_promised_to_write_nothing_cannot(self, database):
        with pytest.raises(DatabaseReadOnly), database.transaction(read_only=True) as connection:
            connection.execute("CREATE TABLE broken_promise ()")

    def test_the_promise_ends_with_the_block(self, database):
        with database.transaction(read_only=True):
            pass
        with database.transaction(rehearsal=True) as connection:
            connection.execute("CREATE TABLE kept_promise ()")


class TestInTheMidst:
    """Something fails when half of a load or of a resampling is done: then none of it is."""

    def failing(self, world, table, what):
        world.looking.execute(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {what}; RETURN NULL; END$$; "
            f"CREATE TRIGGER fail AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fail()"
        )

    FULL = "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'"
    AWAY = "PERFORM pg_terminate_backend(pg_backend_pid())"

    @pytest.mark.parametrize(("what", "kind"), [(FULL, DatabaseFull), (AWAY, DatabaseUnavailable)])
    @pytest.mark.parametrize("table", ["daily_bars", "ledger", "changes"])
    def test_of_a_load(self, any_world, table, what, kind):
        before = any_world.dump(sequences=False)
        self.failing(any_world, table, what)
        rows = [bar("A", any_world.date(at)) for at in range(20)]
        with pytest.raises(kind):
            any_world.bars(rows)
        assert any_world.dump(sequences=False) == before
        any_world.looking.execute("DROP FUNCTION fail CASCADE")
        assert any_world.bars(rows).inserted == 20

    @pytest.mark.parametrize(("what", "kind"), [(FULL, DatabaseFull), (AWAY, DatabaseUnavailable)])
    @pytest.mark.parametrize("table", ["closed_bars_3", "closed_bars_34", "open_bars"])
    def test_of_a_resampling(self, any_world, table, what, kind):
        """What is recorded as changed is still recorded, so the next run does it all."""
        any_world.bars([bar("A", any_world.date(at)) for at in range(40)])
        before = any_world.dump(sequences=False)
        self.failing(any_world, table, what)
        with pytest.raises(kind):
            any_world.resample()
        assert any_world.dump(sequences=False) == before
        any_world.looking.execute("DROP FUNCTION fail CASCADE")
        any_world.resample()
        assert any_world.differences() == []


class TestLocks:
    def held(self, url):
        with psycopg.connect(url) as connection:
            return connection.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchone()[0]

    def test_a_lock_is_held_over_transactions_and_let_go(self, any_database, any_url):
        with any_database.locked("some work", range(3)) as at_once:
            assert at_once
            answer(any_database)
            assert self.held(any_url) == 3
        assert self.held(any_url) == 0

    def test_it_is_let_go_after_a_failure(self, database, url):
        with pytest.raises(DatabaseError, match="division"), database.locked("some work"):
            answer(database, "SELECT 1/0")
        assert self.held(url) == 0

    def test_a_lost_connection_lets_it_go(self, database, url):
        with pytest.raises(DatabaseUnavailable), database.locked("some work"):
            answer(database, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert self.held(url) == 0
        with database.locked("some work") as at_once:
            assert at_once

    def test_other_names_and_other_parts_are_other_locks(self, database, url):
        with Database(url) as other, database.locked("some work", [0, 2]):
            with other.locked("other work", [0, 2]) as at_once:
                assert at_once
            with other.locked("some work", [1, 3]) as at_once:
                assert at_once


RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'"


def interrupted(database, beside):
    """Begin a statement that takes ten minutes, and get no further."""
    with database.transaction() as connection:
        connection.execute("CREATE TABLE half (done bool)")
        connection.pgconn.send_query(b"SELECT pg_sleep(600)")
        while connection.pgconn.flush() or answer(beside, RUNNING) != (1,):
            pass
        raise KeyboardInterrupt


def test_a_statement_that_is_interrupted_goes_on_nowhere(any_url, caplog):
    """As if Ctrl-C came while the driver was at work: it is ended, and the next transaction is as any."""
    with Database(any_url) as database, Database(any_url) as beside:
        with pytest.raises(KeyboardInterrupt):
            interrupted(database, beside)
        deadline = time.monotonic() + 60
        while answer(beside, RUNNING) != (0,):
            assert time.monotonic() < deadline, "the statement goes on"
        assert answer(database, "SELECT to_regclass('half')") == (None,)
    assert not caplog.records
