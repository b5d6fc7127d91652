"""Arrow arrays by their memory. ``pa.array`` looks for pandas at its first call, which takes 0.2 s."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_BOOL = pa.bool_()


def array_of(
    values: npt.NDArray[Any], kind: pa.DataType, unknown: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """Return numbers as an Arrow array of a type of their width; they are not copied.

    Args:
        values: of one dimension; bools become a bit each.
        kind: the type.
        unknown: which of them are null; none if None.
    """
    present = None if unknown is None or not unknown.any() else _bits(~unknown)
    buffer = _bits(values) if kind == _BOOL else pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [present, buffer])


def texts_of(values: Sequence[str | None]) -> pa.StringArray:
    """Return texts as an Arrow array; None becomes null."""
    encoded = [b"" if text is None else text.encode() for text in values]
    present = np.array([text is not None for text in values], dtype=bool)
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return pa.StringArray.from_buffers(
        len(values),
        pa.py_buffer(offsets),
        pa.py_buffer(b"".join(encoded)),
        None if present.all() else _bits(present),
    )


def dates_of(days: npt.NDArray[np.datetime64]) -> pa.Array:
    """Return datetime64[D] as date32; NaT becomes null."""
    unknown = np.isnat(days)
    numbers = np.where(unknown, np.datetime64(0, "D"), days).astype("datetime64[D]").astype(np.int32)
    return array_of(numbers, pa.date32(), unknown)


def table_of(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """Return a table of a schema; ``columns`` has one of these a field, by name, all of one length.

    An Arrow array of the field's type; a NumPy array of numbers or datetimes, NaT null; or a sequence of
    numbers, texts, dates or aware datetimes, None null.
    """
    arrays = [column_of(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def column_of(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401  # whatever `table_of` says
    """Return one column of `table_of`."""
    if isinstance(values, pa.Array):
        return values
    if pa.types.is_string(kind):
        return texts_of(values)
    if pa.types.is_date32(kind):
        return dates_of(np.asarray(values, dtype="datetime64[D]"))
    if pa.types.is_timestamp(kind):
        if not isinstance(values, np.ndarray):
            values = [None if at is None else at.astimezone(dt.UTC).replace(tzinfo=None) for at in values]
        return _moments_of(np.asarray(values, dtype=f"datetime64[{kind.unit}]"), kind)
    unknown = None
    if not isinstance(values, np.ndarray):
        unknown = np.array([value is None for value in values], dtype=bool)
        values = [value or 0 for value in values]
    return array_of(np.asarray(values, dtype=str(kind)), kind, unknown)


def _moments_of(moments: npt.NDArray[np.datetime64], kind: pa.DataType) -> pa.Array:
    unknown = np.isnat(moments)
    numbers = np.where(unknown, np.datetime64(0, kind.unit), moments).astype(np.int64)
    return array_of(numbers, kind, unknown)


def _bits(values: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
