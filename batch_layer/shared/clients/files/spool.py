"""The rows of a large file in temporary files, all rows of a symbol in one of them.

The files have no name, and end with the process.
"""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.clients.files.layouts.columns import symbol_codes
from condvest.batch_layer.shared.clients.files.parse import columns_of
from condvest.batch_layer.shared.clients.files.text import Table
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import Int32s, run_starts
from condvest.batch_layer.shared.models.given.payloads import Payload

_SHORT_RUN = 64
"""Rows of one symbol that follow each other: shorter runs are gathered before they are written."""

_ROWS_A_BATCH = 1 << 15
"""Of symbols that follow each other in one portion, about: a write of fewer takes longer a row."""


class Spool:
    """The rows of a file in temporary files, one a portion."""

    def __init__(self, payload: Payload, portions: int) -> None:
        """Take rows of a file for so many portions."""
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
        symbols, code = symbol_codes(self._payload, table, position)
        runs = run_starts(code)
        lengths = np.diff(runs, append=len(code))
        numbers = self._numbers_of([symbols[each] for each in code[runs].tolist()], lengths.tolist())
        columns = [*table.columns, pa.array(table.line)]
        data = pa.table(columns, names=[str(number) for number in range(len(columns))])
        try:
            if len(runs) * _SHORT_RUN > len(code):
                portion = np.repeat(numbers, lengths)
                order = np.argsort(portion, kind="stable")
                data, counts = data.take(order), np.bincount(portion, minlength=self._portions)
                runs, lengths = np.cumsum(counts) - counts, counts
                numbers = np.arange(self._portions, dtype=np.int32)
            else:  # runs of one portion that follow each other are written together
                joined = run_starts(numbers)
                numbers, runs = numbers[joined], runs[joined]
                lengths = np.diff(runs, append=len(code))
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
