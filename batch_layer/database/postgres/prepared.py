"""Questions that are one prepared statement, which answers with one row of arrays.

A statement outside a transaction sees one state of the database, so it needs no BEGIN and no COMMIT: one
round trip. ``array_agg`` makes one value of a column, so nothing is done per row, on either side. Prepared,
it is planned a few times per connection instead of at each call.

Formats: https://www.postgresql.org/docs/current/protocol-message-formats.html and, of arrays,
https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/arrayfuncs.c (array_send).
"""

from __future__ import annotations

import datetime as dt
import select
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database

BINARY = 1
_ARRAY_HEADER = 20
"""Bytes before the elements of an array of one dimension: dimensions, nulls, type, length, first index."""

_WIRE = {"int2": ">i2", "int4": ">i4", "int8": ">i8", "float8": ">f8", "bool": ">i1", "date": ">i4"}
_ELEMENT = {kind: np.dtype([("width", ">i4"), ("value", wire)]) for kind, wire in _WIRE.items()}
_HERE = {kind: np.dtype(wire).newbyteorder("=") for kind, wire in _WIRE.items()} | {
    "bool": np.dtype(np.bool_)
}
DATE_ZERO = dt.date(2000, 1, 1)
"""The date that PostgreSQL writes as 0."""

_NOT_PREPARED = (
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.DuplicatePreparedStatement,
    psycopg.errors.FeatureNotSupported,
)
"""Something else took the statement from the session (DISCARD ALL), or a table has other columns now."""

_prepared: WeakKeyDictionary[Connection, set[bytes]] = WeakKeyDictionary()
"""The names of the statements that each connection has prepared."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A SELECT that yields exactly one row.

    Attributes:
        name: one text per name and connection.
        text: with the parameters $1, $2, ...
        parameters: their values, as PostgreSQL writes them.
    """

    name: str
    text: str
    parameters: Sequence[bytes] = ()


class Row:
    """The one row of a statement's answer, its values in the order of the SELECT."""

    def __init__(self, result: PGresult) -> None:
        self._result = result

    def number(self, column: int) -> int | None:
        """Return an integer, a bool as 0 or 1, or a date as its days since 2000-01-01; None if it is NULL."""
        value = self._result.get_value(0, column)
        return None if value is None else int.from_bytes(value, "big", signed=True)

    def bytes(self, column: int) -> bytes:
        """Return a bytea; empty if it is NULL."""
        return self._result.get_value(0, column) or b""

    def array(self, column: int, kind: str) -> npt.NDArray[Any]:
        """Return an array of one dimension without NULLs, in this machine's byte order; empty if it is NULL.

        Args:
            column: of the SELECT.
            kind: the type of the elements: int2, int4, int8, float8, bool or date (datetime64[D] here).
        """
        value = self._result.get_value(0, column)
        if value is None:
            return np.empty(0, "datetime64[D]" if kind == "date" else _HERE[kind])
        # Copied in any case: what PostgreSQL sends is big-endian, and not aligned.
        elements = np.frombuffer(value, _ELEMENT[kind], offset=_ARRAY_HEADER)["value"].astype(_HERE[kind])
        return np.datetime64(DATE_ZERO) + elements if kind == "date" else elements

    def records(self, column: int, kind: np.dtype[Any]) -> list[npt.NDArray[Any]]:
        """Return the fields of records that follow each other in a bytea, in this machine's byte order.

        Args:
            column: of the SELECT; NULL is no record.
            kind: of a record, big-endian and without gaps.
        """
        records = np.frombuffer(self.bytes(column), kind)
        return [records[name].astype(kind[name].newbyteorder("=")) for name in kind.names or ()]


def ask(database: Database, statement: Statement) -> Row:
    """Return the row of a statement.

    Args:
        database: not in a transaction.
        statement: what is asked.

    Raises:
        DatabaseUnavailable: no server answers, or the connection was lost.
        DatabaseError: the server refused.
    """
    with database.idle() as connection:
        # A pooler may hand what is prepared to others; a statement without a name ends with the call.
        if not database.is_pooled:
            try:
                return Row(_prepared_answer(connection, statement))
            except _NOT_PREPARED:
                _prepared.pop(connection, None)
        connection.pgconn.send_query_params(
            statement.text.encode(), statement.parameters, result_format=BINARY
        )
        return Row(finished(connection.pgconn))


def _prepared_answer(connection: Connection, statement: Statement) -> PGresult:
    """Return the answer of a statement that the connection prepares when it is asked for the first time."""
    link, known, name = connection.pgconn, _prepared.setdefault(connection, set()), statement.name.encode()
    if name not in known:
        link.send_prepare(name, statement.text.encode())
        finished(link)
        known.add(name)
    link.send_query_prepared(name, statement.parameters, result_format=BINARY)
    return finished(link)


def finished(link: PGconn) -> PGresult:
    """Wait for the answer to what was sent, and return it.

    In ``poll``, which a signal interrupts: so Ctrl-C and SIGTERM end a wait for the server.
    """
    ready = select.poll()
    ready.register(link.socket, select.POLLIN | select.POLLOUT)
    while link.flush():
        if any(event != select.POLLOUT for _, event in ready.poll()):
            link.consume_input()
    ready.modify(link.socket, select.POLLIN)
    last = None
    while True:
        while link.is_busy():
            ready.poll()
            link.consume_input()
        result = link.get_result()
        if result is None:
            break
        last = last if last is not None and last.status == ExecStatus.FATAL_ERROR else result
    if last is None:
        raise psycopg.OperationalError(link.get_error_message())
    if last.status == ExecStatus.FATAL_ERROR:
        if last.error_field(DiagnosticField.SQLSTATE) is None:
            raise psycopg.OperationalError(link.get_error_message())
        raise psycopg.errors.error_from_result(last, encoding="utf-8")
    return last
