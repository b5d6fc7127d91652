"""Publishing again: with nothing new, and with one session more of a market that was published.

1,000 instruments, their sessions over years as ``--rows`` gives. Beside each stands the same with a check of
everything, rows and files, which is what each publication did before it knew where something was stored.
"""

import datetime as dt
import tempfile
import time
from dataclasses import fields
from pathlib import Path

import numpy as np

from benchmarks.answers import answer_of, body_of, session_of
from benchmarks.report import figures
from benchmarks.stored import NOW, store, workspace
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.models.bars import DailyBars

INSTRUMENTS = 1_000
MOST_ROUNDS = 5


def run(options):
    """Yield the figures of publications that change nothing, then of those with a session more."""
    rounds = min(options.repeats, MOST_ROUNDS)
    with workspace() as opened, tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder:
        sessions, target = opened.extended_sessions(), DirectoryTarget(Path(folder))
        first = sessions.last_closed(NOW) - 2 * rounds + 1
        store(opened.database, history(first, max(1, options.rows // INSTRUMENTS), options.seed))
        resample(opened.database, sessions)
        with opened.database.transaction() as connection:
            connection.execute("ANALYZE")
        published(opened, sessions, target)
        seconds = {name: [] for name in ("nothing new", "nothing new, checked")}
        for _ in range(rounds):
            for name, check in zip(seconds, (False, True), strict=True):
                seconds[name].append(published(opened, sessions, target, check=check))
        yield from figures(seconds, {}, options.rows, "nothing new")
        seconds = {name: [] for name in ("a session more", "a session more, checked")}
        for at in range(rounds):
            for more, (name, check) in enumerate(zip(seconds, (False, True), strict=True)):
                load_session(opened, sessions, first + 2 * at + more, options.seed)
                seconds[name].append(published(opened, sessions, target, check=check))
        yield from figures(seconds, {}, options.rows, "a session more")


def published(opened, sessions, target, **how):
    """Publish; return the seconds."""
    start = time.perf_counter()
    publish(opened.database, sessions, target, NOW, **how)
    return time.perf_counter() - start


def history(end, sessions, seed):
    """Return the daily bars of so many sessions before an ordinal."""
    parts = [few(ordinal, seed) for ordinal in range(end - sessions, end)]
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(DailyBars)
    }
    return DailyBars(**columns)


def few(ordinal, seed):
    """Return the daily bars of a session."""
    return session_of(ordinal, seed).take(np.arange(INSTRUMENTS))


def load_session(opened, sessions, ordinal, seed):
    """Load a session from the bytes of its answer, and resample."""
    date = sessions.session(ordinal)
    answer = answer_of(body_of(few(ordinal, seed), date), date, dt.datetime.now(dt.UTC))
    loader = opened.loader(sessions)
    loader.load_all([loader.read(answer.payload, answer.parsed)])
    resample(opened.database, sessions)
