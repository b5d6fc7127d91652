"""From a file's bytes to text in UTF-8, with nothing guessed."""

from __future__ import annotations

import gzip
import io
import zlib

from batch_layer.shared.clients.files.bounds import Bounds
from batch_layer.shared.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"

_CHUNK = 1 << 20

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


def text_of(content: bytes, *, name: str) -> bytes:
    r"""Return the text in ``content``, unpacked if it is gzip, in UTF-8, its lines ending in ``\n``.

    Args:
        content: a CSV or CSV.GZ file.
        name: the file, for messages.

    Raises:
        InputError: it is truncated, corrupt, beyond its bounds, binary, in another encoding, or empty.
    """
    bounds = bounds_of(content, name=name)
    text = _unpacked(content, name, bounds) if content.startswith(GZIP_MAGIC) else content
    bounds.check_text(len(text))
    for magic, what in _FOREIGN.items():
        if text.startswith(magic):
            raise InputError(f"{name}: holds no CSV but is {what}")
    text = text.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    bounds.check_rows(text.count(b"\n"))
    _check_is_text(text, name)
    if not text.strip():
        raise InputError(f"{name}: the file is empty; was its download finished?")
    return text.rstrip(b" \n")  # blank lines at the end, and not a tab, which may divide fields


def head_of(content: bytes, *, name: str) -> bytes:
    """Return the first lines of what `text_of` returns, 1 MiB at most; nothing of a Parquet file.

    Raises:
        InputError: as for `text_of`.
    """
    if content.startswith(PARQUET_MAGIC):
        return b""
    if not content.startswith(GZIP_MAGIC):
        return text_of(_whole_lines(content[:_CHUNK]), name=name)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            return text_of(_whole_lines(file.read(_CHUNK)), name=name)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{name}: the gzip data is damaged ({error}); download it again") from error


def _whole_lines(head: bytes) -> bytes:
    end = head.rfind(b"\n")
    return head if end < 0 else head[: end + 1]


def bounds_of(content: bytes, *, name: str) -> Bounds:
    """Return how much of a file is read."""
    is_packed = content.startswith((GZIP_MAGIC, PARQUET_MAGIC))
    return Bounds.of(len(content), name=name, is_packed=is_packed)


def _unpacked(content: bytes, name: str, bounds: Bounds) -> bytes:
    """Unpack gzip into memory that grows in place: pieces that are joined would be there twice."""
    text = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while chunk := file.read(_CHUNK):
                text += chunk
                bounds.check_text(len(text))
    except EOFError as error:
        raise InputError(
            f"{name}: the gzip data is truncated: it ends after {len(text):,} unpacked bytes; "
            "download it again"
        ) from error
    except (OSError, zlib.error) as error:
        raise InputError(f"{name}: the gzip data is corrupt ({error}); download it again") from error
    return bytes(text)


def _check_is_text(text: bytes, name: str) -> None:
    nul = text.find(b"\0")
    if nul >= 0:
        raise InputError(
            f"{name}: holds binary data, not CSV (a NUL in line {_line_at(text, nul)}); "
            "give CSV, CSV.GZ or Parquet"
        )
    if text.isascii():  # nearly always, and decides without a copy
        return
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: is not UTF-8: line {_line_at(text, error.start)} has the byte "
            f"0x{text[error.start]:02x} (byte {error.start:,} of the text); save the file as UTF-8"
        ) from error


def _line_at(text: bytes, offset: int) -> int:
    return text.count(b"\n", 0, offset) + 1
