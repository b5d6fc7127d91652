"""Divide a large file of prices by symbol, so that its rows are never in memory all at once.

All rows of a symbol are in one portion: what decides about a row (copies, contradictions, splits of the
file, the stored bar) is of its symbol. Rows wait in unnamed temporary files, which end with the process.
"""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO, Any

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.clients.files.bounds import MAX_COLUMNS_OF_LARGE, MAX_FAULTY_ROWS
from condvest.batch_layer.shared.clients.files.columns import column_of, too_many_faults, wanted_columns
from condvest.batch_layer.shared.clients.files.contents import begins_with
from condvest.batch_layer.shared.clients.files.layout import LAYOUTS
from condvest.batch_layer.shared.clients.files.parquet import (
    FileRows,
    parquet_batches,
    parquet_header,
    parquet_rows,
)
from condvest.batch_layer.shared.clients.files.parse import columns_of, parsed_table
from condvest.batch_layer.shared.clients.files.text import Table, read_header, read_rows
from condvest.batch_layer.shared.clients.files.unpack import GZIP_MAGIC, PARQUET_MAGIC, blocks_of, head_of
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import Int32s, run_starts
from condvest.batch_layer.shared.models.payload_rows import BarRows
from condvest.batch_layer.shared.models.payloads import Parsed, Payload
from condvest.batch_layer.shared.utils.prefetch import prefetch_batches

ROWS_A_PORTION = 1 << 18
"""About; two portions are in memory at once, some 400 bytes a row."""

_MOST_PORTIONS = 256
_BYTES_A_ROW, _BYTES_A_PACKED_ROW = 60, 20
"""Of a file of text; by these it is told in how many portions to divide it. The rows are not known before."""

_SHORT_RUN = 64
"""Rows of one symbol that follow each other: shorter runs are gathered before they are written."""

_ROWS_A_BATCH = 1 << 13
"""Of symbols that follow each other in one portion, about."""

_SYMBOL = LAYOUTS["daily_bars"][0]
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
    spool = _Spool(payload, portions)
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
            if block.text[header.end :].strip(b"\n"):
                yield read_rows(block.text, header, name=name, lines_before=block.lines_before)
                has_rows = True
            header = replace(header, end=0)
    if not has_rows:
        raise InputError(f"{name}: has a header but no row; was its download finished?")


def _parquet_tables(payload: Payload) -> Generator[Table]:
    """Yield the rows of a Parquet file piece by piece."""
    header = _header(payload)
    wanted = wanted_columns(payload, header, columns_of(payload, header))
    line = 1
    for batch in parquet_batches(payload.content, wanted, name=payload.name):
        columns = tuple(pa.chunked_array([column]) for column in batch.columns)
        yield Table(tuple(wanted), columns, np.arange(line, line + batch.num_rows, dtype=np.int64))
        line += batch.num_rows


class _Spool:
    """The rows of a file in temporary files, one a portion."""

    def __init__(self, payload: Payload, portions: int) -> None:
        self.header: tuple[str, ...] = ()
        self._payload = payload
        self._number_of: dict[str, int] = {}
        self._next, self._filled = 0, 0
        self._files: list[IO[bytes]] = []
        self._writers: list[Any] = []  # pyarrow has no types
        self._portions = portions
        weakref.finalize(self, _close, self._files)

    def add(self, table: Table) -> None:
        """Write each row to the portion of its symbol.

        Raises:
            InputError: there is no room for them.
        """
        self.header = table.header
        position = columns_of(self._payload, table.header)["symbol"]
        symbol, _ = column_of(self._payload, table, position, _SYMBOL)
        runs = run_starts(symbol)
        lengths = np.diff(runs, append=len(symbol))
        numbers = self._numbers_of(symbol[runs].tolist(), lengths.tolist())
        columns = [*table.columns, pa.array(table.line)]
        data = pa.table(columns, names=[str(number) for number in range(len(columns))])
        try:
            if len(runs) * _SHORT_RUN > len(symbol):
                portion = np.repeat(numbers, lengths)
                order = np.argsort(portion, kind="stable")
                data, counts = data.take(order), np.bincount(portion, minlength=self._portions)
                runs, lengths = np.cumsum(counts) - counts, counts
                numbers = np.arange(self._portions, dtype=np.int32)
            else:  # runs of one portion that follow each other are written together
                joined = run_starts(numbers)
                numbers, runs = numbers[joined], runs[joined]
                lengths = np.diff(runs, append=len(symbol))
            for number, first, length in zip(numbers.tolist(), runs.tolist(), lengths.tolist(), strict=True):
                if length:
                    self._writer(number, data.schema).write_table(data.slice(first, length))
        except OSError as error:
            raise InputError(
                f"{self._payload.name}: its rows cannot be sorted by symbol in {tempfile.gettempdir()} "
                f"({error.strerror or error}); make room there, or name another folder by TMPDIR"
            ) from error

    def _numbers_of(self, symbols: list[str], lengths: list[int]) -> Int32s:
        """Return the portion of each run of rows of one symbol.

        Symbols take turns, so that the portions are as large as each other. Where the file lies by symbol,
        some that follow each other get the same portion, so that their rows are written together.
        """
        for symbol, length in zip(symbols, lengths, strict=True):
            if symbol in self._number_of:
                continue
            self._number_of[symbol] = self._next
            self._filled += length
            if length < _SHORT_RUN or self._filled >= _ROWS_A_BATCH:
                self._next, self._filled = (self._next + 1) % self._portions, 0
        return np.array([self._number_of[symbol] for symbol in symbols], dtype=np.int32)

    def close(self) -> None:
        """End the files: all rows have been added."""
        for writer in self._writers:
            writer.close()

    def tables(self) -> Iterator[Table]:
        """Yield the portions that have any row, when the files have been ended."""
        for file in self._files:
            file.flush()
            # What is read keeps the mapping as long as it needs it.
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            data = pa.ipc.open_stream(pa.py_buffer(mapped)).read_all().combine_chunks()
            del mapped
            *columns, line = data.columns
            if len(line):
                yield Table(self.header, tuple(columns), line.to_numpy())

    def _writer(self, number: int, schema: pa.Schema) -> Any:  # noqa: ANN401  # pyarrow has no types
        while number >= len(self._files):
            file = tempfile.TemporaryFile(prefix="condvest-import-")  # noqa: SIM115  # ends with the portions
            self._files.append(file)
            self._writers.append(pa.ipc.new_stream(pa.PythonFile(file, mode="w"), schema))
        return self._writers[number]


def _close(files: Sequence[IO[bytes]]) -> None:
    for file in files:
        file.close()


@dataclass(frozen=True)
class _Portions:
    """See `Portions`."""

    payload: Payload
    header: tuple[str, ...]
    spool: _Spool

    def __iter__(self) -> Iterator[Parsed]:
        faults = 0
        for table in self.spool.tables():
            portion = parsed_table(self.payload, table, self.header)
            faults += len(portion.faults)
            if faults > MAX_FAULTY_ROWS:
                raise too_many_faults(self.payload.name, f"{faults:,} rows")
            yield portion
