"""Service: hold the stored bars against what the daily bars say."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np

from batch_layer.database import catalog_store, changes_store
from batch_layer.database.bars_store import read_bars
from batch_layer.database.connection import Connection, Database
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
    for partition in range(changes_store.PARTITIONS):
        with database.transaction(snapshot=True, read_only=True) as connection:
            spans = changes_store.everything(connection, [partition])
            if sample is not None:
                share = -(-sample // changes_store.PARTITIONS)
                rows = random.Random(seed + partition).sample(  # noqa: S311  # a sample, not a secret
                    range(len(spans)), min(share, len(spans))
                )
                spans = spans.take(np.array(sorted(rows), dtype=np.intp))
            if len(spans):
                yield from _check(connection, sessions, spans)
        if on_progress is not None:
            on_progress(partition + 1, changes_store.PARTITIONS)


def _check(connection: Connection, sessions: Sessions, spans: Spans) -> Iterator[tuple[str, str, str]]:
    names = catalog_store.symbols_by_instrument(connection)
    waiting = changes_store.peek_changes(connection)
    for n, wanted in recomputed(connection, spans, sessions).items():
        stored = read_bars(connection, n, always(spans.instrument_id))
        found = difference(stored, wanted)
        for bars, problem in (
            (wanted.take(found.inserted), "is missing"),
            (wanted.take(found.changed), "differs from what its daily bars say"),
            (stored.take(found.gone), "has no daily bars"),
        ):
            for instrument_id, window in zip(bars.instrument_id.tolist(), bars.window.tolist(), strict=True):
                ids = np.full(n, instrument_id, dtype=np.int32)
                held = np.arange(window * n, window * n + n, dtype=np.int32)
                if not waiting.contain(ids, held).any():
                    first, last = sessions.session(window * n), sessions.session(window * n + n - 1)
                    where = f"interval {n}, window {window} ({first} to {last})"
                    yield names.get(instrument_id, str(instrument_id)), where, problem
