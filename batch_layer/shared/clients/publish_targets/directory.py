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
"""Errors of network file systems that cannot lock; there, two publications could switch at the same time."""


class DirectoryTarget:
    """A `PublishTarget` in one directory, made when first needed. Files appear by renaming."""

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
            sizes = {}
            for path in self._root.glob("*/*"):
                name = path.relative_to(self._root).as_posix()
                if is_own(name):
                    sizes[name] = path.stat().st_size
            return sizes

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Give a directory to build files in, on the same file system; remove what killed runs left."""
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
        """Move a built file to a path of the target, and wait until it is on the disk."""
        with self._translated("write to"):
            target = self._root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(built)
            built.chmod(0o644)
            built.replace(target)
            _sync(target.parent)

    def write(self, content: bytes, path: str) -> None:
        """Write a small file atomically, over an older one if there is one."""
        with self._translated("write to"):
            handle, scratch = tempfile.mkstemp(dir=self._root, prefix=_PART)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                self.put(Path(scratch), path)
            finally:
                Path(scratch).unlink(missing_ok=True)

    def replace(self, old: bytes | None, content: bytes, path: str) -> bool:
        """Write a small file if its content is ``old``; return whether it was written."""
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
        """Return the local file system, and the prefix of the target's paths."""
        return pyarrow.fs.LocalFileSystem(), f"{self._root.absolute()}/"

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Serialize replacements in this directory; the lock of a killed process is released."""
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
            reason = error.strerror or str(error)
            if error.errno in _FULL:
                reason = "the disk is full; free some space"
            elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                reason = f"{reason}; make it writable or publish elsewhere with --to DIR"
                if doing == "read":
                    reason = f"{error.strerror}; make it readable for this user"
            stays = (
                "" if doing == "read" else ". The version published before stays; then run the command again"
            )
            raise PublishedError(
                f"cannot {doing} the published data set {self._root}: {reason}{stays}"
            ) from error


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
