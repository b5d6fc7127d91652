"""A published data set in a directory."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.fs

from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.published.datasets import is_own
from condvest.batch_layer.shared.utils.durable import sync_names
from condvest.batch_layer.shared.utils.ownership import give, make_folder

_BUILDING, _PART = ".condvest-building-", ".condvest-part-"
_SCRATCH = re.compile(rf"({re.escape(_BUILDING)}|{re.escape(_PART)})[a-z0-9_]{{8}}")
"""The names of what a publication builds, which nobody else would give."""

_LEFT_AFTER = 24 * 3600.0
"""Seconds after which scratch that nobody can lock is taken for what a killed run left."""

_CHUNK = 1 << 20
"""Bytes of a file in memory at a time."""

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

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file, a part at a time."""
        with self._translated("read"), (self._root / path).open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def sizes(self) -> dict[str, int]:
        """Return the size of every file that a publication may have written, by path."""
        with self._translated("read"):
            sizes = {}
            for path in self._root.glob("*/*"):
                name = path.relative_to(self._root).as_posix()
                if is_own(name) and path.is_file():
                    sizes[name] = path.stat().st_size
            return sizes

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Give a directory to build files in, on the same file system; remove what killed runs left.

        The directory is locked while it is used, so another publication here does not take it for left.
        """
        with self._translated("write to"):
            make_folder(self._root)
            with self._one_at_a_time():
                self._remove_left()
                folder = Path(tempfile.mkdtemp(dir=self._root, prefix=_BUILDING))
                lock = os.open(folder, os.O_RDONLY)
                _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield folder
            finally:
                _let_go(lock)
                shutil.rmtree(folder, ignore_errors=True)

    def put(self, built: Path, path: str) -> None:
        """Move a built file to a path of the target, and wait until it is on the disk."""
        with self._translated("write to"):
            target = self._root / path
            make_folder(target.parent)
            _sync(built, owned_as=target.parent)
            with suppress(PermissionError):  # where the mount says which mode its files have
                built.chmod(0o644)
            built.replace(target)
            sync_names(target.parent)

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

    def signed_address(self, path: str) -> str | None:  # noqa: ARG002  # as the protocol has it
        """Return None: who may read the directory reads its files there."""
        return None

    @property
    def credentials(self) -> str:
        """Nothing: a directory is read as who runs this."""
        return ""

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Serialize replacements in this directory; the lock of a killed process is released."""
        handle = os.open(self._root, os.O_RDONLY)
        try:
            _lock(handle, fcntl.LOCK_EX)
            yield
        finally:
            _let_go(handle)

    def _remove_left(self) -> None:
        """Remove the scratch of killed runs, and nothing else."""
        for left in self._root.iterdir():
            if _SCRATCH.fullmatch(left.name) is None or left.is_symlink():
                continue
            try:
                handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue  # a publication that has just ended
            try:
                has_locks = _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_old = os.fstat(handle).st_mtime < time.time() - _LEFT_AFTER
            except BlockingIOError:
                continue  # a publication that lives
            finally:
                os.close(handle)
            with suppress(FileNotFoundError):  # it ends at this instant, and removes its own
                if left.is_dir() and (has_locks or is_old):
                    shutil.rmtree(left)
                elif left.is_file() and is_old:  # it is written in an instant, without a lock
                    left.unlink()

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


def _lock(handle: int, how: int) -> bool:
    """Lock an open directory; return whether its file system can.

    Raises:
        BlockingIOError: somebody else has locked it, and ``how`` says not to wait.
    """
    try:
        fcntl.flock(handle, how)
    except OSError as error:
        if error.errno not in _LOCKS_NO_DIRECTORIES:
            raise
        return False
    return True


def _let_go(handle: int) -> None:
    """Let go of a lock, also for a process that was forked meanwhile and has a copy of the descriptor."""
    _lock(handle, fcntl.LOCK_UN)
    os.close(handle)


def _sync(path: Path, *, owned_as: Path) -> None:
    """Wait until a file is on the disk; root gives it to the owner of a folder."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        give(handle, owned_as)
        os.fsync(handle)
    finally:
        os.close(handle)
