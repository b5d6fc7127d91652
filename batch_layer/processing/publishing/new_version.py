"""The next version of a published data set: builds every file of it, and its manifest."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.stores import changes
from batch_layer.database.stores.fingerprints import last_load, rows_between, schema_version
from batch_layer.processing.publishing.part_files import write_part
from batch_layer.processing.publishing.plan import Part, Plan, in_batches, planned
from batch_layer.processing.publishing.published_before import PublishedBefore
from batch_layer.processing.publishing.small_tables import Reference
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.published.digests import footer_of
from batch_layer.shared.published.manifest import Manifest, PublishedFile
from batch_layer.shared.published.recorded import CHECK_EVERY, Recorded
from batch_layer.shared.published.tables import BY_YEAR, SCHEMAS, to_arrow
from batch_layer.shared.published.target import PublishTarget

OnProgress = Callable[[int, int], None]


@dataclass
class PublishSummary:
    """What a publication did, or what a rehearsal found that it would do.

    Attributes:
        target: the name of the target: a directory, or s3://bucket/prefix.
        version: the current one afterwards.
        is_new: whether this publication made that version; if not, nothing had changed.
        written, written_rows, written_bytes: files written (or uploaded), and the rows and bytes in them; a
            rehearsal does not know the bytes.
        kept: files of the current version that were there already.
        rows: number of rows by data set.
        removed: files that no version needs any more.
        changes_waiting: records of changes that a publication would resample first; of a rehearsal only.
        damaged: files whose bytes were not those that the manifest names, by path, with what was wrong; they
            are written anew if their rows are still wanted.
        checked: whether all rows were held against their fingerprints, and all kept files against their
            digests; if not, those of years in which nothing was stored were taken to be as they were.
        unrecorded: years of data sets whose rows changed though nobody recorded it, as a check found.
    """

    target: str
    version: int
    is_new: bool = False
    written: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    kept: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    removed: int = 0
    changes_waiting: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    checked: bool = False
    unrecorded: list[str] = field(default_factory=list)


class NewVersion:
    """The version that a publication is about to make: its files, its manifest, and what was done for it."""

    def __init__(
        self,
        connection: Connection,
        sessions: Sessions,
        target: PublishTarget,
        before: Manifest | None,
        sizes: dict[str, int],
        owner: str,
        on_progress: OnProgress | None,
        *,
        check: bool,
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._target = target
        self._before = before
        self._owner = owner
        self._on_progress = on_progress
        self._done = self._total = 0
        self._footers: dict[str, str] = {}
        self.summary = PublishSummary(target.name, before.version if before else 0)
        self._published = PublishedBefore(target, before, sizes, self.summary.damaged)
        self.summary.checked = check or self._check_is_due()

    def rehearsed(self) -> PublishSummary:
        """Return what would be written of the bars; the small data sets are not compared."""
        plan = self._planned()
        self.summary.kept = sum(part.published is not None for part in plan.all_parts())
        self.summary.written = len(plan.all_parts()) - self.summary.kept
        self.summary.written_rows = plan.rows_to_write
        self.summary.changes_waiting = changes.waiting(self._connection)
        return self.summary

    def built(self, folder: Path, now: dt.datetime) -> Manifest:
        """Put every file of the new version in the target and return its manifest."""
        plan = self._planned()
        self._total = plan.rows_to_write
        files: dict[str, list[PublishedFile]] = {}
        for dataset, parts in plan.parts.items():
            kept = [part.published for part in parts if part.published]
            self._footers |= {file.path: self._footer_of(file) for file in kept}
            self.summary.kept += len(kept)
            made = self._built_bars(dataset, parts, folder)
            files[dataset] = sorted(made + kept, key=lambda file: file.part)
        reference = Reference.read(self._connection, self._sessions)
        for dataset, table in reference.tables.items():
            files[dataset] = [self._put(dataset, "all", table, folder, "")]
        self.summary.rows = {name: sum(file.rows for file in made) for name, made in files.items()}
        return Manifest(
            version=self.summary.version + 1,
            published_at=now,
            database=self._owner,
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
            footers={path: self._footers[path] for path in sorted(self._footers)},
            recorded=Recorded(plan.states, plan.calendar, self._unchecked()),
        )

    def _planned(self) -> Plan:
        """Return what to write and what stays."""
        plan = planned(self._connection, self._sessions, self._published, check=self.summary.checked)
        self.summary.unrecorded = plan.unrecorded
        return plan

    def _unchecked(self) -> int:
        """Return how many versions, with this one, were not checked."""
        return 0 if self.summary.checked or not self._before else self._before.recorded.unchecked + 1

    def _check_is_due(self) -> bool:
        """Return whether so many versions were not checked that the next one is, once it brings new loads.

        What an earlier Condvest published has no states, or names no footers: nothing of it can be taken for
        granted, or the digest of a damaged footer would be named as that of a sound one.
        """
        before = self._before
        if before is None or not before.recorded.states or before.without_footer():
            return True
        is_due = before.recorded.unchecked + 1 >= CHECK_EVERY
        return is_due and before.through_load != last_load(self._connection)

    def _footer_of(self, file: PublishedFile) -> str:
        """Return the digest of the footer of a whole file, which an earlier version may not have named."""
        known = self._before.footers.get(file.path) if self._before else None
        if known is not None:
            return known
        content = b"".join(self._target.chunks(file.path))
        return hashlib.sha256(footer_of(io.BytesIO(content))).hexdigest()

    def _built_bars(self, dataset: str, parts: Sequence[Part], folder: Path) -> list[PublishedFile]:
        """Write the parts whose rows are not published yet."""
        made = []
        end = "session" if BY_YEAR[dataset] == 1 else "last_session"
        for batch in in_batches([part for part in parts if part.published is None]):
            first, last = batch[0].first, batch[-1].last
            bars, more = rows_between(self._connection, dataset, first, last)
            rows = to_arrow(dataset, bars, more, self._sessions)
            years = pc.year(rows[end])
            for part in batch:
                table = rows.filter(pc.equal(years, part.year)) if len(batch) > 1 else rows
                made.append(self._put(dataset, str(part.year), table, folder, part.fingerprint[1]))
                self._advance(len(table))
        return made

    def _put(self, dataset: str, part: str, rows: pa.Table, folder: Path, fingerprint: str) -> PublishedFile:
        """Write a file and put it in the target, unless one with the same bytes is there."""
        built = folder / f"{dataset}-{part}"
        digest, footer = write_part(built, rows)
        size = built.stat().st_size
        path = f"{dataset}/{part}-{digest[:16]}.parquet"
        file = PublishedFile(path, part, digest, size, len(rows), fingerprint)
        self._footers[path] = footer
        if self._published.is_whole(file):
            self.summary.kept += 1
            built.unlink()
        else:
            self._target.put(built, path)
            self.summary.written += 1
            self.summary.written_rows += len(rows)
            self.summary.written_bytes += size
        return file

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)
