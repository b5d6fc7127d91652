"""Read a Parquet file's columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch_layer.shared.clients.files.text import Table
from batch_layer.shared.clients.files.unpack import MAX_UNPACKED_BYTES
from batch_layer.shared.errors import InputError

_SMALLEST_ROW_BYTES = 40
"""Five prices of eight bytes: no daily bar takes less memory."""


def parquet_header(content: bytes, *, name: str) -> tuple[str, ...]:
    """Return the names of the columns, without reading any.

    Raises:
        InputError: the file is broken, has no row, or would unpack to more than MAX_UNPACKED_BYTES.
    """
    try:
        metadata = pq.ParquetFile(pa.BufferReader(content)).metadata
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        names = tuple(metadata.schema.to_arrow_schema().names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(name, error) from error
    if not metadata.num_rows:
        raise InputError(f"{name}: has columns but no row; was it written to the end?")
    size = max(sum(group.total_byte_size for group in groups), metadata.num_rows * _SMALLEST_ROW_BYTES)
    if size > MAX_UNPACKED_BYTES:
        raise InputError(
            f"{name}: {metadata.num_rows:,} rows unpack to more than {MAX_UNPACKED_BYTES:,} bytes; divide it"
        )
    return names


def read_parquet(content: bytes, *, name: str) -> Table:
    """Read all columns; ``line`` is the row's number from 1.

    Raises:
        InputError: the file is broken.
    """
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read()
        table.validate(full=True)
        columns = tuple(_plain(column) for column in table.columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(name, error) from error
    return Table(tuple(table.column_names), columns, np.arange(1, table.num_rows + 1, dtype=np.int64))


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column's cells as text, missing ones as null."""
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # nested, or bytes that are no UTF-8
        return pa.chunked_array(
            [[None if cell is None else str(cell) for cell in column.to_pylist()]], type=pa.string()
        )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Unwrap extension types and dictionaries."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], type=column.type.storage_type)
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _broken(name: str, error: Exception) -> InputError:
    reason = str(error).split("\n", 1)[0][:200]
    return InputError(f"{name}: the Parquet file is broken ({reason}); write or download it again")
