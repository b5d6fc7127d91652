"""Publishing."""

from __future__ import annotations

from pathlib import Path

from batch_layer.processing.publish import OnProgress, PublishSummary, publish
from batch_layer.processing.resample import resample
from batch_layer.shared.clients.places import place_at
from batch_layer.shared.models.published import KEEP
from condvest.jobs import recorded
from condvest.workspace import Workspace


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
    place = place_at(where)
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
