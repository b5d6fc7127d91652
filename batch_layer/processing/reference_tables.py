"""The small published data sets: who is who, what bars are adjusted with, and which sessions are loaded."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from batch_layer.database import catalog_store, load_store, publishing_store
from batch_layer.database.connection import Connection
from batch_layer.database.keyed_store import DIVIDENDS, SPLITS
from batch_layer.processing.adjustment import split_factors
from batch_layer.processing.published_tables import SCHEMAS
from batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans, always


def reference_tables(connection: Connection, sessions: Sessions) -> dict[str, pa.Table]:
    """Return the tables of instruments, symbols, splits, dividends and sessions; see SCHEMAS."""
    coverage = load_store.read_coverage(connection)
    ids = coverage.instrument_id
    dividends = DIVIDENDS.read(connection, always(ids))
    return {
        "instruments": _instruments(connection, coverage, sessions),
        "symbols": _symbols(connection),
        "splits": _splits(connection, coverage, sessions),
        "dividends": pa.table(vars(dividends), schema=SCHEMAS["dividends"]),
        "sessions": _sessions(coverage, sessions),
    }


def loaded_through(connection: Connection) -> dict[int, int]:
    """Return the ordinal of the last session loaded from each provider, by the provider's id."""
    through = load_store.read_coverage(connection).loaded_through.tolist()
    return {provider: last for provider, last in enumerate(through) if last != NOTHING_LOADED}


def span_of_sessions(connection: Connection, sessions: Sessions) -> tuple[dt.date | None, dt.date | None]:
    """Return the first and the last session that have a daily bar."""
    spans = _spans(connection, load_store.read_coverage(connection))
    if not len(spans):
        return None, None
    return sessions.session(int(spans.first.min())), sessions.session(int(spans.last.max()))


def _spans(connection: Connection, coverage: Coverage) -> Spans:
    return catalog_store.spans_of_bars(connection, coverage.instrument_id)


def _instruments(connection: Connection, coverage: Coverage, sessions: Sessions) -> pa.Table:
    names = catalog_store.symbols_by_instrument(connection)
    ids, spans = coverage.instrument_id, _spans(connection, coverage)
    place = np.searchsorted(ids, spans.instrument_id)
    dates = {"first_session": spans.first, "last_session": spans.last}
    columns = {
        "instrument_id": ids,
        "symbol": [names.get(one) for one in ids.tolist()],
        "providers": coverage.providers,
    }
    for name, ordinals in dates.items():
        known = np.full(len(ids), "NaT", dtype="datetime64[D]")
        known[place] = sessions.dates_of(ordinals)
        columns[name] = pa.array(known, pa.date32())
    schema = SCHEMAS["instruments"]
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _symbols(connection: Connection) -> pa.Table:
    rows = publishing_store.symbol_spans(connection)
    ids, symbols, first, last = (
        (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    )
    columns = {"symbol": symbols, "instrument_id": ids, "valid_from": first, "valid_to": last}
    return pa.table(columns, schema=SCHEMAS["symbols"])


def _splits(connection: Connection, coverage: Coverage, sessions: Sessions) -> pa.Table:
    """Return the splits, each with the factors of itself and of all that follow, up to the last session."""
    events = SPLITS.read(connection, always(coverage.instrument_id))
    splits = events.on(sessions)
    loaded = coverage.last_loaded(splits.instrument_id)
    price, volume = split_factors(splits.instrument_id, splits.ex_ordinal - np.int32(1), loaded, splits)
    columns = {**vars(events), "price_factor": price, "volume_factor": volume}
    return pa.table(columns, schema=SCHEMAS["splits"])


def _sessions(coverage: Coverage, sessions: Sessions) -> pa.Table:
    complete = np.zeros(len(sessions), dtype=np.int64)
    first = coverage.first_ordinal - sessions.first_ordinal
    complete[first : first + len(coverage.complete)] = coverage.complete
    columns = {
        "ordinal": np.arange(len(sessions), dtype=np.int32) + np.int32(sessions.first_ordinal),
        "session": sessions.date,
        "opens_at": pa.array(sessions.opens_at).cast(pa.timestamp("s", "UTC")),
        "closes_at": pa.array(sessions.closes_at).cast(pa.timestamp("s", "UTC")),
        "early_close": sessions.early_close,
        "complete": complete,
    }
    return pa.table(columns, schema=SCHEMAS["sessions"])
