"""Operations on what is stored: resample, rebuild, verify, publish."""

from __future__ import annotations

from batch_layer.fetching import check_archive
from batch_layer.fetching.check_archive import Finding
from batch_layer.operations.report import Progress, Report, recorded
from batch_layer.operations.workspace import Workspace
from batch_layer.processing.batch_jobs.shards import Shard
from batch_layer.processing.check_bars import check_bars
from batch_layer.processing.resample import resample


def resample_all(
    workspace: Workspace, *, full: bool, shard: Shard | None = None, on_progress: Progress | None = None
) -> Report:
    """Bring the bars to what the daily bars say; all if ``full``, those of a shard if one is given."""
    command = "resample --full" if full else "resample"
    share = shard or Shard(0, 1)
    with recorded(workspace, command if shard is None else f"{command} --shard {shard}") as report:
        report.resampled = resample(
            workspace.database,
            workspace.sessions,
            full=full,
            partitions=share.partitions,
            on_progress=on_progress,
        )
    return report


def rebuild_from_archive(workspace: Workspace, *, on_progress: Progress | None = None) -> Report:
    """Build the database anew from the archive, then resample."""
    with recorded(workspace, "rebuild") as report:
        report.loads = check_archive.rebuild(workspace.loader(workspace.extended_sessions()), on_progress)
        report.resampled = resample(workspace.database, workspace.sessions)
    return report


def verify_all(
    workspace: Workspace, *, sample: int | None, seed: int, on_progress: Progress | None = None
) -> list[Finding]:
    """Return every difference between archive, daily bars and bars; see the command ``verify``."""
    loader = workspace.loader(workspace.sessions)
    found = list(check_archive.check_archive(loader, sample, seed))
    for symbol, where, problem in check_bars(
        workspace.database, workspace.sessions, sample, seed, on_progress
    ):
        found.append(Finding("bar", symbol, where, problem))
    return found
