"""What the pages of a Parquet file say of themselves, since its footer may say anything about them; pure.

A reader takes as much memory for a page as the page's header says, and as many rows as the footer says. So
the two are held against each other before a page is unpacked. pyarrow shows no headers, and of a footer that
contradicts itself it ends the process; so both are read here:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from condvest.batch_layer.shared.clients.files.compact import (
    INT32,
    INT64,
    LIST,
    STRUCT,
    Fields,
    integer,
    struct_at,
)
from condvest.batch_layer.shared.models.given.contents import Content

_TAIL = 8
"""Bytes behind the footer: its length, and PAR1."""

_MOST_PAGES = 100_000
"""Of one chunk; a writer makes some dozens."""

_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_DESCRIBED = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
"""The field of a header that describes a page, by the page's type."""
_ENCODING = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
_PREFIXED = 7
"""DELTA_BYTE_ARRAY, in which a text says how many bytes of the one before it it begins with."""


@dataclass(frozen=True)
class Chunk:
    """The pages of one column in one group of rows, by their own headers.

    Attributes:
        unpacked: bytes that its pages take in memory.
        is_prefixed: whether any has texts that begin as the one before them.
    """

    unpacked: int
    is_prefixed: bool


def chunks_of(
    content: Content, columns: Collection[int], flat: Collection[int], rows: int
) -> Iterator[Chunk]:
    """Yield the chunks of some columns, each when it agrees with what the footer says of it.

    Args:
        content: the file.
        columns: the positions of the columns.
        flat: those of them that have a value per row, be it null.
        rows: of the file, as its reader understands the footer.

    Raises:
        ValueError: the footer contradicts itself or the pages.
    """
    length = int.from_bytes(content[-_TAIL : -_TAIL + 4], "little")
    footer, _ = struct_at(content, len(content) - _TAIL - length)
    for group in _structs(footer, 4):
        of_group = _known(group, 3)
        rows -= of_group
        chunks = _structs(group, 1)
        if columns and max(columns) >= len(chunks):
            raise ValueError("a group of rows lacks a column")
        for column in columns:
            described = chunks[column].get((3, STRUCT))
            if not isinstance(described, dict):
                raise ValueError("a column is not described")  # noqa: TRY004  # in the file
            values = _known(described, 5)
            if column in flat and values != of_group:
                raise ValueError(f"the footer says {of_group:,} rows, and {values:,} values of a column")
            yield _chunk(content, _start(described), _known(described, 7), values)
    if rows:
        raise ValueError("the footer's number of rows is not that of its groups of rows")


def _start(described: Fields) -> int:
    data, dictionary = _known(described, 9), integer(described, 11, INT64)
    return dictionary if dictionary is not None and 0 < dictionary < data else data


def _chunk(content: Content, start: int, length: int, values: int) -> Chunk:
    end = start + length
    if not 0 <= start <= end <= len(content):
        raise ValueError("a column is said to lie beyond the file")
    at, seen, unpacked, is_prefixed, pages = start, 0, 0, False, 0
    while at < end:
        header, at = struct_at(content, at)
        kind, size, packed = (integer(header, number, INT32) for number in (1, 2, 3))
        if kind is None or size is None or packed is None or min(size, packed) < 0:
            raise ValueError("a page has no size")
        at += packed
        unpacked += size
        pages += 1
        if pages > _MOST_PAGES:
            raise ValueError(f"a column has more than {_MOST_PAGES:,} pages")
        described = header.get((_DESCRIBED.get(kind, 0), STRUCT))
        if isinstance(described, dict):
            is_prefixed |= integer(described, _ENCODING[kind], INT32) == _PREFIXED
            seen += 0 if kind == _DICTIONARY else (integer(described, 1, INT32) or 0)
    if seen != values or at > len(content):
        raise ValueError(f"the footer says {values:,} values of a column, and its pages {seen:,}")
    return Chunk(unpacked, is_prefixed)


def _structs(fields: Fields, number: int) -> list[Fields]:
    listed = fields.get((number, LIST), [])
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _known(fields: Fields, number: int) -> int:
    value = integer(fields, number, INT64)
    if value is None or value < 0:
        raise ValueError("the footer lacks a number")
    return value
