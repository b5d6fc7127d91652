"""End a job with what its loads made look wrong, so that nobody is told the same finding twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from condvest.batch_layer.database.stores.changes import PARTITIONS, dividends_since, peek_changes
from condvest.batch_layer.database.stores.loading.loads import last_load
from condvest.batch_layer.database.stores.status import has_only_arrays, screenings
from condvest.batch_layer.operations.report import Progress, Report
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.processing.batch_jobs.shards import Shard
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.models.spans import Spans

Screen = Callable[[Spans, int], list[str]]
"""Returns what looks wrong around spans of daily bars and did not look so when a load had been stored."""

WHOLE = Shard(0, 1)


def known_before(workspace: Workspace, share: Shard = WHOLE) -> int:
    """Return the load up to which findings were told; call it before a job loads anything.

    It is the newest load that a screening of all the job's partitions has seen. So the next job screens what
    a killed one loaded, and tells a finding again that was mended and comes back. Where nothing was ever
    screened, what was loaded before is taken as known, unless only arrays of jobs ran on the database.

    For example, after the runs `run` (which screened load 40), `resample --shard 0/2` (load 52) and the first
    shard of two again (load 60), it is load 60 for shard 0/4, and load 40 for shard 1/2 and for all.
    """
    with workspace.database.transaction(read_only=True) as connection:
        newest, screened = last_load(connection), screenings(connection)
        is_first = has_only_arrays(connection)
    known, unseen = newest, set(share.partitions)
    for command, load_id in screened.items():
        _, _, part = command.partition(" --shard ")
        seen = unseen.intersection((Shard.parse(part) if part else WHOLE).partitions)
        if seen:
            known, unseen = min(known, load_id), unseen - seen
    return 0 if unseen and is_first else known


def resample_and_screen(
    workspace: Workspace,
    report: Report,
    screen: Screen | None,
    known_by: int,
    on_progress: Progress | None = None,
    *,
    share: Shard = WHOLE,
    full: bool = False,
) -> None:
    """Resample what changed, and note in the report what now looks wrong and did not before.

    Args:
        workspace: the open workspace.
        report: of the job; takes what resampling did, the findings, and the load up to which they count.
        screen: looks at the series; None for no look.
        known_by: as `known_before` gave it.
        on_progress: of resampling.
        share: which instruments.
        full: whether every bar is made anew, not only what changed.
    """
    with workspace.database.transaction(read_only=True) as connection:
        touched, newest = peek_changes(connection), last_load(connection)
        # A dividend alters no bar, but may be one that the prices deny.
        paid = dividends_since(connection, known_by)
        touched = Spans.concat([touched, paid]).merged()
    touched = touched.take(np.isin(touched.instrument_id % PARTITIONS, share.partitions))
    report.resampled = resample(
        workspace.database,
        workspace.sessions,
        full=full,
        partitions=share.partitions,
        on_progress=on_progress,
    )
    if screen is not None:
        if len(touched):
            report.findings = screen(touched, known_by)
        report.screened_through = newest
