"""The sessions of the exchange, numbered.

A session is one trading day of XNYS. Its ordinal is its number in the exchange's calendar: 0 at
1962-01-02, negative before. Ordinals are fixed for ever, and so are the windows made of them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.errors import NotASession

Dates = npt.NDArray[np.datetime64]
Ordinals = npt.NDArray[np.int32]

EXCHANGE_ZONE = ZoneInfo("America/New_York")
"""The time zone of the exchange, in which a session has its date."""

ORDINAL_ZERO = dt.date(1962, 1, 2)
"""The session whose ordinal is 0."""

NO_ORDINAL = np.int32(np.iinfo(np.int32).min)
"""Stands where a date has no ordinal."""


@dataclass(frozen=True, eq=False)
class Sessions:
    """A run of consecutive sessions, ascending, none missing.

    Attributes:
        first_ordinal: ordinal of ``date[0]``.
        date: datetime64[D], the sessions' dates in the exchange's time zone.
        opens_at: datetime64[s], instants of the open, UTC.
        closes_at: datetime64[s], instants of the close, UTC.
        early_close: bool, whether the session closed before the usual hour of its time.
        late_open: bool, whether it opened after the usual hour of its time.
    """

    first_ordinal: int
    date: Dates
    opens_at: Dates
    closes_at: Dates
    early_close: npt.NDArray[np.bool_]
    late_open: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.date)

    @property
    def last_ordinal(self) -> int:
        """Ordinal of the last session known."""
        return self.first_ordinal + len(self.date) - 1

    def ordinals_of(self, dates: Dates) -> Ordinals:
        """Return each date's ordinal (int32), NO_ORDINAL where the date is no session known here."""
        position = np.searchsorted(self.date, dates)
        known = position < len(self.date)
        known[known] = self.date[position[known]] == dates[known]
        return np.where(known, position + self.first_ordinal, NO_ORDINAL).astype(np.int32)

    def ordinals_on_or_after(self, dates: Dates) -> Ordinals:
        """Return the ordinal (int32) of the first session on or after each date.

        A date after the last session known gets ``last_ordinal + 1``; one before the first known gets
        ``first_ordinal``.
        """
        return (np.searchsorted(self.date, dates) + self.first_ordinal).astype(np.int32)

    def dates_of(self, ordinals: npt.NDArray[np.integer]) -> Dates:
        """Return the date (datetime64[D]) of each ordinal.

        Raises:
            NotASession: an ordinal lies outside the sessions known; the message names the bounds.
        """
        position = ordinals - self.first_ordinal
        if len(position) and (position.min() < 0 or position.max() >= len(self.date)):
            raise NotASession(
                f"ordinal {ordinals.min()}..{ordinals.max()} reaches outside the calendar, "
                f"which holds {self.first_ordinal}..{self.last_ordinal} "
                f"({self.date[0]}..{self.date[-1]})"
            )
        dates: Dates = self.date[position]
        return dates

    def session(self, ordinal: int) -> dt.date:
        """Return the date of one ordinal.

        Raises:
            NotASession: the ordinal lies outside the sessions known.
        """
        dates: list[dt.date] = self.dates_of(np.array([ordinal])).tolist()
        return dates[0]

    def ordinal(self, session: dt.date) -> int:
        """Return the ordinal of one session.

        Raises:
            NotASession: the date is no session known; the message names the sessions around it.
        """
        wanted = np.datetime64(session, "D")
        ordinal = int(self.ordinals_of(np.array([wanted]))[0])
        if ordinal == NO_ORDINAL:
            position = int(np.searchsorted(self.date, wanted))
            around = " and ".join(str(day) for day in self.date[max(position - 1, 0) : position + 1])
            raise NotASession(f"{session} is no session of the exchange; beside it lie {around}")
        return ordinal

    def last_closed(self, instant: dt.datetime) -> int:
        """Return the ordinal of the last session that had closed at ``instant`` (an aware datetime).

        ``first_ordinal - 1`` if none had.
        """
        at = np.datetime64(instant.astimezone(dt.UTC).replace(tzinfo=None), "s")
        return self.first_ordinal - 1 + int(np.searchsorted(self.closes_at, at, side="right"))


def calendar_of(
    date: Dates,
    opens_at: Dates,
    closes_at: Dates,
    early_close: npt.NDArray[np.bool_],
    late_open: npt.NDArray[np.bool_],
) -> Sessions:
    """Number the sessions of a calendar (columns as in Sessions) that reaches over 1962-01-02."""
    before = int(np.searchsorted(date, np.datetime64(ORDINAL_ZERO)))
    return Sessions(-before, date, opens_at, closes_at, early_close, late_open)
