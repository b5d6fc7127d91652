"""The exchange's sessions that a synthetic market trades on, and instants told in New York."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas_market_calendars as mcal

NEW_YORK = ZoneInfo("America/New_York")
_LOOK_AHEAD = dt.timedelta(days=400)


class Schedule:
    """Sessions of XNYS, from a market's first one to 400 days beyond its last one.

    Attributes:
        count: how many sessions the market trades, the first ``count`` of the arrays.
        dates: datetime64[D].
        opens, closes: datetime64[s], UTC.
        early: bool, whether the session closes before 16:00.
    """

    def __init__(self, first: dt.date, last: dt.date) -> None:
        table = _calendar().schedule(first, last + _LOOK_AHEAD)
        self.dates = table.index.to_numpy().astype("datetime64[D]")
        self.opens = table["market_open"].dt.tz_localize(None).to_numpy().astype("datetime64[s]")
        self.closes = table["market_close"].dt.tz_localize(None).to_numpy().astype("datetime64[s]")
        self.count = int(np.searchsorted(self.dates, np.datetime64(last), side="right"))
        if not self.count:
            raise ValueError(f"no session of the exchange lies in {first}..{last}")
        clock = self.closes - self.dates.astype("datetime64[s]")
        # 16:00 in New York is 20:00 or 21:00 UTC; every early close is before 19:00 UTC.
        self.early = clock < np.timedelta64(19 * 3600, "s")

    def index(self, date: dt.date) -> int | None:
        """Return the number of a session that the market trades, None for any other date."""
        number = int(np.searchsorted(self.dates[: self.count], np.datetime64(date)))
        if number < self.count and self.dates[number] == np.datetime64(date):
            return number
        return None

    def closed_by(self, now: dt.datetime) -> int:
        """Return how many sessions (counted beyond the market's last, too) had closed at ``now``."""
        return int(np.searchsorted(self.closes, utc64(now), side="right"))

    def holidays(self, after: dt.date, until: dt.date) -> list[tuple[dt.date, str]]:
        """Return the exchange's full holidays after ``after`` and through ``until``, with their names."""
        named = _calendar().regular_holidays.holidays(after, until, return_name=True)
        return [(day.date(), str(name)) for day, name in named.items() if day.date() > after]


@lru_cache(maxsize=1)
def _calendar():
    return mcal.get_calendar("XNYS")


def utc64(instant: dt.datetime) -> np.datetime64:
    """Return an aware datetime as naive UTC datetime64[s]."""
    return np.datetime64(instant.astimezone(dt.UTC).replace(tzinfo=None), "s")


def new_york_date(instant: dt.datetime) -> dt.date:
    """Return the date in New York at an instant."""
    return instant.astimezone(NEW_YORK).date()


def new_york(date: dt.date, hour: int = 0, minute: int = 0) -> dt.datetime:
    """Return the instant of a wall-clock time in New York, as an aware UTC datetime."""
    return dt.datetime.combine(date, dt.time(hour, minute), NEW_YORK).astimezone(dt.UTC)


def milliseconds(instant: dt.datetime) -> int:
    """Return milliseconds since the epoch."""
    return int(instant.timestamp()) * 1000
