"""Who owns what root makes in a user's directory: that user, who could not use it otherwise.

Root may run a command once on another user's home (``sudo``, a crontab, a container that starts as root). For
everybody else nothing here changes an owner.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a directory with its parents, if it is not there.

    Root gives each new one to the owner of the directory around it.

    Args:
        folder: the directory.
        mode: its permissions, before the umask; parents that are made have those of the umask alone.

    Raises:
        OSError: it cannot be made, or something else has its name.
    """
    if not _is_root():
        folder.mkdir(mode, parents=True, exist_ok=True)
        return
    missing = [directory for directory in (folder, *folder.parents) if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode if directory == folder else 0o777, exist_ok=True)
        # No link that somebody laid there meanwhile is followed.
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            give(opened, directory.parent)
        finally:
            os.close(opened)
    folder.mkdir(exist_ok=True)  # refuses a file of that name


def give(descriptor: int, folder: Path) -> None:
    """Give a file or directory that root has just made to the owner of the directory around it.

    Open it without following links (O_NOFOLLOW): the owner of the directory could lay one to a file of
    root's.
    """
    if not _is_root():
        return
    made = os.fstat(descriptor)
    if made.st_uid != 0 or (stat.S_ISREG(made.st_mode) and made.st_nlink != 1):
        return  # a file with two names is none that we have just made
    owner = folder.stat()
    if owner.st_uid != 0:
        with suppress(PermissionError):  # root of a container, or of a network file system, that may not
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
