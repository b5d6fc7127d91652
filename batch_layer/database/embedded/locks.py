"""Locks that the kernel keeps, and drops when their holder dies, however it dies.

Every lock is taken on a file description of its own, so that two threads of one process exclude each
other as two processes do. None is inherited by a program that is started, unless it is handed over.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batch_layer.shared.errors import DatabaseError, DatabaseUnavailable

if sys.platform != "win32":
    import fcntl

_LAST_STANDARD = 2
"""The descriptor of standard error."""

POLL_SECONDS = 0.01
"""How often a state that nobody announces is looked at."""


def require_posix() -> None:
    """Refuse a system on which the embedded server cannot run.

    Raises:
        DatabaseError: this is Windows.
    """
    if sys.platform == "win32":
        raise DatabaseError(
            "the embedded PostgreSQL runs on Linux and macOS. On Windows run Condvest inside WSL, or set "
            "CONDVEST_DATABASE_URL to a PostgreSQL server"
        )


@contextmanager
def exclusive(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold ``path`` alone, waiting at most ``timeout`` seconds for the others.

    Raises:
        DatabaseUnavailable: somebody else held it all the time.
    """
    deadline = time.monotonic() + timeout
    descriptor = _opened(path)
    try:
        while not _locked(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"another process has been starting or stopping the server for more than {timeout:g} s "
                    f"(it holds {path}); wait for it, or end it if it hangs"
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_if_free(path: Path) -> Iterator[int | None]:
    """Hold ``path`` alone and yield its descriptor, or yield None if anybody holds it.

    A process that is handed the descriptor keeps the lock until it and all its children are gone.
    """
    descriptor = _opened(path)
    try:
        yield descriptor if _locked(descriptor, fcntl.LOCK_EX) else None
    finally:
        os.close(descriptor)


def shared(path: Path) -> int:
    """Hold ``path`` with others and return the descriptor; closing it lets go.

    Raises:
        DatabaseUnavailable: somebody holds it alone.
    """
    descriptor = _opened(path)
    if _locked(descriptor, fcntl.LOCK_SH):
        return descriptor
    os.close(descriptor)
    raise DatabaseUnavailable(f"{path} is locked by a process that is not Condvest's; end that process")


def _opened(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if descriptor > _LAST_STANDARD:
        return descriptor
    # A standard stream was closed. What we start redirects these numbers, and would lose the lock by that.
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LAST_STANDARD + 1)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
