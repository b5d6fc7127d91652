"""The small published data sets: who is who, what bars are adjusted with, and which sessions are loaded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import LiteralString

import numpy as np
import pyarrow as pa
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_out, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import rows
from condvest.batch_layer.database.postgres.revisioned import DIVIDENDS, LOAD, SPLITS, SUPERSEDED_BY
from condvest.batch_layer.database.stores.daily.refused import size_of_refused
from condvest.batch_layer.database.stores.identity.symbols import symbol_spans, symbols_by_instrument
from condvest.batch_layer.database.stores.loading.ledger import read_coverage
from condvest.batch_layer.shared.core.adjustment import split_factors
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans, always
from condvest.batch_layer.shared.published.tables import SCHEMAS
from condvest.batch_layer.shared.utils.arrow import table_of

MOST_REFUSED = 64 << 20
"""Bytes of the texts of refused rows that are published; of more none is, for they are read into memory."""


@dataclass(frozen=True)
class Reference:
    """What is published beside the bars.

    Attributes:
        tables: of instruments, symbols, splits, dividends and sessions; see SCHEMAS.
        first_session, last_session: that have a daily bar; None if there is none.
        loaded_through: the ordinal of the last session loaded from each provider, by the provider's id.
    """

    tables: dict[str, pa.Table]
    first_session: dt.date | None
    last_session: dt.date | None
    loaded_through: dict[int, int]

    @classmethod
    def read(
        cls, connection: Connection, sessions: Sessions, reaches: Callable[[Int32s], Spans]
    ) -> Reference:
        """Read it all, in the transaction of the bars.

        Args:
            connection: in a transaction.
            sessions: the calendar.
            reaches: returns, of instruments, the ordinals of their first and last daily bars.
        """
        coverage = read_coverage(connection)
        spans = reaches(coverage.instrument_id)
        left_out = () if size_of_refused(connection, None)[1] <= MOST_REFUSED else ("refused",)
        dividends, loads = DIVIDENDS.read_with_load(connection, always(coverage.instrument_id))
        return cls(
            tables={
                "instruments": _instruments(connection, coverage, spans, sessions),
                "symbols": _symbols(connection),
                "splits": _splits(connection, coverage, sessions),
                "dividends": table_of({**vars(dividends), "load_id": loads}, SCHEMAS["dividends"]),
                "sessions": _sessions(coverage, sessions),
                "split_revisions": _read(connection, SPLITS.revisions, SPLITS.columns),
                "dividend_revisions": _read(connection, DIVIDENDS.revisions, DIVIDENDS.columns),
                **{name: _as_stored(connection, name) for name in STORED if name not in left_out},
            },
            first_session=sessions.session(int(spans.first.min())) if len(spans) else None,
            last_session=sessions.session(int(spans.last.max())) if len(spans) else None,
            loaded_through={
                provider: last
                for provider, last in enumerate(coverage.loaded_through.tolist())
                if last != NOTHING_LOADED
            },
        )


def _instruments(connection: Connection, coverage: Coverage, spans: Spans, sessions: Sessions) -> pa.Table:
    names = symbols_by_instrument(connection)
    ids = coverage.instrument_id
    row = np.searchsorted(ids, spans.instrument_id)
    dates = {"first_session": spans.first, "last_session": spans.last}
    columns = {
        "instrument_id": ids,
        "symbol": [names.get(instrument_id) for instrument_id in ids.tolist()],
        "providers": coverage.providers,
    }
    for name, ordinals in dates.items():
        known = np.full(len(ids), "NaT", dtype="datetime64[D]")
        known[row] = sessions.dates_of(ordinals)
        columns[name] = known
    return table_of(columns, SCHEMAS["instruments"])


def _symbols(connection: Connection) -> pa.Table:
    rows = symbol_spans(connection)
    ids, symbols, first, last = (
        (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    )
    columns = {"symbol": symbols, "instrument_id": ids, "valid_from": first, "valid_to": last}
    return table_of(columns, SCHEMAS["symbols"])


def _splits(connection: Connection, coverage: Coverage, sessions: Sessions) -> pa.Table:
    """Return the splits, each with the factors of itself and of all that follow, up to the last session."""
    events, loads = SPLITS.read_with_load(connection, always(coverage.instrument_id))
    splits = events.on(sessions)
    loaded = coverage.last_loaded(splits.instrument_id)
    price, volume = split_factors(splits.instrument_id, splits.ex_ordinal - np.int32(1), loaded, splits)
    columns = {**vars(events), "price_factor": price, "volume_factor": volume, "load_id": loads}
    return table_of(columns, SCHEMAS["splits"])


def _read(connection: Connection, table: str, columns: tuple[Column, ...]) -> pa.Table:
    """Return the rows of a table of revisions, by instrument, ex-date and load."""
    every = (*columns, LOAD, SUPERSEDED_BY)
    query = sql.SQL("SELECT {columns} FROM {table} ORDER BY instrument_id, ex_date, load_id").format(
        columns=select_list(every, table), table=sql.Identifier(table)
    )
    return table_of(copy_out(connection, query, every), SCHEMAS[table])


STORED: Mapping[str, LiteralString] = {
    "suppliers": "SELECT instrument_id, provider_id, first_load_id, NULL FROM instrument_providers UNION ALL "
    "SELECT instrument_id, provider_id, first_load_id, superseded_by FROM supplier_revisions "
    "ORDER BY 1, 2, 4 NULLS FIRST",
    "ledger": "SELECT provider_id, ordinal, first_load_id, completed_by, NULL FROM ledger UNION ALL "
    "SELECT provider_id, ordinal, first_load_id, completed_by, superseded_by FROM ledger_revisions "
    "ORDER BY 1, 2, 5 NULLS FIRST",
    "loads": "SELECT load_id, provider, name, archive_key, loaded_at "
    "FROM loads JOIN providers USING (provider_id) ORDER BY 1",
    "instrument_fields": "SELECT instrument_id, field, value, load_id, NULL FROM metadata UNION ALL "
    "SELECT instrument_id, field, value, load_id, superseded_by FROM metadata_revisions ORDER BY 1, 2, 4",
    "coverage": "SELECT provider, ordinal, status = 'complete', passed, refused "
    "FROM ledger JOIN providers USING (provider_id) ORDER BY 1, 2",
    "refused": "SELECT load_id, provider, dataset, name, line, code, symbol, session, reason, content "
    "FROM refused_rows JOIN loads USING (load_id) JOIN providers USING (provider_id) ORDER BY 1, 5",
    "runs": "SELECT run_id, command, started_at, finished_at, exit_code, "
    "CASE WHEN run_id = (SELECT max(run_id) FROM runs) THEN summary::text END FROM runs ORDER BY 1",
}
"""Data sets that are published as they are stored, and how each is read."""


def _as_stored(connection: Connection, dataset: str) -> pa.Table:
    schema = SCHEMAS[dataset]
    stored = rows(connection, STORED[dataset])
    columns = list(zip(*stored, strict=True)) if stored else [()] * len(schema)
    return table_of(dict(zip(schema.names, columns, strict=True)), schema)


def _sessions(coverage: Coverage, sessions: Sessions) -> pa.Table:
    complete = np.zeros(len(sessions), dtype=np.int64)
    first = coverage.first_ordinal - sessions.first_ordinal
    complete[first : first + len(coverage.complete)] = coverage.complete
    columns = {
        "ordinal": np.arange(len(sessions), dtype=np.int32) + np.int32(sessions.first_ordinal),
        "session": sessions.date,
        "opens_at": sessions.opens_at,
        "closes_at": sessions.closes_at,
        "early_close": sessions.early_close,
        "late_open": sessions.late_open,
        "complete": complete,
    }
    return table_of(columns, SCHEMAS["sessions"])
