"""Service: build the bars of a whole history at once, where none are stored yet.

The daily bars are read table by table in storage order, folded, and written into new tables, which get their
keys when they are full and then replace the empty ones. All of it is one transaction; while the bars of one
part are written, the next is read on a second connection and folded: each takes about as long.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.reading import range_read
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS, SPLITS
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.bars import bars_rebuilt
from condvest.batch_layer.database.stores.daily.daily_bars import number_of_parts
from condvest.batch_layer.database.stores.loading.ledger import read_coverage, rows_loaded
from condvest.batch_layer.shared.core.folding import fold_all
from condvest.batch_layer.shared.errors import DatabaseError, TransientError
from condvest.batch_layer.shared.models.bars import Bars
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import always
from condvest.batch_layer.shared.settings import INTERVALS

FEWEST = 500_000
"""With fewer daily bars, a build gains nothing over storing the bars window by window."""


def is_worth_it(database: Database) -> bool:
    """Return whether there is a whole history to build, and no stored bar that readers would miss."""
    with database.transaction(read_only=True) as connection:
        return rows_loaded(connection) >= FEWEST and bars_rebuilt.may_build(connection)


def build(
    database: Database, sessions: Sessions, on_progress: Callable[[int, int], None] | None = None
) -> dict[int, int]:
    """Build all bars and take the records of what changed; return the number of bars by interval.

    The caller holds the lock of every partition. Loads may go on: what they store is recorded as changed, for
    the next resampling.

    Args:
        database: where the bars are.
        sessions: the calendar.
        on_progress: called with the number of parts done, and of all parts.
    """
    with database.transaction(snapshot=True) as connection, database.another() as other:
        # The other connection's snapshot is the later one: it holds all that these records speak of.
        changes.take_changes(connection, range(changes.PARTITIONS))
        bars_rebuilt.create(connection, INTERVALS)
        built = _fill_new_tables(connection, other, sessions, on_progress)
        _make_keys(connection, other)
        bars_rebuilt.switch(connection, built)
    return built


def _fill_new_tables(
    connection: Connection,
    other: Database,
    sessions: Sessions,
    on_progress: Callable[[int, int], None] | None,
) -> dict[int, int]:
    """Fold all daily bars, read on the other connection, into the new tables; return the bars by interval."""
    built = dict.fromkeys(INTERVALS, 0)
    with other.transaction(snapshot=True, read_only=True) as reading:
        parts = number_of_parts(reading)
        coverage = read_coverage(reading)
        splits = SPLITS.read(reading, always(coverage.instrument_id)).on(sessions)

        def bars_of(part: int) -> dict[int, Bars]:
            daily = DAILY_BARS.read_part(reading, parts, part)
            own_splits = splits.take(np.isin(splits.instrument_id, daily.instrument_id))
            return fold_all(daily, INTERVALS, splits=own_splits, coverage=coverage)

        # Closing ends the reading thread before its transaction ends, whatever happens here.
        with closing(_prefetched(bars_of, parts)) as coming:
            for done, bars in enumerate(coming, start=1):
                for n, of_interval in bars.items():
                    bars_rebuilt.append(connection, n, of_interval)
                    built[n] += len(of_interval)
                if on_progress is not None:
                    on_progress(done, parts)
    return built


def _make_keys(connection: Connection, other: Database) -> None:
    """Give the new tables their keys, and meanwhile summarize the daily bars for the first night."""
    with ThreadPoolExecutor(1) as pool:
        summarized = pool.submit(range_read.summarize, other, DAILY_BARS.name)
        try:
            for n in INTERVALS:
                bars_rebuilt.make_key(connection, n)
        except BaseException:  # also Ctrl-C: the pool waits for the other connection's statement otherwise
            other.interrupt()
            raise
        # If it fails, the next large resampling summarizes instead.
        with suppress(DatabaseError, TransientError):
            summarized.result()


def _prefetched(bars_of: Callable[[int], dict[int, Bars]], parts: int) -> Generator[dict[int, Bars]]:
    """Yield the bars of each part; while those of one are in use, a thread makes those of the next."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(bars_of, 0)
        for part in range(1, parts + 1):
            bars = coming.result()
            if part < parts:
                coming = pool.submit(bars_of, part)
            yield bars
