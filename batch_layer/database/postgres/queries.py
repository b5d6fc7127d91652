"""Small queries with typed answers, and arrays as their parameters.

Whole columns of a table go through `binary_copy`; these are for answers of a few rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, LiteralString

import numpy.typing as npt
from psycopg import sql
from psycopg.rows import dict_row, scalar_row

from condvest.batch_layer.database.postgres.connecting.connection import Connection

Query = LiteralString | sql.Composable
Parameters = Sequence[Any] | Mapping[str, Any] | None


_AT_ONCE = 5_000
"""Rows that `streamed` has in memory."""

_numbers = itertools.count()
"""Of the cursors of `streamed`, of which a transaction may hold several."""


def number(connection: Connection, query: Query, parameters: Parameters = None) -> int:
    """Return the integer that a query of one row and one column yields.

    Raises:
        LookupError: the query yields no row.
        TypeError: it yields NULL.
    """
    return int(_only_value(connection, query, parameters))


def holds(connection: Connection, query: Query, parameters: Parameters = None) -> bool:
    """Return the answer of a query of one row and one bool column; NULL counts as false.

    Raises:
        LookupError: the query yields no row.
    """
    return bool(_only_value(connection, query, parameters))


def rows(connection: Connection, query: Query, parameters: Parameters = None) -> list[tuple[Any, ...]]:
    """Return all rows, in the query's order, with the types that the driver gives each column."""
    return connection.execute(_composed(query), parameters).fetchall()


def column(connection: Connection, query: Query, parameters: Parameters = None) -> list[Any]:
    """Return the values of a query of one column, in the query's order."""
    return connection.cursor(row_factory=scalar_row).execute(_composed(query), parameters).fetchall()


def records(connection: Connection, query: Query, parameters: Parameters = None) -> list[dict[str, Any]]:
    """Return all rows, in the query's order, each as a dict by column name."""
    return connection.cursor(row_factory=dict_row).execute(_composed(query), parameters).fetchall()


def streamed(
    connection: Connection, query: Query, parameters: Parameters = None
) -> Generator[dict[str, Any]]:
    """Yield all rows as `records` does, of which no more than some thousand are in memory at a time.

    The connection has to stay in its transaction until the last one.
    """
    # The driver's own cursors of this kind warn when the connection is lost while they are open.
    name = sql.Identifier(f"streamed_{next(_numbers)}")
    cursor = connection.cursor(row_factory=dict_row)
    text = sql.SQL(query) if isinstance(query, str) else query
    cursor.execute(sql.SQL("DECLARE {} NO SCROLL CURSOR FOR {}").format(name, text), parameters)
    fetch = sql.SQL("FETCH {} FROM {}").format(sql.Literal(_AT_ONCE), name)
    while rows := cursor.execute(fetch).fetchall():
        yield from rows
    cursor.execute(sql.SQL("CLOSE {}").format(name))


def array_of(values: npt.NDArray[Any]) -> str:
    """Return integers, booleans or dates (datetime64[D]) as the text of a PostgreSQL array.

    The driver adapts a list element by element; for the thousands of ids of a whole market, joining their
    text is ten times as fast. The query casts the parameter: ``%s::int4[]``.

    Format: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    return "{" + ",".join(map(str, values.tolist())) + "}"


def array_of_texts(values: Iterable[str]) -> str:
    """Return strings as the text of a PostgreSQL array; the query casts it: ``%s::text[]``."""
    given = list(values)
    everything = "".join(given)
    if '"' in everything or "\\" in everything:
        given = [value.replace("\\", "\\\\").replace('"', '\\"') for value in given]
    return '{"' + '","'.join(given) + '"}' if given else "{}"


def _only_value(connection: Connection, query: Query, parameters: Parameters) -> Any:  # noqa: ANN401  # whatever type the column has
    values = column(connection, query, parameters)
    if not values:
        raise LookupError(f"expected one row, got none: {query!r}")
    return values[0]


def _composed(query: Query) -> LiteralString | sql.SQL | sql.Composed:
    return query if isinstance(query, (str, sql.SQL, sql.Composed)) else sql.Composed([query])
