"""Service: hold the stored bars against what the daily bars say."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.parallel import side_by_side
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.bars.stored import read_bars
from condvest.batch_layer.database.stores.daily.daily_bars import number_of_parts
from condvest.batch_layer.database.stores.identity.symbols import symbols_by_instrument
from condvest.batch_layer.processing.resample import folded, recomputed
from condvest.batch_layer.shared.models.bars import Bars, Int32s
from condvest.batch_layer.shared.models.difference import difference, keys_of
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans, always

Problem = tuple[str, str, str]
"""Symbol, where, and what is wrong."""


def check_bars(
    database: Database,
    sessions: Sessions,
    sample: int | None,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Problem]:
    """Yield (symbol, where, problem) of each stored bar that is not what its daily bars say.

    Bars that recorded changes wait for are left out: they are known to be behind.

    Args:
        database: where the bars are; nothing is stored.
        sessions: the calendar.
        sample: how many instruments to look at, chosen at random; all if None.
        seed: makes the choice repeatable.
        on_progress: called with how many partitions are done, of how many.
    """
    if sample is None:
        yield from _check_all(database, sessions, on_progress)
        return
    with database.transaction(read_only=True) as connection:
        ids = changes.everything(connection, range(changes.PARTITIONS)).instrument_id.tolist()
    if sample < len(ids):
        ids = random.Random(seed).sample(ids, sample)  # noqa: S311  # a sample, not a secret
    partitions = sorted({instrument % changes.PARTITIONS for instrument in ids})
    for done, partition in enumerate(partitions, start=1):
        with database.transaction(snapshot=True, read_only=True) as connection:
            spans = changes.everything(connection, [partition])
            spans = spans.take(np.isin(spans.instrument_id, ids))
            if len(spans):
                wanted = recomputed(connection, spans, sessions)
                yield from _check(connection, sessions, spans.instrument_id, wanted)
        if on_progress is not None:
            on_progress(done, len(partitions))


def _check_all(
    database: Database, sessions: Sessions, on_progress: Callable[[int, int], None] | None
) -> Iterator[Problem]:
    """Check all instruments: their daily bars are read as they lie, part by part, and not by key."""
    with database.transaction(read_only=True) as connection:
        parts = number_of_parts(connection)

    def problems_of(own: Database, part: int) -> list[Problem]:
        with own.transaction(snapshot=True, read_only=True) as connection:
            ids = changes.everything(connection, range(part, changes.PARTITIONS, parts)).instrument_id
            if not len(ids):
                return []
            daily = DAILY_BARS.read_part(connection, parts, part)
            is_known = np.isin(daily.instrument_id, ids)
            daily = daily if is_known.all() else daily.take(is_known)
            return list(_check(connection, sessions, ids, folded(connection, daily, ids, sessions)))

    with closing(side_by_side(database, problems_of, range(parts))) as coming:
        for done, (_, problems) in enumerate(coming, start=1):
            yield from problems
            if on_progress is not None:
                on_progress(done, parts)


def _check(
    connection: Connection, sessions: Sessions, ids: Int32s, recomputed_bars: Mapping[int, Bars]
) -> Iterator[Problem]:
    """Yield where the stored bars of instruments (ascending) are not what was recomputed."""
    names = symbols_by_instrument(connection, ids)
    waiting = changes.peek_changes(connection, ids)
    for n, wanted in recomputed_bars.items():
        stored = read_bars(connection, n, always(ids))
        keys = keys_of(stored)  # in their order
        is_double = np.append(keys[1:] == keys[:-1], False)[: len(keys)]
        doubles, stored = stored.take(is_double), stored.take(~is_double)
        differences = difference(stored, wanted)
        for bars, problem in (
            (wanted.take(differences.inserted), "is missing"),
            (wanted.take(differences.changed), "differs from what its daily bars say"),
            (stored.take(differences.gone), "has no daily bars"),
            (doubles, "is stored twice"),
        ):
            for instrument_id, window in zip(bars.instrument_id.tolist(), bars.window.tolist(), strict=True):
                if not _is_waiting(waiting, instrument_id, sessions, range(window * n, window * n + n)):
                    where = f"interval {n}, window {window}{_dates(sessions, window * n, n)}"
                    yield names.get(instrument_id, str(instrument_id)), where, problem


def _is_waiting(waiting: Spans, instrument_id: int, sessions: Sessions, ordinals: range) -> bool:
    """Return whether a record waits that touches a window; nothing does beyond the calendar."""
    last = sessions.last_ordinal
    within = np.array(
        [ordinal for ordinal in ordinals if sessions.first_ordinal <= ordinal <= last], dtype=np.int32
    )
    return bool(waiting.contain(np.full(len(within), instrument_id, dtype=np.int32), within).any())


def _dates(sessions: Sessions, ordinal: int, n: int) -> str:
    """Return the first and last session of a window in words; none where it lies beyond the calendar."""
    if ordinal < sessions.first_ordinal or ordinal + n - 1 > sessions.last_ordinal:
        return ""
    return f" ({sessions.session(ordinal)} to {sessions.session(ordinal + n - 1)})"
