"""A year of nights: what the stored bars take, beside the same rows in tables without room.

A market of 1,000 instruments, so that 250 nights take minutes; every night stores the open bar of each
instrument and interval as resampling does, into tables that are empty at first. A table is vacuumed when a
fifth of its rows are dead, as autovacuum would between two nights. ``rows`` are the bars in the end,
``seconds`` the storing of all nights, and the ratio is that of the bytes of tables and keys.
"""

import time

import numpy as np
import psycopg

from benchmarks.report import Figure
from benchmarks.stored import workspace
from condvest.batch_layer.database.stores.bars.stored import put_bars
from condvest.batch_layer.shared.models.bars import Bars
from condvest.batch_layer.shared.settings import INTERVALS

OURS = "condvest, bytes"
DENSE = "the same rows, dense, bytes"
NIGHTS = 250
MARKET = 1_000
FIRST_ORDINAL = 13_000
TABLES = (*(f"closed_bars_{n}" for n in INTERVALS), "open_bars")
FEWEST_DEAD, DEAD_SHARE = 50, 0.2
"""Autovacuum's own thresholds."""


def run(options):
    """Yield a figure of the stored bars, and one of them dense."""
    rng = np.random.default_rng(options.seed)
    with workspace() as opened:
        parameters = dict(opened.database.url.parameters)
        with psycopg.connect(psycopg.conninfo.make_conninfo(**parameters), autocommit=True) as beside:
            seconds = sum(
                night(opened.database, beside, ordinal, rng)
                for ordinal in range(FIRST_ORDINAL, FIRST_ORDINAL + NIGHTS)
            )
            rows = count(beside, "bars")
            taken = sum(size(beside, table) for table in TABLES)
            sizes = {OURS: taken, DENSE: dense(beside)}
    for name, taken in sizes.items():
        yield Figure(
            name=name,
            rows=rows,
            seconds=round(seconds, 3),
            fastest=round(seconds, 3),
            slowest=round(seconds, 3),
            ratio=round(taken / sizes[OURS], 3),
            peak_mib=None,
            bytes_a_row=round(taken / rows, 1),
        )


def night(database, beside, ordinal, rng):
    """Store the bars of a session's windows; return the seconds."""
    start = time.perf_counter()
    with database.transaction() as connection:
        put_bars(connection, {n: open_bars(ordinal, n, rng) for n in INTERVALS})
    seconds = time.perf_counter() - start
    for table in TABLES:
        [(dead, live)] = beside.execute(
            "SELECT n_dead_tup, n_live_tup FROM pg_stat_user_tables WHERE relname = %s", (table,)
        ).fetchall()
        if dead > FEWEST_DEAD + DEAD_SHARE * live:
            beside.execute(f"VACUUM {table}")
    return seconds


def open_bars(ordinal, n, rng):
    """Return the bar of each instrument for the window that holds a session, as it is after it."""
    low = np.round(1 + 100 * rng.random(MARKET), 2)
    return Bars(
        instrument_id=np.arange(1, MARKET + 1, dtype=np.int32),
        window=np.full(MARKET, ordinal // n, dtype=np.int32),
        open=low,
        high=low + 1,
        low=low,
        close=low,
        volume=rng.integers(1, 10_000_000, MARKET).astype(np.float64),
        vwap=low,
        trades=rng.integers(1, 50_000, MARKET),
        sessions=np.full(MARKET, ordinal % n + 1, dtype=np.int16),
        is_complete=np.full(MARKET, ordinal % n == n - 1),
    )


def dense(connection):
    """Return the bytes of the same rows in tables that are full, keys too."""
    taken = 0
    for n in INTERVALS:
        connection.execute(f'CREATE TABLE dense AS SELECT * FROM bars_{n} ORDER BY instrument_id, "window"')
        connection.execute('ALTER TABLE dense ADD PRIMARY KEY ("interval", instrument_id, "window")')
        taken += size(connection, "dense")
        connection.execute("DROP TABLE dense")
    return taken


def size(connection, table):
    """Return the bytes of a table and its key."""
    [(taken,)] = connection.execute("SELECT pg_total_relation_size(%s::regclass)", (table,)).fetchall()
    return taken


def count(connection, table):
    """Return the number of rows of a table."""
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return rows
