"""The archive in a directory."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from batch_layer.shared.clients.archive import DESCRIBED, describe, key_described_by, key_of, restore
from batch_layer.shared.errors import ArchiveError
from batch_layer.shared.models.payloads import Payload


class DirectoryArchive:
    """An `Archive` below one directory, made when first needed.

    A file appears under its name only when it is whole and on the disk, so an interrupted run leaves no
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
        newest = max(folder.glob("*.json"), key=lambda path: path.name, default=None)
        if newest is not None and not again and f"-{payload.digest[:16]}." in newest.name:
            return newest.with_suffix("").relative_to(self._root).as_posix()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(self._root / key, payload.content)
            _write(self._root / f"{key}.json", describe(payload))
        except OSError as error:
            reason = "no room on its disk" if error.errno == errno.ENOSPC else (error.strerror or str(error))
            raise ArchiveError(
                f"cannot keep {payload.name} in the archive {self._root}: {reason}; nothing was loaded"
            ) from error
        return key

    def read(self, key: str) -> Payload:
        """Return the payload kept under ``key``.

        Raises:
            ArchiveError: there is none, or its bytes are no longer what was kept.
        """
        path = self._root / key
        try:
            content = path.read_bytes()
            description = path.with_name(path.name + ".json").read_bytes()
        except OSError as error:
            raise ArchiveError(f"cannot read {key} in the archive {self._root}: {error.strerror}") from error
        return restore(key, content, description)

    def keys(self) -> Iterator[str]:
        """Yield all keys, in the order of the instants at which the payloads were fetched."""
        names = (path.relative_to(self._root).as_posix() for path in self._root.glob(f"*/*/*/*{DESCRIBED}"))
        keys = (key for key in map(key_described_by, names) if key is not None)
        yield from sorted(keys, key=lambda key: (key.rpartition("/")[2], key))


def _write(path: Path, content: bytes) -> None:
    """Write a file that is either whole or absent, and never over another."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(0o644)
        with suppress(FileExistsError):  # the same instant and digest: the same bytes
            os.link(scratch, path)
    finally:
        Path(scratch).unlink(missing_ok=True)
