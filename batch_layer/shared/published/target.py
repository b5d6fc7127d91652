"""Where data sets are published: what a directory or a bucket has to be able to do."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow.fs


class PublishTarget(Protocol):
    """Files under paths relative to one place. Nothing appears under its path before it is whole.

    Every method raises PublishedError if the place refuses, PublishedUnavailable if it does not answer; the
    message names the place and says what to do.
    """

    @property
    def name(self) -> str:
        """The directory, or ``s3://bucket/prefix``."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content of a small file; None if there is none."""
        ...

    def sizes(self) -> dict[str, int]:
        """Return the size of every file that a publication may have written, by path."""
        ...

    def building(self) -> AbstractContextManager[Path]:
        """Give a directory to build files in, empty at first, gone at the end."""
        ...

    def put(self, built: Path, path: str) -> None:
        """Move a file that was built into its place."""
        ...

    def write(self, content: bytes, path: str) -> None:
        """Put a small file into its place, whole and at once over what was there."""
        ...

    def replace(self, old: bytes | None, content: bytes, path: str) -> bool:
        """Put a small file into its place if ``old`` is what lies there, None for nothing.

        Returns:
            Whether it did: of several that come with the same ``old``, one does.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove a file; it may be gone already."""
        ...

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return what Arrow reads the files through, and what their paths begin with there."""
        ...
