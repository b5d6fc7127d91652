"""Store who is and was listed, under which symbols, and what is known about them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from batch_layer.database import catalog_store, identity_store, metadata_store
from batch_layer.fetching.identity import Entity, Listing, assigned, entities_of, renamed, updated
from batch_layer.fetching.storing import Storing
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import InstrumentRows, SymbolRows
from batch_layer.shared.models.symbols import SymbolSpan

_TEXTS = (
    "name", "type", "exchange", "currency", "cik", "share_class_figi", "sic_code", "sic_description"
)  # fmt: skip
_NUMBERS = ("market_cap", "shares_outstanding", "weighted_shares_outstanding")
_DATES = ("list_date", "delisted_date")


def store_listings(storing: Storing, rows: InstrumentRows) -> LoadSummary:
    """Store a provider's reference: instruments, their symbols by date, and every field that changed.

    Instruments that a reference no longer has stay: a delisting is a fact, not a reason to forget.
    """
    passed = rows.take(storing.verdict.passed)
    listings = [
        Listing(str(symbol), str(figi), None if active or delisted is None else delisted)
        for symbol, figi, active, delisted in zip(
            passed.symbol,
            passed.composite_figi,
            passed.active.tolist(),
            passed.delisted_date.astype("datetime64[D]").tolist(),
            strict=True,
        )
    ]
    entities = entities_of(listings)
    ids, moved = _identified(storing, entities)
    fields = [
        (instrument_id, field, value)
        for instrument_id, entity in zip(ids, entities, strict=True)
        for field, value in _fields(passed, entity)
    ]
    return _store(storing, fields, moved, len(passed) - len(entities))


def store_symbols(storing: Storing, rows: SymbolRows) -> LoadSummary:
    """Store the symbols that instruments took one after the other: a rename keeps one series."""
    passed = rows.take(storing.verdict.passed)
    taken: dict[str, list[tuple[dt.date, str]]] = defaultdict(list)
    for figi, date, symbol in zip(passed.figi, passed.date.tolist(), passed.symbol, strict=True):
        taken[str(figi)].append((date, str(symbol)))
    figis = metadata_store.instruments_by_figi(storing.connection)
    known = identity_store.read_spans(storing.connection)
    wanted: dict[int, Sequence[SymbolSpan]] = {}
    for figi, history in taken.items():
        if figi in figis and known.get(figis[figi]):
            wanted[figis[figi]] = renamed(known[figis[figi]][-1], history)
    moved = identity_store.write_spans(storing.connection, wanted, storing.sessions)
    fields = [
        (figis[figi], metadata_store.SYMBOL_DATE, max(history)[0].isoformat())
        for figi, history in taken.items()
        if figi in figis
    ]
    return _store(storing, fields, moved, 0)


def _identified(storing: Storing, entities: Sequence[Entity]) -> tuple[list[int], identity_store.Moved]:
    known = identity_store.read_spans(storing.connection)
    figis = metadata_store.instruments_by_figi(storing.connection)
    found = assigned(entities, known, figis)
    made = iter(identity_store.make_instruments(storing.connection, found.count(None)))
    ids = [next(made) if one is None else one for one in found]
    last_bars = _last_bars(storing, ids)
    # Some listings by themselves say nothing about who else carried a symbol.
    wanted: dict[int, Sequence[SymbolSpan]] = {
        instrument_id: updated(known.get(instrument_id, ()), entity, last_bars.get(instrument_id))
        for instrument_id, entity in zip(ids, entities, strict=True)
        if storing.payload.is_whole or instrument_id not in known
    }
    moved = identity_store.write_spans(storing.connection, wanted, storing.sessions)
    return ids, replace(moved, made=found.count(None))


def _last_bars(storing: Storing, ids: Sequence[int]) -> dict[int, dt.date]:
    """Return the session of the last daily bar of each instrument that has any."""
    spans = catalog_store.spans_of_bars(storing.connection, np.array(sorted(ids), dtype=np.int32))
    last: list[dt.date] = storing.sessions.dates_of(spans.last).tolist()
    return dict(zip(spans.instrument_id.tolist(), last, strict=True))


def _fields(rows: InstrumentRows, entity: Entity) -> Iterator[tuple[str, str]]:
    """Yield (field, value) of what a reference says; what it does not know is left out."""
    yield "active", "true" if rows.active[entity.row] else "false"
    if entity.figi:
        yield metadata_store.FIGI, entity.figi
    for name in _TEXTS:
        if text := str(getattr(rows, name)[entity.row]):
            yield name, text
    for name in _NUMBERS:
        number = float(getattr(rows, name)[entity.row])
        if not np.isnan(number):
            yield name, repr(number)
    for name in _DATES:
        date = getattr(rows, name)[entity.row]
        if not np.isnat(date):
            yield name, str(date)


def _store(
    storing: Storing, fields: list[tuple[int, str, str]], moved: identity_store.Moved, merged: int
) -> LoadSummary:
    new, changed, _ = metadata_store.stage_fields(storing.connection, fields)
    notices = []
    if moved.changed or moved.made:
        notices.append(
            f"{moved.made:,} instruments made, the symbols of {moved.changed:,} changed, "
            f"{moved.bars:,} daily bars moved to the instrument they belong to"
        )
    passed = storing.summary.rows - sum(storing.summary.refused.values()) - merged
    touched = min(passed, new + changed + moved.changed)
    summary = replace(
        storing.summary,
        duplicates=merged,
        changed=touched,
        unchanged=passed - touched,
        notices=tuple(notices),
    )
    if storing.is_news(summary):
        metadata_store.store_fields(storing.connection, storing.record(summary))
    return summary
