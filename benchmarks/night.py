"""One night: a session of 12,500 instruments, from the bytes of its answer to the stored bars.

``--rows`` daily bars are there before, session by session, with their bars. The floor only copies the rows
that really changed, ready in memory, into the same tables: the daily bars and one bar of each interval an
instrument. It is done just after the night, in a transaction that first removes them and is rolled back.
"""

import datetime as dt
import time
from dataclasses import fields
from functools import partial

import numpy as np

from benchmarks.answers import INSTRUMENTS, answer_of, body_of, session_of
from benchmarks.machine import busy, peak_memory
from benchmarks.report import figures
from benchmarks.stored import NOW, store, workspace
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.database.stores.bars.stored import delete_bars, insert_bars, read_bars
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.settings import INTERVALS

OURS = "condvest"
FLOOR = "floor: COPY of what changed"
BUSY = "limit: every core busy"
MOST_NIGHTS = 5


def run(options):
    """Yield a figure a contender; rows are those of a night."""
    nights = min(options.repeats, MOST_NIGHTS)
    seconds, peak = {OURS: [], FLOOR: [], BUSY: []}, 0
    with workspace() as opened:
        sessions = opened.extended_sessions()
        first = sessions.last_closed(NOW) - nights + 1
        store(opened.database, history(first, max(1, options.rows // INSTRUMENTS), options.seed))
        resample(opened.database, sessions)
        with opened.database.transaction() as connection:
            connection.execute("ANALYZE")
        for ordinal in range(first, first + nights):
            bars, date = session_of(ordinal, options.seed), sessions.session(ordinal)
            body = body_of(bars, date)
            work = partial(peak_memory, partial(night, opened, sessions, body, date))
            (spent, grown), least = busy(opened.settings.home, work)
            seconds[BUSY].append(least or spent)
            seconds[OURS].append(spent)
            seconds[FLOOR].append(floor(opened.database, bars))
            peak = max(peak, grown or 0)
    yield from figures(seconds, {OURS: peak}, INSTRUMENTS, OURS)


def history(end, sessions, seed):
    """Return the daily bars of so many sessions before an ordinal, by instrument and session."""
    parts = [session_of(ordinal, seed) for ordinal in range(end - sessions, end)]
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(DailyBars)
    }
    return DailyBars(**columns)


def night(opened, sessions, body, date):
    """Load the answer and resample; return the seconds."""
    start = time.perf_counter()
    answer = answer_of(body, date, dt.datetime.now(dt.UTC))
    loader = opened.loader(sessions)
    (loaded,) = loader.load_all([loader.read(answer.payload, answer.parsed)])
    done = resample(opened.database, sessions)
    spent = time.perf_counter() - start
    if (loaded.inserted, done.altered) != (INSTRUMENTS, len(INTERVALS) * INSTRUMENTS):
        raise AssertionError(f"{loaded.inserted} daily bars and {done.altered} bars were stored")
    return spent


def floor(database, bars):
    """Return the seconds that copying the rows of a night takes."""
    ordinal = int(bars.ordinal[0])
    with database.transaction(rehearsal=True) as connection:
        windows = {n: Spans.within(bars.instrument_id, ordinal // n, ordinal // n) for n in INTERVALS}
        changed = {n: read_bars(connection, n, windows[n]) for n in INTERVALS}
        connection.execute("DELETE FROM daily_bars WHERE ordinal = %s", (ordinal,))
        for n in INTERVALS:
            delete_bars(connection, n, changed[n])
        start = time.perf_counter()
        DAILY_BARS.insert(connection, bars, 1)
        for n in INTERVALS:
            insert_bars(connection, n, changed[n])
        return time.perf_counter() - start
