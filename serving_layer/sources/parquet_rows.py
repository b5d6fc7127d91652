"""Rows of many Parquet files in the order of spans, with one copy of each value.

The keys are read first; they say where each row belongs in the result. Then every other column is copied from
its file straight to those positions, one file per thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from condvest.batch_layer.shared.models.bars import Bools, Int32s, Positions, run_starts
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.published.tables import to_numpy

Arrays = dict[str, npt.NDArray[Any]]

_KINDS: dict[str, Any] = {
    "instrument_id": np.int32,
    "ordinal": np.int32,
    "window": np.int32,
    "trades": np.int64,
    "load_id": np.int32,
    "superseded_by": np.int32,
    "sessions": np.int16,
    "is_complete": np.bool_,
}
"""The types of the columns that are not float64."""


_ALIGNED = 64
"""Bytes. Arrow wants arrays to begin at a multiple of this."""


Column = tuple[str, npt.NDArray[Any]]
"""A name and its values."""


@dataclass
class FileRows:
    """The wanted rows of one file, or of some of its row groups.

    Attributes:
        keys: the columns read so far, of the wanted rows.
        more: yields further columns of these rows.
        starts, lengths: per instrument, where its rows begin among the wanted ones, and their number.
        first: per instrument, the position of its first row in the result; set by `SpanRows.lay_out`.
    """

    keys: Arrays
    more: Callable[[Sequence[str]], Iterator[Column]]
    starts: Positions
    lengths: Positions
    first: Positions

    def positions(self) -> Positions:
        """Return the position of each row in the result."""
        rows = np.repeat(self.first - self.starts, self.lengths)
        rows += np.arange(len(rows))
        return rows


class SpanRows:
    """Rows within spans, in the order of the spans.

    Use: `keys_of` each file, `lay_out` them all, `fill` from each; then ``arrays`` holds the columns.

    Args:
        spans: of ordinals or windows, without overlaps; those of one instrument are contiguous and ascend.
        known: int32, ascending: all instruments that the files may hold.
        names: the columns wanted; the first two are the key.
        complete: whether to leave out rows that are not ``is_complete``.
    """

    def __init__(self, spans: Spans, known: Int32s, names: Sequence[str], *, complete: bool) -> None:
        self._names = list(names)
        self._complete = complete
        self._spans = spans.merged()
        self._ids, first_span = np.unique(spans.instrument_id, return_index=True)
        self._order = np.argsort(first_span)
        self._rank = np.argsort(self._order)
        self._bounds = (int(spans.first.min()), int(spans.last.max())) if len(spans) else (0, -1)
        alike = bool((spans.first == self._bounds[0]).all() and (spans.last == self._bounds[1]).all())
        self._is_whole = alike and len(self._ids) == len(spans) and _is_run_of(self._ids, known)
        self.arrays: Arrays = {}
        self._to_read: list[str] = []

    def keys_of(self, parquet: pq.ParquetFile) -> FileRows:
        """Return the wanted rows of a file, with their keys. The file ascends by its key."""
        groups = [group for group in range(parquet.num_row_groups) if self.may_hold(parquet, group)]
        names = self._names[:2]
        if self._complete and not all(_is_complete(parquet, group) for group in groups):
            names = [*names, "is_complete"]

        def read(names: Sequence[str]) -> Iterator[Column]:
            table = parquet.read_row_groups(groups, columns=names, use_threads=False)
            return ((name, to_numpy(table[name])) for name in names)

        return self._wanted_of(dict(read(names)), read)

    def rows_among(self, columns: Arrays) -> FileRows:
        """Return the wanted rows among some that are decoded. They ascend by instrument."""
        instrument_id = columns[self._names[0]]
        first = instrument_id.searchsorted(self._ids[0])
        end = instrument_id.searchsorted(self._ids[-1], side="right")
        # What belongs to other portions is not looked at.
        own = {name: values[first:end] for name, values in columns.items()}
        keys = {name: own[name] for name in self._names[:2]}
        return self._wanted_of(keys, lambda names: ((name, own[name]) for name in names))

    @property
    def last_instrument(self) -> int:
        """The last of the instruments that are wanted, of which there must be one."""
        return int(self._ids[-1])

    def _wanted_of(self, keys: Arrays, read: Callable[[Sequence[str]], Iterator[Column]]) -> FileRows:
        """Return the wanted rows of those whose key is given; ``read`` yields their other columns."""
        wanted = self._wanted(keys)
        if wanted is not None:
            keys = {name: values[wanted] for name, values in keys.items()}

        def more(names: Sequence[str]) -> Iterator[Column]:
            return ((name, values if wanted is None else values[wanted]) for name, values in read(names))

        instrument_id = keys[self._names[0]]
        starts = run_starts(instrument_id)
        return FileRows(keys, more, starts, np.diff(starts, append=len(instrument_id)), first=starts)

    def lay_out(self, files: Sequence[FileRows]) -> None:
        """Find the positions of all files' rows. Of one instrument, a later file has the later rows."""
        ranks = [
            self._rank[np.searchsorted(self._ids, file.keys[self._names[0]][file.starts])] for file in files
        ]
        counts = np.zeros(len(self._ids), dtype=np.intp)
        for rank, file in zip(ranks, files, strict=True):
            counts[rank] += file.lengths
        free = np.cumsum(counts) - counts
        for rank, file in zip(ranks, files, strict=True):
            file.first = free[rank]
            free[rank] += file.lengths
        total = int(counts.sum())
        # These two columns are known without reading them.
        self.arrays = {self._names[0]: np.repeat(self._ids[self._order], counts)}
        if self._complete:
            self.arrays["is_complete"] = np.ones(total, dtype=np.bool_)
        self._to_read = [name for name in self._names if name not in self.arrays]
        self.arrays |= _empty({name: np.dtype(_KINDS.get(name, np.float64)) for name in self._to_read}, total)

    def fill(self, file: FileRows) -> None:
        """Copy the rows of a file to their positions."""
        if not len(file.starts):
            return
        positions = file.positions()
        number, *others = self._to_read
        self.arrays[number][positions] = file.keys[number]
        for name, values in file.more(others):
            self.arrays[name][positions] = values

    def may_hold(self, parquet: pq.ParquetFile, group: int) -> bool:
        """Return whether a row group may hold a wanted row, by its statistics."""
        metadata = parquet.metadata.row_group(group)
        instrument, key = (metadata.column(column).statistics for column in (0, 1))
        at = int(np.searchsorted(self._ids, instrument.min))
        is_between = at < len(self._ids) and int(self._ids[at]) <= instrument.max
        return is_between and key.min <= self._bounds[1] and self._bounds[0] <= key.max

    def _wanted(self, keys: Arrays) -> Bools | slice | None:
        """Return which rows are wanted, as a mask or a slice; None for all."""
        instrument_id, number = (keys[name] for name in self._names[:2])
        low, high = self._bounds
        run: Bools | slice | None
        if self._is_whole and low <= number.min(initial=low) and number.max(initial=high) <= high:
            # The file ascends by instrument: those of a run lie together, and no mask is needed.
            first = int(np.searchsorted(instrument_id, self._ids[0]))
            end = int(np.searchsorted(instrument_id, self._ids[-1], side="right"))
            run = None if end - first == len(instrument_id) else slice(first, end)
        else:
            run = self._spans.contain(instrument_id, number)
        if "is_complete" not in keys:
            return None if isinstance(run, np.ndarray) and run.all() else run
        complete = keys["is_complete"]
        if isinstance(run, slice):
            inside = np.zeros(len(complete), dtype=np.bool_)
            inside[run] = complete[run]
        else:
            inside = complete if run is None else run & complete
        return None if inside.all() else inside


def _is_run_of(ids: Int32s, known: Int32s) -> bool:
    """Return whether ids (ascending) are some that follow each other among the known ones (ascending)."""
    first = int(np.searchsorted(known, ids[0])) if len(ids) else 0
    return len(ids) > 0 and np.array_equal(ids, known[first : first + len(ids)])


def _empty(kinds: dict[str, np.dtype[Any]], rows: int) -> Arrays:
    """Return columns without values, cut from one allocation: the system gives it in larger pages."""
    widths = [-(-rows * kind.itemsize // _ALIGNED) * _ALIGNED for kind in kinds.values()]
    memory = np.empty(sum(widths), dtype=np.uint8)
    parts = np.split(memory, np.cumsum(widths)[:-1])
    return {
        name: part[: rows * kind.itemsize].view(kind)
        for (name, kind), part in zip(kinds.items(), parts, strict=True)
    }


def _is_complete(parquet: pq.ParquetFile, group: int) -> bool:
    """Return whether all rows of a row group are complete, by its statistics."""
    column = parquet.schema_arrow.get_field_index("is_complete")
    statistics = parquet.metadata.row_group(group).column(column).statistics
    return statistics is not None and statistics.has_min_max and statistics.min is True
