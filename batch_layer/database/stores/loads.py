"""Loads, the ledger of sessions and the refused rows, in the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

import numpy as np

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.queries import array_of, column, holds, number, records, rows
from batch_layer.shared.models.bars import Int16s, Int32s
from batch_layer.shared.models.loads import LoadSummary

if TYPE_CHECKING:  # readers of bars need no payloads
    from batch_layer.shared.models.payloads import Payload


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
    last = rows(connection, "SELECT fetched_at, loaded_at FROM loads ORDER BY load_id DESC LIMIT 1")
    return Instants(*last[0]) if last else None


def lock_loads(connection: Connection) -> None:
    """Let no other load store anything until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('condvest load'))")


def is_recorded(connection: Connection, payload: Payload) -> bool:
    """Return whether a load of these very bytes, for the same provider and data set, is recorded."""
    return holds(
        connection,
        "SELECT EXISTS (SELECT FROM loads JOIN providers USING (provider_id) "
        "WHERE digest = %s AND provider = %s AND dataset = %s)",
        (payload.digest, payload.provider, payload.dataset),
    )


def is_any_loaded(connection: Connection, provider_id: int, dataset: str) -> bool:
    """Return whether a load of the data set from the provider is recorded."""
    return holds(
        connection,
        "SELECT EXISTS (SELECT FROM loads WHERE provider_id = %s AND dataset = %s)",
        (provider_id, dataset),
    )


def is_repeated(connection: Connection, payload: Payload, summary: LoadSummary) -> bool:
    """Return whether the last load from the same place had as many rows, with as many of them refused."""
    last = rows(
        connection,
        "SELECT rows, refused FROM loads JOIN providers USING (provider_id) "
        "WHERE provider = %s AND dataset = %s AND name = %s ORDER BY load_id DESC LIMIT 1",
        (payload.provider, payload.dataset, payload.name),
    )
    return last == [(summary.rows, sum(summary.refused.values()))]


def is_archived(connection: Connection, archive_key: str) -> bool:
    """Return whether a load is recorded that took its payload from this place in the archive."""
    return holds(connection, "SELECT EXISTS (SELECT FROM loads WHERE archive_key = %s)", (archive_key,))


def archived_after(connection: Connection, archive_key: str) -> list[str]:
    """Return the keys of the same provider, data set and sessions, fetched later, whose loads are recorded.

    In the order in which they were fetched.
    """
    keys = column(
        connection,
        "SELECT DISTINCT archive_key FROM loads WHERE starts_with(archive_key, %s) "
        'AND archive_key COLLATE "C" > %s ORDER BY 1',
        (f"{archive_key.rpartition('/')[0]}/", archive_key),
    )
    return sorted(keys)


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
    return number(
        connection,
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
    )


def record_refused(connection: Connection, load_id: int, refused: Sequence[RefusedRow]) -> None:
    """Keep the refused rows of a load."""
    if not refused:
        return
    with connection.cursor().copy(
        "COPY refused_rows (load_id, line, code, symbol, session, reason, content) FROM STDIN"
    ) as copy:
        for row in refused:
            copy.write_row((load_id, row.line, row.code, row.symbol, row.session, row.reason, row.content))


def ranks_of_loads(connection: Connection, load_id: Int32s) -> tuple[Int16s, Int16s]:
    """Return, a row, the provider of a load and the provider's rank."""
    distinct, inverse = np.unique(load_id, return_inverse=True)
    ranks = rows(
        connection,
        "SELECT load_id, provider_id, rank FROM loads JOIN providers USING (provider_id) "
        "WHERE load_id = ANY(%s::int4[]) ORDER BY load_id",
        (array_of(distinct),),
    )
    table = np.array([row[1:] for row in ranks], dtype=np.int16).reshape(-1, 2)
    return table[inverse, 0], table[inverse, 1]


def last_load_by(connection: Connection, instant: dt.datetime) -> int:
    """Return the last load that had been stored at an instant (aware); 0 if none had.

    Loads are stored one at a time, so their ids ascend with their instants.
    """
    query: LiteralString = "SELECT coalesce(max(load_id), 0) FROM loads WHERE loaded_at <= %s"
    return number(connection, query, (instant,))


def refused_rows(connection: Connection) -> list[dict[str, Any]]:
    """Return every refused row: load_id, provider, name, line, code, symbol, session, reason, content."""
    return records(
        connection,
        "SELECT load_id, provider, dataset, name, line, code, symbol, session, reason, content "
        "FROM refused_rows JOIN loads USING (load_id) JOIN providers USING (provider_id) "
        "ORDER BY load_id, line",
    )


@dataclass(frozen=True)
class ArchivedLoad:
    """A load of a data set, where the archive has what it loaded, and how many rows it stored."""

    load_id: int
    dataset: str
    archive_key: str
    stored: int


def archived_loads(connection: Connection) -> list[ArchivedLoad]:
    """Return every load, in their order."""
    query: LiteralString = "SELECT load_id, dataset, archive_key, inserted + changed FROM loads ORDER BY 1"
    return [ArchivedLoad(*row) for row in rows(connection, query)]


def refused_lines(connection: Connection, load_id: int) -> list[int]:
    """Return the lines of the rows that a load refused, ascending."""
    query: LiteralString = "SELECT line FROM refused_rows WHERE load_id = %s ORDER BY 1"
    return [line for (line,) in rows(connection, query, (load_id,))]


def archive_keys_of(connection: Connection, provider: str) -> list[str]:
    """Return where the archive has what a provider answered for daily bars, in the order of the loads."""
    return column(
        connection,
        "SELECT archive_key FROM loads JOIN providers USING (provider_id) "
        "WHERE provider = %s AND dataset = 'daily_bars' ORDER BY load_id",
        (provider,),
    )
