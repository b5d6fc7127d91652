"""Divide CSV text into columns of text, knowing the line of every row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from condvest.batch_layer.shared.clients.files.unpacking.bounds import check_columns
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import Bools, Int64s

DELIMITERS = (",", ";", "\t")
"""What may stand between fields; the header line decides which of them does, comma at a tie."""

MAX_LINE_BYTES = 1 << 20
"""A line above 1 MiB is no row of prices."""

_SCAN_BYTES = 1 << 18
"""What is compared of so many bytes fits the processor's cache."""

_NEWLINE = ord("\n")
_QUOTE = ord('"')


@dataclass(frozen=True)
class Table:
    """A file's columns as they stand.

    Attributes:
        header: the columns' names, as given, outer white space removed.
        columns: one a name, of one length.
        line: int64, where each row stands (see ``BarRows``).
    """

    header: tuple[str, ...]
    columns: tuple[pa.ChunkedArray, ...]
    line: Int64s


@dataclass(frozen=True)
class Header:
    """The first line that is not blank.

    Attributes:
        names: the columns' names, outer white space removed.
        delimiter: what stands between fields.
        end: where the text after it begins.
    """

    names: tuple[str, ...]
    delimiter: str
    end: int


def read_header(text: bytes, *, name: str) -> Header:
    """Read the names of the columns from the first line that is not blank.

    Raises:
        InputError: the line is no header: too long, with unbalanced quotation marks, or of more columns than
            are read.
    """
    start = len(text) - len(text.lstrip(b"\n"))
    end = text.find(b"\n", start)
    end = len(text) if end < 0 else end
    if end - start > MAX_LINE_BYTES:
        raise too_long(name, text.count(b"\n", 0, start) + 1)
    line = text[start:end].decode("utf-8")
    if line.count('"') % 2:
        raise _unclosed(name, text.count(b"\n", 0, start) + 1)
    outside = "".join(line.split('"')[::2])  # what stands between pairs of quotation marks
    delimiter = max(DELIMITERS, key=outside.count)
    names = tuple(column.strip() for column in _fields(line, delimiter))
    check_columns(len(names), len(text), name=name)
    return Header(names, delimiter, min(end + 1, len(text)))


def read_rows(text: bytes, header: Header, *, name: str, lines_before: int = 0) -> Table:
    r"""Read the rows after the header; every cell is text, and no text means "null".

    Blank lines are passed over; ``line`` counts them.

    Args:
        text: UTF-8 whose lines end in ``\n``.
        header: what ``read_header`` found.
        name: the file, for messages.
        lines_before: how many lines of the file stand before the text.

    Raises:
        InputError: there is no row, a row has another number of fields than the header, a line is too
            long, or a quoted field is not closed on its line; the message names the line.
    """
    starts, ends = _line_bounds(text)
    _check_lines(text, starts, ends, name, lines_before)
    line = np.flatnonzero((ends > starts) & (starts >= header.end)) + 1
    if not len(line):
        raise InputError(f"{name}: has a header but no row; was its download finished?")
    width = len(header.names)
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(pa.py_buffer(text).slice(header.end)),
            # A block must hold whole lines.
            read_options=pa_csv.ReadOptions(
                column_names=[str(column) for column in range(width)], block_size=8 * MAX_LINE_BYTES
            ),
            parse_options=pa_csv.ParseOptions(delimiter=header.delimiter),
            convert_options=pa_csv.ConvertOptions(
                column_types={str(column): pa.string() for column in range(width)},
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _misshapen(text, line, header, name, lines_before) from error
    if table.num_rows != len(line):
        raise _misshapen(text, line, header, name, lines_before)
    return Table(header.names, tuple(table.columns), line.astype(np.int64) + lines_before)


def _line_bounds(text: bytes) -> tuple[Int64s, Int64s]:
    """Return where each line starts and ends (before its newline)."""
    newlines = _positions(text, _NEWLINE)
    ends = newlines if text.endswith(b"\n") else np.append(newlines, len(text))
    return np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1)), ends


def _check_lines(text: bytes, starts: Int64s, ends: Int64s, name: str, lines_before: int) -> None:
    long = np.flatnonzero(ends - starts > MAX_LINE_BYTES)
    if len(long):
        raise too_long(name, int(long[0]) + 1 + lines_before)
    if b'"' in text:
        # An odd number of quotation marks up to a line's end: a field runs on into the next line.
        open_at_end = np.flatnonzero(_marks_before(ends, starts, _positions(text, _QUOTE)) % 2)
        if len(open_at_end):
            raise _unclosed(name, int(open_at_end[0]) + 1 + lines_before)


def _marks_before(ends: Int64s, starts: Int64s, marks: Int64s) -> Int64s:
    """Return how many quotation marks stand before the end of each line."""
    a_line, rest = divmod(len(marks), len(ends))
    if not rest:  # most files have as many in each line, which is seen without a search
        of_line = marks.reshape(len(ends), a_line)
        if (of_line[:, 0] >= starts).all() and (of_line[:, -1] < ends).all():
            return np.arange(1, len(ends) + 1) * a_line
    return np.searchsorted(marks, ends)


def _positions(text: bytes, byte: int) -> Int64s:
    """Return where ``byte`` occurs."""
    nothing = np.zeros(0, dtype=np.int64)
    return np.concatenate(
        [nothing, *(np.flatnonzero(is_it) + start for start, is_it in _occurrences(text, byte))]
    )


def count_lines(text: bytes) -> int:
    """Return how many lines end in a text: of short lines in half the time of ``bytes.count``."""
    return sum(int(np.count_nonzero(is_it)) for _, is_it in _occurrences(text, _NEWLINE))


def _occurrences(text: bytes, byte: int) -> Iterator[tuple[int, Bools]]:
    """Yield a piece's first position and, per byte of the piece, whether it is ``byte``."""
    view = np.frombuffer(text, dtype=np.uint8)
    for start in range(0, len(view), _SCAN_BYTES):
        yield start, view[start : start + _SCAN_BYTES] == byte


def _misshapen(text: bytes, line: Int64s, header: Header, name: str, lines_before: int) -> InputError:
    """Find the first line that does not have the header's number of fields."""
    width = len(header.names)
    starts, ends = _line_bounds(text)
    for number in line.tolist():
        row = text[starts[number - 1] : ends[number - 1]].decode("utf-8")
        fields = len(_fields(row, header.delimiter))
        if fields != width:
            return InputError(
                f"{name}: line {number + lines_before} has {fields:,} fields where the header has {width:,} "
                f"(delimiter {header.delimiter!r}); mend or remove that line"
            )
    return InputError(f"{name}: the quotation marks do not match; write a mark inside a field twice")


def _fields(line: str, delimiter: str) -> list[str]:
    """Divide one line; a quotation mark counts only at the start of a field."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a field longer than the csv module takes
        return line.split(delimiter)


def too_long(name: str, line: int) -> InputError:
    """Return the error of a line above MAX_LINE_BYTES."""
    return InputError(
        f"{name}: line {line} is longer than {MAX_LINE_BYTES:,} bytes; "
        "that is no row of prices, so is it CSV at all?"
    )


def _unclosed(name: str, line: int) -> InputError:
    return InputError(
        f"{name}: line {line} has a quotation mark that is not closed on that line; "
        "a field may not hold a line break"
    )
