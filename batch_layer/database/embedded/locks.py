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
from dataclasses import dataclass
from pathlib import Path

from condvest.batch_layer.shared.errors import DatabaseError, DatabaseUnavailable
from condvest.batch_layer.shared.utils.ownership import give

if sys.platform != "win32":
    import fcntl

_LAST_STANDARD = 2
"""The descriptor of standard error."""


@dataclass(eq=False)
class Lock:
    """A file that can be locked, opened for this process alone.

    Attributes:
        descriptor: of the file; -1 when the lock has been let go.
    """

    descriptor: int

    def __post_init__(self) -> None:
        _open_locks.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this process holds it: it has not let go, and it is not what a fork has copied to it."""
        return self.descriptor >= 0

    def let_go(self) -> None:
        """Let go of it, whoever has a copy of the descriptor; nothing happens the second time.

        The kernel drops a lock when the last copy is closed, and a process that was just forked may be long
        in closing its own. So the lock is taken off the file first, which holds for all copies.
        """
        if self.is_held:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        self.close()

    def close(self) -> None:
        """Close our copy of the descriptor: a process that was handed it, or our parent, keeps the lock."""
        _open_locks.discard(self)
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


_open_locks: set[Lock] = set()

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
    lock = Lock(opened(path))
    try:
        while not _locked(lock.descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"another process has been starting or stopping the server for more than {timeout:g} s "
                    f"(it holds {path}); wait for it, or end it if it hangs"
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        lock.let_go()


def is_free(path: Path) -> bool:
    """Return whether nobody holds ``path``, neither alone nor with others."""
    lock = Lock(opened(path))
    try:
        return _locked(lock.descriptor, fcntl.LOCK_EX)
    finally:
        lock.let_go()


@contextmanager
def exclusive_if_free(path: Path) -> Iterator[int | None]:
    """Hold ``path`` alone and yield its descriptor, or yield None if anybody holds it.

    A process that is handed the descriptor keeps the lock until it and all its children are gone.
    """
    lock = Lock(opened(path))
    try:
        yield lock.descriptor if _locked(lock.descriptor, fcntl.LOCK_EX) else None
    finally:
        lock.close()


def shared(path: Path) -> Lock:
    """Hold ``path`` with others. A process that is forked meanwhile does not hold it.

    Raises:
        DatabaseUnavailable: somebody holds it alone.
    """
    lock = Lock(opened(path))
    if _locked(lock.descriptor, fcntl.LOCK_SH):
        return lock
    lock.close()
    raise DatabaseUnavailable(f"{path} is locked by a process that is not Condvest's; end that process")


def _leave_to_parent() -> None:
    """Close what a fork has copied to us: else we would hold the parent's locks for as long as we live."""
    for lock in list(_open_locks):
        lock.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def opened(path: Path) -> int:
    """Open a file of the server's directory, made if need be, and follow no link; return the descriptor.

    One that root makes belongs to the owner of the directory, who could not lock it otherwise.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    give(descriptor, path.parent)
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
