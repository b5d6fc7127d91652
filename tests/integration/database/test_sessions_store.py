"""The calendar in the database: against an independent library, over time, and when the library changes."""

import datetime as dt
import warnings

import numpy as np
import pandas_market_calendars
import pytest

from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores import calendar_extension as store
from condvest.batch_layer.database.stores.calendar_extension import extend_sessions, sessions_ahead
from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import CalendarChanged, CalendarDisputed
from condvest.batch_layer.shared.models.calendar_changes import with_decisions
from condvest.batch_layer.shared.models.sessions import calendar_of
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.batch_layer.shared.utils.calendar import FIRST_YEAR, Calendar, exchange_sessions
from tests.support.exchange import NOW
from tests.support.payloads import bar
from tests.support.worlds.world import World


def day(text):
    return dt.date.fromisoformat(text)


def instant(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture
def bare(server):
    """A database of today's schema without a calendar."""
    url = server.empty_database()
    with Database(url) as database:
        migrate(database)
        yield database
    server.drop(url)


@pytest.fixture
def library(monkeypatch):
    """Both calendar libraries under the test's control: as they are, less some sessions, with others more."""

    def altered(without, more, last_year):
        within = calendar_of(*exchange_sessions(FIRST_YEAR, last_year))
        columns = (within.date, within.opens_at, within.closes_at, within.early_close, within.late_open)
        decisions = {day(date): False for date in without} | {day(date): True for date in more}
        return with_decisions(Calendar(*columns), decisions)

    def change(*, without=(), more=(), last_year=2025, second=None):
        """``second`` is what the second library lacks and has more, if it differs from the first."""
        ours = altered(without, more, last_year)
        theirs = ours if second is None else altered(*second, last_year)
        monkeypatch.setattr(store, "exchange_sessions", lambda _first, _last: ours)
        monkeypatch.setattr(
            store,
            "second_opinion",
            lambda first, last: theirs.date[
                (theirs.date >= np.datetime64(first)) & (theirs.date <= np.datetime64(last))
            ],
        )

    return change


def stored(database):
    with database.transaction(read_only=True) as connection:
        return read_sessions(connection)


def same(left, right):
    assert left.first_ordinal == right.first_ordinal
    for name in ("date", "opens_at", "closes_at", "early_close", "late_open"):
        assert np.array_equal(getattr(left, name), getattr(right, name)), name


def test_hours_are_those_of_nyse_for_every_session(bare):
    """From the first to next year's last: opens and closes to the second, as PostgreSQL gives them back."""
    now = dt.datetime.now(dt.UTC)
    extend_sessions(bare, now)
    held = stored(bare)
    last_year = (now + dt.timedelta(days=400)).year
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nyse = pandas_market_calendars.get_calendar("NYSE").schedule("1926-01-01", f"{last_year}-12-31")
    assert held.date.tolist() == [date.date() for date in nyse.index]
    for ours, theirs in ((held.opens_at, nyse["market_open"]), (held.closes_at, nyse["market_close"])):
        assert ours.astype(int).tolist() == [int(instant.timestamp()) for instant in theirs]


class TestDates:
    """What everybody can look up."""

    @pytest.mark.parametrize(
        "held",
        ["2001-09-10", "2001-09-17", "2012-10-31", "2021-12-31", "2021-06-18", "2018-12-04", "2025-01-10"],
    )
    def test_sessions_beside_them_are(self, sessions, held):
        assert sessions.session(sessions.ordinal(day(held))) == day(held)

    def test_the_close_follows_daylight_saving(self, sessions):
        """16:00 in New York is 21:00 UTC on Friday, and 20:00 on Monday."""
        friday = sessions.ordinal(day("2024-03-08")) - sessions.first_ordinal
        assert sessions.closes_at[friday : friday + 2].tolist() == [
            dt.datetime(2024, 3, 8, 21),  # noqa: DTZ001  # NumPy's instants are UTC without saying so
            dt.datetime(2024, 3, 11, 20),  # noqa: DTZ001
        ]

    def test_ordinal_0_is_1962_01_02_and_those_before_are_negative(self, sessions):
        assert sessions.ordinal(day("1962-01-02")) == 0
        assert sessions.ordinal(day("1962-01-03")) == 1
        assert sessions.ordinal(day("1961-12-29")) == -1
        assert sessions.session(-2) == day("1961-12-28")

    def test_a_year_has_as_many_sessions_as_published(self, sessions):
        """By the exchange's own holiday calendars."""
        counts = {1968: 226, 2001: 248, 2012: 250, 2020: 253, 2023: 250, 2024: 252}
        years = sessions.date.astype("datetime64[Y]").astype(int) + 1970
        assert {year: int((years == year).sum()) for year in counts} == counts


class TestOverTime:
    def test_the_calendar_grows_and_ordinals_stay(self, bare):
        """Made in 2024 it ends with 2025; in 2026 it ends with 2027, and nothing before has moved."""
        before = extend_sessions(bare, instant("2024-06-03"))
        assert before.date[-1].item() == day("2025-12-31")
        after = extend_sessions(bare, instant("2026-02-01"))
        assert after.date[-1].item() == day("2027-12-31")
        assert after.first_ordinal == before.first_ordinal
        assert after.date[: len(before)].tolist() == before.date.tolist()
        same(stored(bare), after)

    def test_a_clock_that_was_wrong_does_no_harm(self, bare, tmp_path):
        """Back in 2024 the calendar keeps what it holds of 2026 and 2027, loaded sessions among them."""
        then = instant("2026-02-01")
        after = extend_sessions(bare, then)
        world = World(
            Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=bare.url)), bare, then), after
        )
        world.bars([bar("A", day("2026-01-30"))], fetched_at=then)
        world.close()
        same(extend_sessions(bare, instant("2024-06-03")), after)
        same(stored(bare), after)

    def test_a_second_time_nothing_is_written(self, bare):
        extend_sessions(bare, NOW)
        written = "SELECT max(xmin::text::int8) FROM sessions"
        with bare.transaction() as connection:
            before = connection.execute(written).fetchone()
        extend_sessions(bare, NOW)
        with bare.transaction() as connection:
            assert connection.execute(written).fetchone() == before


class TestALibraryThatChanges:
    @pytest.fixture
    def full(self, server):
        """A database of its own, for its calendar is changed here."""
        url = server.database()
        with Database(url) as database:
            yield database
        server.drop(url)

    def test_a_session_of_the_past_that_is_gone_is_named_and_nothing_changed(self, full, library, sessions):
        library(without=["2001-09-10", "2012-10-31"])
        with pytest.raises(CalendarChanged, match="no longer has 2001-09-10, 2012-10-31") as refused:
            extend_sessions(full, NOW)
        assert "pandas-market-calendars" in str(refused.value)
        same(stored(full), sessions)

    def test_a_session_of_the_past_that_is_new_is_named(self, full, library, sessions):
        library(more=["2001-09-11"])
        with pytest.raises(CalendarChanged, match="now has 2001-09-11"):
            extend_sessions(full, NOW)
        same(stored(full), sessions)

    def test_many_are_named_in_part(self, full, library):
        library(without=[f"2001-10-{number:02}" for number in range(1, 32)])
        with pytest.raises(CalendarChanged, match=r"2001-10-01.* and 13 more"):
            extend_sessions(full, NOW)

    def test_a_change_of_the_future_is_taken(self, full, library, sessions):
        """On 2024-06-03 a day of mourning is declared for 2025-01-09, and one for the day after is lifted."""
        library(without=["2025-01-10"], more=["2025-01-09"])
        changed = extend_sessions(full, NOW)
        wanted = sorted({*sessions.date.tolist(), day("2025-01-09")} - {day("2025-01-10")})
        assert changed.date.tolist() == wanted
        assert changed.first_ordinal == sessions.first_ordinal
        same(stored(full), changed)

    def test_the_session_that_goes_on_is_of_the_future_and_the_one_before_of_the_past(self, full, library):
        """At noon on 2024-06-03 in New York that session has not closed, and 2024-05-31 has."""
        noon = instant("2024-06-03T16:00")
        library(without=["2024-06-03"])
        assert extend_sessions(full, noon).date.tolist().count(day("2024-06-03")) == 0
        library(without=["2024-06-03", "2024-05-31"])
        with pytest.raises(CalendarChanged, match="no longer has 2024-05-31"):
            extend_sessions(full, noon)

    def test_a_session_that_was_loaded_is_fixed_whatever_the_clock_says(self, world, library):
        """Loaded is 2024-05-31; a clock of 2020 does not make it a matter of the future."""
        session = day("2024-05-31")
        world.bars([bar("A", session)])
        library(without=[session.isoformat()])
        with pytest.raises(CalendarChanged, match="no longer has 2024-05-31"):
            extend_sessions(world.workspace.database, instant("2020-06-01"))


class TestTwoLibraries:
    """On 2024-06-03 the calendar ends with 2025; both libraries gain 2026, and differ there."""

    NEXT_YEAR = instant("2025-06-03")

    @pytest.fixture
    def of_2025(self, bare, library):
        library(last_year=2025)
        before = extend_sessions(bare, NOW)
        return bare, before

    def test_a_session_that_one_lacks_is_named_and_nothing_is_stored(self, of_2025, library):
        database, before = of_2025
        library(last_year=2026, second=((), ["2026-01-10"]))
        with pytest.raises(
            CalendarDisputed, match=r"2026-01-10 is a session by exchange-calendars==\S+ and not"
        ):
            extend_sessions(database, self.NEXT_YEAR)
        same(stored(database), before)

    def test_the_last_session_of_a_year_may_be_in_dispute(self, of_2025, library):
        database, _ = of_2025
        library(last_year=2026, without=["2026-12-31"], second=((), ()))
        with pytest.raises(CalendarDisputed, match="2026-12-31 is a session by exchange-calendars"):
            extend_sessions(database, self.NEXT_YEAR)

    def test_a_session_that_is_to_come_is_asked_about_each_time(self, of_2025, library):
        """A closure is declared for 2025-01-10; the second library hears of it first."""
        database, before = of_2025
        library(last_year=2025, second=(["2025-01-10"], ()))
        with pytest.raises(CalendarDisputed, match="2025-01-10 is a session by pandas-market-calendars=="):
            extend_sessions(database, NOW)
        same(stored(database), before)

    def test_the_date_after_the_last_fixed_session_is_asked_about_too(self, of_2025, library):
        """2024-05-31, a Friday, has closed; the second library alone has a session on the Saturday."""
        database, _ = of_2025
        library(last_year=2025, second=((), ["2024-06-01"]))
        with pytest.raises(CalendarDisputed, match="2024-06-01"):
            extend_sessions(database, instant("2024-06-02T12:00"))

    @pytest.mark.parametrize("held", [True, False])
    def test_a_decision_settles_it_either_way(self, of_2025, library, held):
        database, before = of_2025
        library(last_year=2026, second=((), ["2026-01-10"]))
        after = extend_sessions(database, self.NEXT_YEAR, {day("2026-01-10"): held})
        assert (day("2026-01-10") in after.date.tolist()) == held
        assert after.date[: len(before)].tolist() == before.date.tolist()
        same(stored(database), after)

    def test_what_is_stored_is_asked_about_no_more(self, of_2025, library):
        """The second library changes its mind about 2020: nothing hangs on it any more."""
        database, before = of_2025
        library(last_year=2025, second=(["2020-06-01"], ()))
        same(extend_sessions(database, self.NEXT_YEAR - dt.timedelta(days=200)), before)

    def test_a_new_database_is_asked_about_every_session_since_1970(self, bare, library):
        library(second=((), ["2025-01-09"]))
        with pytest.raises(CalendarDisputed, match="2025-01-09"):
            extend_sessions(bare, NOW)
        assert stored(bare) is None

    def test_without_a_second_library_the_first_decides(self, bare, library, monkeypatch):
        library(second=((), ["2025-01-09"]))
        monkeypatch.setattr(store, "second_library_version", lambda: None)
        assert day("2025-01-09") not in extend_sessions(bare, NOW).date.tolist()


class TestWhoseWord:
    SOURCES = "SELECT library, second_library FROM calendar_sources ORDER BY source_id"

    def sources(self, database):
        with database.transaction(read_only=True) as connection:
            return connection.execute(self.SOURCES).fetchall()

    def test_each_version_that_agreed_is_recorded_once(self, bare, monkeypatch):
        for version in ("5.4.0", "5.4.0", "5.5.0"):
            monkeypatch.setattr(store, "library_version", lambda version=version: f"library=={version}")
            extend_sessions(bare, NOW)
        assert [library for library, _ in self.sources(bare)] == ["library==5.4.0", "library==5.5.0"]

    def test_the_last_one_that_agreed_is_the_one_to_pin(self, bare, library, monkeypatch):
        monkeypatch.setattr(store, "library_version", lambda: "library==5.4.0")
        extend_sessions(bare, NOW)
        monkeypatch.setattr(store, "library_version", lambda: "library==5.5.0")
        library(without=["2001-09-10"])
        with pytest.raises(
            CalendarChanged, match=r"library==5\.5\.0 no longer has 2001-09-10.*: library==5\.4\.0"
        ):
            extend_sessions(bare, NOW)
        assert len(self.sources(bare)) == 1


def test_hours_of_the_past_are_corrected_and_written_only_where_they_differ(bare):
    """One close and one flag of the past are wrong: two rows are written, and no date or ordinal."""
    right = extend_sessions(bare, NOW)
    with bare.transaction() as connection:
        connection.execute(
            "UPDATE sessions SET closes_at = closes_at + interval '1 hour' WHERE session = '1968-01-22'"
        )
        connection.execute("UPDATE sessions SET late_open = false WHERE session = '2001-09-17'")
    same(extend_sessions(bare, NOW), right)
    same(stored(bare), right)
    with bare.transaction(read_only=True) as connection:
        rows = connection.execute(
            "SELECT xmin::text, count(*) FROM sessions GROUP BY 1 ORDER BY 2"
        ).fetchall()
    assert [count for _, count in rows] == [2, len(right) - 2]


class TestAhead:
    """A calendar that reaches far enough is made anew where it could come out otherwise."""

    @pytest.fixture
    def asked(self, bare, library, monkeypatch):
        library(last_year=2025)
        extend_sessions(bare, NOW)
        asked = []
        ours = store.exchange_sessions
        monkeypatch.setattr(store, "exchange_sessions", lambda *years: asked.append(years) or ours(*years))
        return asked

    def test_not_if_nothing_is_new(self, bare, asked):
        sessions_ahead(bare, NOW)
        sessions_ahead(
            bare, NOW, {day("2024-11-28"): False, day("2024-11-29"): True, day("2030-01-01"): True}
        )
        assert asked == []

    @pytest.mark.parametrize("which", ["library_version", "second_library_version"])
    def test_with_another_version_of_a_library(self, bare, asked, monkeypatch, which):
        monkeypatch.setattr(store, which, lambda: "library==6.0.0")
        sessions_ahead(bare, NOW)
        sessions_ahead(bare, NOW)
        assert len(asked) == 1

    def test_with_a_decision_that_it_does_not_hold(self, bare, asked):
        for _ in range(2):
            ahead = sessions_ahead(bare, NOW, {day("2025-01-10"): False})
            assert day("2025-01-10") not in ahead.date.tolist()
        assert len(asked) == 1


def test_a_calendar_that_reaches_far_enough_is_not_made_anew(bare, library, monkeypatch):
    """It ends with 2025, 400 days after 26 November 2024: a day later the library is asked."""
    library(last_year=2025)
    assert sessions_ahead(bare, NOW).date[-1] == np.datetime64("2025-12-31")
    asked = []

    def asked_for(*years):
        asked.append(years)
        raise LookupError

    monkeypatch.setattr(store, "exchange_sessions", asked_for)
    assert sessions_ahead(bare, instant("2024-11-26")).date[-1] == np.datetime64("2025-12-31")
    assert asked == []
    with pytest.raises(LookupError):
        sessions_ahead(bare, instant("2024-11-27"))
    assert asked == [(1926, 2026)]
