"""A question about bars, checked when it is made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from batch_layer.shared.errors import UsageError

Adjust = Literal["none", "splits", "total"]


Anchor = Literal["calendar", "listing"]


LONGEST_ANSWERED = 252
"""The longest bar that a question can ask for, in sessions: about a year."""


@dataclass(frozen=True)
class Question:
    """Which bars are asked for; see `condvest.bars` for the meaning of each.

    Raises:
        UsageError: a value that the question cannot have; the message names it.
    """

    symbols: Sequence[str] | None = None
    interval: int = 13
    start: dt.date | None = None
    end: dt.date | None = None
    adjust: Adjust = "splits"
    anchor: Anchor = "calendar"
    include_open: bool = False
    as_of: dt.datetime | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.interval <= LONGEST_ANSWERED:
            raise UsageError(f"interval {self.interval}: a bar has 1 to {LONGEST_ANSWERED} sessions")
        if self.adjust not in get_args(Adjust):
            raise UsageError(f"adjust {self.adjust!r}: choose none, splits or total")
        if self.anchor not in get_args(Anchor):
            raise UsageError(f"anchor {self.anchor!r}: choose calendar or listing")
        if self.as_of is not None and self.as_of.tzinfo is None:
            raise UsageError(f"as_of {self.as_of} needs a time zone: an instant, not a local time")
        if self.start and self.end and self.start > self.end:
            raise UsageError(f"start {self.start} lies after end {self.end}")
