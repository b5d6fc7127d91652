"""Rows within spans of keys, one span after the other, each by one range of an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, select_list, value_or_stand_in
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of
from condvest.batch_layer.database.postgres.reading.packed import MOST_ROWS, read_groups, read_out, row_of
from condvest.batch_layer.shared.models.spans import Spans

FEWEST_A_SPAN = 16
"""Keys in a span, on average, from which on its rows are packed: COPY sends a message for each row else."""

_SPANS = sql.SQL(
    "unnest(%(instrument_id)s::int4[], %(first)s::int4[], %(last)s::int4[]) "
    "WITH ORDINALITY AS span (instrument_id, first, last, number)"
)
_ROWS = sql.SQL(
    "SELECT {columns} FROM {spans} CROSS JOIN LATERAL ({rows} OFFSET 0) AS {table} "
    "ORDER BY span.number, {table}.{key}"
)
"""OFFSET 0 keeps the planner from merging the inner query: so each span is one index range, whatever the
statistics of the table say.
"""

_GROUPS = sql.SQL(
    "SELECT number, packed FROM {spans} CROSS JOIN LATERAL (SELECT string_agg({row}, '') AS packed "
    "FROM (SELECT * FROM ({rows}) AS of_span ORDER BY {key} OFFSET 0) AS {table}) AS packed_span "
    "WHERE packed IS NOT NULL"
)
"""Without an order of the whole: to sort a market's packed rows the server would write them to its disk."""


def read_each_span(
    connection: Connection,
    table: str,
    rows: sql.Composable,
    columns: Sequence[Column],
    spans: Spans,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Return the rows within spans, in the spans' order and by key within each.

    Args:
        connection: in a transaction.
        table: what the columns are of; so the rows of a span are named here.
        rows: the query of the rows of one ``span``, of which it names instrument_id, first and last.
        columns: of the rows; the second is the key within an instrument.
        spans: must not overlap.
        parameters: values for the ``%(name)s`` of ``rows``.
    """
    named = {
        "spans": _SPANS,
        "rows": rows,
        "table": sql.Identifier(table),
        "key": sql.Identifier(columns[1].name),
    }
    given = {name: array_of(values) for name, values in vars(spans).items()} | dict(parameters or {})
    most = spans.size()
    if most > MOST_ROWS and most >= FEWEST_A_SPAN * len(spans):
        row = row_of(columns, [value_or_stand_in(column, table) for column in columns])
        return read_groups(connection, _GROUPS.format(**named, row=row), columns, given)
    query = _ROWS.format(**named, columns=select_list(columns, table))
    return read_out(connection, query, columns, given, most)
