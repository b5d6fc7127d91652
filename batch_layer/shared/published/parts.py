"""The published data sets of bars, and the years by which they are divided. Pure.

A row belongs to the year of its session (of its window's last one), so that a night touches one file a data
set.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from batch_layer.shared.core.windows import windows_of
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.settings import INTERVALS


def dataset_of(interval: int) -> str:
    """Return the name of the data set that holds bars of so many sessions; 1 is the daily bars."""
    return "daily_bars" if interval == 1 else f"bars_{interval}"


DAILY_BARS = dataset_of(1)

BY_YEAR: Mapping[str, int] = {
    **{dataset_of(n): n for n in (1, *INTERVALS)},
    "daily_bar_revisions": 1,
}
"""The data sets that are divided by year, and how many sessions each of their rows is about."""


def years_of(sessions: Sessions) -> list[int]:
    """Return the years of the calendar, ascending."""
    return list(range(sessions.date[0].item().year, sessions.date[-1].item().year + 1))


def year_starts(sessions: Sessions, interval: int) -> Int32s:
    """Return, for each year of the calendar, the first ordinal (or window) that belongs to it.

    A window belongs to the year of its last session: it is the first one of a year that ends on or after
    the year's first session, which is the one that holds it.
    """
    begins = np.array([f"{year}-01-01" for year in years_of(sessions)], dtype="datetime64[D]")
    return windows_of(sessions.ordinals_on_or_after(begins), interval)


def starts_by_dataset(sessions: Sessions) -> dict[str, Int32s]:
    """Return, for each data set of bars, the first ordinals (or windows) of the years; see `year_starts`."""
    return {name: year_starts(sessions, interval) for name, interval in BY_YEAR.items()}
