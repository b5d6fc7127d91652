"""The migrations: their sum, their order, and what can go wrong on the way."""

import subprocess
import sys
from importlib import resources

import psycopg
import pytest

from condvest.batch_layer.database.migrate import check_schema, is_empty, migrate
from condvest.batch_layer.database.migration_files import Migration, migrations
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.errors import DatabaseError, MigrationEdited, SchemaTooNew, SchemaTooOld
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.databases.catalogue import CATALOGUE

SQL = resources.files("condvest.batch_layer.database")
ONE = Migration(1, "one", "CREATE TABLE one (n int4);")
TWO = Migration(2, "two", "CREATE TABLE two (n int4); INSERT INTO one VALUES (2);")


@pytest.fixture
def empty_url(server):
    made = server.empty_database()
    yield made
    server.drop(made)


@pytest.fixture
def empty(empty_url):
    with Database(empty_url) as database:
        yield database


def catalogue(url):
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(CATALOGUE)]


def tables(url):
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [row[0] for row in rows]


def test_the_migrations_add_up_to_the_schema(any_server):
    """Tables, columns, types, defaults, constraints, indexes, partitions: all as in schema.sql."""
    by_steps, at_once = any_server.empty_database(), any_server.empty_database()
    with Database(by_steps) as database:
        assert migrate(database, migrations()) == [str(one) for one in migrations()]
    with Database(at_once) as database:
        assert migrate(database) == [str(one) for one in migrations()]
        check_schema(database)
    road, today = catalogue(by_steps), catalogue(at_once)
    any_server.drop(by_steps)
    any_server.drop(at_once)
    assert road == today
    assert 'table closed_bars p LIST ("interval") ' in today
    assert "table closed_bars_34 r  " in today
    assert "table open_bars r  {fillfactor=50}" in today
    assert "table daily_bars p LIST (((instrument_id % 16))) " in today


def test_the_files_are_numbered_from_one_without_gaps():
    names = sorted(file.name for file in (SQL / "migrations").iterdir() if file.name.endswith(".sql"))
    shipped = migrations()
    assert [name[:5] for name in names] == [f"{number:04}_" for number in range(1, len(names) + 1)]
    assert [f"{one.version:04}_{one.name}.sql" for one in shipped] == names


def test_a_migrated_database_has_nothing_left_to_do(empty):
    assert is_empty(empty)
    names = [f"{one.version:04}_{one.name}" for one in migrations()]
    assert migrate(empty) == names
    assert migrate(empty) == []
    assert not is_empty(empty)
    check_schema(empty)


def test_two_processes_that_migrate_at_once_do_it_once(empty_url, empty):
    """Both are started while the lock is held, so that neither can have finished before the other."""
    script = (
        "import sys; from condvest.batch_layer.database.postgres.connecting.connection import Database\n"
        "from condvest.batch_layer.database.migrate import migrate\n"
        "with Database(sys.argv[1]) as database:\n"
        "    database.transaction().__enter__(); database.close()\n"
        "    print('here', flush=True)\n"
        "    print(len(migrate(database)))\n"
    )
    with empty.locked("condvest migrate"):
        both = [
            subprocess.Popen([sys.executable, "-c", script, empty_url], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        assert [one.stdout.readline() for one in both] == ["here\n", "here\n"]
    done = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sorted(int(count) for count in done) == [0, len(migrations())]
    check_schema(empty)


def test_an_edited_migration_is_refused_by_name(empty):
    migrate(empty, [ONE, TWO])
    edited = [ONE, Migration(2, "two", TWO.sql + " -- only a remark")]
    with pytest.raises(MigrationEdited, match="0002_two"):
        migrate(empty, edited)
    with pytest.raises(MigrationEdited, match="0002_two"):
        check_schema(empty, edited)


def test_line_ends_are_no_edit(empty):
    """A checkout on Windows has other line ends, and the same migration."""
    text = "CREATE TABLE one (\n  n int4\n);\n"
    migrate(empty, [Migration(1, "one", text)])
    check_schema(empty, [Migration(1, "one", text.replace("\n", "\r\n"))])


def test_a_newer_schema_is_refused_and_left_alone(empty, empty_url):
    migrate(empty, [ONE, TWO])
    with pytest.raises(SchemaTooNew, match="0002_two"):
        migrate(empty, [ONE])
    assert tables(empty_url) == ["one", "schema_migrations", "two"]


ADDED = Migration(2, "two", "-- readable from: 1\nCREATE TABLE two (n int4);")
ADDED_MORE = Migration(3, "three", "-- readable from: 2\nCREATE TABLE three (n int4);")


def test_code_goes_on_with_a_newer_schema_that_was_only_added_to(empty, empty_url):
    """A deployment migrates first and changes the code afterwards; a rollback puts the code back."""
    migrate(empty, [ONE, ADDED])
    check_schema(empty, [ONE])
    assert migrate(empty, [ONE]) == []
    migrate(empty, [ONE, ADDED, ADDED_MORE])
    check_schema(empty, [ONE, ADDED])
    with pytest.raises(SchemaTooNew, match="0003_three"):  # which code of before the second does not read
        check_schema(empty, [ONE])
    assert tables(empty_url) == ["one", "schema_migrations", "three", "two"]


def test_a_database_of_before_learns_who_may_read_it(empty, empty_url):
    """Its records have no such column: code looks at it all the same, the next migration adds it."""
    migrate(empty, [ONE])
    with psycopg.connect(empty_url) as connection:
        connection.execute("ALTER TABLE schema_migrations DROP COLUMN readable_from")
    check_schema(empty, [ONE])
    with pytest.raises(SchemaTooOld, match="0002_two"):
        check_schema(empty, [ONE, ADDED])
    assert migrate(empty, [ONE, ADDED]) == ["0002_two"]
    check_schema(empty, [ONE])


def test_a_migration_that_fails_leaves_nothing_and_those_before_it_stay(empty, empty_url):
    """The third statement fails, so neither the first two nor the record are there."""
    broken = Migration(2, "two", "CREATE TABLE two (n int4); INSERT INTO one VALUES (1); SELECT 1/0;")
    with pytest.raises(DatabaseError, match="division by zero"):
        migrate(empty, [ONE, broken])
    assert tables(empty_url) == ["one", "schema_migrations"]
    with pytest.raises(SchemaTooOld, match="0002_two"):
        check_schema(empty, [ONE, TWO])
    assert migrate(empty, [ONE, TWO]) == ["0002_two"]
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT n FROM one").fetchall() == [(2,)]


def test_a_killed_migration_leaves_nothing(empty, empty_url):
    """The server ends the connection in the midst of a migration, as a power cut would."""
    suicide = Migration(1, "one", ONE.sql + " SELECT pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(Exception, match="cannot reach the database"):
        migrate(empty, [suicide])
    assert tables(empty_url) == []
    assert migrate(empty, [ONE]) == ["0001_one"]


class TestOpening:
    """What ``open_workspace`` makes of the schema it finds at a URL."""

    @pytest.fixture
    def settings(self, empty_url, tmp_path):
        return Settings(home=tmp_path, database=DatabaseSettings(url=empty_url))

    def test_an_empty_database_is_given_its_schema(self, settings, empty):
        with open_workspace(settings):
            pass
        check_schema(empty)

    def test_not_by_a_reader(self, settings, empty):
        with (
            pytest.raises(SchemaTooOld, match="condvest db migrate"),
            open_workspace(settings, may_create=False),
        ):
            pass
        assert is_empty(empty)

    def test_an_older_schema_is_refused_for_others_may_use_it(self, settings, empty):
        migrate(empty, migrations()[:-1])
        with pytest.raises(SchemaTooOld, match=migrations()[-1].name), open_workspace(settings):
            pass

    def test_a_newer_schema_is_refused(self, settings, empty):
        migrate(empty, [*migrations(), Migration(len(migrations()) + 1, "of_tomorrow", "SELECT 1;")])
        with pytest.raises(SchemaTooNew, match="of_tomorrow"), open_workspace(settings):
            pass
