"""Service: build the bars of a whole history at once, where none are stored yet.

The daily bars are read table by table as they lie, folded, and written into new tables that get their keys
when they are full; then these are put in the place of the empty ones. It is done in one transaction, and
while one part is folded and written, the next is read on a connection of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import numpy as np

from batch_layer.database.postgres import range_read
from batch_layer.database.postgres.connection import Connection, Database
from batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES, DAILY_BARS, SPLITS
from batch_layer.database.stores import bars_rebuilt, changes
from batch_layer.database.stores.ledger import read_coverage, rows_loaded
from batch_layer.shared.core.folding import fold_all
from batch_layer.shared.errors import DatabaseError, TransientError
from batch_layer.shared.models.bars import DailyBars
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import always
from batch_layer.shared.settings import INTERVALS

FEWEST = 500_000
"""With fewer daily bars than these a build gains nothing over storing the bars one window after the other."""

ROWS_A_PART = 1_000_000
"""Daily bars that are read at a time, about: two such parts are in memory at once."""


def is_worth_it(database: Database) -> bool:
    """Return whether there is a whole history to build, and no bar stored that readers would miss."""
    with database.transaction(read_only=True) as connection:
        return rows_loaded(connection) >= FEWEST and bars_rebuilt.may_build(connection)


def build(
    database: Database, sessions: Sessions, on_progress: Callable[[int, int], None] | None = None
) -> dict[int, int]:
    """Build all bars and take the records of what changed; return how many bars, by interval.

    The caller holds the lock of every partition. Loads may go on: what they store is recorded as changed,
    and for the next resampling.

    Args:
        database: where the bars are.
        sessions: the calendar.
        on_progress: called with how many parts are done, of how many.
    """
    built = dict.fromkeys(INTERVALS, 0)
    with database.transaction(snapshot=True) as connection, database.another() as beside:
        # The reader's snapshot is the later one: it holds all that these records speak of.
        changes.take_changes(connection, range(changes.PARTITIONS))
        bars_rebuilt.create(connection, INTERVALS)
        with beside.transaction(snapshot=True, read_only=True) as reading:
            parts = _parts(rows_loaded(reading))
            coverage = read_coverage(reading)
            splits = SPLITS.read(reading, always(coverage.instrument_id)).on(sessions)
            # Whatever happens, the thread that reads has ended before its connection is closed.
            with closing(_read_ahead(reading, parts)) as coming:
                for done, daily in enumerate(coming, start=1):
                    held = np.isin(splits.instrument_id, daily.instrument_id)
                    bars = fold_all(daily, INTERVALS, splits=splits.take(held), coverage=coverage)
                    for n, of_interval in bars.items():
                        bars_rebuilt.append(connection, n, of_interval)
                        built[n] += len(of_interval)
                    if on_progress is not None:
                        on_progress(done, parts)
        with ThreadPoolExecutor(1) as pool:
            # The first night needs it, and here it can be done beside something else.
            summarized = pool.submit(range_read.summarize, beside, DAILY_BARS.name)
            try:
                for n in INTERVALS:
                    bars_rebuilt.make_key(connection, n)
            except BaseException:
                beside.interrupt()
                raise
            with suppress(DatabaseError, TransientError):  # then the next resampling of much does it
                summarized.result()
        bars_rebuilt.switch(connection, INTERVALS)
    return built


def _parts(rows: int) -> int:
    """Return into how many parts so many daily bars are divided: a multiple of their tables."""
    parts = DAILY_BAR_TABLES
    while rows > parts * ROWS_A_PART and parts < changes.PARTITIONS:
        parts *= 2
    return parts


def _read_ahead(connection: Connection, parts: int) -> Generator[DailyBars]:
    """Yield the daily bars, a part of the instruments after the other; one is read while one is in use."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(DAILY_BARS.read_part, connection, parts, 0)
        for part in range(1, parts + 1):
            daily = coming.result()
            if part < parts:
                coming = pool.submit(DAILY_BARS.read_part, connection, parts, part)
            yield daily
