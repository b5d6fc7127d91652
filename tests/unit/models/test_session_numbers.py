"""Sessions as numbers: the calendar of one made-up week."""

import datetime as dt

import numpy as np
import pytest

from condvest.batch_layer.shared.errors import NotASession
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL, calendar_of

DATES = ("1961-12-28", "1961-12-29", "1962-01-02", "1962-01-03", "1962-01-05")


def dates(*texts):
    return np.array(texts, dtype="datetime64[D]")


def calendar(*texts):
    date = dates(*texts)
    opens = date.astype("datetime64[s]") + np.timedelta64(15, "h")
    usual = np.zeros(len(date), dtype=bool)
    return calendar_of(date, opens, opens + np.timedelta64(6, "h"), usual, usual)


@pytest.fixture
def week():
    """Five sessions, 1962-01-02 the third; the 4th is no session, nor are the 30th to the 1st."""
    return calendar(*DATES)


def test_ordinals_count_from_1962_01_02(week):
    assert week.ordinals_of(dates(*DATES)).tolist() == [-2, -1, 0, 1, 2]
    assert (week.first_ordinal, week.last_ordinal, len(week)) == (-2, 2, 5)
    assert week.dates_of(np.array([2, -2, 0])).tolist() == [
        dt.date.fromisoformat(DATES[at]) for at in (4, 0, 2)
    ]


def test_what_is_no_session_has_no_ordinal(week):
    asked = dates("1962-01-04", "1961-12-27", "1962-01-06", "NaT")
    assert week.ordinals_of(asked).tolist() == [NO_ORDINAL] * 4
    assert len(week.ordinals_of(dates())) == 0


def test_on_or_after_goes_to_the_next_session(week):
    asked = dates("1961-01-01", "1961-12-29", "1961-12-30", "1962-01-04", "1962-01-05", "1962-01-06")
    assert week.ordinals_on_or_after(asked).tolist() == [-2, -1, 0, 2, 2, 3]


def test_errors_name_the_sessions_beside_and_the_bounds(week):
    with pytest.raises(NotASession, match=r"1962-01-04 is no session.*1962-01-03 and 1962-01-05"):
        week.ordinal(dt.date(1962, 1, 4))
    with pytest.raises(NotASession, match=r"1962-02-01 is no session.* 1962-01-05"):
        week.ordinal(dt.date(1962, 2, 1))
    with pytest.raises(
        NotASession, match=r"ordinal 3\.\.3 reaches outside.*-2\.\.2 \(1961-12-28\.\.1962-01-05\)"
    ):
        week.session(3)
    with pytest.raises(NotASession, match=r"-3\.\.0"):
        week.dates_of(np.array([0, -3]))


@pytest.mark.parametrize(
    ("instant", "closed"),
    [
        ("1961-12-01T00:00+00:00", -3),
        ("1962-01-02T20:59:59+00:00", -1),
        ("1962-01-02T21:00+00:00", 0),
        ("1962-01-02T15:59:59-05:00", -1),
        ("1962-01-02T16:00-05:00", 0),
        ("1962-01-04T12:00+00:00", 1),
        ("1999-01-01T00:00+09:00", 2),
    ],
)
def test_a_session_has_closed_at_the_instant_of_its_close(week, instant, closed):
    """In whatever time zone the instant is given; here every session closes at 21:00 UTC."""
    assert week.last_closed(dt.datetime.fromisoformat(instant)) == closed
