"""The hours of the calendar, against an independent library and against what the exchange published."""

import datetime as dt
import warnings

import exchange_calendars
import pytest

from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

UNUSUAL_HOURS = {
    # exchange-calendars gives usual hours where the exchange's own list has a late open (New York time),
    "1989-11-10": ("11:00", "16:00"), "1990-12-27": ("09:31", "16:00"), "1991-01-17": ("09:31", "16:00"),
    "1991-02-25": ("09:31", "16:00"), "1995-12-18": ("10:30", "16:00"), "1996-01-08": ("11:00", "14:00"),
    "2001-09-17": ("09:33", "16:00"), "2001-10-08": ("09:31", "16:00"), "2002-09-11": ("12:00", "16:00"),
    "2003-03-20": ("09:32", "16:00"), "2004-06-07": ("09:32", "16:00"), "2006-12-27": ("09:32", "16:00"),
    # or an early close: after the crash of October 1987, in a snowstorm, by a circuit breaker, by a fault.
    "1987-10-23": ("09:30", "14:00"), "1987-10-26": ("09:30", "14:00"), "1987-10-27": ("09:30", "14:00"),
    "1987-10-28": ("09:30", "14:00"), "1987-10-29": ("09:30", "14:00"), "1987-10-30": ("09:30", "14:00"),
    "1987-11-02": ("09:30", "14:30"), "1987-11-03": ("09:30", "14:30"), "1987-11-04": ("09:30", "14:30"),
    "1987-11-05": ("09:30", "15:00"), "1987-11-06": ("09:30", "15:00"), "1987-11-09": ("09:30", "15:30"),
    "1987-11-10": ("09:30", "15:30"), "1987-11-11": ("09:30", "15:30"), "1994-02-11": ("09:30", "14:30"),
    "1997-10-27": ("09:30", "15:30"), "2005-06-01": ("09:30", "15:56"),
    # It takes these for early closes, and they were none.
    "1986-12-24": ("09:30", "16:00"), "1987-12-24": ("09:30", "16:00"), "1999-12-31": ("09:30", "16:00"),
}  # fmt: skip


def test_hours_since_1986_are_those_of_an_independent_library_but_for_these(sessions):
    """The second library shares no table with the first; where the two differ, the hours are listed here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = exchange_calendars.get_calendar("XNYS", start="1986-01-01").schedule
    # By columns: a row of pandas takes a thousand times as long.
    hours = zip(other["open"].tolist(), other["close"].tolist(), strict=True)
    theirs = dict(zip(other.index.date.tolist(), hours, strict=True))
    first, last = min(theirs), max(theirs)
    ours = {
        date: tuple(instant.replace(tzinfo=dt.UTC).astimezone(EXCHANGE_ZONE) for instant in hours)
        for date, *hours in zip(
            sessions.date.tolist(), sessions.opens_at.tolist(), sessions.closes_at.tolist(), strict=True
        )
        if first <= date <= last
    }
    assert len(ours) > 10_000
    assert ours.keys() == {date for date in theirs if date <= max(ours)}
    differing = {
        str(date): tuple(f"{instant:%H:%M}" for instant in hours)
        for date, hours in ours.items()
        if hours != theirs[date]
    }
    assert differing == UNUSUAL_HOURS


@pytest.mark.parametrize(
    ("date", "is_early"),
    [
        ("1999-11-26", True), ("2019-12-24", True), ("2023-11-24", True), ("2024-07-03", True),
        ("2020-12-31", False), ("2023-11-22", False), ("2024-07-02", False),
    ],
)  # fmt: skip
def test_early_closes(sessions, date, is_early):
    """13:00 the day after Thanksgiving, on Christmas Eve and before Independence Day."""
    at = sessions.ordinal(dt.date.fromisoformat(date)) - sessions.first_ordinal
    assert bool(sessions.early_close[at]) is is_early
    close = sessions.closes_at[at].item().replace(tzinfo=dt.UTC).astimezone(EXCHANGE_ZONE)
    assert close.time() == (dt.time(13) if is_early else dt.time(16))
