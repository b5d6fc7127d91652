"""The files of the version that a publication makes: those that stay, and those that it writes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.daily.daily_bars import spans_of_bars
from condvest.batch_layer.database.stores.fingerprints import fingerprint_of, rows_between
from condvest.batch_layer.processing.publishing.part_files import write_part
from condvest.batch_layer.processing.publishing.plan import Part, Plan, in_batches
from condvest.batch_layer.processing.publishing.published_before import PublishedBefore
from condvest.batch_layer.processing.publishing.reaches import Reach, known_reaches
from condvest.batch_layer.shared.models.bars import DailyBars, Int32s, Int64s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.published.digests import footer_of
from condvest.batch_layer.shared.published.manifest import PublishedFile
from condvest.batch_layer.shared.published.parts import DAILY_BARS
from condvest.batch_layer.shared.published.tables import to_arrow
from condvest.batch_layer.shared.published.target import PublishTarget


class NewFiles:
    """Makes the files of a version in a target, unless those of the version before are the same.

    Attributes:
        written: files put in the target, in the order in which they were.
        on_progress: called with the rows of bars that were read, and of how many; or None.
    """

    def __init__(
        self,
        connection: Connection,
        sessions: Sessions,
        target: PublishTarget,
        published: PublishedBefore,
        folder: Path,
        plan: Plan,
    ) -> None:
        self.written: list[PublishedFile] = []
        self.on_progress: Callable[[int, int], None] | None = None
        self._connection = connection
        self._sessions = sessions
        self._target = target
        self._published = published
        self._folder = folder
        self._plan = plan
        self._done, self._total = 0, plan.rows_to_write
        self._footers: dict[str, str] = {}
        self._read: list[Reach] = []

    def of_bars(self, dataset: str) -> list[PublishedFile]:
        """Return the files of a data set of bars, by part; those are written whose rows are not published."""
        files = []
        for batch in in_batches([part for part in self._plan.parts[dataset] if part.published is None]):
            files += self._of_batch(dataset, batch)
        files += [part.published for part in self._plan.parts[dataset] if part.published]
        return sorted(files, key=lambda file: file.part)

    def _of_batch(self, dataset: str, batch: Sequence[Part]) -> list[PublishedFile]:
        files = []
        bars, more, hashes = rows_between(
            self._connection,
            dataset,
            batch[0].first,
            batch[-1].last,
            with_hashes=any(part.fingerprint is None for part in batch),
        )
        if isinstance(bars, DailyBars) and dataset == DAILY_BARS:
            self._read.append(Reach.of(batch[0].first, batch[-1].last, bars))
        rows = to_arrow(dataset, bars, more, self._sessions)
        keys = bars.ordinal if isinstance(bars, DailyBars) else bars.window
        for part in batch:
            own = np.flatnonzero((part.first <= keys) & (keys <= part.last))
            file = self._of_part(dataset, part, rows, own, hashes)
            files += [file] if file else []
            self._done += part.rows
            if self.on_progress is not None:
                self.on_progress(self._done, self._total)
        return files

    def _of_part(
        self, dataset: str, part: Part, rows: pa.Table, own: Int64s, hashes: Int64s | None
    ) -> PublishedFile | None:
        """Return the file of the rows of a part; None if it has none any more."""
        if not len(own):
            return None
        fingerprint = part.fingerprint
        if fingerprint is None and hashes is not None:
            fingerprint = fingerprint_of(hashes[own])
            wanted = (part.name, fingerprint[1])
            file = self._published.reusable(dataset, {wanted}, self._plan.calendar).get(wanted)
            if file:
                return file
        table = rows if len(own) == len(rows) else rows.take(own)
        return self.put(dataset, part.name, table, fingerprint[1] if fingerprint else "")

    def put(self, dataset: str, part: str, rows: pa.Table, fingerprint: str) -> PublishedFile:
        """Write a file and put it in the target, unless one with the same bytes is there."""
        built = self._folder / f"{dataset}-{part}"
        digest, footer = write_part(built, rows)
        path = f"{dataset}/{part}-{digest[:16]}.parquet"
        file = PublishedFile(path, part, digest, built.stat().st_size, len(rows), fingerprint)
        self._footers[path] = footer
        if self._published.is_whole(file):
            built.unlink()
        else:
            self._target.put(built, path)
            self.written.append(file)
        return file

    def footers_of(self, files: Sequence[PublishedFile]) -> dict[str, str]:
        """Return the digests of the footers of files that are in the target, by path, ascending."""
        return {file.path: self._footer_of(file) for file in sorted(files, key=lambda file: file.path)}

    def _footer_of(self, file: PublishedFile) -> str:
        """Return the digest of the footer of a file, which an earlier version may not have named."""
        before = self._published.manifest
        known = self._footers.get(file.path) or (before.footers.get(file.path) if before else None)
        if known is not None:
            return known
        content = b"".join(self._target.chunks(file.path))
        return hashlib.sha256(footer_of(io.BytesIO(content))).hexdigest()

    def reaches(self, instrument_id: Int32s) -> Spans:
        """Return the ordinals of the first and last daily bar of each of the instruments that has any.

        By the version before and the bars that `of_bars` has read; the database is asked for what these do
        not tell.
        """
        before = self._published.reaches(self._sessions, self._plan.calendar)
        # A part that has no row any more was not read.
        if before is None or not self._published.parts(DAILY_BARS) <= {
            part.name for part in self._plan.parts[DAILY_BARS]
        }:
            return spans_of_bars(self._connection, instrument_id)
        listed, spans = before
        known, unknown = known_reaches(spans, self._read)
        asked = np.union1d(unknown, np.setdiff1d(instrument_id, listed)).astype(np.int32)
        known = known.take(np.isin(known.instrument_id, instrument_id) & ~np.isin(known.instrument_id, asked))
        asked = np.intersect1d(asked, instrument_id)
        if not len(asked):
            return known
        spans = Spans.concat([known, spans_of_bars(self._connection, asked)])
        return spans.take(np.argsort(spans.instrument_id))
