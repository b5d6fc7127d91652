"""A published file that is open to be sent: of a directory by its descriptor, of a bucket through Arrow."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa
import pyarrow.fs

from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.serving_layer.ranges import Part

PIECE = 1 << 20
"""Bytes that are read and sent at once."""


class Opened(Protocol):
    """An open file.

    Attributes:
        size: its bytes.
        descriptor: by which the kernel can send it; None if it cannot.
    """

    size: int
    descriptor: int | None

    def read(self, first: int, count: int) -> bytes:
        """Return bytes from one on; fewer only at the file's end."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class _Local:
    """A file of a directory."""

    descriptor: int | None

    def __init__(self, path: str) -> None:
        self._file = self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        about = os.fstat(self._file)
        if not stat.S_ISREG(about.st_mode):
            self.close()
            raise IsADirectoryError(path)
        self.size = about.st_size

    def read(self, first: int, count: int) -> bytes:
        return os.pread(self._file, count, first)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self._file)
            self.descriptor = None


class _Remote:
    """A file of any file system that Arrow knows."""

    descriptor: int | None = None

    def __init__(self, opened: pa.NativeFile) -> None:
        self._opened = opened
        self.size: int = opened.size()

    def read(self, first: int, count: int) -> bytes:
        self._opened.seek(first)
        content: bytes = self._opened.read(count)
        return content

    def close(self) -> None:
        self._opened.close()


def open_in(target: PublishTarget, path: str) -> Opened:
    """Open a file by its path in a manifest.

    Raises:
        FileNotFoundError, IsADirectoryError: there is no such file.
    """
    filesystem, base = target.filesystem()
    if isinstance(filesystem, pyarrow.fs.LocalFileSystem):
        return _Local(f"{base}{path}")
    return _Remote(filesystem.open_input_file(f"{base}{path}"))


def pieces_of(opened: Opened, part: Part) -> Iterator[bytes]:
    """Yield a part of a file, and close it.

    Raises:
        PublishedError: the file is shorter than it was.
    """
    first, left = part.first, len(part)
    try:
        while left:
            piece = opened.read(first, min(left, PIECE))
            if not piece:
                raise PublishedError(
                    "a published file is shorter than when it was opened; run condvest verify"
                )
            first, left = first + len(piece), left - len(piece)
            yield piece
    finally:
        opened.close()
