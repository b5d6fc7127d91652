"""The protocol of a publish target: what a directory or a bucket has to be able to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow.fs


class PublishTarget(Protocol):
    """Files under relative paths in one directory or prefix. No file appears before it is whole.

    Every method raises PublishedError if the target refuses, PublishedUnavailable if it does not answer; the
    message names the target and says what to do.
    """

    @property
    def name(self) -> str:
        """The directory, or ``s3://bucket/prefix``."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content of a small file; None if there is none."""
        ...

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file, a part at a time; PublishedError also if there is none."""
        ...

    def sizes(self) -> dict[str, int]:
        """Return the size of every file that a publication may have written, by path."""
        ...

    def building(self) -> AbstractContextManager[Path]:
        """Give an empty directory to build files in; it is removed at the end."""
        ...

    def put(self, built: Path, path: str) -> None:
        """Move a built file to a path of the target."""
        ...

    def write(self, content: bytes, path: str) -> None:
        """Write a small file atomically, over an older one if there is one."""
        ...

    def replace(self, old: bytes | None, content: bytes, path: str) -> bool:
        """Write a small file if its content is ``old`` (None: if there is no such file).

        Returns:
            Whether it was written: of several callers with the same ``old``, exactly one succeeds.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove a file; it may be gone already."""
        ...

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return the Arrow file system of the target, and the prefix of its paths there."""
        ...

    def signed_address(self, path: str) -> str | None:
        """Return an address at which anybody may read a file for some minutes; None if there can be none."""
        ...

    @property
    def credentials(self) -> str:
        """A text that differs when the file system has to be opened anew, since credentials have changed."""
        ...
