"""Whose a row is that names its symbol as of today, and which such rows change hands. Pure.

DRAD became STRR on 2021-01-04. A list of 2024 in names of today has a split of STRR on 2019-06-04. Whose it
is follows from who carried what:

    ========================================  =====================================
    held                                      the split of STRR on 2019-06-04 is of
    ========================================  =====================================
    1: DRAD to 2021-01-03, STRR since         1, which carries STRR on the list's date
    1: STRR since 2021-01-04; 2: DRAD         1, which took STRR next after the split
    3: STRR to 2020; 1: STRR since 2021       3, which had it then: 1 was not there yet
    ========================================  =====================================

What such a list has under DRAD on 2019-06-04 is not 1's, though 1 was DRAD then: 1's rows are under STRR.
They are of a company that took DRAD since, and wait until that one is known.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from condvest.batch_layer.shared.core.names.symbol_moves import Move
from condvest.batch_layer.shared.models.instruments.provider_kinds import keeps_former_names
from condvest.batch_layer.shared.models.instruments.symbols import EVER, FOREVER, SymbolSpan
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

NOBODY = 0
"""Stands where a symbol is of no instrument."""

AWAITED = -1
"""Stands where a row is of whoever took a symbol since somebody gave it up, and nobody is known to have."""

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Naming:
    """How a list of daily bars, splits or dividends names symbols.

    Attributes:
        day: as of which they are meant.
        is_of_bars: whether its rows are daily bars.
        keeps_former: whether it may have a row under the symbol of then, though its company has another now.
    """

    day: dt.date
    is_of_bars: bool
    keeps_former: bool = False

    @classmethod
    def of(cls, provider: str, media: str, fetched_at: dt.datetime, dataset: str) -> Naming:
        """Return how an answer names symbols that are meant as of the day of its fetch.

        Args:
            provider: whose answer it is.
            media: its media, or a key of the archive, which ends with it.
            fetched_at: when it came, an aware datetime; the day is that of the exchange.
            dataset: of its rows: ``daily_bars``, ``splits`` or ``dividends``.
        """
        day = fetched_at.astimezone(EXCHANGE_ZONE).date()
        return cls(day, dataset == "daily_bars", keeps_former_names(provider, media))


@dataclass(frozen=True)
class Carriage:
    """Who carries which symbol when.

    Attributes:
        spans: each instrument's spans.
        by_symbol: the same by symbol: (first date, last date, instrument), ascending.
    """

    spans: Mapping[int, Sequence[SymbolSpan]]
    by_symbol: Mapping[str, Sequence[tuple[dt.date, dt.date, int]]]

    @classmethod
    def of(cls, spans: Mapping[int, Sequence[SymbolSpan]]) -> Carriage:
        """Return it by the spans of every instrument that matters."""
        by_symbol: defaultdict[str, list[tuple[dt.date, dt.date, int]]] = defaultdict(list)
        for instrument_id, carried in spans.items():
            for span in carried:
                by_symbol[span.symbol].append((span.first, span.last, instrument_id))
        return cls(spans, {symbol: sorted(carriers) for symbol, carriers in by_symbol.items()})

    def without(self, gone: Collection[int]) -> Carriage:
        """Return it without some instruments."""
        if not gone:
            return self
        return Carriage.of({each: spans for each, spans in self.spans.items() if each not in gone})

    def carrier(self, symbol: str, date: dt.date) -> int:
        """Return who carried a symbol on a date."""
        carriers = self.by_symbol.get(symbol, ())
        at = bisect_right(carriers, (date, FOREVER, 2**31)) - 1
        return carriers[at][2] if at >= 0 and date <= carriers[at][1] else NOBODY

    def symbol(self, instrument_id: int, date: dt.date) -> str | None:
        """Return which symbol an instrument carried on a date; None if none."""
        spans = self.spans.get(instrument_id, ())
        return next((span.symbol for span in spans if span.first <= date <= span.last), None)

    def owner(self, symbol: str, naming: Naming, date: dt.date) -> int:
        """Return whose a row of a date is; NOBODY if nobody's, AWAITED if it is of somebody not known yet."""
        now = self.carrier(symbol, naming.day)
        if now != NOBODY and (naming.is_of_bars or self._existed(now, date)):
            return now
        then = self.carrier(symbol, date)
        if then != NOBODY and not naming.keeps_former and self._existed(then, naming.day):
            return now if now != NOBODY else AWAITED
        if then != NOBODY or naming.is_of_bars:
            return then
        next_ones = (taker for first, _, taker in self.by_symbol.get(symbol, ()) if first > date)
        return next(next_ones, NOBODY)

    def owners(self, symbol: str, naming: Naming) -> list[tuple[dt.date, int]]:
        """Return from which dates on, ascending from EVER, whose the rows of a symbol are; see `owner`."""
        return [(date, self.owner(symbol, naming, date)) for date in sorted({EVER, *self.bounds(symbol)})]

    def _existed(self, instrument_id: int, date: dt.date) -> bool:
        return any(span.first <= date <= span.last for span in self.spans.get(instrument_id, ()))

    def bounds(self, symbol: str) -> Iterator[dt.date]:
        """Yield every date from which on rows of a symbol may be another instrument's than before it."""
        for _, _, instrument_id in self.by_symbol.get(symbol, ()):
            for span in self.spans[instrument_id]:
                yield span.first
                if span.last < FOREVER:
                    yield span.last + _DAY


@dataclass(frozen=True)
class Resettled:
    """Rows that lie with an instrument that they are not of any more.

    Attributes:
        first, last: their dates, inclusive.
        lies_with: the instrument that has them; AWAITED if none is known yet.
        owner: the instrument that they are of; NOBODY if there is none, AWAITED if none is known yet.
    """

    first: dt.date
    last: dt.date
    lies_with: int
    owner: int


@dataclass(frozen=True)
class Change:
    """A change of who carries which symbol, after which rows lie where it moved them.

    Attributes:
        before, after: who carried, and who carries, which symbol.
        moves: what went from one instrument to another, whatever the symbols of its rows.
    """

    before: Carriage
    after: Carriage
    moves: Sequence[Move] = ()

    @property
    def symbols(self) -> Collection[str]:
        """The symbols whose rows may have to change hands."""
        ids = self.before.spans.keys() | self.after.spans.keys()
        return {
            span.symbol
            for instrument_id in ids
            if self.before.spans.get(instrument_id) != self.after.spans.get(instrument_id)
            for carriage in (self.before, self.after)
            for span in carriage.spans.get(instrument_id, ())
        }

    def resettled(self, symbol: str, naming: Naming) -> list[Resettled]:
        """Return which rows that were told under a symbol have to change hands.

        Rows that were nobody's are left out: splits and dividends of nobody are looked for where they wait.
        """
        dates = {EVER, *self.before.bounds(symbol), *self.after.bounds(symbol)}
        for move in self.moves:
            dates.add(move.span.first)
            if move.span.last < FOREVER:
                dates.add(move.span.last + _DAY)
        firsts = sorted(dates)
        lasts = [*(first - _DAY for first in firsts[1:]), FOREVER]
        every = (
            Resettled(
                first,
                last,
                self._moved(self.before.owner(symbol, naming, first), first),
                self.after.owner(symbol, naming, first),
            )
            for first, last in zip(firsts, lasts, strict=True)
        )
        return [rows for rows in every if rows.lies_with not in (NOBODY, rows.owner)]

    def _moved(self, instrument_id: int, date: dt.date) -> int:
        for move in self.moves:
            if move.loser == instrument_id and move.span.first <= date <= move.span.last:
                return move.taker
        return instrument_id
