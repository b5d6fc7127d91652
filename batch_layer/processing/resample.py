"""Service: take what changed, recompute just the windows that hold it, store the bars.

One transaction takes the records of some partitions of the instruments, computes and stores: either the
bars are there and the records gone, or all is as before. Shards divide the partitions, need no
coordination, and may run at once, in any order, or twice. Where no bar is stored yet and a whole history
is loaded, all bars are built at once instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.parallel import SIDE_BY_SIDE, side_by_side
from condvest.batch_layer.database.postgres.reading import range_read
from condvest.batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES, DAILY_BARS, SPLITS
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.bars.stored import delete_bars, put_bars, read_bars, remove_doubles
from condvest.batch_layer.database.stores.loading.ledger import read_coverage
from condvest.batch_layer.processing import first_build
from condvest.batch_layer.shared.core.folding import fold_all
from condvest.batch_layer.shared.core.windows import first_ordinals, last_ordinals, windows_of
from condvest.batch_layer.shared.errors import DatabaseDamaged
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans, always
from condvest.batch_layer.shared.settings import INTERVALS

LOCK = "condvest resample"

ROWS_A_BATCH = 1_000_000
"""Daily bars that one transaction looks at, about: there is room for two, and a night needs less."""

FEW_ROWS = 50_000
"""Daily bars that are not worth a second connection."""


@dataclass
class ResampleSummary:
    """What resampling did, by interval where it says so.

    Attributes:
        windows: windows recomputed.
        inserted, changed, removed: bars stored anew, over other values, or no longer there.
        unchanged: bars recomputed to what they were.
    """

    windows: dict[int, int] = field(default_factory=lambda: dict.fromkeys(INTERVALS, 0))
    inserted: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def add(self, other: ResampleSummary) -> None:
        """Add what resampling other partitions did."""
        self.windows = {n: count + other.windows[n] for n, count in self.windows.items()}
        self.inserted += other.inserted
        self.changed += other.changed
        self.removed += other.removed
        self.unchanged += other.unchanged

    @property
    def altered(self) -> int:
        """How many stored bars were inserted, changed or removed."""
        return self.inserted + self.changed + self.removed


def resample(
    database: Database,
    sessions: Sessions,
    *,
    full: bool = False,
    partitions: Sequence[int] = range(changes.PARTITIONS),
    on_progress: Callable[[int, int], None] | None = None,
) -> ResampleSummary:
    """Bring the stored bars of all intervals to what the daily bars say.

    Args:
        database: where the bars are.
        sessions: the calendar.
        full: recompute everything, not only what is recorded as changed. If a page of the stored bars is
            damaged, all of them are made anew from the daily bars, and the damaged ones are not read.
        partitions: the partitions of the instruments to look at.
        on_progress: called with how many partitions are done, of how many.

    Raises:
        DatabaseDamaged: a page is damaged, and not only of the bars that can be made anew.
    """
    is_whole = len(partitions) == changes.PARTITIONS
    if is_whole and first_build.is_worth_it(database):
        with database.locked(LOCK, partitions):
            # Somebody may have built them while the lock was waited for.
            if first_build.is_worth_it(database):
                return _built(database, sessions, on_progress)
    try:
        return _recomputed(database, sessions, partitions, on_progress, full=full)
    except DatabaseDamaged:
        if not (full and is_whole):
            raise
        with database.locked(LOCK, partitions):
            return _built(database, sessions, on_progress)


def _built(
    database: Database, sessions: Sessions, on_progress: Callable[[int, int], None] | None
) -> ResampleSummary:
    summary = ResampleSummary()
    summary.windows |= (built := first_build.build(database, sessions, on_progress))
    summary.inserted = sum(built.values())
    return summary


def _recomputed(
    database: Database,
    sessions: Sessions,
    partitions: Sequence[int],
    on_progress: Callable[[int, int], None] | None,
    *,
    full: bool,
) -> ResampleSummary:
    summary = ResampleSummary()
    batches = [[partition] for partition in _by_table(partitions)] if full else _batches(database, partitions)
    if len(batches) > 1:  # much is read: as a range, if that is cheaper
        range_read.summarize(database, DAILY_BARS.name)
    done, todo = 0, sum(map(len, batches))
    work = partial(_resample, sessions=sessions, full=full)
    # Closed at once, so that what runs beside does not go on when this is stopped.
    with closing(side_by_side(database, work, batches)) as coming:
        for batch, part in coming:
            summary.add(part)
            done += len(batch)
            if on_progress is not None:
                on_progress(done, todo)
    return summary


def _batches(database: Database, partitions: Sequence[int]) -> list[list[int]]:
    """Return those of the partitions in which something changed, as many together as memory has room for.

    At least two batches, if there is enough to do for two.
    """
    with database.transaction(read_only=True) as connection:
        volumes = changes.volumes(connection, reach=2 * max(INTERVALS))
    volumes = {partition: volumes[partition] for partition in partitions if partition in volumes}
    room_of_all = min(ROWS_A_BATCH, max(FEW_ROWS, -(-sum(volumes.values()) // SIDE_BY_SIDE)))
    batches: list[list[int]] = []
    room = 0
    for partition in _by_table(list(volumes)):
        if volumes[partition] > room or not batches:
            batches.append([])
            room = room_of_all
        batches[-1].append(partition)
        room -= volumes[partition]
    return batches


def _by_table(partitions: Sequence[int]) -> list[int]:
    """Return the partitions so that those whose daily bars share a table follow each other."""
    return sorted(partitions, key=lambda partition: (partition % DAILY_BAR_TABLES, partition))


def _resample(
    database: Database, partitions: Sequence[int], *, sessions: Sessions, full: bool
) -> ResampleSummary:
    """Resample some partitions in one transaction."""
    summary = ResampleSummary()
    with database.locked(LOCK, partitions), database.transaction(snapshot=True) as connection:
        changed = changes.take_changes(connection, partitions)
        if full:
            everything = changes.everything(connection, partitions)
            changed = Spans.concat([changed, everything]).merged()
            remove_doubles(connection, np.unique(changed.instrument_id))
        if len(changed):
            windows = {n: windows_touched(changed, n) for n in INTERVALS}
            wanted = {
                n: bars.take(windows[n].contain(bars.instrument_id, bars.window))
                for n, bars in recomputed(connection, changed, sessions).items()
            }
            _store(connection, windows, wanted, summary)
    return summary


def recomputed(connection: Connection, changed: Spans, sessions: Sessions) -> dict[int, Bars]:
    """Return the bars of every interval that hold a session of the spans, as the daily bars say.

    There are more beside them: bars at the edges, which are not whole.
    """
    daily = DAILY_BARS.read(connection, ordinals_needed(changed, INTERVALS))
    return folded(connection, daily, np.unique(changed.instrument_id), sessions)


def folded(connection: Connection, daily: DailyBars, ids: Int32s, sessions: Sessions) -> dict[int, Bars]:
    """Return the bars of every interval that daily bars (by key) of the instruments (ascending) make."""
    splits = SPLITS.read(connection, always(ids)).on(sessions)
    return fold_all(daily, INTERVALS, splits=splits, coverage=read_coverage(connection, ids))


def _store(
    connection: Connection, windows: Mapping[int, Spans], wanted: Mapping[int, Bars], summary: ResampleSummary
) -> None:
    """Make the bars within spans of windows, by interval both, those that are wanted."""
    for n, (inserted, changed) in put_bars(connection, wanted).items():
        gone = read_bars(connection, n, windows[n].without(wanted[n].instrument_id, wanted[n].window))
        delete_bars(connection, n, gone)
        summary.windows[n] += len(wanted[n]) + len(gone)
        summary.inserted += inserted
        summary.changed += changed
        summary.removed += len(gone)
        summary.unchanged += len(wanted[n]) - inserted - changed


def windows_touched(changed: Spans, n: int) -> Spans:
    """Return the windows of interval n that hold a session of the spans, by instrument, merged."""
    return Spans(changed.instrument_id, windows_of(changed.first, n), windows_of(changed.last, n)).merged()


def ordinals_needed(changed: Spans, intervals: Sequence[int]) -> Spans:
    """Return the ordinals of all windows that hold a session of the spans, by instrument, merged."""
    first = np.min([first_ordinals(windows_of(changed.first, n), n) for n in intervals], axis=0)
    last = np.max([last_ordinals(windows_of(changed.last, n), n) for n in intervals], axis=0)
    return Spans(changed.instrument_id, first, last).merged()
