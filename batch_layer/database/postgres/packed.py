"""Columns out of PostgreSQL as one value: for answers of thousands of rows, not of millions.

COPY sends a message for every row, eight kilobytes at a time, and whoever reads it is woken as often; on a
busy machine that takes longer than the query. ``string_agg`` makes one value of all rows, in the memory of
the server, and sends it at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.pq.abc import PGconn

from batch_layer.database.postgres.binary_copy import WIRE, Column, copy_out, from_wire
from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.prepared import BINARY, Row, finished

MOST_ROWS = 1 << 16
"""So many rows take some five megabytes."""

_SEND = {"date": "date_send"}
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
    names = [sql.Identifier(f"column{number}") for number in range(len(columns))]
    packed = sql.SQL("SELECT string_agg({row}, '') FROM ({query}) AS given ({names})").format(
        row=sql.SQL(" || ").join(
            sql.SQL("{}({})").format(sql.Identifier(_SEND.get(column.kind, f"{column.kind}send")), name)
            for column, name in zip(columns, names, strict=True)
        ),
        query=query,
        names=sql.SQL(", ").join(names),
    )
    text = psycopg.ClientCursor(connection).mogrify(packed, parameters)
    form = np.dtype([(column.name, WIRE[column.kind]) for column in columns])
    rows = np.frombuffer(_received(connection.pgconn, text.encode()), form)
    return {column.name: from_wire(column, rows[column.name]) for column in columns}


def _received(link: PGconn, query: bytes) -> bytes:
    """Return the one value of a query, waited for in ``poll`` as by `copy_out`: a signal interrupts it."""
    link.send_query_params(query, [], result_format=BINARY)
    return Row(finished(link)).bytes(0)
