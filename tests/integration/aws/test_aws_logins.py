"""The users that a migration makes on RDS, on a server of the tests' own: roles belong to a whole server."""

import datetime as dt
from dataclasses import replace
from urllib.parse import quote

import psycopg
import pytest

from condvest.batch_layer.database.logins import USERS, grant_logins
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.alert_events import newest_events
from condvest.batch_layer.database.stores.calendar_extension import sessions_ahead
from condvest.batch_layer.fetching.loading.loader import Loader
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive
from condvest.batch_layer.shared.clients.parsing import parse
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.published.live import LIVE, from_parquet
from condvest.live.judging import judge
from condvest.live.references import read_references
from condvest.speed_layer.core.alerts.rules import Rule
from condvest.speed_layer.services.live_publication import LivePublication
from condvest.speed_layer.services.run import Job
from condvest.speed_layer.services.settle import settle_all
from condvest.speed_layer.stores.rules import add_rule
from tests.support.databases.servers import embedded_server
from tests.support.payloads import bar, bars_payload
from tests.support.worlds.live_script import DAY, SESSION, Script, at

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)

READ, WRITE, NOTHING = "reads", "writes", "nothing"

RIGHTS = {
    "condvest_loader": {"bars": NOTHING, "bars_13": NOTHING, "closed_bars": NOTHING,
                        "closed_bars_13": NOTHING, "open_bars": NOTHING,
                        "daily_bars": WRITE, "daily_bars_3": WRITE,
                        "loads": WRITE, "splits": WRITE, "changes": WRITE, "schema_migrations": READ},
    "condvest_jobs": {"bars": READ, "bars_13": READ, "closed_bars": WRITE, "closed_bars_13": WRITE,
                      "open_bars": WRITE, "daily_bars": READ, "daily_bars_3": READ,
                      "loads": READ, "splits": READ, "changes": WRITE, "symbols": READ, "ledger": READ,
                      "dividends": READ, "metadata": READ, "schema_migrations": READ,
                      "sessions": WRITE, "calendar_sources": WRITE},
    "condvest_backfill": {"bars": READ, "bars_13": READ, "closed_bars": WRITE, "closed_bars_13": WRITE,
                          "open_bars": WRITE, "daily_bars": WRITE, "loads": WRITE,
                          "splits": WRITE, "changes": WRITE, "schema_migrations": READ},
    "condvest_live": {"daily_bars": READ, "daily_bars_3": READ, "bars": READ, "bars_13": READ,
                      "closed_bars_13": READ, "open_bars": READ,
                      "loads": READ, "ledger": READ, "splits": READ, "changes": READ, "symbols": READ,
                      "live_runs": WRITE, "live_daily_bars": WRITE, "live_gaps": WRITE,
                      "live_differences": WRITE, "alert_rules": WRITE, "alert_events": WRITE,
                      "alert_deliveries": WRITE, "sessions": WRITE, "schema_migrations": READ},
}  # fmt: skip
"""What each user may do with a table: by hand, not from the code."""


@pytest.fixture(scope="module")
def rds():
    with embedded_server(NOW) as one:
        yield one


@pytest.fixture
def url(rds):
    """A database whose server knows logins by IAM."""
    with rds.lent() as lent:
        with psycopg.connect(lent, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'rds_iam'").fetchone():
                connection.execute("CREATE ROLE rds_iam")
        yield lent


def login(url, user):
    """Return the URL by which a user comes in: with its rights and no others."""
    return f"{url}{'&' if '?' in url else '?'}options={quote(f'-c role={user}')}"


def may_do(url, user, what, table):
    with psycopg.connect(login(url, user)) as connection:
        return connection.execute("SELECT has_table_privilege(%s, %s)", (table, what)).fetchone()[0]


def allowed(url, user, statement):
    with psycopg.connect(login(url, user)) as connection:
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return False
        finally:
            connection.rollback()
    return True


def test_a_server_that_knows_no_logins_by_iam_gets_no_users(rds):
    with rds.lent() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS rds_iam")
        with Database(url) as database:
            assert grant_logins(database) == []


@pytest.mark.parametrize("user", USERS)
def test_each_user_may_do_its_work_and_no_more(url, user):
    with Database(url) as database:
        assert grant_logins(database) == list(USERS)
        assert grant_logins(database) == list(USERS)
    for table, right in RIGHTS[user].items():
        may = [may_do(url, user, what, table) for what in ("SELECT", "DELETE")]
        assert may == {READ: [True, False], WRITE: [True, True], NOTHING: [False, False]}[right], table
    for forbidden in (
        "DROP TABLE closed_bars",
        "CREATE TABLE t ()",
        "TRUNCATE changes",
        "ALTER TABLE loads ADD x int",
    ):
        assert not allowed(url, user, forbidden), forbidden
    with psycopg.connect(url) as connection:
        member = connection.execute("SELECT pg_has_role(%s, 'rds_iam', 'member')", (user,))
        assert member.fetchone() == (True,)


def test_what_an_earlier_version_gave_is_taken_back(url):
    with Database(url) as database:
        grant_logins(database)
        with psycopg.connect(url) as connection:
            connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO condvest_loader")
        grant_logins(database)
    assert not allowed(url, "condvest_loader", "SELECT FROM bars")


def test_a_night_by_the_users_who_do_it(url, tmp_path):
    """The loader loads, the jobs resample and publish, each with its own rights."""
    with Database(url) as database:
        grant_logins(database)
    rows = [bar("AAA", "2024-05-30"), bar("AAA", "2024-05-31"), bar("BBB", "2024-05-31")]
    with Database(login(url, "condvest_loader")) as database:
        loader = Loader(database, DirectoryArchive(tmp_path / "a"), sessions_ahead(database, NOW), parse, NOW)
        (summary,) = loader.load_all([loader.read(bars_payload(rows))])
    assert summary.inserted == 3
    with Database(login(url, "condvest_jobs")) as database:
        sessions = sessions_ahead(database, NOW)
        assert resample(database, sessions).inserted > 0
        place = DirectoryTarget(tmp_path / "p")
        assert publish(database, sessions, place, NOW).version == 1


def test_a_session_by_the_user_who_collects_it(url, tmp_path):
    """It collects, fires a rule, publishes the live rows and settles; the official bars are beyond it."""
    now = at("20:30", SESSION)
    with Database(url) as database:
        grant_logins(database)
        sessions = sessions_ahead(database, now)
        before, official = (
            bar("AAA", sessions.session(sessions.ordinal(SESSION) + back)) for back in (-1, 0)
        )
        load(database, sessions, before, now, tmp_path)
        publish(database, sessions, DirectoryTarget(tmp_path / "p"), now)
        script = Script([("10:00", {"AAA": DAY}), ("10:01", {"AAA": {**DAY, "c": 11.5}}), ("20:30", {})])
        with Database(login(url, "condvest_live")) as mine:
            with mine.transaction() as connection:
                add_rule(connection, Rule(0, "up", "close(1) > 11.2", "provisional", "rise", None))
            target = DirectoryTarget(tmp_path / "p")
            job = Job(mine, sessions, script, judge, tmp_path / "live", script.now, script.sleep)
            job = replace(job, rules=read_references, publication=LivePublication(mine, target, sessions))
            assert job.run().exit_code == 0
            assert len(from_parquet(target.read(LIVE), "p").bars) == 1
            load(database, sessions, official, now, tmp_path)
            assert [settled.compared for settled in settle_all(mine).values()] == [1]
        with database.transaction(read_only=True) as connection:
            assert [event["state"] for event in newest_events(connection, 9)] == ["fired"]


def load(database, sessions, row, now, folder):
    loader = Loader(database, DirectoryArchive(folder / "a"), sessions, parse, now)
    loader.load_all([loader.read(bars_payload([row], provider="massive"))])
    resample(database, sessions)
