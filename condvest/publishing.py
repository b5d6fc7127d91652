"""Publishing, and where what was published lies."""

from __future__ import annotations

import os
from pathlib import Path

from batch_layer.processing.publish import KEEP, OnProgress, PublishSummary, publish
from batch_layer.processing.published_source import PublishedSource
from batch_layer.processing.resample import resample
from batch_layer.shared.clients.places import place_at
from batch_layer.shared.settings import Settings
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


def published_files(dataset: str, *, settings: Settings | None = None) -> list[str]:
    """Return the files of a published data set, for any reader of Parquet.

    Args:
        dataset: ``daily_bars``, ``bars_3`` to ``bars_34``, ``instruments``, ``symbols``, ``splits``,
            ``dividends`` or ``sessions``.
        settings: where it is published; from the environment if None.

    Returns:
        Paths, or ``s3://`` URIs, of the current version, by year. They stay while newer versions are
        published, as many as ``condvest publish --keep`` says.

    Raises:
        PublishedError: nothing is published there, or it cannot be read.
        PublishedUnavailable: the place does not answer.
        UsageError: there is no such data set.
    """
    place = place_at((settings or Settings.from_env(os.environ)).published)
    return PublishedSource.open(place).files(dataset)
