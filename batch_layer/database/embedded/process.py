"""The running server: how it is asked, and how its process is recognised.

Alive means that a connection answers and names our data directory. A process id is only ever used to send
a signal, after it was seen that the process is the server of that directory.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from condvest.batch_layer.database.embedded.socket_directory import socket_in
from condvest.batch_layer.database.postgres.connecting.variables import none_of_libpqs
from condvest.batch_layer.shared.errors import DatabaseError

SUPERUSER = "condvest"
"""The role that Condvest logs in as. It is a superuser: only who could be the server may log in at all."""

DATABASE = "condvest"
"""Name of the database that Condvest works in."""

OURS = "condvest"
"""What the names begin with under which Condvest's own connections show."""

HERE = Path("/proc/self/cwd")
"""The name by which a server on Linux knows its data directory: that in which it works, wherever it goes.

PostgreSQL writes its control file by the name that it was started with. By a path, the server of a home that
was moved or removed would write into another one that was made in its place, and spoil both.
"""

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
    """Why no answer came.

    Attributes:
        reason: in words.
        is_moved: whether the server lives, but believes to be in another place: an earlier version started
            it, and its directory was moved here meanwhile.
    """

    reason: str
    is_moved: bool = False


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


def stored_major(data: Path) -> str | None:
    """Return the major version that made ``data``, or None if there is no database in it."""
    file = data / "PG_VERSION"
    return file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else None


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
                # As bytes, for a path need not be text.
                "SELECT textsend(current_setting('data_directory')), current_setting('server_version'),"
                " EXISTS (SELECT FROM pg_database WHERE datname = %s)",
                (DATABASE,),
            ).fetchone()
    except psycopg.OperationalError as exc:
        return Silence(str(exc).strip())
    works_on = Path(os.fsdecode(row[0])) if row is not None else None
    if row is None or works_on is None or not _is_data_of(file.pid, works_on, data):
        if works_on != HERE and _is_server_of(file.pid, data):
            return Silence(f"{data} was moved while its server ran", is_moved=True)
        raise DatabaseError(
            f"the server at {file.socket_directory} works on {_cwd_of(file.pid, works_on)}, not on {data}: "
            f"the directory was copied or moved while its server ran. Stop that server (kill -INT {file.pid})"
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
            application_name=OURS,
            client_encoding="utf8",
            autocommit=True,
        )


def strangers(directory: Path, port: int) -> int:
    """Return how many clients are connected that are not Condvest, such as psql by the server's URL."""
    try:
        with connected(directory, port, "postgres") as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND NOT starts_with(application_name, %s)",
                (OURS,),
            ).fetchone()
    except psycopg.OperationalError:
        return 0  # who cannot be asked serves nobody
    return int(row[0]) if row is not None else 0


def server_pid(data: Path) -> int | None:
    """Return the process id of a server that lives on ``data``, or None.

    It is seen by the directory that it works in, which follows when ``data`` is moved, or else by its command
    line.
    """
    file = read_pid_file(data)
    return file.pid if file is not None and _is_server_of(file.pid, data) else None


def name_for_server(data: Path) -> Path:
    """Return the name by which a server that works in ``data`` is to know it: `HERE`, or its path."""
    return HERE if HERE.exists() else data


def was_moved(pid: int, data: Path) -> bool:
    """Return whether a server that an earlier version started knows ``data`` by another path: it was moved.

    What it writes at its end would go there, so it has to be ended without (SIGQUIT), and recovers.
    """
    arguments = _arguments_of(pid)
    return bool(arguments) and not {os.fsencode(HERE), os.fsencode(data)} & set(arguments)


def _is_data_of(pid: int, works_on: Path, data: Path) -> bool:
    """Return whether what a server says of its data directory means ``data``."""
    return _works_in(pid, data) if works_on == HERE else os.path.realpath(works_on) == os.path.realpath(data)


def _cwd_of(pid: int, works_on: Path | None) -> str:
    """Return the path of a server's data directory, for people."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink() if works_on == HERE else works_on)
    except OSError:
        return "another directory"


def _is_server_of(pid: int, data: Path) -> bool:
    if Path("/proc/self/cmdline").exists():
        arguments = _arguments_of(pid)
        if not arguments:
            return False
        is_postgres = os.path.basename(arguments[0]) == b"postgres"  # noqa: PTH119 - bytes
        return is_postgres and (_works_in(pid, data) or os.fsencode(data) in arguments)
    said = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "postgres" in said.stdout and said.stdout.rstrip().endswith(f"-D {data}")


def _arguments_of(pid: int) -> list[bytes]:
    """Return the command line of a process; empty if it has ended, or the system does not tell."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _works_in(pid: int, data: Path) -> bool:
    """Return whether a process works in the directory ``data``, as PostgreSQL does in its own."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except OSError:  # it has ended, or is not ours to see
        return False
