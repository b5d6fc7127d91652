"""The next version of a published data set: builds every file of it, and its manifest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.daily.daily_bars import spans_of_bars
from condvest.batch_layer.database.stores.fingerprints import last_load, schema_version
from condvest.batch_layer.processing.publishing.new_files import NewFiles
from condvest.batch_layer.processing.publishing.plan import Plan, planned
from condvest.batch_layer.processing.publishing.published_before import PublishedBefore
from condvest.batch_layer.processing.publishing.small_tables import Reference
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.manifest import Manifest, PublishedFile
from condvest.batch_layer.shared.published.recorded import CHECK_EVERY, Recorded
from condvest.batch_layer.shared.published.tables import SCHEMAS
from condvest.batch_layer.shared.published.target import PublishTarget

OnProgress = Callable[[int, int], None]

_FORM = {dataset: {field.name: str(field.type) for field in schema} for dataset, schema in SCHEMAS.items()}
"""Data set to its columns, and those to their types, as a manifest says it."""


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
            digests; if not, those of parts in which nothing was stored were taken to be as they were.
        unrecorded: parts of data sets whose rows changed though nobody recorded it, as a check found.
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
        self._written: Sequence[PublishedFile] = ()
        self.summary = PublishSummary(target.name, before.version if before else 0)
        self._published = PublishedBefore(target, before, sizes, self.summary.damaged)
        self.summary.checked = check or self._check_is_due()

    def rehearsed(self) -> PublishSummary:
        """Return what would be written of the bars; the small data sets are not compared."""
        plan = self._planned(rehearsal=True)
        self.summary.kept = sum(part.published is not None for part in plan.all_parts())
        self.summary.written = len(plan.all_parts()) - self.summary.kept
        self.summary.written_rows = plan.rows_to_write
        self.summary.changes_waiting = changes.waiting(self._connection)
        return self.summary

    def built(self, folder: Path, now: dt.datetime) -> Manifest:
        """Put every file of the new version in the target and return its manifest."""
        plan = self._planned()
        new = NewFiles(self._connection, self._sessions, self._target, self._published, folder, plan)
        new.on_progress = self._on_progress
        files = {dataset: new.of_bars(dataset) for dataset in plan.parts}
        small, cover = self._small_files(plan, new)
        files |= small
        self.summary.rows = {name: sum(file.rows for file in made) for name, made in files.items()}
        self._written = new.written
        self.summary.kept = sum(map(len, files.values())) - len(new.written)
        self._count_written(new.written)
        return Manifest(
            version=self.summary.version + 1,
            published_at=now,
            database=self._owner,
            schema_version=schema_version(self._connection),
            first_session=cover.first_session,
            last_session=cover.last_session,
            loaded_through=cover.loaded_through,
            schema=_FORM,
            files=files,
            through_load=last_load(self._connection),
            footers=new.footers_of([file for of_dataset in files.values() for file in of_dataset]),
            months_from=plan.months_from,
            recorded=Recorded(plan.states, plan.calendar, plan.reference, self._unchecked()),
        )

    def only_mended(self, current: Manifest) -> None:
        """Count as written what the current version names: it stays, so the rest is removed again."""
        paths = {file.path for file in current.all_files()}
        self._count_written([file for file in self._written if file.path in paths])
        self.summary.kept = len(paths) - self.summary.written

    def _count_written(self, files: Sequence[PublishedFile]) -> None:
        self.summary.written = len(files)
        self.summary.written_rows = sum(file.rows for file in files)
        self.summary.written_bytes = sum(file.bytes for file in files)

    def _small_files(
        self, plan: Plan, new: NewFiles
    ) -> tuple[dict[str, list[PublishedFile]], Manifest | Reference]:
        """Return the files of the small data sets, and what says which sessions the version covers."""
        kept = {} if self.summary.checked else self._published.reference(plan.reference, _FORM)
        if kept and self._before is not None:
            return kept, self._before
        # A check takes nothing for granted.
        reaches = partial(spans_of_bars, self._connection) if self.summary.checked else new.reaches
        reference = Reference.read(self._connection, self._sessions, reaches)
        return {
            dataset: [new.put(dataset, "all", rows, "")] for dataset, rows in reference.tables.items()
        }, reference

    def _planned(self, *, rehearsal: bool = False) -> Plan:
        """Return what to write and what stays."""
        plan = planned(
            self._connection,
            self._sessions,
            self._published,
            check=self.summary.checked,
            rehearsal=rehearsal,
        )
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
