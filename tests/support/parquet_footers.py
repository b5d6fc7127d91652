"""Parquet files whose footers or page headers say what is not so; made of files that our own writer made."""

from condvest.batch_layer.shared.clients.files.compact import INT32, INT64, LIST, STRUCT, struct_at

BINARY = 8


def footer_of(content):
    """Return the fields of a file's footer, and where it begins."""
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return struct_at(content, begin)[0], begin


def with_footer(content, alter):
    """Return a file whose footer ``alter`` has changed in place."""
    footer, begin = footer_of(content)
    alter(footer)
    written = struct_of(footer)
    return content[:begin] + written + len(written).to_bytes(4, "little") + b"PAR1"


def with_first_page(content, column, alter):
    """Return a file in which the header of a column's first page says something else, as long as before."""
    footer, _ = footer_of(content)
    described = footer[4, LIST][0][1, LIST][column][3, STRUCT]
    begin = described.get((11, INT64), described[9, INT64])
    header, end = struct_at(content, begin)
    alter(header)
    written = struct_of(header)
    assert len(written) == end - begin, "what follows would move"
    return content[:begin] + written + content[end:]


def struct_of(fields):
    """Write a struct in Thrift's compact protocol."""
    written, before = b"", 0
    for (number, kind), value in sorted(fields.items()):
        step = number - before
        written += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + _signed(number)
        written += _value(kind, value)
        before = number
    return written + b"\0"


def _value(kind, value):
    if kind in (1, 2):
        return b""
    if kind == STRUCT:
        return struct_of(value)
    if kind == LIST:
        of = {dict: STRUCT, bytes: BINARY, int: INT32}[type(value[0])] if value else INT32
        count = (
            bytes([len(value) << 4 | of]) if len(value) < 15 else bytes([0xF0 | of]) + _unsigned(len(value))
        )
        return count + b"".join(_value(of, each) for each in value)
    if kind == BINARY:
        return _unsigned(len(value)) + value
    return _signed(value) if kind in (4, INT32, INT64) else value


def _signed(number):
    return _unsigned(number << 1 if number >= 0 else (-number << 1) - 1)


def _unsigned(number):
    written = b""
    while number > 127:
        written += bytes([number & 127 | 128])
        number >>= 7
    return written + bytes([number])
