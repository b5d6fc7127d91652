"""The table ``loads``: what was loaded, when, and from where in the archive."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.connecting.waiting import OnWait, lock_transaction
from condvest.batch_layer.database.postgres.queries import array_of, column, holds, number, rows
from condvest.batch_layer.database.stores.loading.undone import COUNTS
from condvest.batch_layer.shared.models.bars import Int16s, Int32s
from condvest.batch_layer.shared.models.loads import LoadSummary

if TYPE_CHECKING:  # readers of bars need no payloads
    from condvest.batch_layer.shared.models.given.payloads import Payload


@dataclass(frozen=True)
class Instants:
    """The instants of a load.

    Attributes:
        fetched_at: when its payload was fetched.
        loaded_at: from when on what it says was known.
        archive_key: where the archive has its payload.
        newest: the latest instant of fetch of all loads; later than ``fetched_at`` after a wrong clock.
    """

    fetched_at: dt.datetime
    loaded_at: dt.datetime
    archive_key: str
    newest: dt.datetime


def last_instants(connection: Connection) -> Instants | None:
    """Return the instants of the last load that is recorded; None if there is none."""
    last = rows(
        connection,
        "SELECT fetched_at, loaded_at, archive_key, (SELECT max(fetched_at) FROM loads) "
        "FROM loads ORDER BY load_id DESC LIMIT 1",
    )
    return Instants(*last[0]) if last else None


def lock_loads(connection: Connection, on_wait: OnWait | None = None) -> None:
    """Let no other load store anything until this transaction ends; say if that takes long."""
    lock_transaction(connection, "condvest load", on_wait)


def take_back_unused_ids(connection: Connection) -> None:
    """Let the next load, instrument and provider have the ids after the last that are stored.

    A transaction that is rolled back leaves gaps, by which a rebuild that goes on would differ from one that
    was never stopped. A role without the right to it leaves the gaps. Call it while `lock_loads` holds: then
    no other load has taken an id that it has not stored yet.
    """
    for table, key in (("loads", "load_id"), ("instruments", "instrument_id"), ("providers", "provider_id")):
        query = sql.SQL(
            "SELECT setval(name, coalesce((SELECT max({key}) + 1 FROM {table}), seqstart), false) "
            "FROM pg_get_serial_sequence(%s, %s) AS name JOIN pg_sequence ON seqrelid = name::regclass "
            "WHERE has_sequence_privilege(name, 'UPDATE')"
        )
        connection.execute(query.format(key=sql.Identifier(key), table=sql.Identifier(table)), (table, key))


@dataclass(frozen=True)
class RecordedAs:
    """What a load says of the payload that it stored."""

    archive_key: str
    fetched_at: dt.datetime
    name: str


def recorded_as(connection: Connection, payload: Payload) -> list[RecordedAs]:
    """Return the loads of these very bytes, for the same provider and data set, in their order."""
    recorded = rows(
        connection,
        "SELECT archive_key, fetched_at, name FROM loads JOIN providers USING (provider_id) "
        "WHERE digest = %s AND provider = %s AND dataset = %s ORDER BY load_id",
        (payload.digest, payload.provider, payload.dataset),
    )
    return [RecordedAs(*row) for row in recorded]


def is_any_loaded(connection: Connection, provider_id: int, dataset: str) -> bool:
    """Return whether a load of the data set from the provider is recorded that was not taken back."""
    return holds(
        connection,
        sql.SQL("SELECT EXISTS (SELECT FROM loads WHERE provider_id = %s AND dataset = %s AND {})").format(
            COUNTS
        ),
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


def archived_since(connection: Connection, fetched_at: dt.datetime) -> set[str]:
    """Return the archive keys of the payloads fetched since an instant (inclusive) that were loaded."""
    return set(column(connection, "SELECT archive_key FROM loads WHERE fetched_at >= %s", (fetched_at,)))


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
            *_counts(summary),
        ),
    )


def amend_load(connection: Connection, load_id: int, summary: LoadSummary, *, is_dated: bool) -> None:
    """Enter in a load of this transaction what came of it; as stored now, unless it is dated."""
    connection.execute(
        "UPDATE loads SET rows = %s, inserted = %s, changed = %s, unchanged = %s, withdrawn = %s, "
        "outranked = %s, duplicates = %s, refused = %s, "
        "loaded_at = CASE WHEN %s THEN loaded_at ELSE clock_timestamp() END WHERE load_id = %s",
        (*_counts(summary), is_dated, load_id),
    )


def _counts(summary: LoadSummary) -> tuple[int, ...]:
    names = ("rows", "inserted", "changed", "unchanged", "withdrawn", "outranked", "duplicates")
    return (*(getattr(summary, name) for name in names), sum(summary.refused.values()))


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


def fetched_at(connection: Connection, load_id: Int32s) -> dict[int, dt.datetime]:
    """Return, by load, when its payload was fetched."""
    query: LiteralString = "SELECT load_id, fetched_at FROM loads WHERE load_id = ANY(%s::int4[])"
    return dict(rows(connection, query, (array_of(load_id),)))


def has_load(connection: Connection, load_id: int) -> bool:
    """Return whether there is a load of an id, whether or not it was taken back."""
    return holds(connection, "SELECT EXISTS (SELECT FROM loads WHERE load_id = %s)", (load_id,))


def last_load(connection: Connection) -> int:
    """Return the id of the newest load; 0 if there is none."""
    query: LiteralString = "SELECT coalesce(max(load_id), 0) FROM loads"
    return number(connection, query)


@dataclass(frozen=True)
class ArchivedLoad:
    """A load of a data set, where the archive has what it loaded, and how many rows it stored.

    Attributes:
        provider, name, digest, fetched_at: of the payload, as they were when it was loaded.
        loaded_at: from when on what it says was known.
    """

    load_id: int
    dataset: str
    archive_key: str
    stored: int
    provider: str
    name: str
    digest: str
    fetched_at: dt.datetime
    loaded_at: dt.datetime


def archived_loads(connection: Connection) -> list[ArchivedLoad]:
    """Return every load, in their order."""
    query: LiteralString = (
        "SELECT load_id, dataset, archive_key, inserted + changed, provider, name, digest, fetched_at, "
        "loaded_at FROM loads JOIN providers USING (provider_id) ORDER BY 1"
    )
    return [ArchivedLoad(*row) for row in rows(connection, query)]
