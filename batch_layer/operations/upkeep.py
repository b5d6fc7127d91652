"""Operations on what is stored: resample, rebuild, verify, publish."""

from __future__ import annotations

import os
from dataclasses import replace

from condvest.batch_layer.database.stores.loading.rebuilds import REBUILD_LOCK
from condvest.batch_layer.fetching import check_archive
from condvest.batch_layer.fetching.check_archive import Finding
from condvest.batch_layer.fetching.rebuild import keys_to_load, rebuild
from condvest.batch_layer.operations.report import Progress, Report, recorded
from condvest.batch_layer.operations.screening import WHOLE, Screen, known_before, resample_and_screen
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.processing.batch_jobs.shards import Shard
from condvest.batch_layer.processing.check_bars import check_bars
from condvest.batch_layer.shared import exit_codes


def resample_all(
    workspace: Workspace,
    *,
    full: bool,
    shard: Shard | None = None,
    screen: Screen | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Bring the bars to what the daily bars say; all if ``full``, those of a shard if one is given."""
    command = "resample --full" if full else "resample"
    share = shard or WHOLE
    known_by = known_before(workspace, share)
    with recorded(workspace, command if shard is None else f"{command} --shard {shard}") as report:
        # A finding fails no job of an array: the log lines and the metric Findings tell it.
        report.findings_count = not exit_codes.is_batch(os.environ)
        resample_and_screen(workspace, report, screen, known_by, on_progress, share=share, full=full)
    return report


def rebuild_from_archive(workspace: Workspace, *, on_progress: Progress | None = None) -> Report:
    """Build the database anew from the archive, then resample. One that was stopped goes on.

    Raises:
        UsageError: the database is not empty, nor left by a rebuild that was stopped; or the archive is.
        ArchiveError: a payload is damaged; mended, the same command goes on.
    """
    with workspace.database.locked(REBUILD_LOCK):
        # Asked before the run is recorded: what is refused must not look like a rebuild that was stopped.
        keys = keys_to_load(workspace.loader(workspace.sessions))
        with recorded(workspace, "rebuild") as report:
            loader = replace(workspace.loader(workspace.extended_sessions()), is_rebuild=True)
            report.loads = rebuild(loader, keys, report.findings, on_progress)
            resample_and_screen(workspace, report, None, 0)
    return report


def payloads_without_load(workspace: Workspace) -> list[str]:
    """Return the keys of archived payloads that no load is of, in their order; most are no fault."""
    return check_archive.without_load(workspace.loader(workspace.sessions))


def verify_all(
    workspace: Workspace, *, sample: int | None, seed: int, on_progress: Progress | None = None
) -> list[Finding]:
    """Return every difference between archive, daily bars, bars and what is published; see ``verify``."""
    loader = workspace.loader(workspace.sessions)
    findings = list(check_archive.check_archive(loader, sample, seed))
    for symbol, where, problem in check_bars(
        workspace.database, workspace.sessions, sample, seed, on_progress
    ):
        findings.append(Finding("bar", symbol, where, problem))
    # Imported here: no other command waits for what reads Parquet.
    from condvest.batch_layer.processing.publishing.check_published import check_published  # noqa: PLC0415
    from condvest.batch_layer.shared.clients.publish_targets import target_at  # noqa: PLC0415

    target = target_at(workspace.settings.published)
    for path, problem in check_published(target, sample, seed):
        findings.append(Finding("published", "", path, problem))
    return findings
