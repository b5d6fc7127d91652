"""Publish the stored bars."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from condvest.batch_layer.database.stores.loading.rebuilds import keep_from_rebuild
from condvest.batch_layer.operations.report import recorded
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.processing.publishing.new_version import OnProgress, PublishSummary
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.processing.resample import ResampleSummary, resample
from condvest.batch_layer.shared.clients.publish_targets import target_at
from condvest.batch_layer.shared.errors import ChangesWaiting
from condvest.batch_layer.shared.published.manifest import KEEP
from condvest.batch_layer.shared.published.owner import DataDirectory

ATTEMPTS = 5
"""Resamplings and publications before a load that always comes between them is given its way."""


def publish_all(
    workspace: Workspace,
    where: Path | str,
    *,
    keep: int = KEEP,
    take_over: bool = False,
    dry_run: bool = False,
    check: bool = False,
    on_progress: OnProgress | None = None,
) -> PublishSummary:
    """Resample what changed, then publish; a dry run does neither. ``check``: see `publish`.

    If a load commits between the two, both are done again, ATTEMPTS times in all. A database that takes no
    writes (a hot standby) is published as it is, if no change waits; no run is recorded in it.

    Raises:
        ChangesWaiting: a load came between each time, or waits in a standby; nothing was published.
        PublishedError, PublishedUnavailable, TransientError, DatabaseError: as `publish`.
    """
    target = target_at(where)
    is_embedded = workspace.settings.database.url is None
    publication = partial(
        publish,
        target=target,
        now=workspace.now,
        keep=keep,
        take_over=take_over,
        directory=DataDirectory.of(workspace.settings.home, where) if is_embedded else None,
        rehearsal=dry_run,
        check=check,
        on_progress=on_progress,
    )
    if dry_run:
        return publication(workspace.database, workspace.sessions)
    if not workspace.database.takes_writes():
        with workspace.database.transaction(read_only=True) as connection:
            keep_from_rebuild(connection, "run condvest publish")
        return publication(workspace.database, workspace.sessions)
    # The first publication after an upgrade has the hours that the upgrade corrects.
    sessions = workspace.sessions_ahead
    with recorded(workspace, "publish") as report:
        for last_attempt in (*[False] * (ATTEMPTS - 1), True):
            summary = resample(workspace.database, sessions)
            summary.add(report.resampled or ResampleSummary())
            report.resampled = summary
            try:
                return publication(workspace.database, sessions)
            except ChangesWaiting:
                if last_attempt:
                    raise
    raise AssertionError("unreachable: the last attempt returns or raises")
