"""The archive in a directory."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from condvest.batch_layer.shared.clients.archive import (
    DESCRIBED,
    describe,
    key_described_by,
    key_of,
    options_told,
    packing_told,
    restore,
)
from condvest.batch_layer.shared.clients.archive.packing import SUFFIXES, packed, packing_of
from condvest.batch_layer.shared.errors import ArchiveError
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.utils.durable import sync_names
from condvest.batch_layer.shared.utils.ownership import give, make_folder

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
"""Errors of file systems that have no hard links: FAT, and buckets that are mounted as a directory."""


class DirectoryArchive:
    """An `Archive` below one directory, made when first needed.

    Files and folders are their owner's alone (0600, 0700): what was imported may have been private. A file
    appears under its name only when it is whole and on the disk, so an interrupted run leaves no
    half payload.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, payload: Payload, *, again: bool = False) -> str:
        """Keep a payload and return its key; see `Archive.keep`.

        Raises:
            ArchiveError: the directory cannot be written; the message names it.
        """
        key = key_of(payload)
        folder = (self._root / key).parent
        try:
            _make_folder(folder)
            names = (path.name for path in folder.iterdir())
            newest = max((name for name in names if name.endswith(DESCRIBED)), default=None)
            if newest is not None and not again and f"-{payload.digest[:16]}." in newest:
                return (folder / newest.removesuffix(DESCRIBED)).relative_to(self._root).as_posix()
            packing = self._packing_of(key, payload)
            _write(self._root / f"{key}{SUFFIXES[packing]}", packed(payload.content, packing))
            _write(self._root / f"{key}{DESCRIBED}", [describe(payload, packing)])
        except OSError as error:
            raise ArchiveError(
                f"cannot keep {payload.name} in the archive {self._root}: {_reason(error)}; "
                "nothing was loaded"
            ) from error
        return key

    def read(self, key: str) -> Payload:
        """Return the payload kept under ``key``.

        Raises:
            ArchiveError: there is none, or its bytes are no longer what was kept.
        """
        try:
            description = (self._root / f"{key}{DESCRIBED}").read_bytes()
            kept = (self._root / f"{key}{SUFFIXES[packing_told(key, description)]}").read_bytes()
        except OSError as error:
            raise ArchiveError(f"cannot read {key} in the archive {self._root}: {_reason(error)}") from error
        return restore(key, kept, description)

    def options(self, key: str) -> FileOptions:
        """Return what was said of the payload kept under ``key``.

        Raises:
            ArchiveError: there is none, or its description is damaged.
        """
        try:
            return options_told(key, (self._root / f"{key}{DESCRIBED}").read_bytes())
        except OSError as error:
            raise ArchiveError(f"cannot read {key} in the archive {self._root}: {_reason(error)}") from error

    def keys(self) -> Iterator[str]:
        """Yield all keys, in the order of the instants at which the payloads were fetched.

        Raises:
            ArchiveError: a folder cannot be read; none is passed over.
        """
        keys = (key for key in map(key_described_by, self._names()) if key is not None)
        yield from sorted(keys, key=lambda key: (key.rpartition("/")[2], key))

    def _packing_of(self, key: str, payload: Payload) -> str | None:
        """Return how a payload is packed: as its description says, if only its bytes were lost."""
        with suppress(FileNotFoundError, ArchiveError):
            return packing_told(key, (self._root / f"{key}{DESCRIBED}").read_bytes())
        return packing_of(payload.media)

    def _names(self) -> Iterator[str]:
        """Yield the names of all files, relative to the root, with slashes."""
        for folder, _, files in os.walk(self._root, onerror=self._unreadable, followlinks=True):
            within = Path(folder).relative_to(self._root).as_posix()
            yield from (f"{within}/{name}" for name in files)

    def _unreadable(self, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return  # nothing has been kept there yet
        raise ArchiveError(f"cannot read the archive {self._root}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    """Return what the operating system refused, and what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no room on its disk"
    reason = f"{error.strerror} ({error.filename})" if error.filename else (error.strerror or str(error))
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{reason}: give this user the right to it, or set CONDVEST_ARCHIVE to another directory"
    if error.errno == errno.EROFS:
        return f"{reason}: make its disk writable, or set CONDVEST_ARCHIVE to another directory"
    return reason


def _write(path: Path, content: Iterable[bytes]) -> None:
    """Write a file that is either whole or absent, and never over another."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
            give(file.fileno(), path.parent)
        with suppress(FileExistsError):  # the same instant and digest: the same bytes
            _name(scratch, path)
    finally:
        Path(scratch).unlink(missing_ok=True)
    sync_names(path.parent)


def _name(scratch: str, path: Path) -> None:
    """Give a whole file its name if nothing has it.

    Raises:
        FileExistsError: something has it.
    """
    try:
        os.link(scratch, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Whoever else comes between these two lines has the same name, and so the same bytes.
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        Path(scratch).rename(path)


def _make_folder(folder: Path) -> None:
    """Make a folder and those it lies in, and wait until their names are on the disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    make_folder(folder, mode=0o700)
    sync_names(folder.parent)
