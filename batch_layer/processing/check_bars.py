"""Service: hold the stored bars against what the daily bars say."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np

from batch_layer.database.postgres.connection import Connection, Database
from batch_layer.database.stores import changes
from batch_layer.database.stores.bars import read_bars
from batch_layer.database.stores.symbols import symbols_by_instrument
from batch_layer.processing.resample import recomputed
from batch_layer.shared.models.difference import difference
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans, always


def check_bars(
    database: Database,
    sessions: Sessions,
    sample: int | None,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[str, str, str]]:
    """Yield (symbol, where, problem) of each stored bar that is not what its daily bars say.

    Bars that recorded changes wait for are left out: they are known to be behind.

    Args:
        database: where the bars are; nothing is stored.
        sessions: the calendar.
        sample: how many instruments to look at, chosen at random; all if None.
        seed: makes the choice repeatable.
        on_progress: called with how many partitions are done, of how many.
    """
    with database.transaction(read_only=True) as connection:
        ids = changes.everything(connection, range(changes.PARTITIONS)).instrument_id.tolist()
    if sample is not None and sample < len(ids):
        ids = random.Random(seed).sample(ids, sample)  # noqa: S311  # a sample, not a secret
    partitions = sorted({one % changes.PARTITIONS for one in ids})
    for done, partition in enumerate(partitions, start=1):
        with database.transaction(snapshot=True, read_only=True) as connection:
            spans = changes.everything(connection, [partition])
            spans = spans.take(np.isin(spans.instrument_id, ids))
            if len(spans):
                yield from _check(connection, sessions, spans)
        if on_progress is not None:
            on_progress(done, len(partitions))


def _check(connection: Connection, sessions: Sessions, spans: Spans) -> Iterator[tuple[str, str, str]]:
    names = symbols_by_instrument(connection)
    waiting = changes.peek_changes(connection)
    for n, wanted in recomputed(connection, spans, sessions).items():
        stored = read_bars(connection, n, always(spans.instrument_id))
        found = difference(stored, wanted)
        for bars, problem in (
            (wanted.take(found.inserted), "is missing"),
            (wanted.take(found.changed), "differs from what its daily bars say"),
            (stored.take(found.gone), "has no daily bars"),
        ):
            for instrument_id, window in zip(bars.instrument_id.tolist(), bars.window.tolist(), strict=True):
                if not _is_waiting(waiting, instrument_id, sessions, range(window * n, window * n + n)):
                    where = f"interval {n}, window {window}{_dates(sessions, window * n, n)}"
                    yield names.get(instrument_id, str(instrument_id)), where, problem


def _is_waiting(waiting: Spans, instrument_id: int, sessions: Sessions, ordinals: range) -> bool:
    """Return whether a record waits that touches a window; nothing does beyond the calendar."""
    last = sessions.last_ordinal
    held = np.array([one for one in ordinals if sessions.first_ordinal <= one <= last], dtype=np.int32)
    return bool(waiting.contain(np.full(len(held), instrument_id, dtype=np.int32), held).any())


def _dates(sessions: Sessions, ordinal: int, n: int) -> str:
    """Return the first and last session of a window in words; none where it lies beyond the calendar."""
    if ordinal < sessions.first_ordinal or ordinal + n - 1 > sessions.last_ordinal:
        return ""
    return f" ({sessions.session(ordinal)} to {sessions.session(ordinal + n - 1)})"
