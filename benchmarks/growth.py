"""How load and rebuild grow with what is stored, up to ``--rows`` daily bars of 12,500 instruments.

Sessions are loaded from the bytes of their answers, as a backfill does, the oldest first. When 1, 4, 16 ...
million daily bars are stored, and at the end, the seconds of the last million count for load; then all bars
are built from nothing, and their seconds a million daily bars count for rebuild. So each figure is of a
million rows, and "times" says how it has grown since the first.
"""

import numpy as np

from benchmarks.answers import INSTRUMENTS, body_of, session_of
from benchmarks.load import load, timed
from benchmarks.machine import peak_memory
from benchmarks.report import Figure
from benchmarks.stored import NOW, workspace
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.settings import INTERVALS

MILLION = 1_000_000
BLOCK = MILLION // INSTRUMENTS
"""Sessions that hold a million daily bars."""


def run(options):
    """Yield a figure of load and one of rebuild at each size."""
    total = max(1, round(options.rows / MILLION))
    sizes = sorted({*(size for size in 4 ** np.arange(8) if size < total), total})
    first_of = {}
    with workspace() as opened:
        sessions = opened.extended_sessions()
        start = sessions.last_closed(NOW) + 1 - total * BLOCK
        for block in range(1, total + 1):
            seconds = timed(load, opened.loader(sessions), *answers(sessions, start, options.seed))
            start += BLOCK
            if block in sizes:
                yield figure(f"load to {block} M", seconds, first_of.setdefault("load", seconds), None)
                seconds, peak = rebuilt(opened)
                seconds /= block
                yield figure(f"rebuild of {block} M", seconds, first_of.setdefault("rebuild", seconds), peak)


def answers(sessions, start, seed):
    """Return the bodies and the dates of a block of sessions."""
    bars = [session_of(ordinal, seed) for ordinal in range(start, start + BLOCK)]
    dates = [sessions.session(int(night.ordinal[0])) for night in bars]
    return [body_of(night, date) for night, date in zip(bars, dates, strict=True)], dates


def rebuilt(opened):
    """Return the seconds that building all bars takes, and the peak memory."""
    with opened.database.transaction() as connection:
        connection.execute("TRUNCATE bars")
    done = []
    seconds, peak = peak_memory(
        lambda: timed(lambda: done.append(resample(opened.database, opened.sessions)))
    )
    if min(done[0].windows[n] for n in INTERVALS) < INSTRUMENTS:
        raise AssertionError(f"{done[0].windows} bars were built")
    return seconds, peak


def figure(name, seconds, first, peak):
    """Return the figure of a million rows."""
    return Figure(
        name=name,
        rows=MILLION,
        seconds=round(seconds, 3),
        fastest=round(seconds, 3),
        slowest=round(seconds, 3),
        ratio=round(seconds / first, 3),
        peak_mib=peak,
    )
