"""Loads, the ledger of sessions and the refused rows, in the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import cast

import numpy as np

from batch_layer.database.arrays import numbers
from batch_layer.database.binary_copy import Column, copy_out
from batch_layer.database.connection import Connection
from batch_layer.shared.models.bars import Int16s, Int32s
from batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from batch_layer.shared.models.loads import LedgerRows, LoadSummary
from batch_layer.shared.models.payloads import Payload

EVERY_LOAD = 2**31 - 1
"""Stands for the last load of all: what is known now."""

_LEDGER_KINDS = {"complete": "bool"}


@dataclass(frozen=True)
class RefusedRow:
    """A row that broke a rule, and the row itself."""

    line: int
    code: str
    symbol: str
    session: str | None
    reason: str
    content: str


@dataclass(frozen=True)
class Instants:
    """When the payload of a load was fetched, and from when on what it says was known."""

    fetched_at: dt.datetime
    loaded_at: dt.datetime


def last_instants(connection: Connection) -> Instants | None:
    """Return the instants of the last load that is recorded; None if there is none."""
    row = cast(
        "tuple[dt.datetime, dt.datetime] | None",
        connection.execute(
            "SELECT fetched_at, loaded_at FROM loads ORDER BY load_id DESC LIMIT 1"
        ).fetchone(),
    )
    return None if row is None else Instants(*row)


def lock_loads(connection: Connection) -> None:
    """Let no other load store anything until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('condvest load'))")


def is_recorded(connection: Connection, payload: Payload) -> bool:
    """Return whether a load of these very bytes, for the same provider and data set, is recorded."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM loads JOIN providers USING (provider_id) "
        "WHERE digest = %s AND provider = %s AND dataset = %s)",
        (payload.digest, payload.provider, payload.dataset),
    ).fetchone()
    return row is not None and bool(row[0])


def is_any_loaded(connection: Connection, provider_id: int, dataset: str) -> bool:
    """Return whether a load of the data set from the provider is recorded."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM loads WHERE provider_id = %s AND dataset = %s)", (provider_id, dataset)
    ).fetchone()
    return row is not None and bool(row[0])


def is_repeated(connection: Connection, payload: Payload, summary: LoadSummary) -> bool:
    """Return whether the last load from the same place had as many rows, with as many of them refused."""
    row = connection.execute(
        "SELECT rows, refused FROM loads JOIN providers USING (provider_id) "
        "WHERE provider = %s AND dataset = %s AND name = %s ORDER BY load_id DESC LIMIT 1",
        (payload.provider, payload.dataset, payload.name),
    ).fetchone()
    return row == (summary.rows, sum(summary.refused.values()))


def is_archived(connection: Connection, archive_key: str) -> bool:
    """Return whether a load is recorded that took its payload from this place in the archive."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM loads WHERE archive_key = %s)", (archive_key,)
    ).fetchone()
    return row is not None and bool(row[0])


def archived_after(connection: Connection, archive_key: str) -> list[str]:
    """Return the keys of the same provider, data set and sessions, fetched later, whose loads are recorded.

    In the order in which they were fetched.
    """
    rows = connection.execute(
        "SELECT DISTINCT archive_key FROM loads WHERE starts_with(archive_key, %s) "
        'AND archive_key COLLATE "C" > %s ORDER BY 1',
        (f"{archive_key.rpartition('/')[0]}/", archive_key),
    )
    return sorted(str(key) for (key,) in rows)


def record_load(
    connection: Connection,
    payload: Payload,
    provider_id: int,
    archive_key: str,
    summary: LoadSummary,
    *,
    loaded_at: dt.datetime | None = None,
) -> int:
    """Record a load, as stored at an instant (now if None), and return its id."""
    row = connection.execute(
        "INSERT INTO loads (provider_id, dataset, name, archive_key, digest, fetched_at, loaded_at, rows, "
        "inserted, changed, unchanged, withdrawn, outranked, duplicates, refused) "
        "VALUES (%s, %s, %s, %s, %s, %s, coalesce(%s, clock_timestamp()), "
        "%s, %s, %s, %s, %s, %s, %s, %s) RETURNING load_id",
        (
            provider_id,
            payload.dataset,
            payload.name,
            archive_key,
            payload.digest,
            payload.fetched_at,
            loaded_at,
            summary.rows,
            summary.inserted,
            summary.changed,
            summary.unchanged,
            summary.withdrawn,
            summary.outranked,
            summary.duplicates,
            sum(summary.refused.values()),
        ),
    ).fetchone()
    return int(str(row[0])) if row else -1


def record_refused(connection: Connection, load_id: int, rows: Sequence[RefusedRow]) -> None:
    """Keep the refused rows of a load."""
    if not rows:
        return
    with connection.cursor().copy(
        "COPY refused_rows (load_id, line, code, symbol, session, reason, content) FROM STDIN"
    ) as copy:
        for row in rows:
            copy.write_row((load_id, row.line, row.code, row.symbol, row.session, row.reason, row.content))


def rows_loaded(connection: Connection) -> int:
    """Return how many daily bars are stored, as the ledger counts them; more if providers share sessions."""
    row = connection.execute("SELECT coalesce(sum(passed), 0) FROM ledger").fetchone()
    return int(str(row[0])) if row else 0


def sessions_loaded(connection: Connection) -> Int32s:
    """Return the ordinals (ascending) of every session of which anybody has loaded anything."""
    query = "SELECT DISTINCT ordinal FROM ledger ORDER BY 1"
    return copy_out(connection, query, (Column("ordinal", "int4"),))["ordinal"]


def read_ledger(connection: Connection, provider_id: int) -> LedgerRows:
    """Return what the ledger holds of a provider, by ordinal."""
    columns = copy_out(
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
        | {field.name: numbers(getattr(entries, field.name)) for field in fields(LedgerRows)},
    )


def ranks_of_loads(connection: Connection, load_id: Int32s) -> tuple[Int16s, Int16s]:
    """Return, a row, the provider of a load and the provider's rank."""
    distinct, inverse = np.unique(load_id, return_inverse=True)
    rows = connection.execute(
        "SELECT load_id, provider_id, rank FROM loads JOIN providers USING (provider_id) "
        "WHERE load_id = ANY(%s::int4[]) ORDER BY load_id",
        (numbers(distinct),),
    ).fetchall()
    table = np.array([row[1:] for row in rows], dtype=np.int16).reshape(-1, 2)
    return table[inverse, 0], table[inverse, 1]


def read_coverage(
    connection: Connection, instrument_id: Int32s | None = None, known_by: int = EVERY_LOAD
) -> Coverage:
    """Return which sessions have been loaded for the instruments (all if None).

    With ``known_by`` only what the loads up to that one say.
    """
    supplied = copy_out(
        connection,
        "SELECT instrument_id, bit_or(1::int8 << provider_id) FROM instrument_providers "
        "WHERE (%(ids)s::int4[] IS NULL OR instrument_id = ANY(%(ids)s::int4[])) "
        "AND first_load_id <= %(known_by)s GROUP BY 1 ORDER BY 1",
        (Column("instrument_id", "int4"), Column("providers", "int8")),
        {"ids": None if instrument_id is None else numbers(instrument_id), "known_by": known_by},
    )
    held = copy_out(
        connection,
        "SELECT ordinal, "
        "coalesce(bit_or(1::int8 << provider_id) FILTER (WHERE completed_by <= %(known_by)s), 0) "
        "FROM ledger WHERE first_load_id <= %(known_by)s GROUP BY 1 ORDER BY 1",
        (Column("ordinal", "int4"), Column("complete", "int8")),
        {"known_by": known_by},
    )
    through = np.full(64, NOTHING_LOADED, dtype=np.int32)
    for provider_id, ordinal in connection.execute(
        "SELECT provider_id, max(ordinal) FROM ledger WHERE first_load_id <= %s GROUP BY 1", (known_by,)
    ):
        through[int(str(provider_id))] = int(str(ordinal))
    first = int(held["ordinal"][0]) if len(held["ordinal"]) else 0
    span = int(held["ordinal"][-1]) - first + 1 if len(held["ordinal"]) else 0
    complete = np.zeros(span, dtype=np.int64)
    complete[held["ordinal"] - first] = held["complete"]
    return Coverage(supplied["instrument_id"], supplied["providers"], first, complete, through)


def last_load_by(connection: Connection, instant: dt.datetime) -> int:
    """Return the last load that had been stored at an instant (aware); 0 if none had.

    Loads are stored one at a time, so their ids ascend with their instants.
    """
    row = connection.execute(
        "SELECT coalesce(max(load_id), 0) FROM loads WHERE loaded_at <= %s", (instant,)
    ).fetchone()
    return int(str(row[0])) if row else 0
