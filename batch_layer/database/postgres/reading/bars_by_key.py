"""A few windows of many instruments, read by one walk along the key.

A look for each instrument by a query of its own, as few instruments are read, takes the server half as long
again: it begins anew for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of
from condvest.batch_layer.database.postgres.reading.packed import MOST_ROWS, read_out
from condvest.batch_layer.shared.models.bars import Bars
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.spans import Spans

FEWEST_SPANS = 500
"""Fewer than these are read one by one; it takes no time."""

_SKIPS_FROM = 180000
"""The server's version from which on it walks a key of (interval, instrument, window) by the window alone."""

_MOST = 1 << 20
"""Of so many instrument ids at most, used or not, every bar is read by that walk."""


def is_worth_it(spans: Spans) -> bool:
    """Return whether the spans are many, of the same few windows, one an instrument."""
    if len(spans) < FEWEST_SPANS or spans.size() > MOST_ROWS:
        return False
    is_same = (spans.first == spans.first[0]).all() and (spans.last == spans.last[0]).all()
    return bool(is_same) and len(np.unique(spans.instrument_id)) == len(spans)


def read(connection: Connection, table: str, interval: int, columns: Sequence[Column], spans: Spans) -> Bars:
    """Return the bars within spans that are worth it, in the spans' order.

    Args:
        connection: in a transaction.
        table: the table of the interval's bars.
        interval: sessions per bar.
        columns: of a bar.
        spans: see `is_worth_it`.
    """
    highest = int(spans.instrument_id.max())
    first, last = int(spans.first[0]), int(spans.last[0])
    is_nearly_all = 2 * len(spans) > highest and highest <= _MOST
    is_walk = is_nearly_all and connection.info.server_version >= _SKIPS_FROM
    ids = None if is_walk else array_of(np.sort(spans.instrument_id))
    query = sql.SQL(
        'SELECT {columns} FROM {table} WHERE "interval" = {interval} '
        'AND "window" BETWEEN %(first)s AND %(last)s AND {chosen}'
    ).format(
        columns=select_list(columns, table),
        table=sql.Identifier(table),
        interval=sql.Literal(interval),
        chosen=sql.SQL("true" if is_walk else "instrument_id = ANY(%(ids)s::int4[])"),
    )
    parameters = {"first": first, "last": last, "ids": ids}
    most = highest * (last - first + 1) if is_walk else spans.size()
    with _by_key_alone(connection):
        bars = Bars(**read_out(connection, query, tuple(columns), parameters, most))
    rank = np.full(max(highest, int(bars.instrument_id.max(initial=0))) + 1, -1, dtype=np.int32)
    rank[spans.instrument_id] = np.arange(len(spans), dtype=np.int32)
    own = rank[bars.instrument_id]
    rows = np.flatnonzero(own >= 0)
    return bars.take(rows[np.argsort(pack(own[rows], bars.window[rows]), kind="stable")])


@contextmanager
def _by_key_alone(connection: Connection) -> Iterator[None]:
    """Let the server choose neither to read a whole table nor to have others help it: it overrates a key."""
    connection.execute(
        "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), "
        "set_config('max_parallel_workers_per_gather', '0', true)"
    )
    yield
    connection.execute(
        "SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_bitmapscan TO DEFAULT; "
        "SET LOCAL max_parallel_workers_per_gather TO DEFAULT"
    )
