"""Statements of renames laid over who is held to have carried which symbol. Pure.

A statement says that whoever carried FB took META on 2022-06-09, or, taken back, that FB's carrier took no
other symbol that day. It holds whatever a vendor says, so it is laid over the vendor's spans whenever they
are written; where they say the same already, nothing changes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from condvest.batch_layer.shared.models.instruments.symbols import EVER, FOREVER, Rename, SymbolSpan

NEAR = dt.timedelta(days=31)
"""A symbol may have ended so long before the rename, and the next one may begin so long after it: a halt."""

_DAY = dt.timedelta(days=1)
_Spans = list[SymbolSpan]


def in_order(renames: Iterable[Rename]) -> list[Rename]:
    """Return statements in the order in which they are to be laid over the spans: by date.

    Of one date, B's rename comes before A's to B, for B must be free. Those of a date go in no circle.
    """
    waiting = sorted(renames)
    ordered: list[Rename] = []
    while waiting:
        date = waiting[0].date
        today = [rename for rename in waiting if rename.date == date]
        names = {rename.symbol for rename in today}
        ready = [rename for rename in today if rename.to not in names] or today
        ordered += ready
        waiting = [rename for rename in waiting if rename not in ready]
    return ordered


@dataclass
class Carriers:
    """Who carries which symbol when, while statements are laid over it.

    Attributes:
        spans: each instrument's spans, ascending by date. Parts that belong to no instrument yet have
            negative ids.
        touched: the ids whose spans a statement has set.
        origin: the instrument that each part with a negative id was cut from.
    """

    spans: dict[int, _Spans]
    touched: set[int] = field(default_factory=set)
    origin: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, spans: Mapping[int, Sequence[SymbolSpan]]) -> Carriers:
        """Return carriers with these spans; no two of different instruments may overlap."""
        return cls({instrument: list(carried) for instrument, carried in spans.items()})

    def lay(self, rename: Rename) -> int | None:
        """Lay a statement over the spans.

        Returns:
            an instrument that it concerns; None if nobody carried the symbol before its date, or, of one that
            takes back, if nothing was renamed then.
        """
        concerned = self._take_back(rename) if rename.takes_back else self._rename(rename)
        return self.origin.get(concerned, concerned) if concerned is not None else None

    def changed_between(self, old: str, new: str, dates: Collection[dt.date]) -> bool:
        """Return whether an instrument gave up ``old`` for ``new`` between the least and the last date."""
        return any(
            before.symbol == old and after.symbol == new and min(dates) < after.first <= max(dates)
            for carried in self.spans.values()
            for before, after in pairwise(carried)
        )

    def _rename(self, rename: Rename) -> int | None:
        """Let the carrier of the symbol take the other one.

        ======================  ===================================  ==================================
        statement               spans before                         spans after
        ======================  ===================================  ==================================
        FB -> META on 06-09     1: FB; 2: META                       2: FB to 06-08, META from 06-09;
                                                                     1: FB from 06-09; -1: META to 06-08
        FB -> META on 06-09     1: FB                                1: FB to 06-08, META from 06-09
        FB -> META on 06-09     1: FB to 06-12, META from 06-13      1: FB to 06-08, META from 06-09
        ======================  ===================================  ==================================
        """
        if (same := self._same(rename)) is not None:
            owner, at = same
            carried = self.spans[owner]
            carried = [
                *carried[:at],
                replace(carried[at], last=rename.date - _DAY),
                replace(carried[at + 1], first=rename.date),
                *carried[at + 2 :],
            ]
            return self._give(owner, carried)
        former = self._former(rename)
        if former is None:
            return None
        before, after = _cut(self.spans[former], rename.date)
        before = [*before[:-1], replace(before[-1], last=rename.date - _DAY)]
        later = self._later(rename)
        if later is None:
            return self._take_free(rename, former, before, after)
        apart, onward = _cut(self.spans[later], rename.date)
        at = next(at for at, span in enumerate(onward) if span.symbol == rename.to)
        onward = [replace(onward[at], first=rename.date), *onward[at + 1 :]]
        if later != former:
            self.spans[former] = after
            self._part(apart, later)
        return self._give(later, [*before, *onward])

    def _take_free(self, rename: Rename, former: int, before: _Spans, after: _Spans) -> int:
        """Let an instrument take a symbol that nobody carries then."""
        after = after[1:] if after and after[0].symbol == rename.symbol else after
        begun = [
            span.first for carried in self.spans.values() for span in carried if span.symbol == rename.to
        ]
        until = min((first - _DAY for first in begun if first > rename.date), default=FOREVER)
        if after and after[0].first == rename.date:  # it took another one that day: these are two instruments
            self.spans[former] = after
            self.touched.add(former)
            return self._part([*before, SymbolSpan(rename.to, rename.date, until)], former)
        if after:
            until = min(until, after[0].first - _DAY)
        return self._give(former, [*before, SymbolSpan(rename.to, rename.date, until), *after])

    def _take_back(self, rename: Rename) -> int | None:
        """Part what an instrument was before the date from what it is since; the later part keeps the id."""
        for owner, carried in self.spans.items():
            for at, (before, after) in enumerate(pairwise(carried), start=1):
                if before.symbol == rename.symbol != after.symbol and after.first == rename.date:
                    self.spans[owner] = carried[at:]
                    self.touched.add(owner)
                    self._part(carried[:at], owner)
                    return owner
        return None

    def _same(self, rename: Rename) -> tuple[int, int] | None:
        """Return instrument and span index of the same rename under any date near enough to be meant."""
        candidates = [
            (abs(carried[at + 1].first - rename.date), owner, at)
            for owner, carried in self.spans.items()
            for at in range(len(carried) - 1)
            if (carried[at].symbol, carried[at + 1].symbol) == (rename.symbol, rename.to)
            and carried[at].first < rename.date <= carried[at + 1].last
        ]
        return min(candidates)[1:] if candidates else None

    def _former(self, rename: Rename) -> int | None:
        """Return who carried the symbol last before the date, if it took no other one since."""
        earlier = {
            owner: [span for span in carried if span.first < rename.date]
            for owner, carried in self.spans.items()
        }
        candidates = [
            (span.last, owner, span is spans[-1])
            for owner, spans in earlier.items()
            for span in spans
            if span.symbol == rename.symbol
        ]
        last, owner, is_its_last = max(candidates, default=(EVER, 0, False))
        return owner if is_its_last and last >= rename.date - NEAR else None

    def _later(self, rename: Rename) -> int | None:
        """Return who carries the other symbol on the date, or takes it soon after."""
        candidates = [
            (span.first, owner)
            for owner, carried in self.spans.items()
            for span in carried
            if span.symbol == rename.to and span.last >= rename.date and span.first <= rename.date + NEAR
        ]
        return min(candidates)[1] if candidates else None

    def _give(self, owner: int, carried: _Spans) -> int:
        """Set an instrument's spans, and take them from all others."""
        if carried != self.spans.get(owner):
            self.touched.add(owner)
        for other in self.spans:
            if other != owner:
                for claim in carried:
                    self.spans[other] = [rest for span in self.spans[other] for rest in span.without(claim)]
        self.spans[owner] = carried
        return owner

    def _part(self, carried: _Spans, owner: int) -> int:
        """Make a part of its own of what was an instrument's."""
        number = -1 - len(self.origin)
        self.origin[number] = self.origin.get(owner, owner)
        self.touched.add(number)
        return self._give(number, carried)


def _cut(carried: Sequence[SymbolSpan], date: dt.date) -> tuple[_Spans, _Spans]:
    """Return the spans before a date, and those from it on."""
    before = [replace(span, last=min(span.last, date - _DAY)) for span in carried if span.first < date]
    after = [replace(span, first=max(span.first, date)) for span in carried if span.last >= date]
    return before, after


def laid_over(spans: Mapping[int, Sequence[SymbolSpan]], renames: Iterable[Rename]) -> Carriers:
    """Return who carries which symbol when all statements hold.

    One of a symbol that nobody carried before its date changes nothing.
    """
    carriers = Carriers.of(spans)
    for rename in in_order(renames):
        carriers.lay(rename)
    return carriers
