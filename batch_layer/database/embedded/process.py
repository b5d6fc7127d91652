"""The running server: how it is started, asked and told to stop.

Alive means that a connection answers and names our data directory. A process id is only ever used to send
a signal, after it was seen that the process is the server of that directory.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from batch_layer.database.embedded.account import ServerAccount
from batch_layer.database.embedded.cluster import SUPERUSER, server_environment
from batch_layer.database.embedded.socket_directory import socket_in
from batch_layer.database.postgres.variables import none_of_libpqs
from batch_layer.shared.errors import DatabaseError

DATABASE = "condvest"
"""Name of the database that Condvest works in."""

# The shell leaves the server in the background and ends, so that the server is nobody's child: no zombie is
# left when it stops before us. Arguments are handed over as they are, whatever characters they hold. The
# shell runs as the account, so that a link in the place of the log leads no further than the account may go.
_DETACHED = 'umask 077; log=$1; shift; exec >>"$log" 2>&1 && { "$@" & }'

_NO_PROCESS = 2**31 - 1
_READY_LINE = 7


@dataclass(frozen=True)
class PidFile:
    """What ``postmaster.pid`` says. It may be stale: its server may be dead.

    Attributes:
        pid: process id of the server that wrote it.
        socket_directory: where that server put its socket, or None if it got no further.
        port: number in the socket's name, or None.
        is_ready: whether that server had come to take connections.
    """

    pid: int
    socket_directory: Path | None
    port: int | None
    is_ready: bool


@dataclass(frozen=True)
class Answer:
    """What a server that runs on our data directory says of itself.

    Attributes:
        version: its version, such as ``18.6``.
        has_database: whether the database ``condvest`` has been created.
    """

    version: str
    has_database: bool


@dataclass(frozen=True)
class Silence:
    """Why no answer came."""

    reason: str


def read_pid_file(data: Path) -> PidFile | None:
    """Return what the server's pid file says, or None if there is none or it is not yet written."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return None
    lines += [""] * (_READY_LINE + 1 - len(lines))
    pid = lines[0].strip().removeprefix("-")  # a server in single-user mode writes it negative
    if not pid.isdigit():
        return None
    return PidFile(
        pid=int(pid),
        socket_directory=Path(lines[4]) if lines[4] else None,
        port=int(lines[3]) if lines[3].strip().isdigit() else None,
        is_ready=lines[_READY_LINE].strip() == "ready",
    )


def ask(data: Path, *, timeout: int = 3) -> Answer | Silence:
    """Ask the server of ``data`` who it is, at the socket that its pid file names.

    Raises:
        DatabaseError: a server answers there that works on another directory.
    """
    file = read_pid_file(data)
    if file is None or file.socket_directory is None or file.port is None or not file.is_ready:
        return Silence("no server is ready")
    if not socket_in(file.socket_directory, file.port).exists():
        return Silence(f"its socket in {file.socket_directory} is gone")
    try:
        with connected(file.socket_directory, file.port, "postgres", timeout=timeout) as connection:
            row = connection.execute(
                "SELECT current_setting('data_directory'), current_setting('server_version'),"
                " EXISTS (SELECT FROM pg_database WHERE datname = %s)",
                (DATABASE,),
            ).fetchone()
    except psycopg.OperationalError as exc:
        return Silence(str(exc).strip())
    if row is None or os.path.realpath(row[0]) != os.path.realpath(data):
        raise DatabaseError(
            f"the server at {file.socket_directory} works on {row and row[0]}, not on {data}: the directory "
            f"was moved or copied while its server ran. Stop that server (kill -INT {file.pid})"
        )
    return Answer(version=str(row[1]).split()[0], has_database=bool(row[2]))


def connected(directory: Path, port: int, database: str, *, timeout: int = 3) -> psycopg.Connection:
    """Connect to the socket in ``directory``, whatever the PG* variables of our environment say."""
    with none_of_libpqs():
        return psycopg.connect(
            host=str(directory),
            port=port,
            user=SUPERUSER,
            dbname=database,
            connect_timeout=timeout,
            client_encoding="utf8",
            autocommit=True,
        )


def launch(data: Path, account: ServerAccount, binaries: Path, log: Path, *, lock: int) -> None:
    """Start the server on ``data`` and return at once; it writes to ``log`` and keeps ``lock`` till it ends.

    It lives in a session of its own: Ctrl-C and the end of a terminal do not reach it.

    Raises:
        DatabaseError: the account may not write to ``log``.
    """
    launched = subprocess.run(
        [*account.prefix, "/bin/sh", "-c", _DETACHED, "sh", log, binaries / "postgres", "-D", data],
        check=False,
        cwd="/",
        env=server_environment(),
        pass_fds=(lock,),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if launched.returncode != 0:
        said = launched.stderr.decode(errors="replace").strip()
        raise DatabaseError(f"the server cannot write its log {log}: {said}")


def server_pid(data: Path) -> int | None:
    """Return the process id of a server that lives on ``data``, seen by its command line, or None."""
    file = read_pid_file(data)
    return file.pid if file is not None and _is_server_of(file.pid, data) else None


def disown_pid_file(data: Path) -> None:
    """Let a stale pid file name no process, for PostgreSQL refuses to start when it names a living one.

    The rest of the file is kept: by it PostgreSQL finds out whether old server processes are still
    attached to the shared memory of this directory, and then refuses.

    Raises:
        DatabaseError: a server runs on ``data`` that Condvest has not started.
    """
    file = read_pid_file(data)
    path = data / "postmaster.pid"
    if file is None:
        path.unlink(missing_ok=True)  # empty, or not a pid file: PostgreSQL would refuse it
    elif _is_server_of(file.pid, data):
        raise DatabaseError(
            f"a PostgreSQL server that Condvest did not start runs on {data} (process {file.pid}). "
            f"Stop it: pg_ctl -D {data} stop"
        )
    else:
        first, _, rest = path.read_bytes().partition(b"\n")
        path.write_bytes(str(_NO_PROCESS).encode().ljust(len(first)) + b"\n" + rest)


def _is_server_of(pid: int, data: Path) -> bool:
    if Path("/proc/self/cmdline").exists():
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
        return os.path.basename(arguments[0]) == b"postgres" and os.fsencode(data) in arguments  # noqa: PTH119 - bytes
    said = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "postgres" in said.stdout and said.stdout.rstrip().endswith(f"-D {data}")
