"""The bytes of a file: in memory, or of a large one in a temporary file without a name."""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from typing import IO, SupportsIndex, overload

import pyarrow as pa

from condvest.batch_layer.shared.models.given.contents import Content

IN_MEMORY = 32 << 20
"""A larger file is copied and read from the copy: what is archived was loaded, whoever writes to the file."""

_PIECE = 1 << 20


class FileContent:
    """The bytes of a file that is not in memory; a `Content`. The copy ends with it, or with the process."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> bytes: ...

    def __getitem__(self, at: SupportsIndex | slice) -> int | bytes:
        if isinstance(at, slice):
            first, end, step = at.indices(self._size)
            return self._read(first, end)[::step]
        return self._read(range(self._size)[at], range(self._size)[at] + 1)[0]

    def _read(self, first: int, end: int) -> bytes:
        pieces = []
        while first < end and (piece := os.pread(self._file.fileno(), end - first, first)):
            pieces.append(piece)
            first += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def content_of(file: IO[bytes], most: int) -> Content:
    """Return what a file or a pipe holds, at most ``most`` bytes and one more.

    Raises:
        OSError: it cannot be read, or copied.
    """
    head = file.read(IN_MEMORY + 1)
    if len(head) <= IN_MEMORY:
        return head
    copy = tempfile.TemporaryFile(prefix="condvest-import-", buffering=0)  # noqa: SIM115  # FileContent closes it
    size = copy.write(head)
    del head
    while size <= most and (piece := file.read(_PIECE)):
        size += copy.write(piece)
    return FileContent(copy, size)


class _Reader(io.RawIOBase):
    """Reads a content as a file."""

    def __init__(self, content: Content) -> None:
        self._content, self._at = content, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._content)}[whence]
        self._at = max(begin + offset, 0)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io has a wider type
        piece = self._content[self._at : self._at + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def as_file(content: Content) -> IO[bytes]:
    """Return a content as a file that is read."""
    if isinstance(content, bytes):
        return io.BytesIO(content)
    return io.BufferedReader(_Reader(content), _PIECE)


def as_arrow(content: Content) -> pa.NativeFile:
    """Return a content as pyarrow reads it."""
    return (
        pa.BufferReader(content) if isinstance(content, bytes) else pa.PythonFile(as_file(content), mode="r")
    )


def begins_with(content: Content, magic: bytes | tuple[bytes, ...]) -> bool:
    """Return whether a content begins with one of some bytes."""
    return content[: len(magic) if isinstance(magic, bytes) else max(map(len, magic))].startswith(magic)
