"""Structs in the compact protocol of Thrift, as Parquet describes itself by them; pure.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from condvest.batch_layer.shared.models.given.contents import Content

INT32, INT64, LIST, STRUCT = 5, 6, 9, 12
"""Kinds of fields, as they are written."""

_TRUE, _FALSE, _BYTE, _INT16, _DOUBLE, _BINARY = 1, 2, 3, 4, 7, 8

_DEEPEST = 10
_MOST_ELEMENTS = 100_000
_MORE = 0x80
"""The bit of a byte that says that its number goes on."""

Value = int | bytes | list["Value"] | dict[tuple[int, int], "Value"]
Fields = dict[tuple[int, int], Value]
"""Values by number and kind. A reader passes over a field of another kind than it expects; so does this."""


def struct_at(content: Content, at: int, depth: int = 0) -> tuple[Fields, int]:
    """Return the fields of the struct that begins at a position, and the position behind it.

    Raises:
        ValueError: there is none, or it has a field twice, or more in it than Parquet has.
    """
    if depth > _DEEPEST:
        raise ValueError("what describes it is nested too deep")
    fields: Fields = {}
    numbers: set[int] = set()
    number = 0
    while header := _byte(content, at):
        at += 1
        if header >> 4:
            number += header >> 4
        else:
            number, at = _signed(content, at)
        if number in numbers:
            raise ValueError(f"what describes it has field {number} twice")
        numbers.add(number)
        kind = header & 15
        fields[number, kind], at = _value(content, at, kind, depth)
    return fields, at + 1


def integer(fields: Fields, number: int, kind: int) -> int | None:
    """Return a field that is an integer; None where it is not there."""
    value = fields.get((number, kind))
    return value if isinstance(value, int) else None


def _value(content: Content, at: int, kind: int, depth: int) -> tuple[Value, int]:
    if kind in (_TRUE, _FALSE):
        return int(kind == _TRUE), at
    if kind in (_INT16, INT32, INT64):
        return _signed(content, at)
    if kind == STRUCT:
        return struct_at(content, at, depth + 1)
    if kind == LIST:
        return _list(content, at, depth + 1)
    if kind == _BINARY:
        length, at = _unsigned(content, at)
    elif kind in (_BYTE, _DOUBLE):
        length = 1 if kind == _BYTE else 8
    else:
        raise ValueError(f"what describes it has a field of kind {kind}")
    if length > len(content) - at:
        raise ValueError("what describes it is cut off")
    return content[at : at + length], at + length


def _list(content: Content, at: int, depth: int) -> tuple[list[Value], int]:
    header = _byte(content, at)
    count, kind = header >> 4, header & 15
    at += 1
    if count == 15:  # noqa: PLR2004  # so it says that the number follows
        count, at = _unsigned(content, at)
    if count > _MOST_ELEMENTS:
        raise ValueError(f"what describes it has a list of {count:,}")
    values: list[Value] = []
    for _ in range(count):
        value, at = _value(content, at, _BYTE if kind in (_TRUE, _FALSE) else kind, depth)
        values.append(value)
    return values, at


def _signed(content: Content, at: int) -> tuple[int, int]:
    number, at = _unsigned(content, at)
    return number >> 1 ^ -(number & 1), at


def _unsigned(content: Content, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first."""
    number = 0
    for shift in range(0, 70, 7):
        byte = _byte(content, at)
        at += 1
        number |= (byte & ~_MORE) << shift
        if not byte & _MORE:
            return number, at
    raise ValueError("what describes it has a number without an end")


def _byte(content: Content, at: int) -> int:
    if not 0 <= at < len(content):
        raise ValueError("what describes it is cut off")
    return content[at]
