"""Bars read from a published data set, by the same steps as from the database."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq

from batch_layer.shared.errors import PublishedError, PublishedUnavailable, UsageError
from batch_layer.shared.models.bars import Bars, DailyBars, Int32s
from batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans
from batch_layer.shared.published.manifest import Manifest, PublishedFile
from batch_layer.shared.published.tables import dataset_of, to_numpy, year_starts, years_of
from batch_layer.shared.published.target import PublishTarget
from batch_layer.shared.published.versions import current_manifest
from serving_layer.sources.parquet_rows import Arrays, FileRows, SpanRows

_DENIED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN_ID",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "REQUEST_EXPIRED",
    "SIGNATURE_DOES_NOT_MATCH",
    "UNRECOGNIZED_CLIENT",
)
"""S3 errors, under Arrow's names, that do not pass by themselves.

Without the right to list a bucket, S3 also answers ACCESS_DENIED for a missing object.
"""

_FAILURES = (OSError, pa.ArrowException, LookupError, TypeError, AttributeError, ValueError)
"""What reading a file may raise: a damaged file can break a reader in any of these ways."""

AnyEvents = TypeVar("AnyEvents", bound=Events)


class PublishedSource:
    """A `BarSource` that reads one version of a published data set.

    The version is the one that was current when the source was opened. It stays readable until
    `condvest publish` removes it, ``--keep`` versions later.
    """

    def __init__(self, target: PublishTarget, manifest: Manifest) -> None:
        self._target = target
        self.manifest = manifest
        self._filesystem, self._base = target.filesystem()

    @classmethod
    def open(cls, target: PublishTarget) -> PublishedSource:
        """Open the current version.

        Raises:
            PublishedError: nothing is published there, or it cannot be read.
            PublishedFormat: another version of Condvest wrote it.
            PublishedUnavailable: the target does not answer.
        """
        manifest = current_manifest(target)
        if manifest is None:
            raise PublishedError(
                f"nothing is published in {target.name}; run condvest publish, or if it was moved, set "
                "CONDVEST_PUBLISHED to where it is"
            )
        return cls(target, manifest)

    def files(self, dataset: str) -> list[str]:
        """Return where the files of a data set are, for any reader of Parquet.

        Raises:
            UsageError: there is no such data set.
        """
        if dataset not in self.manifest.files:
            raise UsageError(f"no data set {dataset!r}: choose one of {', '.join(self.manifest.files)}")
        scheme = "s3://" if isinstance(self._filesystem, pyarrow.fs.S3FileSystem) else ""
        return [f"{scheme}{self._base}{file.path}" for file in self._files_of(dataset)]

    def _files_of(self, dataset: str) -> Sequence[PublishedFile]:
        if dataset not in self.manifest.files:
            raise PublishedError(
                f"version {self.manifest.version} in {self._target.name} has no data set {dataset}: "
                "run condvest publish"
            )
        return self.manifest.files[dataset]

    @cached_property
    def sessions(self) -> Sessions:
        """The calendar."""
        table = self._ledger
        instants = {name: to_numpy(table[name]).astype("datetime64[s]") for name in ("opens_at", "closes_at")}
        return Sessions(
            first_ordinal=table["ordinal"][0].as_py(),
            date=to_numpy(table["session"]).astype("datetime64[D]"),
            early_close=to_numpy(table["early_close"]),
            **instants,
        )

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbols by instrument; see `BarSource`."""
        table = self._instruments
        wanted = pc.is_valid(table["symbol"])
        if ids is not None:
            wanted = pc.and_(wanted, pc.is_in(table["instrument_id"], pa.array(ids)))
        table = table.filter(wanted)
        return dict(zip(table["instrument_id"].to_pylist(), table["symbol"].to_pylist(), strict=True))

    def carriers(self, symbol: str) -> list[int]:
        """Return the instruments that carry or carried a symbol; see `BarSource`."""
        table = self._small("symbols")
        rows = table.filter(pc.equal(table["symbol"], symbol)).to_pylist()
        rows.sort(
            key=lambda row: (row["valid_to"] or dt.date.max, row["valid_from"] or dt.date.min), reverse=True
        )
        return [row["instrument_id"] for row in rows]

    def coverage(self, ids: Int32s) -> Coverage:
        """Return which sessions have been loaded; see `BarSource`."""
        through = np.full(64, NOTHING_LOADED, dtype=np.int32)
        for provider, last in self.manifest.loaded_through.items():
            through[provider] = last
        known = to_numpy(self._instruments["instrument_id"])
        asked = np.isin(known, ids)
        return Coverage(
            known[asked],
            to_numpy(self._instruments["providers"])[asked],
            self.sessions.first_ordinal,
            to_numpy(self._ledger["complete"]),
            through,
        )

    def splits(self, ids: Int32s) -> SplitEvents:
        """Return the splits; see `BarSource`."""
        return self._events("splits", SplitEvents, ids)

    def dividends(self, ids: Int32s) -> DividendEvents:
        """Return the dividends; see `BarSource`."""
        return self._events("dividends", DividendEvents, ids)

    def listed(self, ids: Int32s) -> Spans:
        """Return the spans of the daily bars; see `BarSource`."""
        table = self._instruments
        table = table.filter(
            pc.and_(pc.is_in(table["instrument_id"], pa.array(ids)), pc.is_valid(table["first_session"]))
        )
        first, last = (
            self.sessions.ordinals_of(to_numpy(table[name]).astype("datetime64[D]"))
            for name in ("first_session", "last_session")
        )
        return Spans(to_numpy(table["instrument_id"]), first, last)

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars; see `BarSource`."""
        return DailyBars(**self._bars(1, [field.name for field in fields(DailyBars)], spans))

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Return the bars; see `BarSource`."""
        return Bars(**self._bars(interval, [field.name for field in fields(Bars)], spans, complete=complete))

    def waiting(self, ids: Int32s) -> Spans:
        """Return no spans: only resampled bars are published."""
        none = ids[:0]
        return Spans(none, none, none)

    @cached_property
    def _instruments(self) -> pa.Table:
        return self._small("instruments")

    @cached_property
    def _ledger(self) -> pa.Table:
        return self._small("sessions")

    def _small(self, dataset: str) -> pa.Table:
        (file,) = self._files_of(dataset)
        with self._translated(file), self._opened(file) as parquet:
            return parquet.read(use_threads=False)

    def _events(self, dataset: str, model: type[AnyEvents], ids: Int32s) -> AnyEvents:
        table = self._small(dataset)
        table = table.filter(pc.is_in(table["instrument_id"], pa.array(ids)))
        columns = {field.name: to_numpy(table[field.name]) for field in fields(model)}
        return model(**columns | {"ex_date": columns["ex_date"].astype("datetime64[D]")})

    def _bars(self, interval: int, names: Sequence[str], spans: Spans, *, complete: bool = False) -> Arrays:
        files = self._files_within(interval, spans)
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

    def _files_within(self, interval: int, spans: Spans) -> Sequence[PublishedFile]:
        """Return the files of the years that the spans reach into."""
        files = self._files_of(dataset_of(interval))
        if not len(spans):
            return []
        years = years_of(self.sessions)
        bounds = np.array([spans.first.min(), spans.last.max()], dtype=np.int32)
        first, last = np.searchsorted(year_starts(self.sessions, interval), bounds, side="right") - 1
        return [file for file in files if years[max(first, 0)] <= int(file.part) <= years[max(last, 0)]]

    def _opened(self, file: PublishedFile) -> pq.ParquetFile:
        with self._translated(file):
            return pq.ParquetFile(
                f"{self._base}{file.path}",
                filesystem=self._filesystem,
                pre_buffer=True,
                page_checksum_verification=True,
            )

    @contextmanager
    def _translated(self, file: PublishedFile) -> Iterator[None]:
        where = f"{file.path} of the published data set {self._target.name}"
        try:
            yield
        except FileNotFoundError as error:
            raise PublishedError(
                f"{where} is gone, though version {self.manifest.version} names it: newer versions replaced "
                "it, or it was removed by hand. Read again; if that does not help, run condvest publish"
            ) from error
        except MemoryError:
            raise
        except _FAILURES as error:
            if any(f"AWS Error {denied}" in str(error) for denied in _DENIED):
                raise PublishedError(
                    f"{where} may not be read, or is gone: {error}. Read again; if that does not help, look "
                    "at the credentials, which need s3:GetObject there"
                ) from error
            if "AWS Error" in str(error):
                raise PublishedUnavailable(f"{where} cannot be read now: {error}; try again") from error
            raise PublishedError(
                f"{where} cannot be read ({type(error).__name__}: {error}). If it is damaged, and no longer "
                "what the manifest's sha256 says, remove it and run condvest publish"
            ) from error
