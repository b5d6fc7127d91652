"""Which symbol is carried when, and what a person says about it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

EVER, FOREVER = dt.date.min, dt.date.max
"""The bounds of a span that has none."""

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, order=True)
class SymbolSpan:
    """A symbol carried from one date to another, both inclusive."""

    symbol: str
    first: dt.date = EVER
    last: dt.date = FOREVER

    def overlaps(self, other: SymbolSpan) -> bool:
        """Return whether both carry one symbol on one date."""
        return self.symbol == other.symbol and self.first <= other.last and other.first <= self.last

    def shared_with(self, other: SymbolSpan) -> SymbolSpan:
        """Return the dates on which both carry the symbol; they must overlap."""
        return replace(self, first=max(self.first, other.first), last=min(self.last, other.last))

    def without(self, other: SymbolSpan) -> list[SymbolSpan]:
        """Return what is left of this span when ``other`` is taken out: none, one or two spans."""
        if not self.overlaps(other):
            return [self]
        left = replace(self, last=other.first - _DAY) if other.first > self.first else None
        right = replace(self, first=other.last + _DAY) if other.last < self.last else None
        return [span for span in (left, right) if span is not None]


@dataclass(frozen=True, order=True)
class Rename:
    """What a person says of a symbol and a date.

    Attributes:
        date: the first date of the new symbol.
        symbol: the symbol carried before it.
        to: the symbol carried from the date on; "" says that the carrier took no other one that day.
    """

    date: dt.date
    symbol: str
    to: str = ""

    @property
    def takes_back(self) -> bool:
        """Whether it says that there was no rename."""
        return not self.to
