"""Publish the stored bars."""

from __future__ import annotations

from pathlib import Path

from batch_layer.operations.report import recorded
from batch_layer.operations.workspace import Workspace
from batch_layer.processing.publishing.publish import OnProgress, PublishSummary, publish
from batch_layer.processing.resample import ResampleSummary, resample
from batch_layer.shared.clients.publish_targets import target_at
from batch_layer.shared.errors import ChangesWaiting
from batch_layer.shared.published.manifest import KEEP

ATTEMPTS = 5
"""Resamplings and publications before a load that always comes between them is given its way."""


def publish_all(
    workspace: Workspace,
    where: Path | str,
    *,
    keep: int = KEEP,
    take_over: bool = False,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> PublishSummary:
    """Resample what changed, then publish; a dry run does neither.

    If a load commits between the two, both are done again, ATTEMPTS times in all.

    Raises:
        ChangesWaiting: a load came between each time; nothing was published.
        PublishedError, PublishedUnavailable, TransientError, DatabaseError: as `publish`.
    """
    target = target_at(where)
    with recorded(workspace, "publish", rehearsal=dry_run) as report:
        for last_attempt in (*[False] * (ATTEMPTS - 1), True):
            if not dry_run:
                summary = resample(workspace.database, workspace.sessions)
                summary.add(report.resampled or ResampleSummary())
                report.resampled = summary
            try:
                return publish(
                    workspace.database,
                    workspace.sessions,
                    target,
                    workspace.now,
                    keep=keep,
                    take_over=take_over,
                    rehearsal=dry_run,
                    on_progress=on_progress,
                )
            except ChangesWaiting:
                if last_attempt:
                    raise
    raise AssertionError("unreachable: the last attempt returns or raises")
