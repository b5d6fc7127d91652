"""Service: publish what the database holds as a versioned Parquet data set, for any reader.

All of it is one state of the database. Files are written first, under the digest of their bytes; the manifest
that names them is switched last, atomically. So a reader has one version or the next, and no reader sees what
a killed run leaves; the next run removes it. A part whose rows have not changed is neither read from the
database again nor written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.database.postgres.connection import Connection, Database
from batch_layer.database.stores import changes
from batch_layer.database.stores.fingerprints import (
    Fingerprint,
    fingerprints,
    identity,
    last_load,
    rows_between,
    schema_version,
)
from batch_layer.processing.publishing.part_files import write_part
from batch_layer.processing.publishing.small_tables import Reference
from batch_layer.shared.errors import ChangesWaiting, PublishedError, PublishedUnavailable
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.published.manifest import CURRENT, KEEP, Manifest, PublishedFile
from batch_layer.shared.published.tables import SCHEMAS, dataset_of, to_arrow, year_starts, years_of
from batch_layer.shared.published.target import PublishTarget
from batch_layer.shared.published.versions import (
    check_owner,
    manifest_of,
    newest_manifest,
    remove_unneeded,
    switch,
)
from batch_layer.shared.settings import INTERVALS

ROWS_AT_ONCE = 2_000_000
"""Rows in memory at a time, about; at least one year's. Fewer would need more passes over a table."""

_ENDS = ("last_session", "session")

OnProgress = Callable[[int, int], None]


@dataclass
class PublishSummary:
    """What a publication did, or what a rehearsal found that it would do.

    Attributes:
        place: where.
        version: the current one afterwards.
        is_new: whether this publication made that version; if not, nothing had changed.
        written, written_rows, written_bytes: files written (or uploaded), and the rows and bytes in them; a
            rehearsal does not know the bytes.
        kept: files of the current version that were there already.
        rows: number of rows by data set.
        removed: files that no version needs any more.
        changes_waiting: records of changes that a publication would resample first; of a rehearsal only.
    """

    place: str
    version: int
    is_new: bool = False
    written: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    kept: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    removed: int = 0
    changes_waiting: int = 0


def publish(
    database: Database,
    sessions: Sessions,
    target: PublishTarget,
    now: dt.datetime,
    *,
    keep: int = KEEP,
    take_over: bool = False,
    rehearsal: bool = False,
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
        take_over: whether to go on where another database published.
        rehearsal: only find out what would be written.
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
            if not take_over:
                check_owner(before, identity(connection), target)
            run = _Publication(connection, sessions, target, before, sizes, on_progress)
            if rehearsal:
                return run.rehearsed()
            if changes.any_waits(connection):
                raise ChangesWaiting(
                    f"not published in {target.name}: a load stored something that is not resampled yet; "
                    "run condvest publish again when the load has ended"
                )
            with target.building() as folder:
                manifest = run.built(folder, now)
        if current is not None and current.path not in sizes:
            target.write(current.to_json(), current.path)
        if current is not None and manifest.says_the_same(current):
            _tidy(target, current, keep, run.summary)
        else:
            switch(target, manifest, current_json)
            run.summary.version, run.summary.is_new = manifest.version, True
            _tidy(target, manifest, keep, run.summary)
        return run.summary


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
            f"version {current.version} is current, but tidying up is left to the next run: {error}"
        ) from error


@dataclass(frozen=True)
class _Part:
    """A year of a data set of bars.

    Attributes:
        year: of the last sessions of its windows.
        first, last: its windows (sessions for the daily bars), inclusive.
        fingerprint: number of rows and digest of what the database holds.
        published: the current version's file, if it holds just these rows and is whole; else None.
    """

    year: int
    first: int
    last: int
    fingerprint: Fingerprint
    published: PublishedFile | None


class _Publication:
    """One publication in progress."""

    def __init__(
        self,
        connection: Connection,
        sessions: Sessions,
        target: PublishTarget,
        before: Manifest | None,
        sizes: dict[str, int],
        on_progress: OnProgress | None,
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._target = target
        self._before = before
        self._sizes = sizes
        self._on_progress = on_progress
        self._done = self._total = 0
        self.summary = PublishSummary(target.name, before.version if before else 0)

    def rehearsed(self) -> PublishSummary:
        """Return what would be written of the bars; the small data sets are not compared."""
        for parts in self._plan().values():
            for part in parts:
                if part.published:
                    self.summary.kept += 1
                else:
                    self.summary.written += 1
                    self.summary.written_rows += part.fingerprint[0]
        self.summary.changes_waiting = sum(changes.waiting(self._connection).values())
        return self.summary

    def built(self, folder: Path, now: dt.datetime) -> Manifest:
        """Put every file of the new version in the target and return its manifest."""
        plan = self._plan()
        self._total = sum(
            part.fingerprint[0] for parts in plan.values() for part in parts if not part.published
        )
        files: dict[str, list[PublishedFile]] = {}
        for interval, parts in plan.items():
            kept = [part.published for part in parts if part.published]
            self.summary.kept += len(kept)
            made = self._built_bars(interval, parts, folder)
            files[dataset_of(interval)] = sorted(made + kept, key=lambda file: file.part)
        reference = Reference.read(self._connection, self._sessions)
        for dataset, table in reference.tables.items():
            files[dataset] = [self._put(dataset, "all", table, folder, "")]
        self.summary.rows = {name: sum(file.rows for file in made) for name, made in files.items()}
        return Manifest(
            version=self.summary.version + 1,
            published_at=now,
            database=identity(self._connection),
            schema_version=schema_version(self._connection),
            first_session=reference.first_session,
            last_session=reference.last_session,
            loaded_through=reference.loaded_through,
            schema={
                dataset: {field.name: str(field.type) for field in schema}
                for dataset, schema in SCHEMAS.items()
            },
            files=files,
            through_load=last_load(self._connection),
        )

    def _plan(self) -> dict[int, list[_Part]]:
        """Return the parts that have rows, by interval; interval 1 is the daily bars."""
        years = years_of(self._sessions)
        plan = {}
        for interval in (1, *INTERVALS):
            starts = year_starts(self._sessions, interval)
            ends = [*(starts[1:] - 1).tolist(), np.iinfo(np.int32).max]
            stored = fingerprints(self._connection, interval, starts)
            published = self._whole_files(dataset_of(interval))
            plan[interval] = [
                _Part(
                    year=years[at],
                    first=int(starts[at]),
                    last=ends[at],
                    fingerprint=stored[at],
                    published=published.get((str(years[at]), stored[at][1])),
                )
                for at in sorted(stored)
            ]
        return plan

    def _whole_files(self, dataset: str) -> dict[tuple[str, str], PublishedFile]:
        """Return the files of the version before that are there in full size, by year and fingerprint."""
        files = self._before.files.get(dataset, ()) if self._before else ()
        if self._before and "late_open" not in self._before.schema.get("sessions", {}):
            # Published when the calendar began in 1953, as did the first windows by what their rows say.
            files = [file for file in files if file.part > "1953"]
        return {
            (file.part, file.fingerprint): file for file in files if self._sizes.get(file.path) == file.bytes
        }

    def _built_bars(self, interval: int, parts: Sequence[_Part], folder: Path) -> list[PublishedFile]:
        """Write the parts whose rows are not published yet."""
        dataset, made = dataset_of(interval), []
        for batch in _batches([part for part in parts if part.published is None]):
            first, last = batch[0].first, batch[-1].last
            rows = to_arrow(rows_between(self._connection, interval, first, last), interval, self._sessions)
            years = pc.year(rows[_ENDS[interval == 1]])
            for part in batch:
                table = rows.filter(pc.equal(years, part.year)) if len(batch) > 1 else rows
                made.append(self._put(dataset, str(part.year), table, folder, part.fingerprint[1]))
                self._advance(len(table))
        return made

    def _put(self, dataset: str, part: str, rows: pa.Table, folder: Path, fingerprint: str) -> PublishedFile:
        """Write a file and put it in the target, unless one with the same bytes is there."""
        built = folder / f"{dataset}-{part}"
        digest = write_part(built, rows)
        size = built.stat().st_size
        path = f"{dataset}/{part}-{digest[:16]}.parquet"
        if self._sizes.get(path) == size:
            self.summary.kept += 1
            built.unlink()
        else:
            self._target.put(built, path)
            self.summary.written += 1
            self.summary.written_rows += len(rows)
            self.summary.written_bytes += size
        return PublishedFile(path, part, digest, size, len(rows), fingerprint)

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)


def _batches(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    """Yield runs of neighbouring parts, each of ROWS_AT_ONCE rows at most, or of one part."""
    batch: list[_Part] = []
    rows = 0
    for part in parts:
        rows += part.fingerprint[0]
        if batch and (rows > ROWS_AT_ONCE or part.first != batch[-1].last + 1):
            yield batch
            batch, rows = [], part.fingerprint[0]
        batch.append(part)
    if batch:
        yield batch
