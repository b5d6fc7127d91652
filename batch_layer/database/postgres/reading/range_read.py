"""Reading the spans of many instruments as one range of a table.

Nights bring daily bars session by session, so the last sessions of a whole market lie side by side: read as
one range, found by the index of page ranges, they cost a third of what they cost one instrument after the
other. Where a file brought whole histories, though, every page holds every session. PostgreSQL's estimate
tells which is so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column
from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.connecting.waiting import undone_if_locked
from condvest.batch_layer.database.postgres.reading.packed import read_out
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.spans import Spans

_PATIENCE = "200ms"
"""How long a vacuum of one of the tables is waited for; it does the same work itself."""

FEWEST_SPANS = 500
"""Fewer than these are read one by one; it takes no time."""

COST_A_SPAN, COST_A_ROW = 8.0, 1.0
"""What a look at the key and a row behind it cost, in PostgreSQL's units.

Measured: 3.6 and 0.7 microseconds, where a range of 69,000 units took 20 milliseconds without the sending.
"""


def summarize(database: Database, table: str) -> None:
    """Bring the index of page ranges of a divided table up to what was stored since.

    A range that the index does not know is read whatever is looked for. Autovacuum adds them too, where the
    server runs all day; this does, in a transaction of its own, where the table is the present user's.
    """
    with database.transaction() as connection, undone_if_locked(connection, _PATIENCE):
        connection.execute(
            "SELECT brin_summarize_new_values(indexrelid) FROM pg_inherits "
            "JOIN pg_index ON indrelid = inhrelid JOIN pg_class ON pg_class.oid = indexrelid "
            "JOIN pg_am ON pg_am.oid = relam "
            "WHERE inhparent = %s::regclass AND amname = 'brin' AND pg_has_role(relowner, 'USAGE')",
            (table,),
        )


def may_be_range(spans: Spans) -> bool:
    """Return whether the spans are many, one an instrument, in ascending order."""
    return len(spans) >= FEWEST_SPANS and bool((np.diff(spans.instrument_id) > 0).all())


def is_cheaper(connection: Connection, queries: Sequence[sql.Composed], spans: int, rows: int) -> bool:
    """Return whether PostgreSQL thinks the query of a whole range cheaper than a look for each span.

    Args:
        connection: in a transaction.
        queries: of the range, one a table. The tables are alike, so that the first tells for all: to plan
            one query about all of them takes longer.
        spans: how many there are.
        rows: how many lie in them at most; 0 where nobody knows.
    """
    text = psycopg.ClientCursor(connection).mogrify(sql.SQL("EXPLAIN (FORMAT JSON) {}").format(queries[0]))
    [(plans,)] = connection.execute(text.encode()).fetchall()
    cost: float = plans[0]["Plan"]["Total Cost"]
    return cost * len(queries) < COST_A_SPAN * spans + COST_A_ROW * rows


def read(
    connection: Connection,
    queries: Sequence[sql.Composed],
    columns: Sequence[Column],
    spans: Spans,
    most: int,
) -> dict[str, npt.NDArray[Any]]:
    """Return the rows of a range that lie in a span, in the spans' order.

    Table by table: what one has of some weeks is one value, which all of them together are too many for.

    Args:
        connection: in a transaction.
        queries: of the range, one a table, of exactly ``columns``.
        columns: the first two are the instrument and the ordinal.
        spans: one an instrument, ascending; see `may_be_range`.
        most: rows of a table; see `read_out`.
    """
    tables = [read_out(connection, query, columns, None, most) for query in queries]
    whole = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    return in_spans(whole, spans, (columns[0].name, columns[1].name))


def most_rows(spans: Spans) -> int:
    """Return how many rows the whole range may have, about: instruments are numbered from 1."""
    return int(spans.instrument_id.max()) * (int(spans.last.max()) - int(spans.first.min()) + 1)


def in_spans(
    columns: dict[str, npt.NDArray[Any]], spans: Spans, key: tuple[str, str]
) -> dict[str, npt.NDArray[Any]]:
    """Return the rows that lie in a span, in the spans' order; ``key`` names instrument and ordinal.

    The spans are one an instrument, ascending, one at least.
    """
    instrument_id, ordinal = (columns[name].astype(np.int64) for name in key)
    rank_of = np.full(int(max(instrument_id.max(initial=0), spans.instrument_id[-1])) + 1, -1, np.int32)
    rank_of[spans.instrument_id] = np.arange(len(spans), dtype=np.int32)
    rank = rank_of[instrument_id]
    rows = np.flatnonzero(
        (rank >= 0) & (ordinal >= spans.first[rank]) & (ordinal <= spans.last[rank])  # the last span for -1
    )
    rows = rows[np.argsort(pack(instrument_id[rows], ordinal[rows]), kind="stable")]
    return {name: values.take(rows) for name, values in columns.items()}
