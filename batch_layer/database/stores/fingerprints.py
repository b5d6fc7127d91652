"""What is published, told so that a publication can see what changed and read it piece by piece."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_out, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, column, number, rows
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS, LOAD, SUPERSEDED_BY
from condvest.batch_layer.database.postgres.touched import EVERY_KEY
from condvest.batch_layer.database.stores.bars.closed_bars import BAR_COLUMNS
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import keys_of

Fingerprint = tuple[int, str]
"""How many rows there are, and a digest of all their values whatever their order."""


def fingerprints(
    connection: Connection, table: str, starts: Int32s, first: int = EVERY_KEY[0], last: int = EVERY_KEY[1]
) -> dict[int, Fingerprint]:
    """Return the fingerprint of the rows of each part that has any, in one pass over the table.

    It is computed from the rows themselves, so that it does not matter who altered them and how. The digest
    is the exclusive or of PostgreSQL's 64-bit hashes of the rows.

    Args:
        connection: in a transaction.
        table: ``daily_bars``, ``daily_bar_revisions``, or ``bars_N``.
        starts: int32, ascending: the first ordinal or window of each part.
        first: only rows of this ordinal or window, and later ones.
        last: only rows of this ordinal or window, and earlier ones.

    Returns:
        index in ``starts`` to fingerprint; rows before the first start count to index -1.
    """
    columns = _columns(table)
    query = sql.SQL(
        "SELECT width_bucket({key}, %s::int4[]) - 1, count(*), bit_xor({hash}) FROM {table} "
        "WHERE {key} BETWEEN %s AND %s GROUP BY 1"
    ).format(
        key=sql.Identifier(columns[1].name),
        hash=_hash_of(columns),
        table=sql.Identifier(table),
    )
    parts = rows(connection, query, (array_of(starts), first, last))
    return {part: (count, f"{count}-{digest}") for part, count, digest in parts}


def rows_between(
    connection: Connection, table: str, first: int, last: int, *, with_hashes: bool = False
) -> tuple[DailyBars | Bars, dict[str, Int32s], Int64s | None]:
    """Return the daily bars or bars of a table from one ordinal (or window) to another, inclusive.

    Ascending by instrument, then by ordinal or window, then by load; with the columns of loads that the table
    has beside them. The table is read from its beginning to its end, as it lies: by the key it would be read
    page by page in no order, for it was filled session by session.

    Args:
        connection: in a transaction.
        table: ``daily_bars``, ``daily_bar_revisions``, or ``bars_N``.
        first: only rows of this ordinal or window, and later ones.
        last: only rows of this ordinal or window, and earlier ones.
        with_hashes: whether to return the hash of each row as well, for `fingerprint_of`.

    Returns:
        the bars, the columns of loads by name, and the hashes (int64) or None; all in the same order.
    """
    columns = _columns(table)
    wanted = (*columns, _HASH) if with_hashes else columns
    query = sql.SQL(
        "SELECT {columns}{hash} FROM {table} WHERE {table}.{key} BETWEEN %(first)s AND %(last)s"
    ).format(
        columns=select_list(columns, table),
        hash=sql.SQL(", {}").format(_hash_of(columns)) if with_hashes else sql.SQL(""),
        table=sql.Identifier(table),
        key=sql.Identifier(columns[1].name),
    )
    data = copy_out(connection, query, wanted, {"first": first, "last": last})
    hashes = data.pop(_HASH.name) if with_hashes else None
    more = {column.name: data.pop(column.name) for column in _MORE.get(table, ())}
    bars: DailyBars | Bars = DailyBars(**data) if table in _MORE else Bars(**data)
    by = (more["load_id"], keys_of(bars)) if table == DAILY_BARS.revisions else (keys_of(bars),)
    order = np.lexsort(by) if len(by) > 1 else np.argsort(by[0])
    more = {name: values[order] for name, values in more.items()}
    return bars.take(order), more, None if hashes is None else hashes[order]


def fingerprint_of(hashes: Int64s) -> Fingerprint:
    """Return the fingerprint of rows by their hashes; the same as `fingerprints` computes of them."""
    return len(hashes), f"{len(hashes)}-{np.bitwise_xor.reduce(hashes)}"


def identity(connection: Connection) -> str:
    """Return what tells this database from any other: ``system identifier/number of the database``.

    The identifier is drawn when a server's data directory is made; a replica, and a copy of the directory,
    have the same. A database that is built anew, or dumped and restored, is another one.
    """
    [name] = column(
        connection,
        "SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database "
        "WHERE datname = current_database()",
    )
    return str(name)


def schema_version(connection: Connection) -> int:
    """Return the number of the last migration applied."""
    return number(connection, "SELECT max(version) FROM schema_migrations")


def last_load(connection: Connection) -> int | None:
    """Return the number of the last load that the transaction sees; None if there is none."""
    [load_id] = column(connection, "SELECT max(load_id) FROM loads")
    return None if load_id is None else int(load_id)


_MORE = {DAILY_BARS.name: (LOAD,), DAILY_BARS.revisions: (LOAD, SUPERSEDED_BY)}
"""The tables of daily bars, and the columns that they have beside those of the bars."""


_HASH = Column("hash", "int8")


def _hash_of(columns: Sequence[Column]) -> sql.Composed:
    """Return the expression of PostgreSQL's hash of a row."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    return sql.SQL("hash_record_extended(ROW({}), 0)").format(names)


def _columns(table: str) -> tuple[Column, ...]:
    return (*DAILY_BARS.columns, *_MORE[table]) if table in _MORE else BAR_COLUMNS
