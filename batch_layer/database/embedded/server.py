"""The embedded PostgreSQL: started on demand, shared by all commands, stopped by the last one.

Everything lies in ``home/postgres``::

    data      the data directory; there only when it is whole
    lock      held alone while a server is started or stopped
    lease     held, together with others, by every user of the server; the kernel drops it on kill -9
    server    held by the server's own processes while one of them lives
    kept      there while the server is to stay up when nobody uses it
    listen    there while it listens on TCP too, see `listening`
    log       what the server says

No process id decides anything: a server is alive when it answers and names our data directory, it is dead
when ``server`` is free, and it is unused when ``lease`` is free.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from condvest.batch_layer.database.embedded.listening import Listening, read_listening, write_listening
from condvest.batch_layer.database.embedded.local_server import LocalServer
from condvest.batch_layer.database.embedded.locks import (
    POLL_SECONDS,
    Lock,
    exclusive,
    is_free,
    opened,
    require_posix,
    shared,
)
from condvest.batch_layer.database.embedded.process import (
    DATABASE,
    SUPERUSER,
    Answer,
    ask,
    read_pid_file,
    stored_major,
)
from condvest.batch_layer.database.embedded.states import Down, ServerStatus
from condvest.batch_layer.shared.errors import DatabaseError, DatabaseUnavailable, SettingsError

_LEAVING_SECONDS = 2.0
"""How long a server may take to notice that a client has gone."""


class EmbeddedServer:
    """The PostgreSQL server of one home directory. Making this object touches nothing.

    Args:
        home: Condvest's home; the server keeps to ``home/postgres``.
        binaries: directory of ``postgres`` and ``initdb``, or None to find them (``find_binaries``).
        start_timeout: seconds that a start, and then a stop, may take.

    Its methods may raise:
        DatabaseError: the system is Windows, something belongs to another user, there are no programs, or
            the server cannot start.
        DatabaseFull: the disk has no room.
        DatabaseUnavailable: the server did not answer, or did not stop, in time.
        SettingsError: ``binaries`` holds no programs, or the path of ``home`` has a line break.
    """

    def __init__(self, home: Path, *, binaries: Path | None = None, start_timeout: float = 60.0) -> None:
        # Resolved, so that all names of one directory lead to one server.
        self._server = LocalServer(Path(home).resolve(), binaries=binaries, timeout=start_timeout)
        self._turn_timeout = 3 * start_timeout  # the longest turn is a stop in two attempts after a start
        self._lock = self._server.root / "lock"
        self._lease = self._server.root / "lease"
        self._kept = self._server.root / "kept"

    @contextmanager
    def lease(self) -> Iterator[str]:
        """Use the server: start it if need be, yield its URL, and stop it if nobody else uses it."""
        with self._turn():
            self._ensure_running()
            lease = shared(self._lease)
        try:
            yield self.url()
        finally:
            self._leave(lease)

    def revive(self) -> str:
        """For who holds a lease: start the server again if it was stopped all the same; return its URL."""
        with self._turn():
            self._ensure_running()
        return self.url()

    def up(self, listening: Listening | None = None) -> str:
        """Start the server if need be, keep it up until ``down``, and return its URL.

        Args:
            listening: where it has to listen on TCP too, until ``down``; None leaves that as it is.

        Raises:
            DatabaseError: it is to listen elsewhere than it does, and is in use.
        """
        with self._turn():
            before = read_listening(self._server.root)
            if listening is not None and listening != before:
                self._listen(listening, before)
            self._ensure_running()
            if not self._kept.exists():
                os.close(opened(self._kept))
        return self.url()

    def down(self, *, now: bool = False) -> Down:
        """Keep the server up no longer, and stop it if nobody uses it, or in any case if ``now`` is true.

        What its users had not committed when it is stopped under them is undone.

        Raises:
            DatabaseError: clients are connected that came by its URL, whose end nobody would notice; it stays
                up. Not if ``now`` is true.
        """
        require_posix()
        with self._plain_refusals():
            if not self._server.root.exists():
                return Down.NOT_RUNNING
        with self._turn():
            if not now:
                self._refuse_strangers()
            self._kept.unlink(missing_ok=True)
            if self._server.is_dead():
                write_listening(self._server.root, None)
                return Down.NOT_RUNNING
            if not now and not self._is_unused():
                return Down.IN_USE
            self._server.stop()
            write_listening(self._server.root, None)
            return Down.STOPPED

    def listening(self) -> Listening | None:
        """Return where the server listens on TCP; None if on no port."""
        return read_listening(self._server.root)

    def _listen(self, listening: Listening, before: Listening | None) -> None:
        """Start the server anew where it listens; as it was before if it cannot."""
        if not self._server.is_dead():
            if not self._is_unused() or self._server.strangers():
                raise DatabaseError(
                    "the embedded server is in use and has to start anew to listen: end what uses it, run "
                    "condvest db down, and then condvest db up --listen again"
                )
            self._server.stop()
        write_listening(self._server.root, listening)
        try:
            self._ensure_running()
        except BaseException:
            write_listening(self._server.root, before)
            raise

    def url(self) -> str:
        """Return the URL of the database ``condvest``: of the server that runs, else of the next one."""
        require_posix()
        with self._plain_refusals():
            directory, port = self._server.address()
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(directory), safe='')}&port={port}"

    def status(self) -> ServerStatus:
        """Return the state of the server; never starts or makes anything."""
        require_posix()
        with self._plain_refusals():
            data = self._server.data
            answer, file = ask(data), read_pid_file(data)
            running = isinstance(answer, Answer)
            return ServerStatus(
                running=running,
                kept=self._kept.exists(),
                pid=file.pid if running and file is not None else None,
                version=answer.version if isinstance(answer, Answer) else stored_major(data),
                data_directory=data,
                socket_directory=self._server.address()[0],
                log=self._server.log,
            )

    def _refuse_strangers(self) -> None:
        """Refuse to stop the server under clients of its URL; one that is just leaving is waited for."""
        deadline = time.monotonic() + _LEAVING_SECONDS
        while clients := self._server.strangers():
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"the embedded server stays up: clients are connected by its URL ({clients} of them; see "
                    "pg_stat_activity). End them and run condvest db down again, or condvest db down --now"
                )
            time.sleep(POLL_SECONDS)

    def _ensure_running(self) -> None:
        try:
            self._server.ensure_running(is_unused=self._is_unused)
        except DatabaseUnavailable:
            raise  # it may be recovering from a crash, which must not begin again at every attempt
        except BaseException:  # Ctrl-C too must leave no server behind
            self._stop_if_unused()
            raise

    def _leave(self, lease: Lock) -> None:
        if not self._server.root.is_dir():
            lease.let_go()  # the home was moved away or removed: nothing here is to be stopped
        if not lease.is_held:
            return  # so in a process that was forked meanwhile: the lease is its parent's
        try:
            with self._turn():
                lease.let_go()
                self._stop_if_unused()
        finally:
            lease.let_go()  # if our turn never came: the next to leave stops it

    def _stop_if_unused(self) -> None:
        if not self._kept.exists() and self._is_unused() and not self._server.is_dead():
            self._server.stop()

    def _is_unused(self) -> bool:
        return is_free(self._lease)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Start and stop one at a time, over all processes of this home."""
        require_posix()
        if "\n" in str(self._server.root):  # PostgreSQL's pid file has one line for the path
            raise SettingsError(
                f"CONDVEST_HOME: the path {str(self._server.root)!r} has a line break; rename it"
            )
        with self._plain_refusals():
            if not self._server.root.is_dir():
                from condvest.batch_layer.database.embedded.account import give_new  # noqa: PLC0415  # a home's first time

                self._server.root.mkdir(mode=0o700, parents=True, exist_ok=True)
                give_new(self._server.root)
            with exclusive(self._lock, timeout=self._turn_timeout):
                yield

    @contextmanager
    def _plain_refusals(self) -> Iterator[None]:
        """Turn what the operating system refuses into an error that names the file and what to do."""
        try:
            yield
        except OSError as exc:
            from condvest.batch_layer.database.embedded.refusals import refusal  # noqa: PLC0415  # seldom

            raise refusal(self._server.root, exc) from exc
