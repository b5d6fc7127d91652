"""Columns into and out of PostgreSQL by COPY BINARY, as whole arrays.

A row of fixed-width values has a fixed width in the COPY format too, so a table is one structured array
of big-endian fields and a read is one look at a buffer. NULL has another width; rows are grouped by
which of their columns are NULL, and each group is one such array. A round trip is exact to the bit.

Format: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
"""

from __future__ import annotations

import select
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from condvest.batch_layer.database.postgres.connecting.connection import Connection

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_CHUNK_ROWS = 10_000  # a megabyte: it fits the cache, and the server stores it while the next is made
WIRE = {
    "int2": ">i2",
    "int4": ">i4",
    "int8": ">i8",
    "float8": ">f8",
    "bool": ">i1",
    "date": ">i4",
    "timestamptz": ">i8",
}
_HERE = {
    "int2": np.int16,
    "int4": np.int32,
    "int8": np.int64,
    "float8": np.float64,
    "bool": np.bool_,
    "timestamptz": np.int64,
}
_DATE_ZERO = np.datetime64("2000-01-01", "D")
_INSTANT_ZERO = np.int64(_DATE_ZERO.astype("datetime64[us]").astype(np.int64))
"""Microseconds from 1970 to PostgreSQL's zero."""
NO_INSTANT = np.iinfo(np.int64).min
"""Stands for NULL in a column of instants: PostgreSQL's own -infinity, which none of them is."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its name.
        kind: its type: int2, int4, int8, float8, bool, date (datetime64[D] here) or timestamptz (int64 here,
            microseconds since 1970-01-01 UTC).
        unknown: the value that stands for NULL in an array (NaN counts as itself), or None if the column
            is never NULL. Of a timestamptz it is NO_INSTANT.
    """

    name: str
    kind: str
    unknown: float | None = None

    def nulls(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return where ``values`` stand for NULL."""
        if self.unknown is None:
            return np.zeros(len(values), dtype=bool)
        missing: npt.NDArray[np.bool_] = (
            np.isnan(values) if self.unknown != self.unknown else values == self.unknown
        )
        return missing


def copy_in(
    connection: Connection, table: str, columns: Sequence[Column], data: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Append rows to ``table``, in the order given but for the grouping by NULLs.

    Args:
        connection: in a transaction.
        table: the table's name.
        columns: the columns to fill; the others take their defaults.
        data: one array a column name, all of one length.
    """
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), names)
    with connection.cursor().copy(query) as copy:
        copy.write(HEADER)
        for nulls, rows in _by_nulls(columns, data):
            for chunk in _wire_chunks(columns, nulls, data, rows):
                copy.write(chunk)
        copy.write(_TRAILER)


def copy_out(
    connection: Connection,
    query: LiteralString | sql.Composable,
    columns: Sequence[Column],
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Return the rows of ``query`` as one array a column.

    Args:
        connection: in a transaction.
        query: a SELECT of exactly ``columns``, in their order; it must not yield NULL (see `select_list`).
        columns: what the query yields.
        parameters: values for the query's ``%(name)s``.
    """
    body = query if isinstance(query, sql.Composable) else sql.SQL(query)
    wire = _wire_type(columns, [False] * len(columns))
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(body)
    text = psycopg.ClientCursor(connection).mogrify(copy, parameters)
    content = received(connection, text.encode())
    whole = (len(content) - len(HEADER) - len(_TRAILER)) // wire.itemsize
    rows = np.frombuffer(content, dtype=wire, offset=len(HEADER), count=whole)
    return {column.name: from_wire(column, rows[column.name]) for column in columns}


def received(connection: Connection, query: bytes) -> bytearray:
    """Return all that a COPY to the client sends, from its header to its trailer.

    By the driver's own wrapper of libpq: the server sends a message for every row, and the driver's cursor
    takes three times as long over each. It is waited for in ``poll``, which a signal interrupts: so Ctrl-C,
    SIGTERM and the deadline of a function on AWS stop a query that takes long, and one that waits for a lock.
    """
    link = connection.pgconn
    link.send_query(query)
    while link.flush():
        _wait(link, select.POLLIN | select.POLLOUT)
    content, ready = bytearray(), select.poll()
    ready.register(link.socket, select.POLLIN)
    result = _result(link)
    if result is not None and result.status == ExecStatus.COPY_OUT:
        size, block = link.get_copy_data(1)
        while size >= 0:
            if size:
                content += block
            elif ready.poll():
                link.consume_input()
            size, block = link.get_copy_data(1)
        result = _result(link)
    while result is not None and result.status == ExecStatus.COMMAND_OK:
        result = _result(link)
    if result is None:
        return content
    if result.error_field(DiagnosticField.SQLSTATE) is None:
        raise psycopg.OperationalError(link.get_error_message())
    raise psycopg.errors.error_from_result(result, encoding="utf-8")


def _result(link: PGconn) -> PGresult | None:
    while link.is_busy():
        _wait(link)
    return link.get_result()


def _wait(link: PGconn, events: int = select.POLLIN) -> None:
    """Wait until the server sends something (or takes something), and take in what it sent."""
    ready = select.poll()
    ready.register(link.socket, events)
    if any(event != select.POLLOUT for _, event in ready.poll()):
        link.consume_input()


def select_list(columns: Sequence[Column], table: str) -> sql.Composed:
    """Return the columns of ``table`` for a SELECT, the stand-in for NULL put where NULL is."""
    return sql.SQL(", ").join(value_or_stand_in(column, table) for column in columns)


def value_or_stand_in(column: Column, table: str) -> sql.Composable:
    """Return a column of ``table``, the stand-in for NULL put where NULL is."""
    value = sql.Identifier(table, column.name)
    if column.unknown is None:
        return value
    stand_in = "-infinity" if column.kind == "timestamptz" else str(column.unknown)
    return sql.SQL("coalesce({}, {}::" + column.kind + ")").format(value, sql.Literal(stand_in))


def _wire_type(columns: Sequence[Column], nulls: Sequence[bool]) -> np.dtype[Any]:
    fields: list[tuple[str, str]] = [("fields in row", ">i2")]
    for column, null in zip(columns, nulls, strict=True):
        fields.append((f"width of {column.name}", ">i4"))
        if not null:
            fields.append((column.name, WIRE[column.kind]))
    return np.dtype(fields)


def _by_nulls(
    columns: Sequence[Column], data: Mapping[str, npt.NDArray[Any]]
) -> list[tuple[list[bool], npt.NDArray[np.intp]]]:
    """Group the rows by which columns are NULL; each group's row numbers ascend."""
    pattern = np.zeros(len(data[columns[0].name]), dtype=np.int64)
    for bit, column in enumerate(columns):
        if column.unknown is not None:
            pattern |= column.nulls(data[column.name]).astype(np.int64) << bit
    return [
        ([bool(value >> bit & 1) for bit in range(len(columns))], np.flatnonzero(pattern == value))
        for value in np.unique(pattern).tolist()
    ]


def _wire_chunks(
    columns: Sequence[Column],
    nulls: Sequence[bool],
    data: Mapping[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.intp],
) -> Generator[memoryview]:
    """Yield the rows in the COPY format, some at a time, each time in the same memory."""
    wire = _wire_type(columns, nulls)
    blank = np.zeros(1, dtype=wire)
    blank["fields in row"] = len(columns)
    for column, null in zip(columns, nulls, strict=True):
        blank[f"width of {column.name}"] = -1 if null else np.dtype(WIRE[column.kind]).itemsize
    memory = np.repeat(blank, min(len(rows), _CHUNK_ROWS))
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = rows[start : start + _CHUNK_ROWS]
        first, last = int(chunk[0]), int(chunk[-1])
        where = slice(first, last + 1) if last - first + 1 == len(chunk) else chunk
        out = memory[: len(chunk)]
        for column, null in zip(columns, nulls, strict=True):
            if not null:
                out[column.name] = _to_wire(column, data[column.name][where])
        yield out.view(np.uint8).data


def empty(column: Column, count: int) -> npt.NDArray[Any]:
    """Return an array for so many values of a column, whatever they are at first."""
    return np.empty(count, dtype="datetime64[D]" if column.kind == "date" else _HERE[column.kind])


def from_wire(column: Column, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column's values, as they came in the binary format, as an array of this machine's."""
    if column.kind == "date":
        dates: npt.NDArray[Any] = _DATE_ZERO + values.astype("timedelta64[D]")
        return dates
    if column.kind == "timestamptz":
        instants: npt.NDArray[Any] = values.astype(np.int64)
        return np.where(instants == NO_INSTANT, NO_INSTANT, instants + _INSTANT_ZERO)
    return values.astype(_HERE[column.kind])


def _to_wire(column: Column, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if column.kind == "date":
        return (values - _DATE_ZERO).astype(np.int64)
    return values - _INSTANT_ZERO if column.kind == "timestamptz" else values
