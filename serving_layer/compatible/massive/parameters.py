"""The parameters of one request, read as Massive reads them."""

from __future__ import annotations

import datetime as dt
import difflib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TypeVar

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

T = TypeVar("T")

KEY = "apiKey"
"""The parameter that may hold the key of who asks."""

_FIRST_MILLISECONDS = 8
"""Digits from which a whole number is an instant: a year has four, no date in digits alone is taken."""


class Parameters:
    """What stands behind the question mark, each name once, and the exchange's date when it is asked.

    Raises:
        UsageError: a name is unknown or doubled, or has no value; the message says what there is.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], known: Collection[str], today: dt.date) -> None:
        """Take the pairs of a query, of which those named in ``known`` can be asked."""
        self.today = today
        for name, count in Counter(name for name, _ in pairs).items():
            if name not in known and name != KEY:
                near = difflib.get_close_matches(name, known, n=3)
                hint = (
                    f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known))}"
                )
                raise UsageError(f"unknown parameter {name!r}; {hint}")
            if count > 1:
                raise UsageError(f"{name} is given {count} times; give it once")
        self.given = {name: value for name, value in pairs if name != KEY}
        for name, value in self.given.items():
            if not value:
                raise UsageError(f"{name} is empty; leave it out, or give it a value")

    def text(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of several words."""
        value = self.given.get(name, default)
        if value not in choices:
            raise UsageError(f"{name} {value!r}: choose {' or '.join(choices)}")
        return value

    def flag(self, name: str, default: T) -> bool | T:
        """Return true or false, or the default where the parameter is left out."""
        if name not in self.given:
            return default
        return self.text(name, ("true", "false"), "") == "true"

    def count(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 1 to ``most``."""
        value = self.given.get(name, str(default))
        is_count = value.isascii() and value.isdecimal() and len(value) <= len(str(most))
        if not is_count or not 1 <= int(value) <= most:
            raise UsageError(f"{name} {value!r}: expected a whole number from 1 to {most}")
        return int(value)


def date_of(name: str, text: str) -> dt.date:
    """Return a date: an ISO date, or milliseconds since 1970, which stand for their date in New York.

    Raises:
        UsageError: the text is neither.
    """
    refused = UsageError(f"{name} {text!r}: expected a date such as 2024-07-31, or milliseconds since 1970")
    if text.isascii() and text.isdecimal() and len(text) > _FIRST_MILLISECONDS:
        try:
            return dt.datetime.fromtimestamp(int(text) / 1000, EXCHANGE_ZONE).date()
        except (ValueError, OverflowError, OSError) as error:
            raise refused from error
    try:
        date = dt.date.fromisoformat(text)
    except ValueError as error:
        raise refused from error
    if date.isoformat() != text:  # 20240731, 2024-W31-3
        raise refused
    return date
