"""Publish the stored bars."""

from __future__ import annotations

from pathlib import Path

from batch_layer.operations.report import recorded
from batch_layer.operations.workspace import Workspace
from batch_layer.processing.publishing.publish import OnProgress, PublishSummary, publish
from batch_layer.processing.resample import resample
from batch_layer.shared.clients.publish_targets import target_at
from batch_layer.shared.published.manifest import KEEP


def publish_all(
    workspace: Workspace,
    where: Path | str,
    *,
    keep: int = KEEP,
    take_over: bool = False,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> PublishSummary:
    """Resample what changed, then publish; a dry run does neither."""
    place = target_at(where)
    # The first publication after an upgrade has the hours that the upgrade corrects.
    sessions = workspace.sessions if dry_run else workspace.sessions_ahead
    with recorded(workspace, "publish", rehearsal=dry_run) as report:
        if not dry_run:
            report.resampled = resample(workspace.database, sessions)
        return publish(
            workspace.database,
            sessions,
            place,
            workspace.now,
            keep=keep,
            take_over=take_over,
            rehearsal=dry_run,
            on_progress=on_progress,
        )
