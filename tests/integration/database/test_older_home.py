"""A database as the version before left it: sessions since 1953, with the hours of today for all time."""

import json
from dataclasses import replace

import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest

from condvest.batch_layer.database.migrate import check_schema, migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.operations.publish import publish_all
from condvest.batch_layer.operations.upkeep import verify_all
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import SchemaTooOld
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.databases.before_open_bars import BEFORE_OPEN_BARS
from tests.support.exchange import NOW
from tests.support.payloads import bar
from tests.support.publishing import published
from tests.support.worlds.world import World

SCHEMA_6 = (
    *BEFORE_OPEN_BARS,
    "DROP SCHEMA condvest_v1 CASCADE",
    "DROP FUNCTION make_views",
    "DROP AGGREGATE product_in_order (float8)",
    "DROP TABLE taken_back_loads, ledger_revisions, supplier_revisions, watched",
    "ALTER TABLE sessions DROP COLUMN late_open",
    "DROP TABLE calendar_sources",
    "DELETE FROM schema_migrations WHERE version > 6",
    "DROP TABLE alert_rules, alert_webhooks, alert_states, alert_events, alert_deliveries",
    "DROP TABLE live_runs, live_daily_bars, live_unresolved, live_refused, live_gaps",
    "DROP TABLE live_settlements, live_settlement_fields, live_differences, touched",
    "DROP FUNCTION touch_all CASCADE",
    "DROP FUNCTION touch_reference CASCADE",
    "DELETE FROM sessions WHERE session < '1953-01-01'",
    """UPDATE sessions SET early_close = false,
    opens_at = (session + time '9:30') AT TIME ZONE 'America/New_York',
    closes_at = (session + time '16:00') AT TIME ZONE 'America/New_York'""",
)
STORED = (
    "SELECT * FROM daily_bars ORDER BY instrument_id, ordinal",
    'SELECT * FROM bars ORDER BY "interval", instrument_id, "window"',
)


@pytest.fixture
def older(server, tmp_path, sessions):
    """Bars of 1952 to 1954: those since 1953 were loaded, resampled and published, the others refused."""
    url = server.database()
    with Database(url) as database:
        workspace = Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=url)), database, NOW)
        world = World(workspace, since_1953(sessions))
        world.archive = workspace.archive
        dates = [date for date in sessions.date.tolist() if 1952 <= date.year <= 1954]
        summary = world.bars([bar("A", date, at % 7) for at, date in enumerate(dates)])
        assert set(summary.refused) == {"before_calendar"}
        place = DirectoryTarget(tmp_path / "published")
        published(world, place)
        world.close()
        forget_late_opens(tmp_path / "published" / "manifest.json")
        with psycopg.connect(url) as connection:
            for statement in SCHEMA_6:
                connection.execute(statement)
        yield workspace
    server.drop(url)


def since_1953(sessions):
    first = int(np.searchsorted(sessions.date, np.datetime64("1953-01-01")))
    columns = ("date", "opens_at", "closes_at", "early_close", "late_open")
    return replace(
        sessions,
        first_ordinal=sessions.first_ordinal + first,
        **{name: getattr(sessions, name)[first:] for name in columns},
    )


def forget_late_opens(path):
    """Make a manifest say what one of the version before says."""
    manifest = json.loads(path.read_text())
    del manifest["schema"]["sessions"]["late_open"]
    path.write_text(json.dumps(manifest))


def ask(workspace, query):
    with psycopg.connect(workspace.settings.database.url) as connection:
        return connection.execute(query).fetchall()


def test_it_waits_for_the_migration_then_verifies_and_keeps_every_ordinal_window_and_bar(older, sessions):
    with pytest.raises(SchemaTooOld, match="0007"):
        check_schema(older.database)
    numbered = "SELECT ordinal, session FROM sessions WHERE session >= '1953-01-01' ORDER BY ordinal"
    before = [ask(older, query) for query in (*STORED, numbered)]
    assert [name[:4] for name in migrate(older.database)] == [
        "0007",
        "0008",
        "0009",
        "0010",
        "0011",
        "0012",
        "0013",
        "0014",
        "0015",
        "0016",
        "0017",
        "0018",
    ]
    assert verify_all(older, sample=None, seed=0) == []

    assert older.sessions_ahead.first_ordinal == sessions.first_ordinal
    with older.database.transaction(read_only=True) as connection:
        stored = read_sessions(connection)
    for name in ("date", "opens_at", "closes_at", "early_close", "late_open"):
        assert np.array_equal(getattr(stored, name), getattr(sessions, name)), name
    assert [ask(older, query) for query in (*STORED, numbered)] == before
    reopened = Workspace(older.settings, older.database, NOW)
    assert verify_all(reopened, sample=None, seed=0) == []


def test_rows_of_1952_that_were_refused_come_in_when_they_are_loaded_again(older):
    migrate(older.database)
    world = World(older, older.sessions_ahead)
    world.archive = older.archive
    dates = [date for date in world.sessions.date.tolist() if date.year == 1952]
    assert world.bars([bar("A", date, at % 7) for at, date in enumerate(dates)]).inserted == len(dates)
    world.resample()
    assert world.differences() == []
    world.close()
    assert verify_all(Workspace(older.settings, older.database, NOW), sample=None, seed=0) == []


def test_what_is_published_follows_hours_and_the_first_windows_labels(older, tmp_path):
    """The calendar began on 1953-01-02, ordinal -2265: within window -175 of 13 sessions, from -2275 on."""
    place = tmp_path / "published"
    migrate(older.database)
    assert publish_all(older, place).is_new
    manifest = json.loads((place / "manifest.json").read_text())
    of_1953 = next(file for file in manifest["files"]["bars_13"] if file["part"] == "1953")
    first = pq.read_table(place / of_1953["path"]).to_pylist()[0]
    assert (first["window"], str(first["first_session"])) == (-175, "1952-12-17")
    (file,) = manifest["files"]["sessions"]
    rows = {str(row["session"]): row for row in pq.read_table(place / file["path"]).to_pylist()}
    assert str(rows["1968-01-22"]["closes_at"]) == "1968-01-22 19:00:00+00:00"
    assert [rows[date]["late_open"] for date in ("2001-09-17", "2001-09-18")] == [True, False]
    assert not publish_all(older, place).is_new
