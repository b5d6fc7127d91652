"""The exchange's calendar, from pandas-market-calendars."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt

EXCHANGE = "XNYS"
FIRST_YEAR = 1953
"""The first whole year of the five-day week; the library does not know the Saturdays before."""


def exchange_sessions(
    first_year: int, last_year: int
) -> tuple[
    npt.NDArray[np.datetime64],
    npt.NDArray[np.datetime64],
    npt.NDArray[np.datetime64],
    npt.NDArray[np.bool_],
]:
    """Return the exchange's sessions of the years (both inclusive), ascending.

    Returns:
        date (datetime64[D], in the exchange's time zone), opens_at and closes_at (datetime64[s], UTC),
        early_close (bool).
    """
    # Imported here: pandas takes half a second, and only commands that load need the library.
    import pandas_market_calendars  # noqa: PLC0415

    calendar: Any = pandas_market_calendars.get_calendar(EXCHANGE)
    schedule = calendar.schedule(dt.date(first_year, 1, 1), dt.date(last_year, 12, 31))
    early = np.isin(schedule.index.values, calendar.early_closes(schedule).index.values)
    return (
        schedule.index.values.astype("datetime64[D]"),
        _utc_seconds(schedule["market_open"]),
        _utc_seconds(schedule["market_close"]),
        early,
    )


def _utc_seconds(column: Any) -> npt.NDArray[np.datetime64]:  # noqa: ANN401  (a pandas Series; its stubs are not installed with the package)
    seconds: npt.NDArray[np.datetime64] = (
        column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    )
    return seconds
