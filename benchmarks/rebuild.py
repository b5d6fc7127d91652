"""Daily bars in PostgreSQL to the bars of six intervals in PostgreSQL, none of which is there before.

The floor computes nothing: the same daily bars read by COPY BINARY, and the same bars, ready in memory,
written by COPY BINARY into the same tables. The rival is the SQL that an expert would write. All start with
empty tables of bars, and the daily bars lie as nights bring them, session by session.
"""

from dataclasses import fields

import numpy as np
from psycopg import sql

from benchmarks.core import market
from benchmarks.machine import peak_memory
from benchmarks.report import figures, in_turns
from benchmarks.stored import store, workspace
from condvest.batch_layer.database.postgres.binary_copy import copy_out, select_list
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.database.stores.bars.stored import insert_bars, read_bars
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.models.spans import always
from condvest.batch_layer.shared.settings import INTERVALS

OURS = "condvest"
FLOOR = "floor: COPY out, COPY in"
EXPERT = "SQL of an expert"

SQL = """
INSERT INTO bars_{n} ("interval", instrument_id, "window", open, high, low, close, volume, vwap, trades,
                      sessions, is_complete)
SELECT {n}, instrument_id, "window", max(open) FILTER (WHERE number = 1), max(high), min(low),
       max(close) FILTER (WHERE number = of), sum(volume), sum(vwap * volume) / nullif(sum(volume), 0),
       sum(trades)::int8, max(of)::int2, "window" * {n} + {n} - 1 <= (SELECT max(ordinal) FROM ledger)
FROM (SELECT *, ordinal / {n} AS "window", row_number() OVER bar AS number, count(*) OVER whole AS of
      FROM daily_bars
      WINDOW bar AS (PARTITION BY instrument_id, ordinal / {n} ORDER BY ordinal),
             whole AS (PARTITION BY instrument_id, ordinal / {n})) AS numbered
GROUP BY instrument_id, "window"
"""


def run(options):
    """Yield a figure a contender."""
    daily = market(options.rows, options.seed)
    with workspace() as opened:
        database = opened.database
        store(database, daily)
        ids = np.unique(daily.instrument_id) + np.int32(1)
        del daily

        def emptied():
            with database.transaction() as connection:
                connection.execute("TRUNCATE bars")

        _, peak = peak_memory(lambda: resample(database, opened.sessions))
        expected = answer(database, ids)
        emptied()
        expert(database)
        agree(expected, answer(database, ids))
        work = {
            OURS: lambda: resample(database, opened.sessions),
            FLOOR: lambda: floor(database, expected),
            EXPERT: lambda: expert(database),
        }
        seconds = in_turns(work, min(options.repeats, 3), prepare=emptied)
    yield from figures(seconds, {OURS: peak}, options.rows, OURS)


def answer(database, ids):
    """Return the stored bars of every interval."""
    with database.transaction() as connection:
        return {n: read_bars(connection, n, always(ids)) for n in INTERVALS}


def floor(database, bars):
    """Read all daily bars and write all bars."""
    with database.transaction() as connection:
        columns = select_list(DAILY_BARS.columns, DAILY_BARS.name)
        copy_out(connection, sql.SQL("SELECT {} FROM daily_bars").format(columns), DAILY_BARS.columns)
        for n, of_interval in bars.items():
            insert_bars(connection, n, of_interval)


def expert(database):
    """Let the server do it all, with memory enough to sort in."""
    with database.transaction() as connection:
        connection.execute("SET LOCAL work_mem = '256MB'")
        for n in INTERVALS:
            connection.execute(SQL.format(n=n))


def agree(expected, other):
    """Check that two answers are the same; means of prices may differ in the last bits."""
    for n in INTERVALS:
        for field in fields(expected[n]):
            np.testing.assert_allclose(
                getattr(other[n], field.name).astype(float),
                getattr(expected[n], field.name).astype(float),
                rtol=1e-12 if field.name == "vwap" else 0,
                err_msg=f"{n} {field.name}",
            )
