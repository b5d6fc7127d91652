"""The published data sets of bars, and the parts into which they are divided. Pure.

A row belongs to the year of its session (of its window's last one). Of a large market the newest year, and
those after it, in which open windows end, are divided by month, so that a night writes a month's rows anew
and not a year's. Once another year has begun, the former one is made whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.core.windows import windows_of
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.settings import INTERVALS


def dataset_of(interval: int) -> str:
    """Return the name of the data set that holds bars of so many sessions; 1 is the daily bars."""
    return "daily_bars" if interval == 1 else f"bars_{interval}"


DAILY_BARS = dataset_of(1)

DIVIDED: Mapping[str, int] = {
    **{dataset_of(n): n for n in (1, *INTERVALS)},
    "daily_bar_revisions": 1,
}
"""The data sets that are divided, and how many sessions each of their rows is about."""


_YEARS_BY_MONTH = 3
"""Before the calendar's last one, which is one or two ahead."""


@dataclass(frozen=True)
class Division:
    """Into which parts the data sets are divided.

    Attributes:
        names: of the parts, ascending: ``2024`` is a year, ``2025-01`` a month.
        begins: datetime64[D], the first date of each.
    """

    names: Sequence[str]
    begins: np.ndarray[tuple[int], np.dtype[np.datetime64]]

    @classmethod
    def of(cls, sessions: Sessions, months_from: int | None) -> Division:
        """Return the division of a calendar: years, and from the first date of ``months_from`` on months.

        None divides by year alone.
        """
        years = years_of(sessions)
        months_from = years[-1] + 1 if months_from is None else months_from
        names = [str(year) for year in years if year < months_from]
        names += [f"{year}-{month:02}" for year in years if year >= months_from for month in range(1, 13)]
        begins = [name if "-" in name else f"{name}-01" for name in names]
        return cls(names, np.array(begins, dtype="datetime64[M]").astype("datetime64[D]"))

    def starts(self, sessions: Sessions, dataset: str) -> Int32s:
        """Return, for each part, the first ordinal (or window) of a data set that belongs to it.

        A window belongs to the part of its last session: it is the first one of a part that ends on or
        after the part's first session, which is the one that holds it. A month of which the calendar has
        no session has none, and begins where the next one does.
        """
        return windows_of(sessions.ordinals_on_or_after(self.begins), DIVIDED[dataset])


def compacting_starts(sessions: Sessions) -> dict[str, Int32s]:
    """Return, for each data set, the first ordinals (or windows) of the finest parts that may be published.

    Entries of ``touched`` that reach into the same ones of these reach into the same parts of every division.
    """
    finest = Division.of(sessions, years_of(sessions)[-1] - _YEARS_BY_MONTH)
    return {dataset: finest.starts(sessions, dataset) for dataset in DIVIDED}


def year_of(part: str) -> str:
    """Return the year that a part is, or that it is a month of."""
    return part[:4]


def years_of(sessions: Sessions) -> list[int]:
    """Return the years of the calendar, ascending."""
    return list(range(sessions.date[0].item().year, sessions.date[-1].item().year + 1))
