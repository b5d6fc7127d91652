"""Cells of a column as a file gives them: as text, trimmed, and each distinct value once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.models.bars import Bools


def without_nulls(column: pa.ChunkedArray, stand_in: float) -> pa.ChunkedArray:
    """Return the column with a value in the place of nulls, itself if it has none."""
    return column.fill_null(stand_in) if column.null_count else column


def trimmed(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Bools]:
    """Return the cells as text without outer white space, null where empty; and which those are."""
    cells = pc.utf8_trim_whitespace(column.cast(pa.string()))
    absent = pc.fill_null(pc.equal(cells, ""), fill_value=True)
    if pc.any(absent, min_count=0).as_py():
        cells = pc.if_else(absent, pa.scalar(None, pa.string()), cells)
    return cells, to_numpy(absent)


def distinct(cells: pa.ChunkedArray) -> tuple[list[Any], npt.NDArray[np.int32]]:
    """Return the distinct values and each row's position among them, -1 where null."""
    values, codes = encoded(cells)
    return values.to_pylist(), codes


def encoded(cells: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int32]]:
    """Return the distinct values as an array, and each row's position among them, -1 where null."""
    if not len(cells):
        return pa.array([], cells.type), np.zeros(0, np.int32)
    coded = cells.dictionary_encode().unify_dictionaries()
    codes = [without_nulls(chunk.indices, -1).to_numpy(zero_copy_only=False) for chunk in coded.chunks]
    return coded.chunk(0).dictionary, np.concatenate(codes)


def distinct_texts(column: pa.ChunkedArray) -> tuple[list[str | None], npt.NDArray[np.int32]]:
    """Return what `distinct` does of the cells as `trimmed` returns them; a text may be there twice.

    Of a million cells a few thousand are different, so that those alone are made text and trimmed.
    """
    values, codes = encoded(column)
    texts, _ = trimmed(pa.chunked_array([values]))
    return texts.to_pylist(), codes


def absent_cells(values: list[Any], codes: npt.NDArray[np.int32]) -> Bools:
    """Return which cells have no value, by what `distinct` or `distinct_texts` returns."""
    is_none = np.array([*(value is None for value in values), True])
    absent: Bools = is_none[codes] if is_none[:-1].any() else codes < 0
    return absent


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of that type holds text, or bytes, which are read as text."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def to_numpy(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return a column without nulls as an array."""
    return np.asarray(column.to_numpy())
