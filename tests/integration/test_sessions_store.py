"""The calendar in the database: against an independent library, over time, and when the library changes."""

import datetime as dt

import numpy as np
import pytest

from batch_layer.database.migrate import migrate
from batch_layer.database.postgres.connection import Database
from batch_layer.database.stores import sessions as sessions_store
from batch_layer.database.stores.sessions import extend_sessions, read_sessions, sessions_ahead
from batch_layer.operations.workspace import Workspace
from batch_layer.shared.errors import CalendarChanged, NotASession
from batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.exchange import NOW, independent_calendar
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
def library(monkeypatch, sessions):
    """The calendar library under the test's control: as it is, less some sessions, with others more."""

    def change(*, without=(), more=(), last_year=2025):
        def altered(_first_year, _last_year):
            keep = ~np.isin(sessions.date, np.array(without, "datetime64[D]"))
            keep &= sessions.date < np.datetime64(f"{last_year + 1}-01-01")
            added = np.array(more, "datetime64[D]")
            date = np.concatenate([sessions.date[keep], added])
            opens = np.concatenate([sessions.opens_at[keep], added + np.timedelta64(14, "h")])
            closes = np.concatenate([sessions.closes_at[keep], added + np.timedelta64(21, "h")])
            early = np.concatenate([sessions.early_close[keep], np.zeros(len(added), bool)])
            order = np.argsort(date)
            return (
                date[order],
                opens[order].astype("datetime64[s]"),
                closes[order].astype("datetime64[s]"),
                early[order],
            )

        monkeypatch.setattr(sessions_store, "exchange_sessions", altered)

    return change


def stored(database):
    with database.transaction(read_only=True) as connection:
        return read_sessions(connection)


def same(left, right):
    assert left.first_ordinal == right.first_ordinal
    for name in ("date", "opens_at", "closes_at", "early_close"):
        assert np.array_equal(getattr(left, name), getattr(right, name)), name


def test_every_session_from_1962_to_next_year_is_the_independent_librarys(bare):
    """Dates, opens, closes to the second, and early closes, as PostgreSQL gives them back."""
    now = dt.datetime.now(dt.UTC)
    extend_sessions(bare, now)
    held = stored(bare)
    last_year = (now + dt.timedelta(days=400)).year
    other = independent_calendar("1962-01-02", f"{last_year}-12-31")
    wanted = other.sessions.values.astype("datetime64[D]")
    since = held.ordinal(wanted[0].item()) - held.first_ordinal
    assert held.date[since:].tolist() == wanted.tolist()
    schedule = other.schedule
    for ours, theirs in ((held.opens_at, schedule["open"]), (held.closes_at, schedule["close"])):
        assert (
            ours[since:].tolist() == theirs.dt.tz_localize(None).to_numpy().astype("datetime64[s]").tolist()
        )
    early = other.early_closes.values.astype("datetime64[D]")
    assert held.date[since:][held.early_close[since:]].tolist() == early.tolist()


class TestDates:
    """What everybody can look up."""

    @pytest.mark.parametrize(
        "closed",
        [
            "1963-11-25",  # the funeral of President Kennedy
            "1968-06-12",  # the first Wednesday given to paperwork
            "2001-09-11",
            "2001-09-12",
            "2001-09-13",
            "2001-09-14",
            "2004-06-11",  # the funeral of President Reagan
            "2012-10-29",  # Hurricane Sandy
            "2012-10-30",
            "2018-12-05",  # the funeral of President G. H. W. Bush
            "2021-12-24",  # Christmas, observed
            "2022-06-20",  # Juneteenth, observed for the first time
            "2025-01-09",  # the funeral of President Carter
        ],
    )
    def test_special_closures_are_no_sessions(self, sessions, closed):
        with pytest.raises(NotASession, match=closed):
            sessions.ordinal(day(closed))

    @pytest.mark.parametrize(
        "held",
        ["2001-09-10", "2001-09-17", "2012-10-31", "2021-12-31", "2021-06-18", "2018-12-04", "2025-01-10"],
    )
    def test_sessions_beside_them_are(self, sessions, held):
        assert sessions.session(sessions.ordinal(day(held))) == day(held)

    @pytest.mark.parametrize(
        ("session", "closes"),
        [
            ("2023-11-24", "2023-11-24T18:00"),  # the day after Thanksgiving, 13:00 in winter
            ("2024-07-03", "2024-07-03T17:00"),  # 13:00 in summer
            ("2019-12-24", "2019-12-24T18:00"),
            ("1999-11-26", "1999-11-26T18:00"),
        ],
    )
    def test_early_closes(self, sessions, session, closes):
        place = sessions.ordinal(day(session)) - sessions.first_ordinal
        assert sessions.early_close[place]
        assert sessions.closes_at[place] == np.datetime64(closes)

    @pytest.mark.parametrize("session", ["2024-07-02", "2023-11-22", "2020-12-31"])
    def test_the_usual_close_is_not_early(self, sessions, session):
        place = sessions.ordinal(day(session)) - sessions.first_ordinal
        assert not sessions.early_close[place]

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
        library(without=[session])
        with pytest.raises(CalendarChanged, match="no longer has 2024-05-31"):
            extend_sessions(world.workspace.database, instant("2020-06-01"))


def test_a_calendar_that_reaches_far_enough_is_not_made_anew(bare, library, monkeypatch):
    """It ends with 2025, 400 days after 26 November 2024: a day later the library is asked."""
    library(last_year=2025)
    assert sessions_ahead(bare, NOW).date[-1] == np.datetime64("2025-12-31")
    asked = []

    def asked_for(*years):
        asked.append(years)
        raise LookupError

    monkeypatch.setattr(sessions_store, "exchange_sessions", asked_for)
    assert sessions_ahead(bare, instant("2024-11-26")).date[-1] == np.datetime64("2025-12-31")
    assert asked == []
    with pytest.raises(LookupError):
        sessions_ahead(bare, instant("2024-11-27"))
    assert asked == [(1953, 2026)]
