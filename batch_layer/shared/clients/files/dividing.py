"""Divide a large file of prices by symbol, so that its rows are never in memory all at once.

All rows of a symbol are in one portion: what decides about a row (copies, contradictions, splits of the
file, the stored bar) is of its symbol. Rows wait in temporary files (see `spool`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.clients.files.layouts.columns import too_many_faults, wanted_columns
from condvest.batch_layer.shared.clients.files.parquet import (
    FileRows,
    parquet_batches,
    parquet_header,
    parquet_rows,
)
from condvest.batch_layer.shared.clients.files.parse import columns_of, parsed_table
from condvest.batch_layer.shared.clients.files.spool import Spool
from condvest.batch_layer.shared.clients.files.text import Table, read_header, read_rows
from condvest.batch_layer.shared.clients.files.unpacking.bounds import MAX_COLUMNS_OF_LARGE, MAX_FAULTY_ROWS
from condvest.batch_layer.shared.clients.files.unpacking.contents import begins_with
from condvest.batch_layer.shared.clients.files.unpacking.unpack import (
    GZIP_MAGIC,
    PARQUET_MAGIC,
    blocks_of,
    head_of,
)
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.batch_layer.shared.utils.prefetch import prefetch_batches

ROWS_A_PORTION = 1 << 18
"""About; two portions are in memory at once, some 400 bytes a row."""

_MOST_PORTIONS = 256
_BYTES_A_ROW, _BYTES_A_PACKED_ROW = 60, 20
"""Of a file of text; by these it is told in how many portions to divide it. The rows are not known before."""

_NO_ROWS = BarRows(
    line=np.zeros(0, dtype=np.int64),
    symbol=np.zeros(0, dtype=object),
    session=np.zeros(0, dtype="datetime64[D]"),
    trades=np.zeros(0, dtype=np.int64),
    **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), np.zeros(0)),
)


def divided(payload: Payload) -> Parsed | None:
    """Read a file of many daily bars as `parse` does, but in portions (see `Parsed`); None if it has few.

    Raises:
        InputError: the file as a whole is not in the expected format, as for `parse`.
    """
    portions = _number_of_portions(payload)
    if portions <= 1:
        return None
    tables = _parquet_tables(payload) if _is_parquet(payload) else _text_tables(payload)
    spool = Spool(payload, portions)
    with closing(tables):
        for table in tables:
            spool.add(table)
    spool.close()
    return Parsed(
        _NO_ROWS,
        {},
        FileRows(pa.table({})),
        symbols_mean=payload.options.symbols_mean,
        portions=_Portions(payload, _header(payload), spool),
    )


def _number_of_portions(payload: Payload) -> int:
    """Return in how many portions to read a file; 1 if it has to be read whole.

    It has to if it is small, or one symbol's, or if its symbols are those of today: then an instrument may
    have two of them on one day, and each would stand in a portion of its own.
    """
    content = payload.content
    is_text = not begins_with(content, (PARQUET_MAGIC, GZIP_MAGIC))
    rows = len(content) // (_BYTES_A_ROW if is_text else _BYTES_A_PACKED_ROW)
    is_a_persons = payload.dataset == "daily_bars" and not payload.is_whole and payload.first_session is None
    if not is_a_persons or payload.options.symbols_mean != "date" or rows <= ROWS_A_PORTION:
        return 1
    header = _header(payload)
    if len(header) > MAX_COLUMNS_OF_LARGE or "symbol" not in columns_of(payload, header):
        return 1
    rows = parquet_rows(content, name=payload.name) if _is_parquet(payload) else rows
    return min(-(-rows // ROWS_A_PORTION), _MOST_PORTIONS)


def _is_parquet(payload: Payload) -> bool:
    return begins_with(payload.content, PARQUET_MAGIC)


def _header(payload: Payload) -> tuple[str, ...]:
    if _is_parquet(payload):
        return parquet_header(payload.content, name=payload.name)
    return read_header(head_of(payload.content, name=payload.name), name=payload.name).names


def _text_tables(payload: Payload) -> Generator[Table]:
    """Yield the rows of a file of text block by block; the next blocks are unpacked meanwhile."""
    name, header, has_rows = payload.name, None, False
    with closing(prefetch_batches(blocks_of(payload.content, name=name), 1)) as coming:
        for block in chain.from_iterable(coming):
            if header is None:
                header = read_header(block.text, name=name)
                columns_of(payload, header.names)
            if _has_rows(block.text, header.end):
                yield read_rows(block.text, header, name=name, lines_before=block.lines_before)
                has_rows = True
            header = replace(header, end=0)
    if not has_rows:
        raise InputError(f"{name}: has a header but no row; was its download finished?")


def _has_rows(text: bytes, at: int) -> bool:
    """Return whether a line stands at a position or after it that is not empty."""
    while text.startswith(b"\n", at):
        at += 1
    return at < len(text)


def _parquet_tables(payload: Payload) -> Generator[Table]:
    """Yield the rows of a Parquet file piece by piece."""
    header = _header(payload)
    wanted = wanted_columns(payload, header, columns_of(payload, header))
    line = 1
    for batch in parquet_batches(payload.content, wanted, name=payload.name):
        columns = tuple(pa.chunked_array([column]) for column in batch.columns)
        yield Table(tuple(wanted), columns, np.arange(line, line + batch.num_rows, dtype=np.int64))
        line += batch.num_rows


@dataclass(frozen=True)
class _Portions:
    """See `Portions`."""

    payload: Payload
    header: tuple[str, ...]
    spool: Spool

    def __iter__(self) -> Iterator[Parsed]:
        faults = 0
        for table in self.spool.tables():
            portion = parsed_table(self.payload, table, self.header)
            faults += len(portion.faults)
            if faults > MAX_FAULTY_ROWS:
                raise too_many_faults(self.payload.name, f"{faults:,} rows")
            yield portion
