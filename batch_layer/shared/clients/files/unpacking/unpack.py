"""From a file's bytes to text in UTF-8, with nothing guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from condvest.batch_layer.shared.clients.files.text import MAX_LINE_BYTES, count_lines, too_long
from condvest.batch_layer.shared.clients.files.unpacking.bounds import Bounds
from condvest.batch_layer.shared.clients.files.unpacking.contents import begins_with
from condvest.batch_layer.shared.clients.files.unpacking.gunzip import DamagedGzip, TruncatedGzip, gunzipped
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.contents import Content

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"

_CHUNK = 1 << 20
BLOCK = 2 << 20
"""Bytes of text that are looked at together, where a file is not read whole."""

_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive or a workbook; save it as CSV",
    b"\xff\xfe": "text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as UTF-8",
    GZIP_MAGIC: "packed twice; unpack it once",
    PARQUET_MAGIC: "a Parquet file inside gzip; give the Parquet file itself",
    b"BZh": "packed with bzip2; unpack it, or pack it with gzip",
    b"\xfd7zXZ": "packed with xz; unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it, or pack it with gzip",
}
"""What files begin with that are often taken for CSV."""

_LONGEST_MARK = max(map(len, _FOREIGN))


def text_of(content: Content, *, name: str) -> bytes:
    r"""Return the text in ``content``, unpacked if it is gzip, in UTF-8, its lines ending in ``\n``.

    Args:
        content: a CSV or CSV.GZ file.
        name: the file, for messages.

    Raises:
        InputError: it is truncated, corrupt, beyond its bounds, binary, in another encoding, or empty.
    """
    bounds = bounds_of(content, name=name)
    text = _unpacked(content, name, bounds) if begins_with(content, GZIP_MAGIC) else content[:]
    bounds.check_text(len(text))
    text = _plain_newlines(_after_mark(text, name))
    bounds.check_rows(count_lines(text))
    _check_is_text(text, name)
    if not text.strip():
        raise InputError(f"{name}: the file is empty; was its download finished?")
    return text.rstrip(b" \n")  # blank lines at the end, and not a tab, which may divide fields


@dataclass(frozen=True)
class Block:
    """Whole lines of a file's text.

    Attributes:
        text: as `text_of` returns it.
        lines_before: how many lines of the file stand before it.
    """

    text: bytes
    lines_before: int


def blocks_of(content: Content, *, name: str) -> Iterator[Block]:
    """Yield what `text_of` returns, in blocks of whole lines that are not all blank, some 2 MiB each.

    Raises:
        InputError: as for `text_of`, or a line is longer than MAX_LINE_BYTES.
    """
    bounds = bounds_of(content, name=name)
    rest, lines, size = b"", 0, 0
    for piece in _plain_pieces(content, name, bounds):
        end = _end_of_lines(piece)
        if not end:
            rest += piece
        else:
            text = b"".join((rest, memoryview(piece)[:end]))  # the one copy that is made of it
            rest = piece[end:]
            yield _block(text, lines, size, name)
            lines += count_lines(text)
            size += len(text)
            bounds.check_rows(lines)
        if len(rest.strip(b" \n")) > MAX_LINE_BYTES:
            raise too_long(name, lines + 1 + rest.count(b"\n", 0, len(rest) - len(rest.lstrip(b" \n"))))
    text = rest.rstrip(b" \n")
    if text:
        yield _block(text, lines, size, name)
    elif not lines:
        raise InputError(f"{name}: the file is empty; was its download finished?")


def _plain_pieces(content: Content, name: str, bounds: Bounds) -> Iterator[bytes]:
    """Yield a file's text in pieces, without its byte order mark and with plain ends of lines."""
    rest, is_first = b"", True
    for piece in _pieces(content, name, bounds, BLOCK):
        text = rest + piece if rest else piece
        if is_first:
            if len(text) < _LONGEST_MARK:  # no more than the beginning of one
                rest = text
                continue
            text, is_first = _after_mark(text, name), False
        rest = b"\r" if text.endswith(b"\r") else b""  # the other half of its line's end may follow
        yield _plain_newlines(text[: len(text) - len(rest)])
    if is_first:
        rest = _after_mark(rest, name)
    yield _plain_newlines(rest)


def _end_of_lines(text: bytes) -> int:
    """Return where the last line ends that is not blank; 0 if none does.

    Blank lines at the end of a file are none of it: they wait for what follows, as half a line does.
    """
    filled = len(text.rstrip(b" \n"))
    end = text.find(b"\n", filled) if filled else -1
    return (end if end >= 0 else text.rfind(b"\n", 0, filled)) + 1


def _block(text: bytes, lines_before: int, bytes_before: int, name: str) -> Block:
    _check_is_text(text, name, lines_before, bytes_before)
    return Block(text, lines_before)


def _after_mark(text: bytes, name: str) -> bytes:
    """Return a file's text without its byte order mark."""
    for magic, what in _FOREIGN.items():
        if text.startswith(magic):
            raise InputError(f"{name}: holds no CSV but is {what}")
    return text.removeprefix(b"\xef\xbb\xbf")


def _plain_newlines(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def head_of(content: Content, *, name: str) -> bytes:
    """Return the first lines of what `text_of` returns, 1 MiB at most; nothing of a Parquet file.

    Raises:
        InputError: as for `text_of`.
    """
    if begins_with(content, PARQUET_MAGIC):
        return b""
    if not begins_with(content, GZIP_MAGIC):
        return text_of(_whole_lines(content[:_CHUNK]), name=name)
    head = b""
    try:
        for piece in gunzipped(content, _CHUNK):
            head += piece
            if len(head) >= _CHUNK:
                break
    except DamagedGzip as error:
        raise InputError(f"{name}: the gzip data is damaged ({error}); download it again") from error
    return text_of(_whole_lines(head), name=name)


def _whole_lines(head: bytes) -> bytes:
    end = head.rfind(b"\n")
    return head if end < 0 else head[: end + 1]


def bounds_of(content: Content, *, name: str) -> Bounds:
    """Return how much of a file is read."""
    is_packed = begins_with(content, (GZIP_MAGIC, PARQUET_MAGIC))
    return Bounds.of(len(content), name=name, is_packed=is_packed)


def _unpacked(content: Content, name: str, bounds: Bounds) -> bytes:
    """Unpack gzip into memory that grows in place: pieces that are joined would be there twice."""
    text = bytearray()
    for piece in _pieces(content, name, bounds, _CHUNK):
        text += piece
    return bytes(text)


def _pieces(content: Content, name: str, bounds: Bounds, size: int) -> Iterator[bytes]:
    """Yield a file's text as it stands, unpacked if it is gzip, of its size at most each."""
    if not begins_with(content, GZIP_MAGIC):
        yield from (content[at : at + size] for at in range(0, len(content), size))
        return
    unpacked = 0
    try:
        for piece in gunzipped(content, size):
            unpacked += len(piece)
            bounds.check_text(unpacked)
            yield piece
    except TruncatedGzip as error:
        raise InputError(
            f"{name}: the gzip data is truncated: it ends after {unpacked:,} unpacked bytes; "
            "download it again"
        ) from error
    except DamagedGzip as error:
        raise InputError(f"{name}: the gzip data is corrupt ({error}); download it again") from error


def _check_is_text(text: bytes, name: str, lines_before: int = 0, bytes_before: int = 0) -> None:
    nul = text.find(b"\0")
    if nul >= 0:
        raise InputError(
            f"{name}: holds binary data, not CSV (a NUL in line {_line_at(text, nul) + lines_before}); "
            "give CSV, CSV.GZ or Parquet"
        )
    if text.isascii():  # nearly always, and decides without a copy
        return
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: is not UTF-8: line {_line_at(text, error.start) + lines_before} has the byte "
            f"0x{text[error.start]:02x} (byte {error.start + bytes_before:,} of the text); "
            "save the file as UTF-8"
        ) from error


def _line_at(text: bytes, offset: int) -> int:
    return text.count(b"\n", 0, offset) + 1
