"""What transactions said that they altered, read for a publication and kept short; and what it adds up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, number, rows
from condvest.batch_layer.database.postgres.touched import EVERY_KEY
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.published.states import Touched

MANY = 10_000
"""Entries that `compact` leaves as they are: reading so many takes some ten milliseconds."""

REFERENCE = "reference"
"""Stands, among the data sets, for all tables that are published beside the bars."""

DAILY = "daily_bars"
"""The data set of the daily bars as they are now."""

_ENTRIES = "dataset, first, last, times, token, rows"
_ALL_TOGETHER = np.zeros(0, dtype=np.int32)
"""The starts of parts of what is not published by parts."""


def read_touched(connection: Connection) -> dict[str, Touched]:
    """Return all entries by data set; rows that nobody counted are 0 there."""
    return _by_dataset(
        rows(connection, "SELECT dataset, first, last, times, token, coalesce(rows, 0) FROM touched")
    )


def version_of(connection: Connection, dataset: str) -> str:
    """Return a text that names what the transaction sees of a data set, `REFERENCE` or a table of bars.

    Two transactions, of any databases, with the same text see the same rows there: see `Touched`.
    """
    [(times, token)] = rows(
        connection, "SELECT sum(times), bit_xor(token) FROM touched WHERE dataset = %s", (dataset,)
    )
    return f"{times}-{token}"


def rows_of(connection: Connection, tables: Sequence[str]) -> dict[str, int]:
    """Return how many rows each table of bars has.

    By what the entries say. A table with one that nobody counted is counted now: since a publication
    (see `count_again`) somebody altered it by SQL, or a version of Condvest before migration 12.
    """
    known = dict(
        rows(
            connection,
            "SELECT dataset, CASE WHEN bool_and(rows IS NOT NULL) THEN sum(rows)::int8 END FROM touched "
            "WHERE dataset = ANY(%s) GROUP BY dataset",
            (list(tables),),
        )
    )
    return {table: _number_or(connection, known.get(table), table) for table in tables}


def _number_or(connection: Connection, known: int | None, table: str) -> int:
    if known is not None:
        return known
    return number(connection, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))


def count_again(connection: Connection, tables: Sequence[str] | None = None) -> None:
    """Count the rows of tables, those with an entry that nobody counted if None, for `rows_of`.

    One statement a table sees the rows and the entries in one state; what others store meanwhile counts by
    itself. The entry that it adds leaves every state as it is.

    Args:
        connection: in a transaction that writes; nobody else calls this at the same time.
        tables: names of tables of bars.
    """
    if tables is None:
        tables = column(connection, "SELECT DISTINCT dataset FROM touched WHERE rows IS NULL")
    for table in tables:
        connection.execute(
            sql.SQL(
                "WITH counted AS (UPDATE touched SET rows = 0 WHERE dataset = %(table)s AND rows IS NULL) "
                "INSERT INTO touched (dataset, first, last, times, token, rows) "
                "SELECT %(table)s, %(first)s, %(last)s, 0, 0, "
                "(SELECT count(*) FROM {table}) - coalesce(sum(rows), 0) "
                "FROM touched WHERE dataset = %(table)s"
            ).format(table=sql.Identifier(table)),
            {"table": table, "first": EVERY_KEY[0], "last": EVERY_KEY[1]},
        )


def compact(connection: Connection, starts: Mapping[str, Int32s]) -> None:
    """Make one entry of all that reach into the same parts, if there are many.

    The states of parts stay what they are, for the count and the exclusive or do not depend on how entries
    are put together, and an entry reaches into the same parts as before. Whoever reads at the same time
    sees the entries of before, or these; entries that others add meanwhile are not seen, and stay.

    Args:
        connection: in a transaction that writes.
        starts: by data set the first ordinal or window of each part.
    """
    if number(connection, "SELECT count(*) FROM touched") <= MANY:
        return
    taken = _by_dataset(
        # What nobody counted yet came meanwhile.
        rows(connection, f"DELETE FROM touched WHERE rows IS NOT NULL RETURNING {_ENTRIES}")  # noqa: S608 - a constant
    )
    for dataset, touched in taken.items():
        merged = touched.merged(starts.get(dataset, _ALL_TOGETHER))
        columns = (merged.first, merged.last, merged.times, merged.token, merged.rows)
        connection.cursor().executemany(
            f"INSERT INTO touched ({_ENTRIES}) VALUES (%s, %s, %s, %s, %s, %s)",  # noqa: S608 - as above
            [(dataset, *entry) for entry in zip(*(values.tolist() for values in columns), strict=True)],
        )


def _by_dataset(entries: list[tuple[str, int, int, int, int, int]]) -> dict[str, Touched]:
    by_dataset: dict[str, list[list[int]]] = {}
    for dataset, *entry in entries:
        by_dataset.setdefault(dataset, []).append(entry)
    touched = {}
    for dataset, own in by_dataset.items():
        first, last, times, token, grown = np.array(own, dtype=np.int64).T
        first, last, times = (values.astype(np.int32) for values in (first, last, times))
        touched[dataset] = Touched(first, last, times, token, grown)
    return touched
