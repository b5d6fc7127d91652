"""The views for analysts say what `condvest.bars` says, to the bit, and never show what is stale."""

import datetime as dt
import itertools
import random
import re
import warnings
from pathlib import Path

import adbc_driver_postgresql.dbapi
import numpy as np
import psycopg
import pytest

import condvest
from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.readers import grant_reader, reader_password
from condvest.batch_layer.database.stores.identity.ownership import write_spans
from condvest.batch_layer.shared.errors import DatabaseError, UsageError
from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan
from tests.support.payloads import split
from tests.support.publishing import quote

PRICES = ("open", "high", "low", "close", "volume", "vwap", "trades")
INTERVALS = (3, 5, 8, 13, 21, 34)
PAGE = Path(__file__).parents[3] / "docs/sql.md"


def shown(url, view, where="true", names=PRICES):
    """Return the rows of a view, prices as the text of their bits."""
    columns = ", ".join(names)
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            f"SELECT symbol, last_session, {columns} FROM condvest_v1.{view} WHERE {where} ORDER BY 1, 2"
            if view.startswith("bars")
            else f"SELECT symbol, session, {columns} FROM condvest_v1.{view} WHERE {where} ORDER BY 1, 2"
        ).fetchall()
    return [tuple(map(bits, row)) for row in rows]


def bits(value):
    return value.hex() if isinstance(value, float) else value


def answered(world, interval, **question):
    """Return the same rows of `condvest.bars`, former carriers under their labels."""
    table = condvest.bars(
        interval=interval, unique_symbols=True, settings=world.workspace.settings, **question
    )
    rows = zip(*(table[name].to_pylist() for name in ("symbol", "last_session", *PRICES)), strict=True)
    return sorted(tuple(map(bits, row)) for row in rows)


def raw(names=PRICES):
    return [name if name == "trades" else f"raw_{name}" for name in names]


def test_the_views_of_the_sample_equal_what_python_reads(sample):
    """Daily bars and bars of every interval, adjusted and raw, complete and open."""
    assert len(shown(sample.url, "daily")) == 12154
    assert shown(sample.url, "daily") == answered(sample, 1)
    assert shown(sample.url, "daily", names=raw()) == answered(sample, 1, adjust="none")
    assert shown(sample.url, "daily_all") == answered(sample, 1, include_open=True)
    for n in INTERVALS:
        where = f'"interval" = {n}'
        assert shown(sample.url, "bars", where) == answered(sample, n)
        assert shown(sample.url, "bars", where, raw()) == answered(sample, n, adjust="none")
        assert shown(sample.url, "bars_all", where) == answered(sample, n, include_open=True)


def test_one_select_is_one_line_of_python(sample):
    with psycopg.connect(sample.url) as connection:
        rows = connection.execute(
            "SELECT close FROM condvest_v1.daily WHERE symbol = 'AAPL' ORDER BY session"
        ).fetchall()
    table = condvest.bars("AAPL", interval=1, settings=sample.workspace.settings)
    assert [close for (close,) in rows] == table["close"].to_pylist()


@pytest.mark.parametrize("seed", range(3))
def test_many_odd_splits_multiply_in_the_same_order(world, seed):
    """Ratios whose product depends on the order by its last bits; some ex-dates are no sessions."""
    draw = random.Random(seed)
    symbols = ("A", "B", "C")
    world.bars(
        [quote(symbol, world.date(at), 10.0 + draw.random()) for symbol in symbols for at in range(200)]
    )
    dates = [world.date(0) + dt.timedelta(days) for days in range(310)]
    rows = [
        split(symbol, date, draw.randint(1, 17), draw.randint(1, 17))
        for symbol in symbols[:2]
        for date in draw.sample(dates, 14)
    ]
    world.splits([row for row in rows if row["split_from"] != row["split_to"]])
    world.resample()
    url = world.url
    assert len({row[-3:] for row in shown(url, "daily", names=("price_factor", "volume_factor"))}) > 10
    assert shown(url, "daily") == answered(world, 1)
    for n in INTERVALS:
        assert shown(url, "bars_all", f'"interval" = {n}') == answered(world, n, include_open=True)
    of_python = condvest.splits(settings=world.workspace.settings).to_pylist()
    with psycopg.connect(url) as connection:
        cursor = connection.execute(
            "SELECT symbol, ex_date, split_from, split_to, price_factor, volume_factor "
            "FROM condvest_v1.splits ORDER BY 1, 2"
        )
        assert [dict(zip(of_python[0], row, strict=True)) for row in cursor] == of_python


def test_unknown_values_and_halts_are_as_python_has_them(year_turn):
    year_turn.resample()
    assert shown(year_turn.url, "daily") == answered(year_turn, 1)
    for n in INTERVALS:
        assert shown(year_turn.url, "bars", f'"interval" = {n}') == answered(year_turn, n)
    assert any(row[-2] is None for row in shown(year_turn.url, "daily"))


def test_a_window_that_waits_is_left_out_and_a_missing_bar_is_seen(world):
    """W1 of the first users: what is stored is stale between a load and the resampling."""
    world.bars([quote(symbol, world.date(at), 10.0 + at) for symbol in "AB" for at in range(30)])
    world.resample()
    before = shown(world.url, "bars", '"interval" = 5')
    assert len(before) == 12
    world.bars([quote("A", world.date(7), 99.0)])
    left = shown(world.url, "bars", '"interval" = 5')
    assert [row for row in before if row not in left] == [
        row for row in before if row[:2] == ("A", world.date(9))
    ]
    assert set(left) < set(before)
    with psycopg.connect(world.url) as connection:
        ((close,),) = connection.execute(
            "SELECT close FROM condvest_v1.daily WHERE symbol = 'A' AND session = %s", (world.date(7),)
        ).fetchall()
    assert close == 99.0
    world.resample()
    assert shown(world.url, "bars", '"interval" = 5') == answered(world, 5)


def test_a_session_of_a_provider_that_waits_hides_the_windows_of_its_instruments(world):
    world.bars([quote("A", world.date(at), 10.0) for at in range(10)], whole=(0, 9))
    assert shown(world.url, "bars") == []
    world.resample()
    assert shown(world.url, "bars", '"interval" = 5') == answered(world, 5)


@pytest.fixture
def reused(world):
    """X is carried by one company to session 9 and by another from session 10; it was OLD before."""
    world.bars([quote("X", world.date(at), 5.0 + at) for at in range(10)])
    world.bars([quote("OLD", world.date(at), 90.0 + at) for at in range(10)])
    first, second = world.instrument("X"), world.instrument("OLD")
    taken = world.date(10)
    with world.workspace.database.transaction() as connection:
        spans = {
            first: [SymbolSpan("X", last=taken - dt.timedelta(1))],
            second: [SymbolSpan("OLD", last=taken - dt.timedelta(1)), SymbolSpan("X", first=taken)],
        }
        write_spans(connection, spans, world.sessions)
    world.bars([quote("X", world.date(at), 90.0 + at) for at in range(10, 20)])
    world.resample()
    world.first, world.second = first, second
    return world


def test_a_reused_symbol_is_never_one_series_of_two_companies(reused):
    rows = shown(reused.url, "daily")
    assert rows == answered(reused, 1)
    assert sorted({row[0] for row in rows}) == ["X", f"X#{reused.first}"]
    assert min(float.fromhex(row[5]) for row in rows if row[0] == "X") == 90.0


WHO = (
    "SELECT symbol FROM condvest_v1.names WHERE carried = 'X' "
    "AND (first_date IS NULL OR first_date <= DATE '{date}') "
    "AND (last_date IS NULL OR DATE '{date}' <= last_date)"
)


def test_who_carried_a_symbol_on_a_date_is_told_by_every_driver(reused):
    """Open ends are NULL: psycopg raises on an infinite date, ADBC turns it into a day before all others."""
    with psycopg.connect(reused.url) as connection:
        for at, who in ((5, f"X#{reused.first}"), (15, "X")):
            assert connection.execute(WHO.format(date=reused.date(at))).fetchall() == [(who,)]
        rows = connection.execute(
            "SELECT * FROM condvest_v1.names ORDER BY instrument_id, first_date"
        ).fetchall()
    taken = reused.date(10)
    assert {row[:3] for row in rows} == {
        ("X", None, taken - dt.timedelta(1)),
        ("OLD", None, taken - dt.timedelta(1)),
        ("X", taken, None),
    }
    table = by_adbc(reused.url, "SELECT carried, first_date, last_date FROM condvest_v1.names")
    assert {tuple(row.values()) for row in table.to_pylist()} == {row[:3] for row in rows}


def by_adbc(url, query):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with adbc_driver_postgresql.dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetch_arrow_table()


def test_no_view_holds_an_infinite_date(reused):
    """Not even those whose columns have no open ends."""
    with psycopg.connect(reused.url) as connection:
        dates = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'condvest_v1' AND data_type LIKE ANY('{date,timestamp%%}')".replace(
                "%%", "%"
            )
        ).fetchall()
        assert len(dates) >= 10
        for view, name in dates:
            query = f"SELECT count(*) FROM condvest_v1.{view} WHERE NOT isfinite({name})"
            assert connection.execute(query).fetchone() == (0,), (view, name)


def test_adbc_reads_the_same_prices(sample):
    table = by_adbc(
        sample.url, "SELECT session, close FROM condvest_v1.daily WHERE symbol = 'AAPL' ORDER BY 1"
    )
    of_python = condvest.bars("AAPL", interval=1, settings=sample.workspace.settings)
    assert np.array_equal(table["close"].to_numpy(), of_python["close"].to_numpy())
    assert table["session"].to_pylist() == of_python["last_session"].to_pylist()


def test_the_page_lists_every_view_and_column_with_its_type(sample):
    """Version 1 is frozen: a column that is renamed, retyped or dropped needs a schema condvest_v2."""
    with psycopg.connect(sample.url) as connection:
        rows = connection.execute(
            "SELECT relname, attname, format_type(atttypid, atttypmod) FROM pg_class "
            "JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = 'condvest_v1'::regnamespace "
            "AND attnum > 0 ORDER BY relname, attnum"
        ).fetchall()
    real = {
        view: [row[1:] for row in of_view]
        for view, of_view in itertools.groupby(rows, key=lambda row: row[0])
    }
    page = PAGE.read_text()
    documented = {}
    for heading, body in re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL):
        documented[heading] = re.findall(r"^\| `(\w+)` \| ([a-z ]+) \| .+ \|$", body, re.MULTILINE)
    for view in ("daily", "bars"):
        documented[f"{view}_all"] = [*documented[view], ("is_complete", "boolean")]
    assert documented == real


class TestReader:
    """``condvest db grant-reader``."""

    @pytest.fixture
    def role(self, world):
        name = 'An analyst"s'
        yield name
        with psycopg.connect(world.url, autocommit=True) as connection:
            for (schema,) in connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%condvest_v1'"
            ).fetchall():
                connection.execute(
                    f'ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON TABLES FROM "An analyst""s"'
                )
            connection.execute('DROP OWNED BY "An analyst""s"; DROP ROLE "An analyst""s"')

    def as_role(self, world, role):
        connection = psycopg.connect(world.url, autocommit=True)
        connection.execute(
            psycopg.sql.SQL("SET SESSION AUTHORIZATION {}").format(psycopg.sql.Identifier(role))
        )
        return connection

    def test_a_reader_reads_the_views_and_nothing_else(self, world, role):
        world.bars([quote("A", world.date(at), 10.0) for at in range(3)])
        reader = grant_reader(world.workspace.database, role)
        assert (reader.views, reader.is_new) == ("condvest_v1", True)
        with self.as_role(world, role) as connection:
            assert connection.execute("SELECT count(*) FROM condvest_v1.daily").fetchone() == (3,)
            for statement in (
                "SELECT * FROM daily_bars",
                "SELECT * FROM public.symbols",
                "DELETE FROM condvest_v1.sessions",
                "UPDATE condvest_v1.sessions SET early_close = true",
                "CREATE TABLE public.mine (n int4)",
                "CREATE VIEW condvest_v1.mine AS SELECT 1",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)

    def test_a_second_time_changes_nothing(self, world, role):
        first = grant_reader(world.workspace.database, role)
        state = world.ask("SELECT nspacl::text, obj_description(oid) FROM pg_namespace ORDER BY 1")
        again = grant_reader(world.workspace.database, role)
        assert (again.is_new, again.statements) == (False, first.statements[1:])
        assert world.ask("SELECT nspacl::text, obj_description(oid) FROM pg_namespace ORDER BY 1") == state

    def test_views_that_come_later_are_readable_too(self, world, role):
        grant_reader(world.workspace.database, role)
        with psycopg.connect(world.url) as connection:
            connection.execute("CREATE VIEW condvest_v1.later AS SELECT 1 AS n")
        with self.as_role(world, role) as connection:
            assert connection.execute("SELECT n FROM condvest_v1.later").fetchall() == [(1,)]

    def test_a_rehearsal_makes_nothing(self, world):
        reader = grant_reader(world.workspace.database, "nobody_yet", rehearsal=True)
        assert reader.statements[0] == 'CREATE ROLE "nobody_yet" LOGIN'
        assert world.ask("SELECT 1 FROM pg_roles WHERE rolname = 'nobody_yet'") == []

    def test_a_role_that_may_write_is_refused(self, world):
        ((owner,),) = world.ask("SELECT current_user")
        with pytest.raises(UsageError, match="may do more than read"):
            grant_reader(world.workspace.database, owner)

    @pytest.mark.parametrize("name", ["", "pg_read_all_data", "a" * 64, "a\0b"])
    def test_a_name_that_is_none_is_refused(self, world, name):
        with pytest.raises(UsageError, match="expected a role's name"):
            grant_reader(world.workspace.database, name)

    def test_a_schema_of_others_is_left_alone(self, server):
        url = server.empty_database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE SCHEMA condvest_v1; CREATE TABLE condvest_v1.daily (n int4)")
        with Database(url) as database:
            migrate(database)
            with pytest.raises(DatabaseError, match="must be empty"):
                grant_reader(database, "analyst_of_none")
            with database.transaction() as connection:
                assert connection.execute("SELECT count(*) FROM condvest_v1.daily").fetchone() == (0,)
        server.drop(url)

    def test_an_owner_who_may_make_no_schema_gets_the_views_when_an_administrator_made_it(self, server):
        """As docs/postgres.md promises, such a role can have the tables; the views come with grant-reader."""
        url = server.empty_database()
        name = url.rpartition("/")[2].partition("?")[0]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "CREATE ROLE quant_of_views LOGIN; CREATE SCHEMA market AUTHORIZATION quant_of_views"
            )
            connection.execute(f"ALTER ROLE quant_of_views IN DATABASE {name} SET search_path = market")
        joined = "&" if "?" in url else "?"
        own = f"{url}{joined}options=-crole%3Dquant_of_views%20-csearch_path%3Dmarket"
        try:
            with Database(own) as database:
                migrate(database)
                with pytest.raises(
                    DatabaseError, match='CREATE SCHEMA "market_v1" AUTHORIZATION "quant_of_views"'
                ):
                    grant_reader(database, "nobody_yet", rehearsal=True)
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("CREATE SCHEMA market_v1 AUTHORIZATION quant_of_views")
                with database.transaction() as connection:
                    assert connection.execute("SELECT make_views()").fetchone() == ("market_v1",)
                    assert connection.execute("SELECT count(*) FROM market_v1.daily").fetchone() == (0,)
        finally:
            server.drop(url)
            with psycopg.connect(server.empty_database(), autocommit=True) as connection:
                connection.execute("DROP ROLE quant_of_views")

    def test_a_password_is_made_once_and_stays_its_owners(self, tmp_path):
        file = tmp_path / "password"
        assert reader_password(file, may_make=False) is None
        assert not file.exists()
        made = reader_password(file, may_make=True)
        assert len(made) >= 30
        assert file.stat().st_mode & 0o777 == 0o600
        assert reader_password(file, may_make=True) == made
        file.write_text("short\n")
        with pytest.raises(UsageError, match="at least 8 characters"):
            reader_password(file, may_make=True)

    def test_the_server_is_never_sent_the_password(self, world, role):
        grant_reader(world.workspace.database, role, password="correct horse battery")  # noqa: S106
        ((stored,),) = world.ask("SELECT rolpassword FROM pg_authid WHERE rolname = %s", role)
        assert stored.startswith("SCRAM-SHA-256$")
