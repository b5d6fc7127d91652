"""The one server that may live on a home's data directory: waited for, started, stopped.

Whoever calls this holds the home's ``lock``, so that nobody else starts or stops the server meanwhile.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from condvest.batch_layer.database.embedded.listening import read_listening
from condvest.batch_layer.database.embedded.locks import POLL_SECONDS, exclusive_if_free, is_free
from condvest.batch_layer.database.embedded.process import (
    DATABASE,
    Answer,
    Silence,
    ask,
    connected,
    read_pid_file,
    server_pid,
    strangers,
    was_moved,
)
from condvest.batch_layer.database.embedded.socket_directory import (
    PORT,
    choose_socket_directory,
    remove_socket_directory,
    socket_in,
)
from condvest.batch_layer.database.postgres.connecting.failures import translated
from condvest.batch_layer.shared.errors import DatabaseError, DatabaseUnavailable

_LONGEST_TAIL = 2**14


class LocalServer:
    """The server of one home.

    Args:
        home: Condvest's home, resolved.
        binaries: directory of the server's programs, or None to find them.
        timeout: seconds that a start, and each kind of stop, may take.

    Attributes:
        root: directory of everything of the server's.
        data: the data directory.
        log: what the server says.
    """

    def __init__(self, home: Path, *, binaries: Path | None, timeout: float) -> None:
        self._home = home
        self._binaries = binaries
        self._timeout = timeout
        self.root = home / "postgres"
        self.data = self.root / "data"
        self.log = self.root / "log"
        self._alive = self.root / "server"

    def address(self) -> tuple[Path, int]:
        """Return the directory and the port of the server's socket, or those it would have."""
        file = read_pid_file(self.data)
        # Another process may have another XDG_RUNTIME_DIR or TMPDIR, so the server's own word comes first.
        if file is not None and file.socket_directory is not None and file.port is not None:
            return file.socket_directory, file.port
        lock = self._alive.stat() if self._alive.exists() else None
        listening = read_listening(self.root)
        port = PORT if listening is None else listening.port
        return choose_socket_directory(self._home, os.environ, lock), port

    def is_dead(self) -> bool:
        """Return whether none of the server's processes lives."""
        return is_free(self._alive)

    def strangers(self) -> int:
        """Return how many clients are connected that are not Condvest."""
        directory, port = self.address()
        return strangers(directory, port) if socket_in(directory, port).exists() else 0

    def ensure_running(self, *, is_unused: Callable[[], bool]) -> None:
        """Wait until the server answers and has our database; start it if none lives.

        ``is_unused`` says whether a server that nobody new can reach may be stopped.
        """
        if not self._answer(is_unused).has_database:
            self._create_database()

    def stop(self) -> None:
        """Stop the server in order; if it does not obey, at once, which its log of changes survives.

        Raises:
            DatabaseUnavailable: it lives on all the same.
        """
        directory, _ = self.address()
        pid = server_pid(self.data)
        is_moved = pid is not None and was_moved(pid, self.data)
        for order in (signal.SIGQUIT,) if is_moved else (signal.SIGINT, signal.SIGQUIT):
            if self._dies_of(order):
                remove_socket_directory(directory)
                return
        raise DatabaseUnavailable(
            f"the server on {self.data} does not stop (process {server_pid(self.data)}); see {self.log}"
        )

    def _answer(self, is_unused: Callable[[], bool]) -> Answer:
        deadline = time.monotonic() + self._timeout
        log_begin: int | None = None
        while isinstance(answer := ask(self.data), Silence):
            with exclusive_if_free(self._alive) as lock:
                if lock is not None and log_begin is not None:
                    from condvest.batch_layer.database.embedded.cluster import start_failure  # noqa: PLC0415  # as _start

                    remove_socket_directory(self.address()[0])
                    raise start_failure(
                        f"PostgreSQL could not start on {self.data}", self._log_tail(log_begin), self.data
                    )
                if lock is not None:
                    log_begin = self._start(lock)
                    deadline = time.monotonic() + self._timeout
                    continue
            self._stop_if_cut_off(answer, is_unused)
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"the server on {self.data} did not answer within {self._timeout:g} s: {answer.reason}. "
                    "After a crash it may still be recovering: try again in a while, or end it with "
                    f"'condvest db down --now'. The end of {self.log}:\n{self._log_tail(log_begin or 0)}"
                )
            time.sleep(POLL_SECONDS)
        return answer

    def _start(self, lock: int) -> int:
        """Start a server where none lives and return where in the log it begins."""
        from condvest.batch_layer.database.embedded.start import start  # noqa: PLC0415  # as a rule one runs already

        return start(self._home, self.root, self._binaries, lock=lock)

    def _create_database(self) -> None:
        directory, port = self.address()
        with translated(), connected(directory, port, "postgres") as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def _stop_if_cut_off(self, silence: Silence, is_unused: Callable[[], bool]) -> None:
        """Stop a server that cannot be used here.

        Somebody removed its socket, such as a cleaner of temporary files; or an earlier version started it,
        and the home was moved while it ran, so that it still believes to be in the old place.
        """
        file = read_pid_file(self.data)
        if file is None or file.socket_directory is None or file.port is None or not file.is_ready:
            return
        is_reachable = socket_in(file.socket_directory, file.port).exists()
        if is_reachable and not silence.is_moved:
            return
        # A server that has just been started has not written its own file yet: this one is of a dead one.
        if server_pid(self.data) != file.pid:
            return
        if not is_unused() and silence.is_moved:
            raise DatabaseError(
                f"{self.data} was moved or copied while its server ran, and the server (process {file.pid}) "
                "is in use. Wait for the commands that use it, or run 'condvest db down --now'"
            )
        if not is_unused():
            raise DatabaseUnavailable(
                f"the server on {self.data} (process {file.pid}) is in use, but its socket was removed from "
                f"{file.socket_directory} and nobody new can reach it. Wait for the commands that use it, or "
                "run 'condvest db down --now'"
            )
        self.stop()

    def _dies_of(self, order: signal.Signals) -> bool:
        deadline = time.monotonic() + self._timeout
        signalled: int | None = None
        while not self.is_dead():
            pid = server_pid(self.data)
            if pid is not None and pid != signalled:
                with suppress(ProcessLookupError):  # it ended in this instant
                    os.kill(pid, order)
                signalled = pid
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _log_tail(self, begin: int) -> str:
        if not self.log.exists():
            return "(there is none)"
        with self.log.open("rb") as file:
            file.seek(max(begin, self.log.stat().st_size - _LONGEST_TAIL))
            return "\n".join(file.read().decode("utf-8", errors="replace").splitlines()[-12:])
