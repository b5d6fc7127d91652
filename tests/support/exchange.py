"""When the tests take place, and the sessions by exchange_calendars, which the package does not use."""

import datetime as dt
import warnings
from unittest import mock

import exchange_calendars
import pandas as pd
from pandas.tseries.holiday import AbstractHolidayCalendar

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
"""A Monday before the open: the last closed session is 2024-05-31."""


def independent_calendar(start, end):
    """Return the XNYS calendar from one date to another, both inclusive."""
    # Its holidays that recur are those of a pandas calendar, which knows none before 1970 unless told to:
    # Christmas 1962 would be a session.
    recurring = mock.patch.object(AbstractHolidayCalendar, "start_date", pd.Timestamp("1900-01-01"))
    with recurring, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls what the newest pandas is about to change
        return exchange_calendars.get_calendar("XNYS", start=start, end=end)
