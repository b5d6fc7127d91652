"""The directory of the server's Unix socket: private, and short enough for the kernel."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from condvest.batch_layer.shared.errors import DatabaseError

if TYPE_CHECKING:
    from condvest.batch_layer.database.embedded.account import ServerAccount

PORT = 5432
"""Part of the socket's name, unless the server listens on TCP too and its port is another."""

LONGEST_SOCKET_PATH = 100
"""In bytes. Linux takes 107, macOS 103."""


def choose_socket_directory(
    home: Path, environ: Mapping[str, str], lock: os.stat_result | None = None
) -> Path:
    """Return where the server of ``home`` (absolute) would put its socket; makes nothing.

    ``XDG_RUNTIME_DIR`` if it is ours and short, else the directory for temporary files, else ``/tmp``.

    Args:
        home: whose server.
        environ: the environment.
        lock: the file that the server's processes hold while one of them lives; None if it is not made yet.

    Raises:
        DatabaseError: no such directory has a path short enough.
    """
    # Each user has a name of its own, so that a directory left by root's server is in nobody's way. So has
    # each lock: the server of a home that was moved or removed while it ran lives on in the directory of its
    # own, and its lock's number is not given to another file as long as it lives.
    key = f" {os.geteuid()}" + (f" {lock.st_dev}:{lock.st_ino}" if lock is not None else "")
    name = "condvest-" + hashlib.sha256(os.fsencode(home) + key.encode()).hexdigest()[:12]
    bases = list(_bases(environ))
    for base in bases:
        path = os.fsencode(socket_in(base / name))
        if len(path) <= LONGEST_SOCKET_PATH and b"," not in path:  # a comma parts two hosts in a URL
            return base / name
    raise DatabaseError(
        f"no directory suits the server's socket ({', '.join(map(str, bases))}): its path may have no "
        f"comma and {LONGEST_SOCKET_PATH} bytes at most; set TMPDIR to a shorter one"
    )


def socket_in(directory: Path, port: int = PORT) -> Path:
    """Return the path of the socket that a server makes in ``directory``."""
    return directory / f".s.PGSQL.{port}"


def prepare_socket_directory(directory: Path, account: ServerAccount) -> None:
    """Make ``directory``, or take over one of ours, with mode 0700 and without the sockets of the dead.

    Call it only while no server of ours runs.

    Raises:
        DatabaseError: something else, or somebody else's directory, lies there.
    """
    with suppress(FileExistsError):  # whatever is there is looked at next
        directory.mkdir(mode=0o700)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), account.uid):
        raise DatabaseError(
            f"{directory} is not a directory of ours (it belongs to user id {status.st_uid}), so the "
            "server's socket is not safe in it. Remove it, or set TMPDIR to a directory of your own"
        )
    directory.chmod(0o700)
    account.own(directory)
    for leftover in directory.glob(".s.PGSQL.*"):
        leftover.unlink()


def remove_socket_directory(directory: Path) -> None:
    """Remove ``directory`` if it is there and empty, as a server that stopped in order leaves it."""
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()


def _bases(environ: Mapping[str, str]) -> Iterator[Path]:
    runtime = environ.get("XDG_RUNTIME_DIR")
    # Under sudo or su the variable may still name the directory of another user.
    if runtime and os.access(runtime, os.W_OK | os.X_OK) and Path(runtime).stat().st_uid == os.geteuid():
        yield Path(runtime).resolve()
    yield Path(tempfile.gettempdir()).resolve()
    yield Path("/tmp").resolve()  # noqa: S108 - the directory made in it is private, and its owner checked
