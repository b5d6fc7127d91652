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

from batch_layer.processing.ordering import run_starts
from batch_layer.processing.published_tables import to_numpy
from batch_layer.processing.runs import Places
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.spans import Spans

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


@dataclass
class Piece:
    """The rows of one file that are wanted.

    Attributes:
        parquet, groups: the row groups that hold them.
        rows: which rows of those; None for all.
        keys: the columns that are read already, of these rows.
        to: where they belong in the result.
    """

    parquet: pq.ParquetFile
    groups: list[int]
    rows: Places | None
    keys: Arrays
    to: Places | None = None


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
        self._keys = [*self._names[:2], *(["is_complete"] if complete else [])]
        self._spans = spans.merged()
        self._ids, first_place = np.unique(spans.instrument_id, return_index=True)
        self._rank = np.argsort(np.argsort(first_place))
        self._bounds = (int(spans.first.min()), int(spans.last.max())) if len(spans) else (0, -1)
        alike = bool((spans.first == self._bounds[0]).all() and (spans.last == self._bounds[1]).all())
        self._is_whole = alike and len(self._ids) == len(spans) and np.array_equal(self._ids, known)
        self.arrays: Arrays = {}

    def piece(self, parquet: pq.ParquetFile) -> Piece:
        """Return the rows of a file that are wanted, their keys read. A file ascends by its key."""
        groups = [group for group in range(parquet.num_row_groups) if self._may_hold(parquet, group)]
        table = parquet.read_row_groups(groups, columns=self._keys, use_threads=False)
        keys = {name: to_numpy(table[name]) for name in self._keys}
        rows = self._wanted(keys)
        if rows is not None:
            keys = {name: values[rows] for name, values in keys.items()}
        return Piece(parquet, groups, rows, keys)

    def lay_out(self, pieces: Sequence[Piece]) -> None:
        """Find where the rows of the pieces belong. Of one instrument, a later piece has the later rows."""
        runs = [_runs(piece.keys[self._names[0]]) for piece in pieces]
        places = [
            self._rank[np.searchsorted(self._ids, piece.keys[self._names[0]][starts])]
            for piece, (starts, _) in zip(pieces, runs, strict=True)
        ]
        counts = np.zeros(len(self._ids), dtype=np.intp)
        for place, (_, lengths) in zip(places, runs, strict=True):
            counts[place] += lengths
        free = np.cumsum(counts) - counts
        for piece, place, (starts, lengths) in zip(pieces, places, runs, strict=True):
            piece.to = np.repeat(free[place] - starts, lengths) + np.arange(lengths.sum())
            free[place] += lengths
        total = int(counts.sum())
        self.arrays = {name: np.empty(total, dtype=_KINDS.get(name, np.float64)) for name in self._names}

    def fill(self, piece: Piece) -> None:
        """Put the rows of a piece where they belong."""
        if piece.to is None or not len(piece.to):
            return
        for name, values in piece.keys.items():
            self.arrays[name][piece.to] = values
        others = [name for name in self._names if name not in self._keys]
        table = piece.parquet.read_row_groups(piece.groups, columns=others, use_threads=False)
        for name in others:
            if piece.rows is not None:
                self.arrays[name][piece.to] = to_numpy(table[name])[piece.rows]
                continue
            begin = 0
            for chunk in table[name].chunks:
                self.arrays[name][piece.to[begin : begin + len(chunk)]] = to_numpy(chunk)
                begin += len(chunk)

    def _may_hold(self, parquet: pq.ParquetFile, group: int) -> bool:
        """Return whether a row group may hold a wanted row, by its statistics."""
        metadata = parquet.metadata.row_group(group)
        instrument, key = (metadata.column(place).statistics for place in (0, 1))
        at = int(np.searchsorted(self._ids, instrument.min))
        is_between = at < len(self._ids) and int(self._ids[at]) <= instrument.max
        return is_between and key.min <= self._bounds[1] and self._bounds[0] <= key.max

    def _wanted(self, keys: Arrays) -> Places | None:
        """Return the wanted rows; None for all."""
        instrument_id, number = (keys[name] for name in self._names[:2])
        low, high = self._bounds
        wanted: npt.NDArray[np.bool_] | None = None
        is_inside = self._is_whole and low <= number.min(initial=low) and number.max(initial=high) <= high
        if not is_inside:
            wanted = self._spans.contain(instrument_id, number)
        if "is_complete" in keys:
            wanted = keys["is_complete"] if wanted is None else wanted & keys["is_complete"]
        return None if wanted is None or wanted.all() else np.flatnonzero(wanted)


def _runs(instrument_id: Int32s) -> tuple[Places, Places]:
    """Return where each instrument's rows begin, and how many they are."""
    starts = run_starts(instrument_id)
    return starts, np.diff(starts, append=len(instrument_id))
