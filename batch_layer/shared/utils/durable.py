"""Names that outlast a power cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_NO_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""Errors of file systems whose folders cannot be synced, such as shares of Windows."""


def sync_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: else a power cut takes them, and leaves the bytes.

    Nothing happens where the file system cannot do it, or the folder can be written to but not opened.

    Raises:
        OSError: the disk failed.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)
