"""Who carried which symbol when, by a vendor's word. Pure.

A symbol is a name that an instrument carries from one date to another. A rename keeps one instrument; a
symbol used again by another company makes a second one. What tells them apart is the FIGI where there is
one (thousands have none), else the symbol and the date at which its carrier was delisted.

Here a vendor's listings and renames become names; `tenures` settles who carried each name when.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from condvest.batch_layer.fetching.tenures import Name, settled
from condvest.batch_layer.shared.models.instruments.symbols import FOREVER, SymbolSpan

History = Sequence[tuple[dt.date, str]]
"""(first date, symbol) of every symbol that an instrument took, ascending."""

ALIAS = dt.timedelta(days=7)
"""A former symbol may be listed as delisted so long before the rename: on the last session before it."""

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Listing:
    """One row of a vendor's reference: who carries a symbol, or carried it until it was delisted."""

    symbol: str
    figi: str = ""
    delisted: dt.date | None = None


@dataclass(frozen=True)
class Entity:
    """One instrument as a vendor's reference knows it.

    Attributes:
        figi: its FIGI, "" if it has none, or shares it.
        names: the symbols it carried, one after the other.
        row: position of the listing that it comes from.
    """

    figi: str
    names: tuple[Name, ...]
    row: int


def entities_of(listings: Sequence[Listing], aliases: Iterable[SymbolSpan] = ()) -> list[Entity]:
    """Return the entities of a vendor's reference, those whose symbols end first first.

    Listings of one FIGI are one entity, that took the symbols one after the other; but not if two of them
    end on one date, for then the FIGI tells nothing. Of listings that repeat another's symbol and end the
    last counts.

    Args:
        listings: the reference.
        aliases: symbols that known instruments carried before they took others; a listing without FIGI that
            was delisted at the end of one, up to ALIAS before it, is not an entity.
    """
    ends: dict[str, list[dt.date]] = defaultdict(list)
    for span in aliases:
        ends[span.symbol].append(span.last)
    rows = {(listing.symbol, listing.delisted or FOREVER): row for row, listing in enumerate(listings)}
    groups: dict[object, list[tuple[dt.date, str, int]]] = defaultdict(list)
    for (symbol, until), row in rows.items():
        figi = listings[row].figi
        if figi or not any(until <= end <= until + ALIAS for end in ends.get(symbol, ()) if end < FOREVER):
            groups[figi or row].append((until, symbol, row))
    entities = []
    for group in groups.values():
        entities += _entities(sorted(group), listings)
    return sorted(entities, key=lambda entity: (entity.names[0].until, entity.names[0].symbol))


def _entities(group: Sequence[tuple[dt.date, str, int]], listings: Sequence[Listing]) -> list[Entity]:
    """Return the entities of listings of one FIGI, by end: one, or one each if two end on one date."""
    if len({until for until, _, _ in group}) < len(group):
        return [Entity("", (Name(symbol, until),), row) for until, symbol, row in group]
    names = [Name(group[0][1], group[0][0])]
    for until, symbol, _ in group[1:]:
        names.append(Name(symbol, until, names[-1].until + _DAY))
    return [Entity(listings[group[-1][2]].figi, _in_order(names), group[-1][2])]


def names_held(spans: Sequence[SymbolSpan], history: History, delisted: dt.date | None) -> tuple[Name, ...]:
    """Return the names of a known instrument: by its history if that leads to its symbol, else as held.

    Args:
        spans: the symbols it is held to have carried, ascending by date.
        history: what a record of renames says; may be empty.
        delisted: when it was delisted, None if it is listed, or nobody knows.
    """
    if not spans:
        return ()
    until = min(delisted or FOREVER, spans[-1].last)
    if history and history[-1][1] == spans[-1].symbol:
        ends = [*(date - _DAY for date, _ in history[1:]), until]
        return _in_order(
            Name(symbol, end, date, is_exact=True) for (date, symbol), end in zip(history, ends, strict=True)
        )
    first = Name(spans[0].symbol, spans[0].last)
    later = [Name(span.symbol, span.last, span.first) for span in spans[1:]]
    names = [first, *later]
    return _in_order([*names[:-1], replace(names[-1], until=until)])


def names_now(listed: Sequence[Name], known: Sequence[Name], last_bar: dt.date | None) -> tuple[Name, ...]:
    """Return the names of an instrument, now that a reference says which it carries or carried.

    A reference knows no more of a rename than that there was one, and at times when the former symbol ended.
    What was held of earlier ones stays. The end of the symbol held last is the one that is listed, else the
    last bar's session.

    Args:
        listed: what the reference says, as in `Entity`.
        known: what was held, see `names_held`; may be empty.
        last_bar: the session of its last daily bar, None if it has none.
    """
    if not known:
        return tuple(listed)
    if listed[-1].symbol == known[-1].symbol:
        if {name.symbol for name in listed} <= {name.symbol for name in known}:
            return (*known[:-1], replace(known[-1], until=listed[-1].until))
        return tuple(listed)
    former = [number for number, name in enumerate(listed[:-1]) if name.symbol == known[-1].symbol]
    if former:
        ended, later = listed[former[-1]].until, listed[former[-1] + 1 :]
    elif last_bar is not None:
        ended, later = last_bar, [replace(listed[-1], since=last_bar + _DAY)]
    else:
        return tuple(listed)
    return _in_order([*known[:-1], replace(known[-1], until=ended), *later])


def _in_order(names: Iterable[Name]) -> tuple[Name, ...]:
    """Leave out names that end before they begin, and join those of one symbol."""
    joined: list[Name] = []
    for name in names:
        if name.since is not None and name.since > name.until:
            continue
        if joined and joined[-1].symbol == name.symbol:
            joined[-1] = replace(joined[-1], until=name.until)
        else:
            joined.append(name)
    return tuple(joined)


def assigned(
    entities: Sequence[Entity],
    known: Mapping[int, Sequence[SymbolSpan]],
    figis: Mapping[str, int],
) -> list[int | None]:
    """Return, for each entity, the instrument that it is; None for one that has to be made.

    By its FIGI where an instrument is known by that; else the instrument that carries one of its symbols
    now, or carried it last, the longest within the entity's time, and that no other entity has claimed.

    Args:
        entities: in the order of `entities_of`.
        known: the symbols of each instrument, ascending by date.
        figis: the instrument known by each FIGI.
    """
    claimed = {figis[entity.figi] for entity in entities if entity.figi in figis}
    carriers: dict[str, list[tuple[SymbolSpan, int]]] = defaultdict(list)
    for instrument_id, spans in known.items():
        carriers[spans[-1].symbol].append((spans[-1], instrument_id))
    times = settled({number: entity.names for number, entity in enumerate(entities)})
    chosen: list[int | None] = []
    for number, entity in enumerate(entities):
        instrument = figis.get(entity.figi) if entity.figi else None
        if instrument is None:
            # Of equals the lowest id: it was made first.
            shared = [
                (_length(wanted.shared_with(span)), -carrier)
                for wanted in times[number]
                for span, carrier in carriers.get(wanted.symbol, ())
                if carrier not in claimed and span.overlaps(wanted)
            ]
            instrument = -max(shared)[1] if shared else None
            if instrument is not None:
                claimed.add(instrument)
        chosen.append(instrument)
    return chosen


def _length(span: SymbolSpan) -> int:
    return (span.last - span.first).days
