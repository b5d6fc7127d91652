"""A backfill of sessions of 12,500 instruments, from the bytes of the answers, beside bare COPY.

The floor copies the same rows, ready in memory, into a table that is divided and keyed as the daily bars are,
also session by session, each in a transaction: no reading of answers, no rules, no archive, no ledger, no
looking for what is there already. The two take turns, eighty sessions (a million rows) at a time, as many as
``--rows`` says. A backfill reads answers while it stores those before: with fewer at a time, much of what is
measured would be the beginning, when nothing is there to be stored, and the end, when nothing is left to be
read; a real one has a thousand sessions between the two. A smaller run has twenty, and says less.
"""

import datetime as dt
import time
from functools import partial

import numpy as np

from benchmarks.answers import INSTRUMENTS, answer_of, body_of, session_of
from benchmarks.machine import busy, peak_memory
from benchmarks.report import Figure
from benchmarks.stored import NOW, workspace
from condvest.batch_layer.database.postgres.binary_copy import Column, copy_in
from condvest.batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES, DAILY_BARS
from condvest.batch_layer.fetching.loading.loader import MOST_AT_ONCE
from condvest.batch_layer.shared.utils.prefetch import prefetch_batches

OURS = "condvest"
FLOOR = "bare COPY"
BUSY = "limit: every core busy"
BLOCK, SMALL_BLOCK = 80, 20
LOAD = Column("load_id", "int4")


def run(options):
    """Yield a figure a contender, and one of the first and the last block: how it grows."""
    seconds, peak = {OURS: [], FLOOR: [], BUSY: []}, 0
    with workspace() as opened:
        sessions = opened.extended_sessions()
        last = sessions.last_closed(NOW)
        wanted = options.rows // INSTRUMENTS
        size = BLOCK if wanted >= BLOCK else SMALL_BLOCK
        blocks = max(1, wanted // size)
        make_floor(opened.database)
        for block in range(blocks):
            first = last + 1 - (blocks - block) * size
            bars = [session_of(ordinal, options.seed) for ordinal in range(first, first + size)]
            dates = [sessions.session(int(night.ordinal[0])) for night in bars]
            bodies = [body_of(night, date) for night, date in zip(bars, dates, strict=True)]

            loader = opened.loader(sessions)
            work = partial(peak_memory, partial(timed, load, loader, bodies, dates))
            (spent, grown), least = busy(opened.settings.home, work)
            seconds[BUSY].append(least or spent)
            seconds[OURS].append(spent)
            peak = max(peak, grown or 0)
            seconds[FLOOR].append(timed(copy, opened.database, bars))
    rows = blocks * size * INSTRUMENTS
    whole = sum(seconds[OURS])
    yield figure(OURS, rows, seconds[OURS], whole, peak)
    yield figure(FLOOR, rows, seconds[FLOOR], whole, None)
    yield figure(BUSY, rows, seconds[BUSY], whole, None)


def load(loader, bodies, dates):
    """Read and load the answers, as a backfill does."""
    answers = (
        answer_of(body, date, dt.datetime.now(dt.UTC)) for body, date in zip(bodies, dates, strict=True)
    )
    judged = (loader.read(answer.payload, answer.parsed) for answer in answers)
    for batch in prefetch_batches(judged, MOST_AT_ONCE):
        loader.load_all(batch)


def make_floor(database):
    """Make the table of the floor: as that of the daily bars, checks and keys too."""
    with database.transaction() as connection:
        connection.execute(
            "CREATE TABLE floor (LIKE daily_bars INCLUDING CONSTRAINTS) "
            f"PARTITION BY LIST ((instrument_id % {DAILY_BAR_TABLES}))"
        )
        for part in range(DAILY_BAR_TABLES):
            connection.execute(f"CREATE TABLE floor_{part} PARTITION OF floor FOR VALUES IN ({part})")
            connection.execute(f"ALTER TABLE floor_{part} ADD PRIMARY KEY (instrument_id, ordinal)")


def copy(database, sessions):
    """Copy the rows of each session, and nothing else."""
    columns = (*DAILY_BARS.columns, LOAD)
    for bars in sessions:
        data = {**vars(bars), LOAD.name: np.ones(len(bars), dtype=np.int32)}
        with database.transaction() as connection:
            copy_in(connection, "floor", columns, data)


def timed(work, *arguments):
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def figure(name, rows, seconds, whole, peak):
    """Sum the blocks up; fastest and slowest are those of a block, scaled to all of them."""
    return Figure(
        name=name,
        rows=rows,
        seconds=round(sum(seconds), 3),
        fastest=round(min(seconds) * len(seconds), 3),
        slowest=round(max(seconds) * len(seconds), 3),
        ratio=round(sum(seconds) / whole, 3),
        peak_mib=peak,
    )
