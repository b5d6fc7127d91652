"""A published data set in a directory."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.fs

from batch_layer.shared.errors import PublishedError
from batch_layer.shared.published.manifest import is_own

_BUILDING, _PART = ".building-", ".part-"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCKS_NO_DIRECTORIES = (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP)
"""What some file systems on a network answer; there, two publications could switch at one instant."""


class DirectoryTarget:
    """A `Place` below one directory, made when first needed. Files come into their places by renaming."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def name(self) -> str:
        """The directory."""
        return str(self._root)

    def read(self, path: str) -> bytes | None:
        """Return the content of a small file; None if there is none."""
        with self._translated("read"):
            try:
                return (self._root / path).read_bytes()
            except FileNotFoundError:
                return None

    def sizes(self) -> dict[str, int]:
        """Return the size of every file that a publication may have written, by path."""
        with self._translated("read"):
            found = {}
            for path in self._root.glob("*/*"):
                name = path.relative_to(self._root).as_posix()
                if is_own(name):
                    found[name] = path.stat().st_size
            return found

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Give a directory to build files in, beside those that are there; what killed runs left goes."""
        with self._translated("write to"):
            self._root.mkdir(parents=True, exist_ok=True)
            for left in self._root.glob(f"{_BUILDING}*"):
                shutil.rmtree(left)
            for left in self._root.glob(f"{_PART}*"):
                left.unlink()
            folder = Path(tempfile.mkdtemp(dir=self._root, prefix=_BUILDING))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def put(self, built: Path, path: str) -> None:
        """Move a file that was built into its place, and onto the disk."""
        with self._translated("write to"):
            target = self._root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(built)
            built.chmod(0o644)
            built.replace(target)
            _sync(target.parent)

    def write(self, content: bytes, path: str) -> None:
        """Put a small file into its place, whole and at once over what was there."""
        with self._translated("write to"):
            handle, scratch = tempfile.mkstemp(dir=self._root, prefix=_PART)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                self.put(Path(scratch), path)
            finally:
                Path(scratch).unlink(missing_ok=True)

    def replace(self, old: bytes | None, content: bytes, path: str) -> bool:
        """Put a small file into its place if ``old`` is what lies there; return whether it did."""
        with self._translated("write to"), self._one_at_a_time():
            if self.read(path) != old:
                return False
            self.write(content, path)
            return True

    def remove(self, path: str) -> None:
        """Remove a file; it may be gone already."""
        with self._translated("write to"):
            (self._root / path).unlink(missing_ok=True)

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return what Arrow reads the files through, and what their paths begin with there."""
        return pyarrow.fs.LocalFileSystem(), f"{self._root.absolute()}/"

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Keep others waiting who replace something here; a killed one keeps nobody waiting."""
        handle = os.open(self._root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _LOCKS_NO_DIRECTORIES:
                    raise
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            told = error.strerror or str(error)
            if error.errno in _FULL:
                told = "no room on its disk; free some"
            elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                told = f"{told}; make it writable or publish elsewhere with --to DIR"
                if doing == "read":
                    told = f"{error.strerror}; let this user read it"
            stays = "" if doing == "read" else ". What was published before stays; then run the command again"
            raise PublishedError(
                f"cannot {doing} the published data set {self._root}: {told}{stays}"
            ) from error


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
