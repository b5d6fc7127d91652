"""The files of one version of a published data set: opened, held against the manifest, and read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import fields
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from condvest.batch_layer.shared.errors import PublishedError, UsageError
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.published.digests import footer_of, metadata_of
from condvest.batch_layer.shared.published.manifest import Manifest, PublishedFile
from condvest.batch_layer.shared.published.parts import Division, dataset_of
from condvest.batch_layer.shared.published.tables import to_numpy
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.serving_layer.sources.keeping.kept_rows import (
    FileColumns,
    are_worth_keeping,
    kept_columns,
    rows_within,
)
from condvest.serving_layer.sources.parquet_rows import Arrays, FileRows, SpanRows
from condvest.serving_layer.sources.unreadable import translated


class PublishedFiles:
    """One version of a published data set, as files.

    Attributes:
        manifest: the version's manifest.
    """

    def __init__(self, target: PublishTarget, manifest: Manifest) -> None:
        self._target = target
        self.manifest = manifest
        self._filesystem, self._base = target.filesystem()
        self._tables: dict[str, pa.Table] = {}

    @cached_property
    def version(self) -> str:
        """Which version of what data this is: ``p-<8 digits of the manifest's digest>-<number>``.

        The whole manifest counts, with its database, its instant and the digests of its files: two data sets
        that were published apart never share a version, whatever their numbers.
        """
        digest = hashlib.sha256(self.manifest.to_json()).hexdigest()[:8]
        return f"p-{digest}-{self.manifest.version}"

    def is_kept(self) -> bool:
        """Return whether this version, which is no longer the current one, can still be read."""
        return self._target.read(self.manifest.path) is not None

    def files(self, dataset: str) -> list[str]:
        """Return where the files of a data set are, for any reader of Parquet.

        Raises:
            UsageError: there is no such data set.
        """
        if dataset not in self.manifest.files:
            raise UsageError(f"no data set {dataset!r}: choose one of {', '.join(self.manifest.files)}")
        filesystem, paths = self.paths(dataset)
        scheme = "s3://" if isinstance(filesystem, pyarrow.fs.S3FileSystem) else ""
        return [f"{scheme}{path}" for path in paths]

    def paths(self, dataset: str) -> tuple[pyarrow.fs.FileSystem, list[str]]:
        """Return the paths of a data set's files, and the file system on which they are."""
        return self._filesystem, [f"{self._base}{file.path}" for file in self._files_of(dataset)]

    def check(self, dataset: str) -> None:
        """Hold the footers of a data set's files against the manifest; PublishedError if one is damaged."""
        for file in self._files_of(dataset):
            with self._opened(file):
                pass

    def _files_of(self, dataset: str) -> Sequence[PublishedFile]:
        if dataset not in self.manifest.files:
            raise PublishedError(
                f"version {self.manifest.version} in {self._target.name} has no data set {dataset}: "
                "run condvest publish"
            )
        return self.manifest.files[dataset]

    @cached_property
    def sessions(self) -> Sessions:
        """The calendar; of a data set that an earlier version published, no open counts as late."""
        table = self._ledger
        unknown = np.zeros(len(table), dtype=np.bool_)
        instants = {name: to_numpy(table[name]).astype("datetime64[s]") for name in ("opens_at", "closes_at")}
        return Sessions(
            first_ordinal=table["ordinal"][0].as_py(),
            date=to_numpy(table["session"]).astype("datetime64[D]"),
            early_close=to_numpy(table["early_close"]),
            late_open=to_numpy(table["late_open"]) if "late_open" in table.column_names else unknown,
            **instants,
        )

    @cached_property
    def _instruments(self) -> pa.Table:
        return self.small("instruments")

    def instruments(self) -> Int32s:
        """Return all instruments, with daily bars or without; int32, ascending."""
        return to_numpy(self._instruments["instrument_id"])

    @cached_property
    def _ledger(self) -> pa.Table:
        return self.small("sessions")

    def small(self, dataset: str) -> pa.Table:
        """Return a data set that is one file."""
        if dataset not in self._tables:
            (file,) = self._files_of(dataset)
            with self._translated(file), self._opened(file) as parquet:
                self._tables[dataset] = parquet.read(use_threads=False)
        return self._tables[dataset]

    def rows(self, dataset: str, names: Sequence[str], spans: Spans, *, complete: bool = False) -> Arrays:
        """Return the rows of a data set within spans of ordinals or windows, in the spans' order.

        Args:
            dataset: one that is divided.
            names: the columns; the first two are its key.
            spans: must not overlap; those of one instrument are contiguous and ascend.
            complete: whether to leave out rows that are not ``is_complete``.
        """
        files = self._files_within(dataset, spans)
        rows_held, instruments = sum(file.rows for file in files), len(self._instruments)
        may_keep = set(names) <= set(_kept_names(dataset))
        if files and may_keep and are_worth_keeping(spans, rows_held, instruments):
            digests = [(self._target.name, file.sha256) for file in files]
            columns = kept_columns(digests, lambda at: self._decoded(files[at]))
            if columns is not None:
                return rows_within(columns, spans, names, complete=complete)
        rows = SpanRows(spans, to_numpy(self._instruments["instrument_id"]), names, complete=complete)
        with ExitStack() as stack, ThreadPoolExecutor(os.cpu_count()) as pool:
            opened = [stack.enter_context(self._opened(file)) for file in files]

            def keys(at: int) -> FileRows:
                with self._translated(files[at]):
                    return rows.keys_of(opened[at])

            def fill(at: int, file_rows: FileRows) -> None:
                with self._translated(files[at]):
                    rows.fill(file_rows)

            of_files = list(pool.map(keys, range(len(files))))
            rows.lay_out(of_files)
            list(pool.map(fill, range(len(files)), of_files))
        return rows.arrays

    def rows_of(self, dataset: str, names: Sequence[str], portions: Sequence[Spans]) -> Iterator[Arrays]:
        """Yield what `rows` returns of each portion; each row group is decoded once.

        Args:
            dataset: one that is divided.
            names: the columns; the first two are its key.
            portions: spans, ascending; no instrument is in two of them.
        """
        if len(portions) == 1:
            yield self.rows(dataset, names, portions[0])
            return
        # Only whole markets are read so.
        from condvest.serving_layer.sources.portioned_rows import PortionedFile, rows_in_portions  # noqa: PLC0415

        known = to_numpy(self._instruments["instrument_id"])
        rows = (SpanRows(portion, known, names, complete=False) for portion in portions)
        with ExitStack() as stack:
            files = [
                PortionedFile(stack.enter_context(self._opened(file)), names, partial(self._translated, file))
                for file in self._files_within(dataset, Spans.concat(portions))
            ]
            yield from rows_in_portions(files, rows)

    def _decoded(self, file: PublishedFile) -> FileColumns:
        """Return all columns of a file of bars that answers are made of."""
        names = _kept_names(file.path.partition("/")[0])
        with self._translated(file), self._opened(file) as parquet:
            table = parquet.read(columns=names, use_threads=False)
            return FileColumns.of({name: to_numpy(table[name]) for name in names}, names)

    def _files_within(self, dataset: str, spans: Spans) -> Sequence[PublishedFile]:
        """Return the files of the parts that the spans reach into."""
        files = self._files_of(dataset)
        if not len(spans):
            return []
        bounds = np.array([spans.first.min(), spans.last.max()], dtype=np.int32)
        division = Division.of(self.sessions, self.manifest.months_from)
        starts = division.starts(self.sessions, dataset)
        first, last = np.searchsorted(starts, bounds, side="right") - 1
        earliest, latest = (division.names[max(at, 0)] for at in (first, last))
        return [file for file in files if earliest <= file.part <= latest]

    @contextmanager
    def _opened(self, file: PublishedFile) -> Iterator[pq.ParquetFile]:
        """Open a file whose footer is the one that the manifest names: a damaged one may hide rows."""
        with ExitStack() as stack:
            with self._translated(file):
                opened = stack.enter_context(self._filesystem.open_input_file(f"{self._base}{file.path}"))
                footer = footer_of(opened)
                self._check_footer(file, footer)
                parquet = pq.ParquetFile(
                    opened,
                    metadata=metadata_of(footer),
                    pre_buffer=True,
                    page_checksum_verification=True,
                )
            yield parquet

    def _check_footer(self, file: PublishedFile, footer: bytes) -> None:
        named = self.manifest.footers.get(file.path)
        if named is not None and (got := hashlib.sha256(footer).hexdigest()) != named:
            raise ValueError(f"its footer has the SHA-256 {got}, but the manifest says {named}")

    def _translated(self, file: PublishedFile) -> AbstractContextManager[None]:
        """Say what is wrong with a file that cannot be read; see `translated`."""
        return translated(f"{file.path} of the published data set {self._target.name}", self.manifest.version)


def _kept_names(dataset: str) -> list[str]:
    """Return the columns of a data set of bars that answers are made of, and that stay decoded."""
    return [field.name for field in fields(DailyBars if dataset == dataset_of(1) else Bars)]
