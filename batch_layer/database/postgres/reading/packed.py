"""Rows out of PostgreSQL packed into large values: thousands as one value, millions as one per some pages.

COPY sends a message for every row, eight kilobytes at a time, and whoever reads it is woken as often: on a
busy machine that takes longer than the query, and for millions of rows libpq's handing over each of them is
three quarters of the client's work. ``string_agg`` makes one value of many rows, in the memory of the
server, and sends it at once. It costs the server no more than COPY, and the client a ninth.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, LiteralString

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.pq.abc import PGconn

from condvest.batch_layer.database.postgres import binary_copy
from condvest.batch_layer.database.postgres.binary_copy import (
    HEADER,
    WIRE,
    Column,
    copy_out,
    empty,
    from_wire,
    value_or_stand_in,
)
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.prepared import BINARY, Row, finished
from condvest.batch_layer.shared.errors import DatabaseError

MOST_ROWS = 1 << 16
"""So many rows take some five megabytes."""

PAGES_A_VALUE = 128
"""Some 10,000 rows, 0.7 MB: more are no quicker, and the server has two of these values in memory."""

_PAGES = sql.SQL(
    "COPY (SELECT packed FROM generate_series(0, "
    "greatest(pg_relation_size({name}), (SELECT max(pg_relation_size(relid)) FROM pg_partition_tree({name})))"
    " / current_setting('block_size')::int8, {pages}) AS page "
    "CROSS JOIN LATERAL (SELECT string_agg({row}, '') AS packed FROM {table} WHERE {chosen} "
    "AND ctid >= ('(' || page || ',0)')::tid AND ctid < ('(' || page + {pages} || ',0)')::tid) AS of_pages "
    "WHERE packed IS NOT NULL) TO STDOUT (FORMAT BINARY)"
)
"""As many pages as the largest partition has are looked for in the one that is read."""

_BEFORE_A_VALUE = 6
"""Bytes before a value: the number of fields of the row (1, or -1 after the last), and the value's width."""

_BEFORE_A_GROUP = struct.Struct(">hiqi")
"""Before the rows of a group: the number of fields (2, or -1 after the last row), the width of the group's
number, that number, and the width of its rows.
"""

_TOGETHER = 1 << 18
"""Bytes of values that are unpacked together: some 3,000 rows, which the processor's cache holds."""

_SEND = {"date": "date_send", "timestamptz": "timestamptz_send"}
"""The functions that make the bytes of a value, where they are not named after the type."""


def read_out(
    connection: Connection,
    query: sql.Composable,
    columns: Sequence[Column],
    parameters: Mapping[str, Any] | None,
    most_rows: int,
) -> dict[str, npt.NDArray[Any]]:
    """Return what `copy_out` returns, in the order of the query, by the quicker of two ways.

    Args:
        connection: in a transaction.
        query: a SELECT of exactly ``columns``, in their order; it must not yield NULL (see `select_list`).
        columns: what the query yields.
        parameters: values for the query's ``%(name)s``; None if it has none, and ``%`` stands for itself.
        most_rows: how many rows there are at most.
    """
    if most_rows > MOST_ROWS:
        return copy_out(connection, query, columns, parameters)
    return read_narrow(connection, query, columns, parameters)


def read_narrow(
    connection: Connection,
    query: LiteralString | sql.Composable,
    columns: Sequence[Column],
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Return what `copy_out` returns, however many rows there are: a few bytes an instrument or a session.

    Arguments are those of `copy_out`.

    Raises:
        DatabaseError: a row has a NULL, which ``string_agg`` would leave out without a word.
    """
    names = [sql.Identifier(f"column{number}") for number in range(len(columns))]
    packed = sql.SQL("SELECT string_agg({row}, ''), count(*) FROM ({query}) AS given ({names})").format(
        row=row_of(columns, names),
        query=query if isinstance(query, sql.Composable) else sql.SQL(query),
        names=sql.SQL(", ").join(names),
    )
    text = psycopg.ClientCursor(connection).mogrify(packed, parameters)
    packed_rows, count = _received(connection.pgconn, text.encode())
    rows = np.frombuffer(packed_rows, _form(columns))
    if len(rows) != count:
        raise DatabaseError(
            f"expected no NULL in {', '.join(column.name for column in columns)}, got {count} rows of which "
            f"{count - len(rows)} have one: the tables are not as the schema has them; restore a backup"
        )
    return {column.name: from_wire(column, rows[column.name]) for column in columns}


def read_pages(
    connection: Connection, table: str, columns: Sequence[Column], chosen: sql.Composable
) -> dict[str, npt.NDArray[Any]]:
    """Return the chosen rows of a table as one array a column, in the order in which they lie.

    Args:
        connection: in a transaction.
        table: its name.
        columns: of the table; where NULL is, its stand-in comes.
        chosen: a condition on the rows. Of a partitioned table it leaves one partition.
    """
    query = _PAGES.format(
        name=sql.Literal(table),
        table=sql.Identifier(table),
        row=row_of(columns, [value_or_stand_in(column, table) for column in columns]),
        chosen=chosen,
        pages=sql.Literal(PAGES_A_VALUE),
    )
    content = memoryview(binary_copy.received(connection, query.as_bytes(connection)))
    values, at = [], len(HEADER)
    while bytes(content[at : at + 2]) == b"\x00\x01":
        width = int.from_bytes(content[at + 2 : at + _BEFORE_A_VALUE], "big")
        at += _BEFORE_A_VALUE
        values.append(content[at : at + width])
        at += width
    return _unpacked(values, columns)


def read_groups(
    connection: Connection,
    query: sql.Composable,
    columns: Sequence[Column],
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Return the rows of numbered groups as one array a column, by the groups' numbers.

    Args:
        connection: in a transaction.
        query: a SELECT of a group's number (an int8, none twice) and of its rows, put together by
            ``string_agg`` of `row_of`; in any order of the groups. It must not yield NULL.
        columns: of the rows.
        parameters: values for the query's ``%(name)s``.
    """
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(query)
    text = psycopg.ClientCursor(connection).mogrify(copy, parameters)
    content = memoryview(binary_copy.received(connection, text.encode()))
    groups, at = {}, len(HEADER)
    while bytes(content[at : at + 2]) == b"\x00\x02":
        _, _, number, width = _BEFORE_A_GROUP.unpack_from(content, at)
        at += _BEFORE_A_GROUP.size
        groups[number] = content[at : at + width]
        at += width
    return _unpacked([groups[number] for number in sorted(groups)], columns)


def _unpacked(values: Sequence[memoryview], columns: Sequence[Column]) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of rows that came as several values."""
    form = _form(columns)
    unpacked = {column.name: empty(column, sum(map(len, values)) // form.itemsize) for column in columns}
    end = 0
    for together in _joined(values):
        rows = np.frombuffer(together, form)
        start, end = end, end + len(rows)
        for column in columns:
            unpacked[column.name][start:end] = from_wire(column, rows[column.name])
    return unpacked


def _joined(values: Sequence[memoryview]) -> Iterator[bytes | memoryview]:
    """Yield the values, small ones joined: NumPy takes as long to begin as for some hundred rows."""
    few, size = [], 0
    for value in values:
        few.append(value)
        size += len(value)
        if size >= _TOGETHER:
            yield few[0] if len(few) == 1 else b"".join(few)
            few, size = [], 0
    yield b"".join(few)


def row_of(columns: Sequence[Column], values: Sequence[sql.Composable]) -> sql.Composable:
    """Return what makes the bytes of a row: those of its values in the COPY format, one after the other."""
    return sql.SQL(" || ").join(
        sql.SQL("{}({})").format(sql.Identifier(_SEND.get(column.kind, f"{column.kind}send")), value)
        for column, value in zip(columns, values, strict=True)
    )


def _form(columns: Sequence[Column]) -> np.dtype[Any]:
    return np.dtype([(column.name, WIRE[column.kind]) for column in columns])


def _received(link: PGconn, query: bytes) -> tuple[bytes, int]:
    """Return the packed rows of a query and their count, waited for in ``poll``: a signal interrupts it."""
    link.send_query_params(query, [], result_format=BINARY)
    row = Row(finished(link))
    return row.bytes(0), row.number(1) or 0
