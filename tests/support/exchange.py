"""The exchange's sessions from exchange_calendars, the second library."""

import warnings
from unittest import mock

import exchange_calendars
import pandas as pd
from pandas.tseries.holiday import AbstractHolidayCalendar


def independent_calendar(start, end):
    """Return the XNYS calendar from one date to another, both inclusive."""
    # Its holidays that recur are those of a pandas calendar, which knows none before 1970 unless told to:
    # Christmas 1962 would be a session.
    recurring = mock.patch.object(AbstractHolidayCalendar, "start_date", pd.Timestamp("1900-01-01"))
    with recurring, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls what the newest pandas is about to change
        return exchange_calendars.get_calendar("XNYS", start=start, end=end)
