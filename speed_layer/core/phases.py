"""The phases of a session, by the clock of the data; pure.

``pre`` before the open, ``open``, ``closing`` after the close (what the auction made of it is still coming),
``settled`` when a bar has stopped changing; ``official`` is a session that the batch layer has loaded. Open
and close are the calendar's, so an early close and the change of daylight saving are no special cases.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Floats, Int16s, Int64s
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE, Sessions
from condvest.speed_layer.core.provisional import Provisional
from condvest.speed_layer.core.state import NEVER

Phase = Literal["pre", "open", "closing", "settled", "official"]

PHASES: tuple[Phase, ...] = ("pre", "open", "closing", "settled")
"""Those that a row can be in, in their order."""

SECOND = 1_000_000
"""Microseconds."""

SETTLE_AFTER = 300 * SECOND
"""A bar is settled if what it was at this time after the close or later has not changed for as long."""

EXTENDED = (5 * 3600 + 1800, 4 * 3600)
"""Seconds before the open and after the close in which trades count for the date's volume."""


def is_on_date(instants: Int64s, date: dt.date) -> Bools:
    """Return which instants (microseconds) are of a date in New York."""
    midnights = (dt.datetime.combine(day, dt.time(), EXCHANGE_ZONE) for day in (date, date + dt.timedelta(1)))
    first, after = (int(midnight.timestamp()) * SECOND for midnight in midnights)
    is_on: Bools = (instants >= first) & (instants < after)
    return is_on


def phase_numbers(settled: Bools, phase: Phase) -> Int16s:
    """Return, per bar, the number in PHASES of a session's phase, or of ``settled`` where it has."""
    return np.where(settled, PHASES.index("settled"), PHASES.index(phase)).astype(np.int16)


@dataclass(frozen=True)
class Hours:
    """The regular hours of one session, in microseconds since 1970-01-01 UTC; the close is exclusive."""

    opens_at: int
    closes_at: int

    @classmethod
    def of(cls, sessions: Sessions, ordinal: int) -> Self:
        """Return the hours of a session of the calendar."""
        position = ordinal - sessions.first_ordinal
        bounds = (sessions.opens_at[position], sessions.closes_at[position])
        return cls(*(int(bound.astype("datetime64[us]").astype(np.int64)) for bound in bounds))

    @property
    def extended(self) -> tuple[int, int]:
        """The first and the last instant at which trades count for the date's volume."""
        return self.opens_at - EXTENDED[0] * SECOND, self.closes_at + EXTENDED[1] * SECOND

    def phase(self, through: int) -> Phase:
        """Return the phase of the session when the data have got to an instant."""
        if through < self.opens_at:
            return "pre"
        return "open" if through < self.closes_at else "closing"


@dataclass(frozen=True, eq=False)
class Calm:
    """Since when the prices of each slot have stayed as they are, after the close.

    Attributes:
        since: int64 per slot, NEVER where no snapshot has told since the close.
        prices: float64, four columns (open, high, low, close), one row per slot.
    """

    since: Int64s
    prices: Floats

    @classmethod
    def unknown(cls) -> Self:
        """Return that of no slots."""
        return cls(np.zeros(0, np.int64), np.zeros((0, 4)))

    def after(self, bars: Provisional, slots: int, through: int, hours: Hours) -> Calm:
        """Return the same after a snapshot whose data have got to ``through``."""
        since, prices = np.full(slots, NEVER, dtype=np.int64), np.full((slots, 4), np.nan)
        since[: len(self.since)], prices[: len(self.prices)] = self.since, self.prices
        if through >= hours.closes_at + SETTLE_AFTER:
            now = np.column_stack([bars.open, bars.high, bars.low, bars.close])
            before = prices[bars.slot]
            is_same = ((now == before) | (np.isnan(now) & np.isnan(before))).all(axis=1)
            is_known = since[bars.slot] != NEVER
            since[bars.slot] = np.where(is_same & is_known, since[bars.slot], through)
            prices[bars.slot] = now
        return Calm(since, prices)

    def is_settled(self, bars: Provisional, through: int) -> Bools:
        """Return, per bar, whether it has stopped changing."""
        since = np.full(len(bars), NEVER, dtype=np.int64)
        is_told = bars.slot < len(self.since)  # a slot may be newer than the last snapshot
        since[is_told] = self.since[bars.slot[is_told]]
        settled: Bools = (since != NEVER) & (since <= through - SETTLE_AFTER)
        return settled
