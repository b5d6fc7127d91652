"""The ledger: which sessions, and which of a vendor's files, have been loaded."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, column, number, rows
from condvest.batch_layer.database.postgres.reading.packed import read_narrow
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.models.loads import EVERY_LOAD, LedgerRows

_LEDGER_KINDS = {"complete": "bool"}


def rows_loaded(connection: Connection) -> int:
    """Return how many daily bars are stored, as the ledger counts them; more if providers share sessions."""
    return number(connection, "SELECT coalesce(sum(passed), 0) FROM ledger")


def last_loaded(connection: Connection) -> int | None:
    """Return the ordinal of the last session of which anybody has loaded anything; None if nobody has."""
    [ordinal] = column(connection, "SELECT max(ordinal) FROM ledger")
    return None if ordinal is None else int(ordinal)


def sessions_loaded(connection: Connection) -> Int32s:
    """Return the ordinals (ascending) of every session of which anybody has loaded anything."""
    query = "SELECT DISTINCT ordinal FROM ledger ORDER BY 1"
    return read_narrow(connection, query, (Column("ordinal", "int4"),))["ordinal"]


def read_ledger(connection: Connection, provider_id: int) -> LedgerRows:
    """Return what the ledger holds of a provider, by ordinal."""
    columns = read_narrow(
        connection,
        "SELECT ordinal, status = 'complete', rows, passed, inserted, changed, withdrawn, refused "
        "FROM ledger WHERE provider_id = %(provider_id)s ORDER BY ordinal",
        tuple(Column(field.name, _LEDGER_KINDS.get(field.name, "int4")) for field in fields(LedgerRows)),
        {"provider_id": provider_id},
    )
    return LedgerRows(**columns)


def write_ledger(connection: Connection, provider_id: int, load_id: int, entries: LedgerRows) -> None:
    """Enter sessions in the ledger, in the place of what it held of them."""
    connection.execute(
        "INSERT INTO ledger (provider_id, ordinal, status, load_id, first_load_id, completed_by, "
        "rows, passed, inserted, changed, withdrawn, refused) "
        "SELECT %(provider)s, ordinal, CASE WHEN complete THEN 'complete' ELSE 'partial' END, %(load)s, "
        "%(load)s, CASE WHEN complete THEN %(load)s END, "
        "rows, passed, inserted, changed, withdrawn, refused "
        "FROM unnest(%(ordinal)s::int4[], %(complete)s::bool[], %(rows)s::int4[], %(passed)s::int4[], "
        "%(inserted)s::int4[], %(changed)s::int4[], %(withdrawn)s::int4[], %(refused)s::int4[]) "
        "AS entry (ordinal, complete, rows, passed, inserted, changed, withdrawn, refused) "
        "ON CONFLICT (provider_id, ordinal) DO UPDATE "
        "SET status = excluded.status, load_id = excluded.load_id, "
        "completed_by = coalesce(ledger.completed_by, excluded.completed_by), rows = excluded.rows, "
        "passed = excluded.passed, inserted = excluded.inserted, changed = excluded.changed, "
        "withdrawn = excluded.withdrawn, refused = excluded.refused",
        {"provider": provider_id, "load": load_id}
        | {field.name: array_of(getattr(entries, field.name)) for field in fields(LedgerRows)},
    )


_KNOWN_BY = sql.SQL(
    "SELECT provider_id, ordinal, completed_by FROM ledger WHERE first_load_id <= %(known_by)s UNION ALL "
    "SELECT provider_id, ordinal, completed_by FROM ledger_revisions "
    "WHERE first_load_id <= %(known_by)s AND superseded_by > %(known_by)s"
)
"""What the ledger said when a load had been stored: also of sessions that were taken back since."""


def read_coverage(
    connection: Connection, instrument_id: Int32s | None = None, known_by: int = EVERY_LOAD
) -> Coverage:
    """Return which sessions have been loaded for the instruments (all if None).

    With ``known_by`` only what the loads up to that one say.
    """
    supplied = read_narrow(
        connection,
        "SELECT instrument_id, bit_or(1::int8 << provider_id) FROM ("
        "  SELECT instrument_id, provider_id, first_load_id FROM instrument_providers UNION ALL "
        "  SELECT instrument_id, provider_id, first_load_id FROM supplier_revisions "
        "  WHERE superseded_by > %(known_by)s"
        ") AS supplied WHERE (%(ids)s::int4[] IS NULL OR instrument_id = ANY(%(ids)s::int4[])) "
        "AND first_load_id <= %(known_by)s GROUP BY 1 ORDER BY 1",
        (Column("instrument_id", "int4"), Column("providers", "int8")),
        {"ids": None if instrument_id is None else array_of(instrument_id), "known_by": known_by},
    )
    loaded = read_narrow(
        connection,
        sql.SQL(
            "SELECT ordinal, "
            "coalesce(bit_or(1::int8 << provider_id) FILTER (WHERE completed_by <= %(known_by)s), 0) "
            "FROM ({}) AS ledger GROUP BY 1 ORDER BY 1"
        ).format(_KNOWN_BY),
        (Column("ordinal", "int4"), Column("complete", "int8")),
        {"known_by": known_by},
    )
    through = np.full(64, NOTHING_LOADED, dtype=np.int32)
    for provider_id, ordinal in rows(
        connection,
        sql.SQL("SELECT provider_id, max(ordinal) FROM ({}) AS ledger GROUP BY 1").format(_KNOWN_BY),
        {"known_by": known_by},
    ):
        through[provider_id] = ordinal
    first = int(loaded["ordinal"][0]) if len(loaded["ordinal"]) else 0
    span = int(loaded["ordinal"][-1]) - first + 1 if len(loaded["ordinal"]) else 0
    complete = np.zeros(span, dtype=np.int64)
    complete[loaded["ordinal"] - first] = loaded["complete"]
    return Coverage(supplied["instrument_id"], supplied["providers"], first, complete, through)


UNDER_WAY = ""
"""In the place of the ETag of a file that is being loaded: if that never ends, no version counts."""


def read_etags(connection: Connection, provider_id: int) -> dict[str, str]:
    """Return the ETag of each file that was loaded, by the file's name."""
    return dict(
        rows(connection, "SELECT name, etag FROM published_files WHERE provider_id = %s", (provider_id,))
    )


def keep_etag(
    connection: Connection, provider_id: int, name: str, etag: str, fetched_at: dt.datetime
) -> None:
    """Keep the ETag of a file that was loaded, in the place of what it had before."""
    connection.execute(
        "INSERT INTO published_files (provider_id, name, etag, fetched_at) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (provider_id, name) "
        "DO UPDATE SET etag = excluded.etag, fetched_at = excluded.fetched_at",
        (provider_id, name, etag, fetched_at),
    )
