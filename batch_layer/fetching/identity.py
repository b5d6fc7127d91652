"""Who carried which symbol when, by a vendor's word. Pure.

A symbol is a name that an instrument carries from one date to another. A rename keeps one instrument; a
symbol used again by another company makes a second one. What tells them apart is the FIGI where there is
one (thousands have none), else the symbol and the date at which its carrier was delisted.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from batch_layer.shared.models.symbols import EVER, FOREVER, SymbolSpan

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Listing:
    """One row of a vendor's reference: who carries a symbol, or carried it until it was delisted."""

    symbol: str
    figi: str = ""
    delisted: dt.date | None = None


@dataclass(frozen=True)
class Entity:
    """One instrument as a vendor knows it.

    Attributes:
        figi: its FIGI, "" if it has none.
        spans: the symbols it carried, ascending by date, none overlapping another entity's.
        row: position of the listing that it comes from.
    """

    figi: str
    spans: tuple[SymbolSpan, ...]
    row: int


def entities_of(
    listings: Sequence[Listing], renames: Mapping[str, Sequence[tuple[dt.date, str]]] | None = None
) -> list[Entity]:
    """Return the entities of a vendor's reference, one a listing, those of the earliest symbols first.

    The listings of one symbol divide its time among them: each carried it until it was delisted.

    Args:
        listings: the reference; of listings that repeat another's symbol and delisting date the last counts.
        renames: for each FIGI whose history is known, (date, symbol) of every symbol it took, any order.
    """
    by_symbol: dict[str, dict[dt.date, int]] = defaultdict(dict)
    for row, listing in enumerate(listings):
        by_symbol[listing.symbol][listing.delisted or FOREVER] = row
    found = []
    for symbol, rows in by_symbol.items():
        first = EVER
        for last in sorted(rows):
            figi = listings[rows[last]].figi
            span = SymbolSpan(symbol, first, last)
            history = (renames or {}).get(figi, ()) if figi else ()
            found.append(Entity(figi, renamed(span, history), rows[last]))
            first = last + _DAY if last < FOREVER else FOREVER
    merged = _merged_by_figi(found)
    return _disjoint(sorted(merged, key=lambda entity: (entity.spans[0].first, entity.spans[0].symbol)))


def _merged_by_figi(entities: Iterable[Entity]) -> list[Entity]:
    """Make one entity of those with one FIGI: it carried one symbol until it took the next."""
    nameless = []
    by_figi: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        if entity.figi:
            by_figi[entity.figi].append(entity)
        else:
            nameless.append(entity)
    return nameless + [_in_turn(group) for group in by_figi.values()]


def _in_turn(group: list[Entity]) -> Entity:
    # A known rename has exact dates for every symbol; the listings of the former ones add nothing.
    ordered = sorted(group, key=lambda entity: (entity.spans[-1].last, len(entity.spans)))
    newest = ordered[-1]
    if len(newest.spans) > 1 or len(ordered) == 1:
        return newest
    spans: list[SymbolSpan] = []
    for entity in ordered:
        for span in entity.spans:
            first = max(span.first, spans[-1].last + _DAY) if spans else span.first
            if first <= span.last:
                spans.append(replace(span, first=first))
    return replace(newest, spans=tuple(spans))


def renamed(span: SymbolSpan, history: Sequence[tuple[dt.date, str]]) -> tuple[SymbolSpan, ...]:
    """Return the spans of an instrument that took the symbols of ``history``, the last of them ``span``'s.

    Just ``span`` if the history does not lead to its symbol. ``history`` is (first date, symbol), any order.
    """
    taken = sorted(set(history))
    if len(taken) < 2 or taken[-1][1] != span.symbol:  # noqa: PLR2004  # one event is the listing itself
        return (span,)
    spans = [
        SymbolSpan(symbol, EVER if place == 0 else date, taken[place + 1][0] - _DAY)
        for place, (date, symbol) in enumerate(taken[:-1])
    ]
    return (*spans, SymbolSpan(span.symbol, taken[-1][0], span.last))


def _disjoint(entities: Iterable[Entity]) -> list[Entity]:
    """Take from each entity what a rename says of another: a listing's dates are not as exact."""
    ordered = list(entities)
    exact = [(entity, span) for entity in ordered if len(entity.spans) > 1 for span in entity.spans]
    by_symbol: dict[str, list[tuple[Entity, SymbolSpan]]] = defaultdict(list)
    for entity, span in exact:
        by_symbol[span.symbol].append((entity, span))
    kept = []
    for entity in ordered:
        spans = list(entity.spans)
        if len(spans) == 1:
            for other, taken in by_symbol.get(spans[0].symbol, ()):
                if other is not entity:
                    spans = [part for span in spans for part in span.without(taken)]
        if spans:
            kept.append(replace(entity, spans=tuple(sorted(spans, key=lambda span: span.first))))
    return kept


def updated(held: Sequence[SymbolSpan], entity: Entity, last_bar: dt.date | None) -> tuple[SymbolSpan, ...]:
    """Return the symbols of an instrument, now that a reference says what ``entity`` carries.

    A reference knows no dates of renames. Those that the instrument has learned from elsewhere stay; and one
    that it carries a new symbol is taken to have changed after its last bar.

    Args:
        held: what it carried so far, ascending by date; may be empty.
        entity: what the reference says of it.
        last_bar: the session of its last daily bar, None if it has none.
    """
    wanted = entity.spans
    symbols = [span.symbol for span in held]
    if not held or (len(wanted) > 1 and [span.symbol for span in wanted] != symbols):
        return wanted
    if wanted[-1].symbol == symbols[-1]:
        return wanted if len(held) == 1 else (*held[:-1], replace(held[-1], last=wanted[-1].last))
    if last_bar is None:
        return wanted
    before = replace(held[-1], last=last_bar)
    return (*held[:-1], before, SymbolSpan(wanted[-1].symbol, last_bar + _DAY, wanted[-1].last))


def assigned(
    entities: Sequence[Entity],
    known: Mapping[int, Sequence[SymbolSpan]],
    figis: Mapping[str, int],
) -> list[int | None]:
    """Return, for each entity, the instrument that it is; None for one that has to be made.

    By its FIGI where an instrument is known by that; else the instrument that carries its earliest symbol
    at that time and that no other entity has claimed.

    Args:
        entities: in the order of `entities_of`.
        known: the symbols of each instrument.
        figis: the instrument known by each FIGI.
    """
    claimed = {figis[entity.figi] for entity in entities if entity.figi in figis}
    carriers: dict[str, list[tuple[SymbolSpan, int]]] = defaultdict(list)
    for instrument_id, spans in known.items():
        for span in spans:
            carriers[span.symbol].append((span, instrument_id))
    named = {instrument_id: figi for figi, instrument_id in figis.items()}
    found: list[int | None] = []
    for entity in entities:
        instrument = figis.get(entity.figi) if entity.figi else None
        if instrument is None:
            instrument = next(
                (
                    one
                    for wanted in entity.spans
                    for span, one in carriers.get(wanted.symbol, ())
                    if span.overlaps(wanted) and one not in claimed and not (entity.figi and one in named)
                ),
                None,
            )
            if instrument is not None:
                claimed.add(instrument)
        found.append(instrument)
    return found
