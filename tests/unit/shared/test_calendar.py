"""The calendar against what others know: the exchange's list, CRSP's trading dates, a second library."""

import csv
import datetime as dt
import hashlib
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from condvest.batch_layer.shared.models.sessions import calendar_of
from condvest.batch_layer.shared.utils.calendar import (
    FIRST_YEAR,
    SECOND_KNOWS_FROM,
    exchange_sessions,
    library_version,
    second_library_version,
    second_opinion,
)
from tests.support.exchange import independent_calendar

ANSWERS = Path(__file__).parents[2] / "answers"
NEW_YORK = ZoneInfo("America/New_York")
CRSP_FIRST, CRSP_LAST = "1926-07-01", "2024-03-28"
# SHA-256 of CRSP's trading dates, a line each, as answers/README.md says where from.
CRSP_DATES = "6d61bfc0d6ec019bf237e3ea3edf29d0a4351651da497af2f70a1822a91afa4a"


def answers(name):
    with (ANSWERS / name).open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def calendar():
    return exchange_sessions(FIRST_YEAR, dt.datetime.now(dt.UTC).year + 1)


def wall_clock(instant):
    return instant.item().replace(tzinfo=dt.UTC).astimezone(NEW_YORK).strftime("%H:%M")


@pytest.mark.parametrize("answer", answers("special_sessions.csv"), ids=lambda answer: answer["date"])
def test_special_sessions_are_as_the_exchange_lists_them(calendar, answer):
    place = np.flatnonzero(calendar.date == np.datetime64(answer["date"]))
    if not answer["opens"]:
        assert not len(place), answer["why"]
        return
    (at,) = place
    found = {"opens": wall_clock(calendar.opens_at[at]), "closes": wall_clock(calendar.closes_at[at])}
    assert found == {"opens": answer["opens"], "closes": answer["closes"]}, answer["why"]
    assert calendar.early_close[at] == (answer["early_close"] == "early")
    assert calendar.late_open[at] == (answer["late_open"] == "late")


@pytest.mark.parametrize(
    ("date", "hours"),
    [
        ("1974-06-03", ("10:00", "16:00")),
        ("1985-06-03", ("09:30", "16:00")),
        ("1967-08-08", ("10:00", "15:30")),
        ("1976-06-08", ("10:15", "16:00")),
        ("1990-12-27", ("09:31", "16:00")),
        ("1999-12-31", ("09:30", "16:00")),
    ],
)
def test_doubtful_hours_are_still_as_the_documentation_says(calendar, date, hours):
    """A version of the library that mends one of them lets docs/calendar.md drop a line."""
    (at,) = np.flatnonzero(calendar.date == np.datetime64(date))
    assert (wall_clock(calendar.opens_at[at]), wall_clock(calendar.closes_at[at])) == hours


class TestCRSP:
    """25,710 dates of daily returns, whose source knows nothing of calendar libraries."""

    def test_every_session_is_a_trading_date_and_every_trading_date_a_session(self, calendar):
        within = (calendar.date >= np.datetime64(CRSP_FIRST)) & (calendar.date <= np.datetime64(CRSP_LAST))
        text = "".join(f"{date}\n" for date in calendar.date[within].tolist())
        assert (text.count("\n"), hashlib.sha256(text.encode()).hexdigest()) == (25_710, CRSP_DATES)

    def test_the_months_and_the_saturdays_count_the_same(self, calendar):
        """So that a difference shows where it is."""
        months = (calendar.date.astype("datetime64[M]").astype(int) % 12) + 1
        years = calendar.date.astype("datetime64[Y]").astype(int) + 1970
        is_saturday = (calendar.date.astype(int) + 3) % 7 == 5
        for row in answers("crsp_sessions_by_month.csv"):
            of_year = years == int(row["year"])
            counted = list(row.values())[1:13]
            sums = [str((of_year & (months == month)).sum()) for month in range(1, 13)]
            found = [here if there else "" for here, there in zip(sums, counted, strict=True)]
            assert found == counted, row["year"]
            if "" not in counted:
                assert (of_year & is_saturday).sum() == int(row["saturdays"]), row["year"]

    def test_ordinals_count_its_dates(self, calendar):
        """The 2,265 trading dates from January 1953 to December 1961 have the ordinals before 0."""
        numbered = calendar_of(*calendar)
        dates = sum(
            int(row[month])
            for row in answers("crsp_sessions_by_month.csv")
            if 1953 <= int(row["year"]) <= 1961
            for month in list(row)[1:13]
        )
        assert numbered.ordinal(dt.date(1953, 1, 2)) == -dates
        assert numbered.ordinal(dt.date(1962, 1, 2)) == 0


class TestASecondLibrary:
    def test_since_1970_it_has_the_same_sessions(self, calendar):
        last = calendar.date[-1].item()
        known = calendar.date[calendar.date >= np.datetime64(SECOND_KNOWS_FROM)]
        assert second_opinion(SECOND_KNOWS_FROM, last).tolist() == known.tolist()

    def test_before_1970_it_takes_holidays_for_sessions(self):
        """Its recurring holidays are rules of a pandas calendar, which begins in 1970."""
        christmas = dt.date(1969, 12, 25)
        assert christmas in second_opinion(dt.date(1969, 12, 1), dt.date(1969, 12, 31)).tolist()

    def test_with_those_rules_begun_earlier_it_lacks_saturdays_and_one_parade(self, calendar):
        """It has the five-day week throughout. On 1927-06-13 New York welcomed Charles Lindbergh."""
        last = calendar.date[-1]
        other = independent_calendar(f"{FIRST_YEAR}-01-01", str(last)).sessions.values.astype("datetime64[D]")
        assert np.setdiff1d(other, calendar.date).tolist() == [dt.date(1927, 6, 13)]
        only_ours = np.setdiff1d(calendar.date, other).tolist()
        assert {date.weekday() for date in only_ours} == {5}
        assert only_ours[-1] == dt.date(1952, 5, 24)

    def test_both_are_named_as_a_requirement_pins_them(self):
        assert library_version().startswith("pandas-market-calendars==")
        assert second_library_version().startswith("exchange-calendars==")
