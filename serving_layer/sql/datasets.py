"""The data sets of one published version as Arrow reads them, held against the manifest before they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa
import pyarrow.dataset as ds

from condvest.batch_layer.shared.published.tables import SCHEMAS
from condvest.serving_layer.sources.published import PublishedSource

_MAKES_NAMES = "query"
"""What the names of DuckDB's functions hold that run a text: ``query``, ``query_table``."""


class Datasets:
    """The data sets of a version, opened once."""

    def __init__(self, source: PublishedSource) -> None:
        self._source = source
        self._opened: dict[str, ds.Dataset] = {}
        self._checked: set[str] = set()

    @property
    def source(self) -> PublishedSource:
        """The version."""
        return self._source

    def for_statement(self, statement: str) -> Iterator[tuple[str, ds.Dataset]]:
        """Yield each data set that the statement may be about, by its name.

        Those whose name it holds are held against the manifest before; so is everything where it may put a
        name together by itself. Of the others only the names and columns can be asked for, so one that is
        damaged is left out.

        Raises:
            PublishedError: a file is damaged, or gone.
            PublishedUnavailable: it cannot be read now.
        """
        text = statement.lower()
        for name in self._source.manifest.files:
            if name in text or _MAKES_NAMES in text:
                self._check(name)
                yield name, self._open(name)
            else:
                with suppress(OSError, pa.ArrowException):
                    yield name, self._open(name)

    def _check(self, name: str) -> None:
        if name not in self._checked:
            self._source.check(name)
            self._checked.add(name)

    def _open(self, name: str) -> ds.Dataset:
        if name not in self._opened:
            filesystem, paths = self._source.paths(name)
            options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
            form = ds.ParquetFileFormat(default_fragment_scan_options=options)
            self._opened[name] = (
                ds.dataset(paths, filesystem=filesystem, format=form)
                if paths
                else ds.dataset(SCHEMAS[name].empty_table())
            )
        return self._opened[name]
