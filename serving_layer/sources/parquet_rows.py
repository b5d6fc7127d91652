"""Rows of many Parquet files, gathered in the order of spans with one copy of each value.

First the keys are read, which tell where each row belongs in the result; then every other column goes from
its file straight there, a file a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from batch_layer.shared.models.bars import Bools, Int32s, Positions, run_starts
from batch_layer.shared.models.spans import Spans
from batch_layer.shared.published.tables import to_numpy

Arrays = dict[str, npt.NDArray[Any]]

_KINDS: dict[str, Any] = {
    "instrument_id": np.int32,
    "ordinal": np.int32,
    "window": np.int32,
    "trades": np.int64,
    "sessions": np.int16,
    "is_complete": np.bool_,
}
"""The types of the columns that are not float64."""


_ALIGNED = 64
"""Bytes: what Arrow wishes arrays to begin at a multiple of."""


@dataclass
class Piece:
    """The rows of one file that are wanted.

    Attributes:
        parquet, groups: the row groups that hold them.
        wanted: which rows of those; None for all.
        keys: the columns that are read already, of the wanted rows.
        starts, lengths: where each instrument's rows begin among the wanted ones, and how many they are.
        first: where each instrument's first row belongs in the result, once it is laid out.
    """

    parquet: pq.ParquetFile
    groups: list[int]
    wanted: Bools | None
    keys: Arrays
    starts: Positions
    lengths: Positions
    first: Positions

    def to(self) -> Positions:
        """Return where each row belongs in the result."""
        rows = np.repeat(self.first - self.starts, self.lengths)
        rows += np.arange(len(rows))
        return rows


class Gathering:
    """Rows within spans, in the spans' order.

    Args:
        spans: of ordinals or windows; must not overlap, those of one instrument together and ascending.
        known: int32, ascending: all instruments that the files may hold.
        names: the columns wanted; the first two are the key.
        complete: whether to leave out rows that are not ``is_complete``.
    """

    def __init__(self, spans: Spans, known: Int32s, names: Sequence[str], *, complete: bool) -> None:
        self._names = list(names)
        self._complete = complete
        self._spans = spans.merged()
        self._ids, first_place = np.unique(spans.instrument_id, return_index=True)
        self._order = np.argsort(first_place)
        self._rank = np.argsort(self._order)
        self._bounds = (int(spans.first.min()), int(spans.last.max())) if len(spans) else (0, -1)
        alike = bool((spans.first == self._bounds[0]).all() and (spans.last == self._bounds[1]).all())
        self._is_whole = alike and len(self._ids) == len(spans) and np.array_equal(self._ids, known)
        self.arrays: Arrays = {}
        self._gathered: list[str] = []

    def piece(self, parquet: pq.ParquetFile) -> Piece:
        """Return the rows of a file that are wanted, their keys read. A file ascends by its key."""
        groups = [group for group in range(parquet.num_row_groups) if self._may_hold(parquet, group)]
        names = self._names[:2]
        if self._complete and not all(_is_complete(parquet, group) for group in groups):
            names = [*names, "is_complete"]
        table = parquet.read_row_groups(groups, columns=names, use_threads=False)
        keys = {name: to_numpy(table[name]) for name in names}
        wanted = self._wanted(keys)
        if wanted is not None:
            keys = {name: values[wanted] for name, values in keys.items()}
        starts = run_starts(keys[names[0]])
        lengths = np.diff(starts, append=len(keys[names[0]]))
        return Piece(parquet, groups, wanted, keys, starts, lengths, first=starts)

    def lay_out(self, pieces: Sequence[Piece]) -> None:
        """Find where the rows of the pieces belong. Of one instrument, a later piece has the later rows."""
        places = [
            self._rank[np.searchsorted(self._ids, piece.keys[self._names[0]][piece.starts])]
            for piece in pieces
        ]
        counts = np.zeros(len(self._ids), dtype=np.intp)
        for place, piece in zip(places, pieces, strict=True):
            counts[place] += piece.lengths
        free = np.cumsum(counts) - counts
        for place, piece in zip(places, pieces, strict=True):
            piece.first = free[place]
            free[place] += piece.lengths
        total = int(counts.sum())
        # What is known already need not be gathered.
        self.arrays = {self._names[0]: np.repeat(self._ids[self._order], counts)}
        if self._complete:
            self.arrays["is_complete"] = np.ones(total, dtype=np.bool_)
        self._gathered = [name for name in self._names if name not in self.arrays]
        self.arrays |= _empty(
            {name: np.dtype(_KINDS.get(name, np.float64)) for name in self._gathered}, total
        )

    def fill(self, piece: Piece) -> None:
        """Put the rows of a piece where they belong."""
        if not len(piece.starts):
            return
        to = piece.to()
        number, *others = self._gathered
        self.arrays[number][to] = piece.keys[number]
        table = piece.parquet.read_row_groups(piece.groups, columns=others, use_threads=False)
        for name in others:
            values = to_numpy(table[name])
            self.arrays[name][to] = values if piece.wanted is None else values[piece.wanted]

    def _may_hold(self, parquet: pq.ParquetFile, group: int) -> bool:
        """Return whether a row group may hold a wanted row, by its statistics."""
        metadata = parquet.metadata.row_group(group)
        instrument, key = (metadata.column(place).statistics for place in (0, 1))
        at = int(np.searchsorted(self._ids, instrument.min))
        is_between = at < len(self._ids) and int(self._ids[at]) <= instrument.max
        return is_between and key.min <= self._bounds[1] and self._bounds[0] <= key.max

    def _wanted(self, keys: Arrays) -> Bools | None:
        """Return which rows are wanted; None for all."""
        instrument_id, number = (keys[name] for name in self._names[:2])
        low, high = self._bounds
        wanted: Bools | None = None
        is_inside = self._is_whole and low <= number.min(initial=low) and number.max(initial=high) <= high
        if not is_inside:
            wanted = self._spans.contain(instrument_id, number)
        if "is_complete" in keys:
            wanted = keys["is_complete"] if wanted is None else wanted & keys["is_complete"]
        return None if wanted is None or wanted.all() else wanted


def _empty(kinds: dict[str, np.dtype[Any]], rows: int) -> Arrays:
    """Return columns without values, cut from one piece of memory: the system gives it in larger pages."""
    widths = [-(-rows * kind.itemsize // _ALIGNED) * _ALIGNED for kind in kinds.values()]
    memory = np.empty(sum(widths), dtype=np.uint8)
    parts = np.split(memory, np.cumsum(widths)[:-1])
    return {
        name: part[: rows * kind.itemsize].view(kind)
        for (name, kind), part in zip(kinds.items(), parts, strict=True)
    }


def _is_complete(parquet: pq.ParquetFile, group: int) -> bool:
    """Return whether all rows of a row group are complete, by its statistics."""
    place = parquet.schema_arrow.get_field_index("is_complete")
    statistics = parquet.metadata.row_group(group).column(place).statistics
    return statistics is not None and statistics.has_min_max and statistics.min is True
