"""Migration 18: the open bars go to a table of their own, and everybody reads on."""

from itertools import count

import psycopg
import pytest

from condvest.batch_layer.database.migrate import check_schema, migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import DatabaseError
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.databases.before_open_bars import BEFORE_OPEN_BARS
from tests.support.databases.catalogue import CATALOGUE
from tests.support.exchange import NOW
from tests.support.payloads import bar
from tests.support.worlds.world import World

STORED = 'SELECT * FROM bars ORDER BY "interval", instrument_id, "window"'
VIEWED = 'SELECT * FROM condvest_v1.bars_all ORDER BY symbol, "interval", "window"'
roles = (f"reader_of_bars_{number}" for number in count())


@pytest.fixture
def older(server, tmp_path, sessions):
    """Two symbols of 40 sessions, resampled, with the tables of migration 17."""
    url = server.database()
    with Database(url) as database:
        workspace = Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=url)), database, NOW)
        world = World(workspace, sessions)
        night(world, range(40))
        with psycopg.connect(url) as connection:
            for statement in BEFORE_OPEN_BARS:
                connection.execute(statement)
        yield world
        world.close()
    server.drop(url)


def night(world, ordinals):
    rows = [bar(symbol, world.date(at), at % 7) for at in ordinals for symbol in ("A", "B")]
    world.bars(rows, provider="massive", whole=(ordinals[0], ordinals[-1]))
    world.resample()


def test_the_bars_are_what_they_were_and_nights_go_on(older):
    before, viewed = older.ask(STORED), older.ask(VIEWED)
    assert len(before) == 2 * sum(-(-40 // n) for n in (3, 5, 8, 13, 21, 34))
    assert migrate(older.workspace.database)[0] == "0018_open_bars"
    check_schema(older.workspace.database)
    assert (older.ask(STORED), older.ask(VIEWED)) == (before, viewed)
    assert older.number("SELECT count(*) FROM open_bars") == 0
    assert older.resample(full=True).altered == 0
    assert older.differences() == []
    for ordinal in range(40, 44):
        night(older, [ordinal])
        assert older.differences() == []
        assert older.number("SELECT count(*) FROM bars") == len(older.ask(STORED))
    windows = older.ask("SELECT window_3, window_5, window_8, window_13, window_21, window_34 FROM open_bars")
    assert windows == [(14, 8, 5, 3, 2, 1)] * 2  # session 43 divided by each interval


def test_who_might_read_reads_and_who_might_write_writes(older):
    reader, of_one, writer = next(roles), next(roles), next(roles)
    for role in (reader, of_one, writer):
        older.looking.execute(f"CREATE ROLE {role}")
    older.looking.execute(f"GRANT SELECT ON bars, bars_3 TO {reader}; GRANT SELECT ON bars_13 TO {of_one}")
    older.looking.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {writer}")
    migrate(older.workspace.database)
    may = "SELECT has_table_privilege(%s, %s, %s)"
    for role, table, what, expected in (
        (reader, "bars", "SELECT", True),
        (reader, "bars_3", "SELECT", True),
        (reader, "bars_5", "SELECT", False),
        (reader, "open_bars", "SELECT", True),
        (reader, "open_bars", "UPDATE", False),
        (of_one, "bars_13", "SELECT", True),
        (of_one, "bars", "SELECT", False),
        (of_one, "open_bars", "SELECT", False),
        (writer, "bars_34", "SELECT", True),
        (writer, "closed_bars_34", "INSERT", True),
        (writer, "open_bars", "UPDATE", True),
        (writer, "open_bars", "DELETE", True),
    ):
        assert older.number(may, role, table, what) == expected, (role, table, what)
    for role in (reader, of_one, writer):
        older.looking.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_view_that_would_miss_the_open_bars_is_named_and_nothing_is_changed(older, any_catalogue):
    """PostgreSQL binds a view to the table, whatever that is called from then on."""
    older.looking.execute("CREATE SCHEMA mine")
    older.looking.execute("CREATE VIEW mine.highs AS SELECT max(high) FROM bars_13")
    before = any_catalogue(older)
    with pytest.raises(DatabaseError, match=r"would miss the open bars from now on: mine\.highs"):
        migrate(older.workspace.database)
    assert any_catalogue(older) == before
    older.looking.execute("DROP VIEW mine.highs")
    migrate(older.workspace.database)
    older.looking.execute("CREATE VIEW mine.highs AS SELECT max(high) FROM bars_13")
    assert older.ask("SELECT * FROM mine.highs") == older.ask("SELECT max(high) FROM bars_13")


@pytest.fixture
def any_catalogue():
    return lambda world: world.ask(CATALOGUE)
