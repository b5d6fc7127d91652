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
    with recorded(workspace, "publish", rehearsal=dry_run) as report:
        if not dry_run:
            report.resampled = resample(workspace.database, workspace.sessions)
        return publish(
            workspace.database,
            workspace.sessions,
            place,
            workspace.now,
            keep=keep,
            take_over=take_over,
            rehearsal=dry_run,
            on_progress=on_progress,
        )
