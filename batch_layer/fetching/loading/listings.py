"""Store who is and was listed, under which symbols, and what is known about them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.daily.daily_bars import spans_of_bars
from condvest.batch_layer.database.stores.identity import metadata, ownership
from condvest.batch_layer.database.stores.identity.carriers import begun_earlier, preceded_by_unknown
from condvest.batch_layer.database.stores.identity.symbols import read_spans
from condvest.batch_layer.fetching.identity import (
    Entity,
    History,
    Listing,
    assigned,
    entities_of,
    names_held,
    names_now,
)
from condvest.batch_layer.fetching.loading.retelling.renames import moved_notices, write_as_stated
from condvest.batch_layer.fetching.loading.retelling.retold import give_to_owners
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.fetching.tenures import Name, settled
from condvest.batch_layer.shared.models.given.payload_rows import InstrumentRows, SymbolRows
from condvest.batch_layer.shared.models.instruments.metadata import METADATA, FieldKind
from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan
from condvest.batch_layer.shared.models.loads import LoadSummary

_AS_TEXT: Mapping[FieldKind, Callable[[Any], str]] = {
    "text": str,
    "number": lambda number: "" if np.isnan(number) else repr(float(number)),
    "date": lambda date: "" if np.isnat(date) else str(date),
}
"""How a value of each kind is stored; "" where it is unknown."""


def store_listings(load: PayloadLoad) -> LoadSummary:
    """Store a provider's reference: instruments, their symbols by date, and every field that changed.

    Instruments that the reference no longer lists stay: a delisting is a fact, not a reason to forget.
    """
    passed = load.parsed.rows_as(InstrumentRows).take(load.verdict.passed)
    listings = [
        Listing(str(symbol), str(figi), None if active or delisted is None else delisted)
        for symbol, figi, active, delisted in zip(
            passed.symbol,
            passed.figi,
            passed.active.tolist(),
            passed.delisted_date.astype("datetime64[D]").tolist(),
            strict=True,
        )
    ]
    entities, ids, moved = _identified(load, listings)
    fields = [
        (instrument_id, field, value)
        for instrument_id, entity in zip(ids, entities, strict=True)
        for field, value in _fields(passed, entity)
    ]
    return _store(load, fields, moved, len(passed) - len(entities))


def store_symbols(load: PayloadLoad) -> LoadSummary:
    """Store the symbols that instruments took one after the other: a rename keeps one series.

    A history that does not end with the symbol that its instrument carries now is passed over until the
    reference and the record of renames agree.
    """
    passed = load.parsed.rows_as(SymbolRows).take(load.verdict.passed)
    given: dict[tuple[str, str], set[tuple[dt.date, str]]] = defaultdict(set)
    for figi, current, date, symbol in zip(
        passed.figi, passed.current, passed.date.tolist(), passed.symbol, strict=True
    ):
        given[str(figi), str(current)].add((date, str(symbol)))
    figis = metadata.instruments_by_figi(load.connection)
    known = read_spans(load.connection)
    listed = metadata.listed_instruments(load.connection)
    with_figi = set(figis.values())
    carriers = {
        spans[-1].symbol: instrument_id
        for instrument_id, spans in known.items()
        if instrument_id in listed and instrument_id not in with_figi
    }
    histories = metadata.histories(load.connection)
    fields: list[tuple[int, str, str]] = []
    for (figi, current), history in given.items():
        instrument_id = figis.get(figi) if figi else carriers.get(current)
        if instrument_id is None or not known.get(instrument_id):
            continue
        if current == known[instrument_id][-1].symbol:
            histories[instrument_id] = sorted(history)
            text = metadata.history_text(sorted(history))
            fields.append((instrument_id, metadata.HISTORY, text))
    histories = _by_the_bars(load.connection, histories)
    moved = _settle(load, _names_held(known, histories, listed))
    return _store(load, fields, moved, 0)


def follow_renames(load: PayloadLoad) -> None:
    """Let renames begin where new bars show that they did, a few sessions before their recorded dates."""
    connection = load.connection
    late = preceded_by_unknown(connection)
    if not late:
        return
    recorded = metadata.histories(connection)
    histories = _by_the_bars(connection, {instrument_id: recorded[instrument_id] for instrument_id in late})
    if any(histories[instrument_id] != recorded[instrument_id] for instrument_id in late):
        known, listed = read_spans(connection), metadata.listed_instruments(connection)
        corrected = _by_the_bars(connection, recorded)
        _settle(load, _names_held(known, corrected, listed))


def _by_the_bars(
    connection: Connection, histories: Mapping[int, list[tuple[dt.date, str]]]
) -> dict[int, list[tuple[dt.date, str]]]:
    """Return the histories, with earlier dates for renames that began earlier; see `begun_earlier`."""
    renames = [
        (instrument_id, date, old, new)
        for instrument_id, history in histories.items()
        for (_, old), (date, new) in pairwise(history)
    ]
    earlier = begun_earlier(connection, renames)
    return {
        instrument_id: [(earlier.get((instrument_id, date), date), symbol) for date, symbol in history]
        for instrument_id, history in histories.items()
    }


def _identified(
    load: PayloadLoad, listings: Sequence[Listing]
) -> tuple[list[Entity], list[int], ownership.Moved]:
    known = read_spans(load.connection)
    figis = metadata.instruments_by_figi(load.connection)
    entities = entities_of(listings, [span for spans in known.values() for span in spans[:-1]])
    matches = assigned(entities, known, figis)
    made = iter(ownership.make_instruments(load.connection, matches.count(None)))
    ids = [next(made) if match is None else match for match in matches]
    last_bars = _last_bars(load, ids)
    histories = _by_the_bars(load.connection, metadata.histories(load.connection))
    listed = metadata.listed_instruments(load.connection)
    earlier = _names_held(known, histories, dict.fromkeys(known))
    names = {
        instrument_id: names_now(entity.names, earlier.get(instrument_id, ()), last_bars.get(instrument_id))
        for instrument_id, entity in zip(ids, entities, strict=True)
        if load.payload.is_whole or instrument_id not in known
    }
    if not load.payload.is_whole:  # some listings by themselves say nothing about who else was listed
        names = _names_held(known, histories, dict.fromkeys(ids) | listed) | names
    moved = _settle(load, names)
    return entities, ids, replace(moved, made=matches.count(None))


def _names_held(
    known: Mapping[int, Sequence[SymbolSpan]],
    histories: Mapping[int, History],
    delisted: Mapping[int, dt.date | None],
) -> dict[int, tuple[Name, ...]]:
    """Return the names of the instruments of ``delisted``, as far as they carry or carried any."""
    return {
        instrument_id: names_held(known[instrument_id], histories.get(instrument_id, ()), date)
        for instrument_id, date in delisted.items()
        if known.get(instrument_id)
    }


def _settle(load: PayloadLoad, names: Mapping[int, Sequence[Name]]) -> ownership.Moved:
    wanted = {instrument_id: spans for instrument_id, spans in settled(names).items() if spans}
    stated = metadata.stated_renames(load.connection)
    moved = write_as_stated(load.connection, wanted, load.sessions, stated)
    give_to_owners(load, moved)
    return moved


def _last_bars(load: PayloadLoad, ids: Sequence[int]) -> dict[int, dt.date]:
    """Return the session of the last daily bar of each instrument that has any."""
    spans = spans_of_bars(load.connection, np.array(sorted(ids), dtype=np.int32))
    last: list[dt.date] = load.sessions.dates_of(spans.last).tolist()
    return dict(zip(spans.instrument_id.tolist(), last, strict=True))


def _fields(rows: InstrumentRows, entity: Entity) -> Iterator[tuple[str, str]]:
    """Yield (field, text) per field that the reference knows."""
    yield metadata.ACTIVE, "true" if rows.active[entity.row] else "false"
    for name, kind in METADATA.items():
        value = getattr(rows, name)[entity.row] if name != metadata.FIGI else entity.figi
        if text := _AS_TEXT[kind](value):
            yield name, text


def _store(
    load: PayloadLoad, fields: list[tuple[int, str, str]], moved: ownership.Moved, merged: int
) -> LoadSummary:
    new, changed, _ = metadata.stage_fields(load.connection, fields)
    passed = load.summary.rows - sum(load.summary.refused.values()) - merged
    touched = min(passed, new + changed + moved.changed)
    summary = replace(
        load.summary,
        duplicates=merged,
        changed=touched,
        unchanged=passed - touched,
        notices=moved_notices(moved),
        newly_refused=load.newly_refused(),
    )
    if load.is_news(summary):
        metadata.store_fields(load.connection, load.record(summary))
    return summary
