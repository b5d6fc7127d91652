"""The exchange's calendar, as two independent libraries know it.

pandas-market-calendars decides. Its own calendar ``NYSE`` follows the exchange's list of special closings and
knows the hours as they were: Saturdays until 1952, the closes at 15:00 and 15:30, the open at 10:00 until
1985, each early close and late open. Its calendar ``XNYS`` is no such thing: it is exchange-calendars' own,
which gives today's hours to every year.

exchange-calendars is the second opinion, on dates alone. It shares no holiday table with the first.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

EXCHANGE = "XNYS"
"""The exchange, by its market identifier code (ISO 10383)."""

LIBRARY = "pandas-market-calendars"
"""The package that decides what is a session, and when it opens and closes."""

SECOND_LIBRARY = "exchange-calendars"
"""The package that is asked for a second opinion, where it is installed."""

FIRST_YEAR = 1926
"""The year in which the calendar begins: that of the first daily data of US stocks (CRSP).

From 1926-07-01 on, every session was compared with the dates of daily returns that CRSP publishes; see
docs/calendar.md.
"""

SECOND_KNOWS_FROM = dt.date(1970, 1, 1)
"""The first date on which the second library can be asked.

Its recurring holidays are rules of a pandas calendar, which begins in 1970: before, it takes Christmas for a
session.
"""

_CALENDAR = "NYSE"

Dates = npt.NDArray[np.datetime64]
Bools = npt.NDArray[np.bool_]


class Calendar(NamedTuple):
    """Sessions of the exchange, ascending, one row each.

    Attributes:
        date: datetime64[D], in the exchange's time zone (America/New_York).
        opens_at, closes_at: datetime64[s], UTC.
        early_close: whether the session closed before the usual hour of its time (on Saturdays, noon).
        late_open: whether it opened after the usual hour of its time.
    """

    date: Dates
    opens_at: Dates
    closes_at: Dates
    early_close: Bools
    late_open: Bools


def exchange_sessions(first_year: int, last_year: int) -> Calendar:
    """Return the exchange's sessions of the years (both inclusive), by the library that decides."""
    # Imported here: pandas takes half a second, and only commands that load need the library.
    import pandas_market_calendars  # noqa: PLC0415

    calendar: Any = pandas_market_calendars.get_calendar(_CALENDAR)
    with _quiet():
        schedule = calendar.schedule(dt.date(first_year, 1, 1), dt.date(last_year, 12, 31))
        early, late = calendar.early_closes(schedule), calendar.late_opens(schedule)
    return Calendar(
        _dates(schedule.index),
        _utc_seconds(schedule["market_open"]),
        _utc_seconds(schedule["market_close"]),
        np.isin(schedule.index, early.index),
        np.isin(schedule.index, late.index),
    )


def second_opinion(first: dt.date, last: dt.date) -> Dates | None:
    """Return the sessions from ``first`` to ``last`` (inclusive) by the second library.

    Args:
        first: on or after SECOND_KNOWS_FROM.
        last: on or after ``first``.

    Returns:
        datetime64[D], ascending; None if the library is not installed.
    """
    try:
        import exchange_calendars  # noqa: PLC0415  # as above
    except ModuleNotFoundError:
        return None
    with _quiet():
        calendar: Any = exchange_calendars.get_calendar(EXCHANGE, start=first, end=last)
    return _dates(calendar.sessions)


def library_version() -> str:
    """Return the library that decides with its version, as a requirement pins it."""
    return f"{LIBRARY}=={metadata.version(LIBRARY)}"


def second_library_version() -> str | None:
    """Return the second library with its version; None if it is not installed."""
    try:
        return f"{SECOND_LIBRARY}=={metadata.version(SECOND_LIBRARY)}"
    except metadata.PackageNotFoundError:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence both libraries: they call what the newest pandas is about to change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _dates(index: Any) -> Dates:  # noqa: ANN401  (a pandas DatetimeIndex; as below)
    dates: Dates = index.values.astype("datetime64[D]")
    return dates


def _utc_seconds(column: Any) -> Dates:  # noqa: ANN401  (a pandas Series; its stubs are not installed with the package)
    seconds: Dates = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    return seconds
