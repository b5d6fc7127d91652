"""Whether a connection that is open gives what it should; pure.

A socket may be open, answer every ping and be mute, or give every fiftieth minute only. Both show in the data
alone, and only where data are due: before the open and after the close a market is quiet by right.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from condvest.batch_layer.shared.models.bars import Int64s
from condvest.speed_layer.core.phases import SECOND, Hours
from condvest.speed_layer.core.state import MINUTE

MUTE_AFTER = 90 * SECOND
"""No minute for so long in regular hours: a whole burst of the market has failed to come."""

MUTE_OTHERWISE = 600 * SECOND

LEAST_SHARE = 0.2
"""Of the median of the minutes before it that a minute must have in messages."""

LEAST_MESSAGES = 20
"""Below this median a share says nothing."""

_MINUTES = 15
_IN_A_ROW = 2


@dataclass(eq=False)
class Watch:
    """What came over one connection, and when.

    Attributes:
        hours: the regular hours of the session.
        since: when the connection was made, microseconds.
        mute_after: how long nothing may come in regular hours, microseconds.
        usual: messages of each of the last full minutes that were not too few, of earlier connections too.
        good_through: the end of the last minute that had what it should, by the clock of the data; 0 before
            one had. In regular hours that takes a median to hold it against.
    """

    hours: Hours
    since: int
    mute_after: int = MUTE_AFTER
    usual: deque[int] = field(default_factory=lambda: deque(maxlen=_MINUTES))
    good_through: int = 0
    first_data: int | None = None
    last_data: int | None = None
    _minute: int = 0
    _count: int = 0
    _few: int = 0

    @property
    def data_for(self) -> int:
        """Between the first and the last data of the connection, microseconds."""
        return 0 if self.first_data is None or self.last_data is None else self.last_data - self.first_data

    def came(self, start: Int64s, received: int) -> None:
        """Count minutes that came: when each began, and when they came. Late ones count for their own."""
        if not len(start):
            return
        self.first_data = received if self.first_data is None else self.first_data
        self.last_data = received
        for minute, count in zip(*np.unique(start, return_counts=True), strict=True):
            if minute > self._minute:
                self._close()
                self._minute, self._count = int(minute), 0
            if minute == self._minute:
                self._count += int(count)

    def _close(self) -> None:
        """Judge the minute that the data have left behind; the first of a connection may be a part of one."""
        is_whole = self._minute > self.since - MINUTE
        if not self._minute or not is_whole or not self._is_regular(self._minute):
            self.good_through = self._minute and self._minute + MINUTE
            return
        usual = float(np.median(self.usual)) if self.usual else 0.0
        if usual >= LEAST_MESSAGES and self._count < LEAST_SHARE * usual:
            self._few += 1
            return
        self._few = 0
        self.usual.append(self._count)
        if usual >= LEAST_MESSAGES:
            self.good_through = self._minute + MINUTE

    def trickles(self) -> bool:
        """Return whether too few minutes come."""
        return self._few >= _IN_A_ROW

    def mute_at(self, now: int, delay: int) -> int:
        """Return at which instant of the clock the connection will have been mute for too long.

        Args:
            now: the instant.
            delay: how late the feed's data are.
        """
        last = max(self.since, self.last_data or 0)
        # A minute's messages come when it has ended; the first of the session a minute after the open.
        is_due = self._is_regular(now - delay - self.mute_after)
        return last + (self.mute_after if is_due else MUTE_OTHERWISE)

    def _is_regular(self, instant: int) -> bool:
        return self.hours.opens_at <= instant < self.hours.closes_at
