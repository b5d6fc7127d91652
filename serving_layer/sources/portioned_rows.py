"""Rows of Parquet files by portions of instruments, each row group decoded once.

Who folds a whole market reads it portion by portion, so that its daily bars are never in memory all at once.
Where a portion ends, most files are in the midst of a row group: what was decoded of it stays for the next.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import chain, repeat

import pyarrow.parquet as pq

from condvest.batch_layer.shared.published.tables import to_numpy
from condvest.serving_layer.sources.parquet_rows import Arrays, FileRows, SpanRows


class PortionedFile:
    """One file, read from its first instrument to its last.

    Args:
        parquet: the file; it ascends by its first column, the instrument.
        names: the columns wanted.
        translated: gives a context in which errors of reading become those of the caller.
    """

    def __init__(
        self,
        parquet: pq.ParquetFile,
        names: Sequence[str],
        translated: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._parquet = parquet
        self._names = list(names)
        self._translated = translated
        self._kept: dict[int, Arrays] = {}

    def rows_of(self, portion: SpanRows) -> list[FileRows]:
        """Return a portion's rows, by row group. Its instruments come after those of the portion before."""
        rows = []
        with self._translated():
            for group in range(self._parquet.num_row_groups):
                if portion.may_hold(self._parquet, group):
                    if group not in self._kept:
                        self._kept[group] = self._decoded(group)
                    rows.append(portion.rows_among(self._kept[group]))
            for group in list(self._kept):
                if self._last_instrument(group) <= portion.last_instrument:
                    del self._kept[group]
        return rows

    def _decoded(self, group: int) -> Arrays:
        table = self._parquet.read_row_group(group, columns=self._names, use_threads=False)
        return {name: to_numpy(table[name]) for name in self._names}

    def _last_instrument(self, group: int) -> int:
        last: int = self._parquet.metadata.row_group(group).column(0).statistics.max
        return last


def rows_in_portions(files: Sequence[PortionedFile], portions: Iterable[SpanRows]) -> Iterator[Arrays]:
    """Yield the columns of each portion; threads share the files.

    Args:
        files: of one instrument, a later file has the later rows.
        portions: ascending by instrument; none is in two of them.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for portion in portions:
            of_files = list(chain.from_iterable(pool.map(PortionedFile.rows_of, files, repeat(portion))))
            portion.lay_out(of_files)
            list(pool.map(portion.fill, of_files))
            # Else what was decoded would stay in memory while the caller uses the portion.
            del of_files
            yield portion.arrays
