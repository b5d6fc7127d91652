"""Service: publish what the database holds as a versioned Parquet data set, for any reader.

All of it is one state of the database. Files are written first, under the digest of their bytes; the manifest
that names them is switched last, atomically. So a reader has one version or the next, and no reader sees what
a killed run leaves; the next run removes it. A part in which nothing was stored since is neither looked at in
the database nor written; one whose rows have not changed is not written.
"""

from __future__ import annotations

import datetime as dt

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.fingerprints import identity, last_load
from condvest.batch_layer.database.stores.touched import compact, count_again
from condvest.batch_layer.processing.publishing.new_version import NewVersion, OnProgress, PublishSummary
from condvest.batch_layer.shared.errors import ChangesWaiting, PublishedError, PublishedUnavailable
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.manifest import CURRENT, KEEP, Manifest
from condvest.batch_layer.shared.published.owner import DataDirectory, owner_of
from condvest.batch_layer.shared.published.parts import DIVIDED, compacting_starts
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.batch_layer.shared.published.versions import (
    manifest_of,
    newest_manifest,
    remove_unneeded,
    switch,
)


def publish(
    database: Database,
    sessions: Sessions,
    target: PublishTarget,
    now: dt.datetime,
    *,
    keep: int = KEEP,
    take_over: bool = False,
    directory: DataDirectory | None = None,
    rehearsal: bool = False,
    check: bool = False,
    on_progress: OnProgress | None = None,
) -> PublishSummary:
    """Publish what the database holds.

    What happens depends on what the target holds; *current* is the version that ``manifest.json`` names:

    ==============================================  =====================================================
    the target holds                                a publication
    ==============================================  =====================================================
    nothing                                         makes version 1 current
    no ``manifest.json``, but ``manifests/`` does   goes on from the newest version there
    a current version that says the same            switches nothing
    a current version that says something else      makes the next version current
    a current version with files that are missing   writes those files anew
    or of another size; if it checks, or if their
    rows may have changed: of other bytes
    a current version without its own copy in       first writes that copy, so that the version stays
    ``manifests/``: a run was killed, or a copy     readable when it is no longer current
    of the target was incomplete
    ==============================================  =====================================================

    In every case the files that no kept version names are removed at the end.

    Args:
        database: where the bars are, all of them resampled.
        sessions: the calendar.
        target: where to publish.
        now: an aware datetime, for the manifest.
        keep: how many versions before the current one stay.
        take_over: whether to go on where another database published, or a later state of this one.
        directory: of the data of an embedded database, by which a copy of it is told.
        rehearsal: only find out what would be written.
        check: look at all rows and the bytes of all kept files, even of parts in which nothing was stored
            since the version before. Every thirtieth version with new loads is made so in any case.
        on_progress: called with the rows written, and of how many.

    Raises:
        PublishedError, PublishedUnavailable: the target cannot be written, or belongs to another database;
            the current version stays, or the message says which version is current.
        ChangesWaiting: something was loaded and not resampled; nothing was published.
        TransientError, DatabaseError: the database cannot be reached or refuses.
    """
    with database.locked("condvest publish"):
        current_json, sizes = target.read(CURRENT), target.sizes()
        current = manifest_of(current_json, target)
        before = current or newest_manifest(target, sizes)
        with database.transaction(snapshot=True, read_only=True) as connection:
            own = owner_of(identity(connection), directory, before, target, take_over=take_over)
            if not take_over:
                _check_not_behind(before, last_load(connection), target)
            run = NewVersion(connection, sessions, target, before, sizes, own, on_progress, check=check)
            if rehearsal:
                return run.rehearsed()
            if changes.any_waits(connection):
                raise ChangesWaiting(
                    f"not published in {target.name}: a load stored rows that are not resampled yet; run "
                    "condvest publish again when the load has ended, or on the primary server if this "
                    "one is a standby"
                )
            with target.building() as folder:
                manifest = run.built(folder, now)
        if current is not None and current.path not in sizes:
            target.write(current.to_json(), current.path)
        if current is not None and manifest.says_the_same(current):
            run.only_mended(current)
            _tidy(target, current, keep, run.summary)
        else:
            switch(target, manifest, current_json)
            run.summary.version, run.summary.is_new = manifest.version, True
            _tidy(target, manifest, keep, run.summary)
        if database.takes_writes():
            with database.transaction() as connection:
                count_again(connection, tuple(DIVIDED) if run.summary.checked else None)
                compact(connection, compacting_starts(sessions))
        return run.summary


def _check_not_behind(before: Manifest | None, through: int | None, target: PublishTarget) -> None:
    """Refuse to publish an older state of the database than is published already.

    Raises:
        PublishedError: the published version holds a load that this database does not know.
    """
    published = None if before is None else before.through_load
    if published is not None and published > (through or 0):
        raise PublishedError(
            f"the current version in {target.name} holds load {published}, but the database knows no load "
            f"after {through or 0}. A standby that lags behind catches up: publish again later. If a backup "
            "of the database was restored, publish with --take-over"
        )


def _tidy(target: PublishTarget, current: Manifest, keep: int, summary: PublishSummary) -> None:
    """Keep a copy of a new version's manifest, and remove what no kept version names.

    Raises:
        PublishedError, PublishedUnavailable: it cannot be done now; the message says that ``current`` stands.
    """
    try:
        if summary.is_new:
            target.write(current.to_json(), current.path)
        summary.removed = remove_unneeded(target, current, keep)
    except (PublishedError, PublishedUnavailable) as error:
        raise type(error)(
            f"version {current.version} is current, but the next run has to tidy up: {error}"
        ) from error
