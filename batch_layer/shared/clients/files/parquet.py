"""Read a Parquet file's columns, those that are wanted alone.

A few bytes of Parquet may stand for any amount of memory: a value of a dictionary is told once and repeated
a million times, and a text may begin as the one before it did. So rows and sizes are looked at in the footer
and in the headers of the pages, which have to agree; text is read as dictionaries and counted before it
becomes plain, and what is read at once is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from condvest.batch_layer.shared.clients.files.parquet_pages import Chunk, chunks_of
from condvest.batch_layer.shared.clients.files.text import Table
from condvest.batch_layer.shared.clients.files.unpacking.bounds import Bounds, check_columns
from condvest.batch_layer.shared.clients.files.unpacking.contents import as_arrow
from condvest.batch_layer.shared.clients.files.unpacking.unpack import bounds_of
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.contents import Content

_MOST_PARTS = 100_000
"""Entries of a list in the footer: columns, row groups, and the columns of a row group."""

_ROWS_AT_ONCE = 1 << 16
_BYTES_AT_ONCE = 64 << 20


def parquet_header(content: Content, *, name: str) -> tuple[str, ...]:
    """Return the names of the columns, without reading any.

    Raises:
        InputError: the file is broken, has no row, or more rows or columns than are read.
    """
    try:
        metadata = _opened(content).metadata
        check_columns(metadata.num_columns, len(content), name=name)
        names = tuple(metadata.schema.to_arrow_schema().names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(name, error) from error
    if metadata.num_rows < 1:
        raise InputError(f"{name}: has columns but no row; was it written to the end?")
    bounds_of(content, name=name).check_rows(metadata.num_rows)
    return names


def parquet_types(content: Content, *, name: str) -> Table:
    """Return the columns without their rows: what types they are of.

    Raises:
        InputError: the file is broken.
    """
    try:
        schema = _opened(content).schema_arrow
        columns = tuple(_plain(pa.chunked_array([], field.type)) for field in schema)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(name, error) from error
    return Table(tuple(schema.names), columns, np.zeros(0, dtype=np.int64))


def read_parquet(content: Content, wanted: Sequence[str], *, name: str) -> Table:
    """Read columns by their names, of which each must be there once; ``line`` is the row's number from 1.

    Raises:
        InputError: the file is broken, or its columns hold more than is read of a file of its size.
    """
    table = pa.Table.from_batches(parquet_batches(content, wanted, name=name))
    return Table(tuple(wanted), tuple(table.columns), np.arange(1, table.num_rows + 1, dtype=np.int64))


def parquet_batches(content: Content, wanted: Sequence[str], *, name: str) -> Iterator[pa.RecordBatch]:
    """Yield the same columns as `read_parquet` piece by piece, in the order of the rows.

    Raises:
        InputError: as for `read_parquet`.
    """
    bounds, rows = bounds_of(content, name=name), 0
    try:
        file = _opened(content, [column for column in wanted if _is_counted(content, column)])
        chunks = _chunks(content, file, wanted, bounds)
        for batch in _plain_batches(file, wanted, chunks, bounds):
            rows += batch.num_rows
            yield batch
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(name, error) from error
    if rows != file.metadata.num_rows:
        raise InputError(f"{name}: its footer says {file.metadata.num_rows:,} rows, not {rows:,}")


def parquet_rows(content: Content, *, name: str) -> int:
    """Return how many rows the footer says.

    Raises:
        InputError: the file is broken.
    """
    try:
        return int(_opened(content).metadata.num_rows)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(name, error) from error


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column's cells as text, missing ones as null."""
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # nested, or bytes that are no UTF-8
        return pa.chunked_array(
            [[None if cell is None else str(cell) for cell in column.to_pylist()]], type=pa.string()
        )


def is_always_text(kind: pa.DataType) -> bool:
    """Return whether every value of a type can be shown as text, so that none has to be looked at before."""
    return bool(pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


@dataclass(frozen=True)
class FileRows:
    """The rows of a file as given (see `OriginalRows`); a cell becomes text when its row is asked for.

    Attributes:
        cells: the columns; `as_text` can show every cell.
    """

    cells: pa.Table

    @property
    def column_names(self) -> Sequence[str]:
        """The names of the columns."""
        names: list[str] = self.cells.column_names
        return names

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return int(self.cells.num_rows)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        """Return a column as text."""
        return as_text(self.cells[name])

    def slice(self, offset: int, length: int) -> FileRows:
        """Return ``length`` rows from ``offset`` on."""
        return FileRows(self.cells.slice(offset, length))

    def filter(self, kept: npt.NDArray[np.bool_]) -> FileRows:
        """Return the rows for which ``kept`` is true."""
        return FileRows(self.cells.filter(pa.array(kept)))

    def to_pylist(self) -> list[dict[str, str | None]]:
        """Return the rows, text by column, None where a value is missing."""
        texts = [as_text(column) for column in self.cells.columns]
        rows: list[dict[str, str | None]] = pa.table(texts, names=self.cells.column_names).to_pylist()
        return rows


def _opened(content: Content, read_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
    return pq.ParquetFile(
        as_arrow(content),
        read_dictionary=list(read_dictionary),
        thrift_container_size_limit=_MOST_PARTS,
        pre_buffer=False,
    )


def _is_counted(content: Content, column: str) -> bool:
    """Return whether a column is of text, so that it is read as a dictionary."""
    kind = _opened(content).schema_arrow.field(column).type
    return any(check(kind) for check in (pa.types.is_string, pa.types.is_binary))


def _chunks(content: Content, file: pq.ParquetFile, wanted: Sequence[str], bounds: Bounds) -> list[Chunk]:
    """Return the chunks of the wanted columns, of which none is unpacked yet.

    Raises:
        InputError: they take more memory than is read of a file of its size.
        ValueError: they are not what the footer says.
    """
    rows, schema = file.metadata.num_rows, file.metadata.schema
    columns = [at for at in range(file.metadata.num_columns) if schema.column(at).path in wanted]
    flat = [at for at in columns if schema.column(at).max_repetition_level == 0]
    kinds = [file.schema_arrow.field(column).type for column in wanted]
    unpacked = sum(rows * kind.byte_width for kind in kinds if pa.types.is_fixed_size_binary(kind))
    chunks = []
    for chunk in chunks_of(content, columns, flat, rows):
        unpacked += chunk.unpacked
        bounds.check_text(unpacked)
        chunks.append(chunk)
    return chunks


def _plain_batches(
    file: pq.ParquetFile, wanted: Sequence[str], chunks: Sequence[Chunk], bounds: Bounds
) -> Iterator[pa.RecordBatch]:
    """Yield the wanted columns piece by piece, their text counted before it is laid out plain."""
    prefixed = [chunk.unpacked for chunk in chunks if chunk.is_prefixed]
    # Each text of such a chunk may be as long as the chunk.
    rows = min(_ROWS_AT_ONCE, max(1, _BYTES_AT_ONCE // max(prefixed, default=1)))
    text = 0
    for batch in file.iter_batches(batch_size=rows, columns=list(wanted), use_threads=False):
        chosen = [batch.column(batch.schema.get_field_index(column)) for column in wanted]
        for column in chosen:
            column.validate(full=True)  # of a broken file a dictionary is pointed beyond
        text += sum(map(_text_bytes, chosen))
        bounds.check_text(text)
        yield pa.RecordBatch.from_arrays([_plain_array(column) for column in chosen], names=list(wanted))


def _text_bytes(column: pa.Array) -> int:
    """Return how many bytes a dictionary's values take where each row has its own."""
    if not pa.types.is_dictionary(column.type):
        return 0
    length = pc.fill_null(pc.binary_length(column.dictionary), 0)
    return pc.sum(length.take(column.indices), min_count=0).as_py() if len(length) else 0


def _plain_array(column: pa.Array) -> pa.Array:
    """Unwrap extension types and dictionaries."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Unwrap the type of a column without rows."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return pa.chunked_array([], kind.value_type if pa.types.is_dictionary(kind) else kind)


def _broken(name: str, error: Exception) -> InputError:
    reason = str(error).split("\n", 1)[0][:200]
    return InputError(f"{name}: the Parquet file is broken ({reason}); write or download it again")
