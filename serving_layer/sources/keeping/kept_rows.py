"""Rows of published files that stay decoded between reads, bounded in bytes.

A file is named by the digest of its bytes and never altered, so what was decoded of it cannot become stale.
Parquet is decoded by row groups of 65,536 rows: whoever wants one symbol, or one session, decodes a file for
a few hundred of its rows. Decoded, they are found by a binary search of the key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from condvest.batch_layer.shared.core.adjustment import expanded
from condvest.batch_layer.shared.models.bars import Int64s
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.sources.parquet_rows import Arrays

LARGEST = 256 << 20
"""Bytes of decoded rows that a process keeps; the least recently used go first."""

ROW = 88
"""Bytes of a decoded row, about: its columns and its key."""

_FEWEST_ROWS_PER_WANTED = 8
"""Who wants more than an eighth of the rows is served as well by decoding them each time, without keeping."""


@dataclass(frozen=True, eq=False)
class FileColumns:
    """The decoded columns of one file.

    Attributes:
        key: int64 per row, instrument and ordinal or window in one, ascending.
        columns: by name; never altered.
    """

    key: Int64s
    columns: Arrays

    @classmethod
    def of(cls, columns: Arrays, names: Sequence[str]) -> FileColumns:
        """Take the columns of a file that ascends by the first two of the names."""
        return cls(pack(columns[names[0]], columns[names[1]]), columns)

    def memory(self) -> int:
        """Return how many bytes it takes."""
        return self.key.nbytes + sum(values.nbytes for values in self.columns.values())


_decoded: Kept[FileColumns] = Kept(LARGEST)
_seen: Kept[bool] = Kept(1 << 20)
"""The files that have been asked for once. Only who comes again waits until all of a file is decoded."""


def are_worth_keeping(spans: Spans, rows: int, instruments: int) -> bool:
    """Return whether few of the rows of some files are wanted, and all of them may be kept.

    Args:
        spans: what is wanted, about one per instrument; at least one.
        rows: in the files.
        instruments: in the files, about.
    """
    longest = int((spans.last.astype(np.int64) - spans.first + 1).max())
    wanted = len(spans) * min(longest, rows // max(instruments, 1))
    return rows * ROW <= LARGEST // 2 and wanted * _FEWEST_ROWS_PER_WANTED <= rows


def kept_columns(
    keys: Sequence[tuple[str, str]], decode: Callable[[int], FileColumns]
) -> list[FileColumns] | None:
    """Return the decoded columns of files; None if one of them is asked for the first time.

    Args:
        keys: what names each file, with the digest of its bytes.
        decode: decodes one, by its place in ``keys``.
    """
    are_known = [_seen.get(key, lambda: False, lambda _: 0) for key in keys]
    for key in keys:
        _seen.put(key, value=True, size=0)
    if not all(are_known):
        return None
    return [_decoded.get(key, partial(decode, at), FileColumns.memory) for at, key in enumerate(keys)]


def rows_within(
    files: Sequence[FileColumns], spans: Spans, names: Sequence[str], *, complete: bool
) -> Arrays:
    """Return copies of the rows within the spans, in the spans' order; of one span, by file.

    Args:
        files: of one instrument, a later file has the later rows.
        spans: must not overlap.
        names: the columns wanted.
        complete: whether to leave out rows that are not ``is_complete``.
    """
    if len(spans) == 1:
        return _of_one(files, spans, names, complete=complete)
    span_of_row, positions = [], []
    for file in files:
        first = np.searchsorted(file.key, pack(spans.instrument_id, spans.first))
        end = np.searchsorted(file.key, pack(spans.instrument_id, spans.last), side="right")
        span, position = expanded(first, np.maximum(end - first, 0))
        if complete:
            wanted = file.columns["is_complete"][position]
            span, position = span[wanted], position[wanted]
        span_of_row.append(span)
        positions.append(position)
    order = np.argsort(np.concatenate(span_of_row), kind="stable")
    return {
        name: np.concatenate(
            [file.columns[name][position] for file, position in zip(files, positions, strict=True)]
        )[order]
        for name in names
    }


def _of_one(files: Sequence[FileColumns], span: Spans, names: Sequence[str], *, complete: bool) -> Arrays:
    """Return the same of one span: of each file one run of rows, which needs no order."""
    key, end = (int(pack(span.instrument_id, bound)[0]) for bound in (span.first, span.last))
    runs = [
        (file, slice(file.key.searchsorted(key), file.key.searchsorted(end, side="right"))) for file in files
    ]
    rows = {name: np.concatenate([file.columns[name][run] for file, run in runs]) for name in names}
    if complete and not rows["is_complete"].all():
        return {name: values[rows["is_complete"]] for name, values in rows.items()}
    return rows
