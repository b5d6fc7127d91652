"""A question about bars, checked when it is made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, get_args

from condvest.batch_layer.shared.errors import UsageError

Adjust = Literal["none", "splits", "total"]


Anchor = Literal["calendar", "listing"]


LONGEST_ANSWERED = 252
"""The longest bar that a question can ask for, in sessions: about a year."""


def as_instant(text: str, zone: dt.tzinfo | None = None) -> dt.datetime:
    """Return an instant: an ISO date stands for its end in UTC, anything else needs a time zone.

    Args:
        text: the date or the instant.
        zone: of a time without one; None refuses it.

    Raises:
        UsageError: the text is neither.
    """
    refused = UsageError(f"as_of {text!r}: expected an instant such as 2024-07-31 or 2024-07-31T21:00:00Z")
    if not text.isprintable():  # a NUL at the end would pass
        raise refused
    with suppress(ValueError):
        date = dt.date.fromisoformat(text)
        if date.isoformat() != text:  # 20240731, 2024-W31-3: as an instant it would be the date's beginning
            raise refused
        return dt.datetime.combine(date, dt.time.max, tzinfo=dt.UTC)
    try:
        instant = dt.datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=zone)
        if instant.tzinfo is not None:
            return instant.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise refused from error
    raise UsageError(f"as_of {text!r} needs a time zone: an instant, not a local time; append Z for UTC")


def check_bounds(start: dt.date | None, end: dt.date | None) -> None:
    """Raise UsageError if two dates, between which something is asked for, are the wrong way round."""
    if start and end and start > end:
        raise UsageError(f"start {start} lies after end {end}")


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
    unique_symbols: bool = False
    include_live: bool = False
    symbols_on: dt.date | None = None

    def __post_init__(self) -> None:
        given: object = self.interval
        if isinstance(given, bool) or not isinstance(given, Integral):
            raise UsageError(f"interval {given!r}: expected a number of sessions, 1 for daily bars")
        if not 1 <= self.interval <= LONGEST_ANSWERED:
            raise UsageError(f"interval {self.interval}: a bar has 1 to {LONGEST_ANSWERED} sessions")
        if self.adjust not in get_args(Adjust):
            raise UsageError(f"adjust {self.adjust!r}: choose none, splits or total")
        if self.anchor not in get_args(Anchor):
            raise UsageError(f"anchor {self.anchor!r}: choose calendar or listing")
        if self.as_of is not None and self.as_of.tzinfo is None:
            raise UsageError(f"as_of {self.as_of} needs a time zone: an instant, not a local time")
        check_bounds(self.start, self.end)
        if self.symbols_on is not None and self.symbols is None:
            raise UsageError(
                f"symbols_on {self.symbols_on}: no symbols are asked for that were carried on that date; "
                "name some, or leave it out"
            )
        if self.include_live and self.as_of is not None:
            raise UsageError("include_live: the session under way is known as of now only; leave out as_of")
