"""Service: publish what the database holds as a versioned Parquet data set, for any reader.

All of it is one state of the database. Files come into their places first, under the digest of their bytes;
the manifest that names them is switched last, at once. So a reader has one version or the next, and what a
killed run leaves is seen by nobody and removed by the next one. A part whose rows are as they were is not
read from the database again, nor written.
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
    rows_between,
    schema_version,
)
from batch_layer.processing.publishing.part_files import write_part
from batch_layer.processing.publishing.small_tables import Reference
from batch_layer.shared.errors import PublishedError, PublishedUnavailable
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
"""Rows in memory at a time, about; a year's at least. Fewer would be read in more passes over a table."""

_ENDS = ("last_session", "session")

OnProgress = Callable[[int, int], None]


@dataclass
class PublishSummary:
    """What a publication did, or of a rehearsal would do.

    Attributes:
        place: where.
        version: the current one afterwards.
        is_new: whether this publication made it; if not, nothing had changed.
        written, written_rows, written_bytes: files written (or uploaded) anew, the rows and bytes in them;
            a rehearsal does not know the bytes.
        kept: files of the current version that were there already.
        rows: data set to rows.
        removed: files that no version needs any more.
        changes_waiting: of a rehearsal: records of changes that a publication would resample first.
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
    place: PublishTarget,
    now: dt.datetime,
    *,
    keep: int = KEEP,
    take_over: bool = False,
    rehearsal: bool = False,
    on_progress: OnProgress | None = None,
) -> PublishSummary:
    """Publish what the database holds.

    Args:
        database: where the bars are; they should be resampled.
        sessions: the calendar.
        place: where to publish.
        now: an aware datetime, for the manifest.
        keep: how many versions before the current one stay.
        take_over: whether to go on where another database published.
        rehearsal: only find out what would be written.
        on_progress: called with the rows written, of how many.

    Raises:
        PublishedError, PublishedUnavailable: the place cannot be written, or belongs to another database;
            what was current still is, or the message says which version is.
        TransientError, DatabaseError: the database is away or refuses.
    """
    with database.locked("condvest publish"):
        seen, held = place.read(CURRENT), place.sizes()
        current = manifest_of(seen, place)
        before = current or newest_manifest(place, held)
        with database.transaction(snapshot=True, read_only=True) as connection:
            if not take_over:
                check_owner(before, identity(connection), place)
            run = _Publication(connection, sessions, place, before, held, on_progress)
            if rehearsal:
                return run.rehearsed()
            with place.building() as folder:
                manifest = run.built(folder, now)
        summary = run.summary
        if current is not None and current.path not in held:
            # A run was killed before it kept it, or a copy of what the manifest names has not brought it.
            place.write(current.to_json(), current.path)
        if current is None or not manifest.says_the_same(current):
            switch(place, manifest, seen)
            summary.version, summary.is_new = manifest.version, True
        else:
            manifest = current
        try:
            if summary.is_new:
                place.write(manifest.to_json(), manifest.path)
            summary.removed = remove_unneeded(place, manifest, keep)
        except (PublishedError, PublishedUnavailable) as error:
            raise type(error)(
                f"version {manifest.version} is current, but what follows is left to the next run: {error}"
            ) from error
        return summary


@dataclass(frozen=True)
class _Part:
    """A year of a data set of bars: which windows, what the database holds of them, the file there is."""

    year: int
    first: int
    last: int
    fingerprint: Fingerprint
    there: PublishedFile | None


class _Publication:
    """One publication under way."""

    def __init__(
        self,
        connection: Connection,
        sessions: Sessions,
        place: PublishTarget,
        before: Manifest | None,
        held: dict[str, int],
        on_progress: OnProgress | None,
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._place = place
        self._before = before
        self._held = held
        self._on_progress = on_progress
        self._done = self._total = 0
        self.summary = PublishSummary(place.name, before.version if before else 0)

    def rehearsed(self) -> PublishSummary:
        """Return what would be written of the bars; the small data sets are not looked at."""
        for parts in self._plan().values():
            for part in parts:
                if part.there:
                    self.summary.kept += 1
                else:
                    self.summary.written += 1
                    self.summary.written_rows += part.fingerprint[0]
        self.summary.changes_waiting = sum(changes.waiting(self._connection).values())
        return self.summary

    def built(self, folder: Path, now: dt.datetime) -> Manifest:
        """Bring every file of the new version into its place and return its manifest."""
        plan = self._plan()
        self._total = sum(part.fingerprint[0] for parts in plan.values() for part in parts if not part.there)
        files: dict[str, list[PublishedFile]] = {}
        for interval, parts in plan.items():
            there = [part.there for part in parts if part.there]
            self.summary.kept += len(there)
            made = self._built_bars(interval, parts, folder)
            files[dataset_of(interval)] = sorted(made + there, key=lambda file: file.part)
        reference = Reference.read(self._connection, self._sessions)
        for dataset, table in reference.tables.items():
            files[dataset] = [self._placed(dataset, "all", table, folder, "")]
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
        )

    def _plan(self) -> dict[int, list[_Part]]:
        """Return the parts that have rows, by interval; 1 is the daily bars."""
        years = years_of(self._sessions)
        plan = {}
        for interval in (1, *INTERVALS):
            starts = year_starts(self._sessions, interval)
            ends = [*(starts[1:] - 1).tolist(), np.iinfo(np.int32).max]
            found = fingerprints(self._connection, interval, starts)
            there = self._files_there(dataset_of(interval))
            plan[interval] = [
                _Part(
                    years[at],
                    int(starts[at]),
                    ends[at],
                    found[at],
                    there.get((str(years[at]), found[at][1])),
                )
                for at in sorted(found)
            ]
        return plan

    def _files_there(self, dataset: str) -> dict[tuple[str, str], PublishedFile]:
        """Return the current version's files that are in their places, whole, by year and fingerprint."""
        files = self._before.files.get(dataset, ()) if self._before else ()
        if self._before and "late_open" not in self._before.schema.get("sessions", {}):
            # Published when the calendar began in 1953, as did the first windows by what their rows say.
            files = [file for file in files if file.part > "1953"]
        return {
            (file.part, file.fingerprint): file for file in files if self._held.get(file.path) == file.bytes
        }

    def _built_bars(self, interval: int, parts: Sequence[_Part], folder: Path) -> list[PublishedFile]:
        """Write the parts that are not there as they are."""
        dataset, made = dataset_of(interval), []
        for batch in _batches([part for part in parts if part.there is None]):
            first, last = batch[0].first, batch[-1].last
            rows = to_arrow(rows_between(self._connection, interval, first, last), interval, self._sessions)
            years = pc.year(rows[_ENDS[interval == 1]])
            for part in batch:
                table = rows.filter(pc.equal(years, part.year)) if len(batch) > 1 else rows
                made.append(self._placed(dataset, str(part.year), table, folder, part.fingerprint[1]))
                self._advance(len(table))
        return made

    def _placed(
        self, dataset: str, part: str, rows: pa.Table, folder: Path, fingerprint: str
    ) -> PublishedFile:
        """Write a file and bring it into its place, unless one with the same bytes is there."""
        built = folder / f"{dataset}-{part}"
        digest = write_part(built, rows)
        size = built.stat().st_size
        path = f"{dataset}/{part}-{digest[:16]}.parquet"
        if self._held.get(path) == size:
            self.summary.kept += 1
            built.unlink()
        else:
            self._place.put(built, path)
            self.summary.written += 1
            self.summary.written_rows += len(rows)
            self.summary.written_bytes += size
        return PublishedFile(path, part, digest, size, len(rows), fingerprint)

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)


def _batches(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    """Yield the parts, as many neighbours together as memory has room for."""
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
