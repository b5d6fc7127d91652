"""A connection to PostgreSQL, with the driver's errors translated in one place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self

import psycopg

from condvest.batch_layer.database.postgres.connecting import line, waiting
from condvest.batch_layer.database.postgres.connecting.failures import translated
from condvest.batch_layer.database.postgres.connecting.session_lock import SessionLock
from condvest.batch_layer.database.postgres.connecting.variables import none_of_libpqs
from condvest.batch_layer.shared.errors import DatabaseError, SettingsError
from condvest.batch_layer.shared.postgres_url import PostgresUrl

Connection = psycopg.Connection[tuple[Any, ...]]

OLDEST_SERVER = 14
"""The oldest major version of PostgreSQL that the SQL here runs on."""


class Database:
    """One connection to one database, opened when first used.

    Every error of the driver leaves here as one of ours, with the driver's as its cause. Neither ``repr`` nor
    a message shows a password.

    A `Database` belongs to one thread. In a process that was forked it opens a connection of its own. One
    that the server has ended between two transactions is opened again, unless it held locks.
    """

    def __init__(
        self,
        url: str | PostgresUrl,
        login: Callable[[], Mapping[str, str]] | None = None,
        *,
        reads_environment: bool = True,
        revive: Callable[[], str] | None = None,
    ) -> None:
        """Take a ``postgresql://`` URL; nothing is opened yet.

        Args:
            url: where the database is.
            login: returns parameters beside the URL's, called anew for each connection: a password that
                expires, and how the server has to identify itself.
            reads_environment: whether libpq's variables (PGPASSFILE, PGSSLROOTCERT, ...) complete the URL.
                False for the embedded server: they are of another database.
            revive: starts a server that does not answer and returns its URL; None if only others can.

        Raises:
            SettingsError: it is not such a URL.
        """
        self.url = PostgresUrl.parse(url) if isinstance(url, str) else url
        self._login = login
        self._reads_environment = reads_environment
        self._revive = revive
        self._connection: Connection | None = None
        self._process = os.getpid()
        self._locks = 0
        self._settings: Mapping[str, str] = {}
        self.is_pooled = False
        """Whether something stands between us and the server, as the connection told when it was opened."""
        self.schema: int | None = None
        """The last migration that the database had when its schema was checked; None if it was not."""
        self.on_wait: waiting.OnWait | None = None
        """Told in a sentence when another process keeps us waiting; None if nobody is to be told."""

    def __repr__(self) -> str:
        return f"Database({self.url})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._connection is not None:
            if self._process == os.getpid():
                self._connection.close()
            else:
                line.leave_to_parent(self._connection)
            self._connection = None

    def another(self) -> Database:
        """Return the same database, with a connection of its own; it tells the same of its waiting."""
        other = Database(
            self.url, self._login, reads_environment=self._reads_environment, revive=self._revive
        )
        other.on_wait = self.on_wait
        other._settings = self._settings
        return other

    def restrict(self, settings: Mapping[str, str]) -> None:
        """Set parameters of the session, on this connection and on every later one.

        Args:
            settings: PostgreSQL's names to values, such as ``default_transaction_read_only`` to ``on``.

        Raises what `transaction` does.
        """
        self._settings = {**self._settings, **settings}
        with translated():
            line.set_session(self._open(), settings)

    def takes_writes(self) -> bool:
        """Return whether the database takes writes: it is no hot standby, and not read-only by default."""
        with self.transaction() as connection:
            answer = connection.execute("SHOW transaction_read_only").fetchone()
        return answer == ("off",)

    def interrupt(self) -> None:
        """Stop the statement that another thread is running on the connection, if one is."""
        if self._connection is not None and not self._connection.closed:
            line.cancel(self._connection)

    @contextmanager
    def transaction(
        self, *, snapshot: bool = False, read_only: bool = False, rehearsal: bool = False
    ) -> Iterator[Connection]:
        """Run the block in one transaction: committed at its end, rolled back on any exception.

        Args:
            snapshot: see one state of the database throughout (REPEATABLE READ); otherwise each
                statement sees what was committed when it began (READ COMMITTED).
            read_only: refuse writes.
            rehearsal: roll back at the end too.

        Raises:
            DatabaseUnavailable: no server answers, or the connection was lost.
            DatabaseError: the server refused; its subclasses say in what way.
        """
        with translated():
            connection = self._open()
            connection.isolation_level = (
                psycopg.IsolationLevel.REPEATABLE_READ if snapshot else psycopg.IsolationLevel.READ_COMMITTED
            )
            # None, not False: a database that takes no writes by default is not to be talked into them.
            connection.read_only = read_only or None
            with connection.transaction(force_rollback=rehearsal), line.given_up_if_busy(connection):
                yield connection

    @contextmanager
    def idle(self) -> Iterator[Connection]:
        """Give the connection outside a transaction, for a statement that is a transaction of its own.

        Raises what `transaction` does.
        """
        with translated():
            connection = self._open()
            with line.given_up_if_busy(connection):
                yield connection

    @contextmanager
    def locked(self, name: str, parts: Sequence[int] = (0,)) -> Iterator[bool]:
        """Hold the database-wide lock ``name``, or parts of it, over several transactions.

        Yields whether the lock was free at once; if not, the block is entered when it has been got, and
        `on_wait` is told for whom it waits. The server drops the lock with the connection, so a killed
        process never keeps it.
        """
        lock = SessionLock(self.transaction, self._is_open, name, parts)
        at_once = lock.take_if_free()
        if not at_once:
            lock.take(self.on_wait)
        self._locks += 1
        try:
            yield at_once
        finally:
            self._locks -= 1
            lock.let_go()

    def _is_open(self) -> bool:
        return self._connection is not None and not self._connection.closed

    def _open(self) -> Connection:
        if self._process != os.getpid():
            self.close()
            self._process, self._locks = os.getpid(), 0
        # Who lost the line has lost the locks, and is to be told.
        if self._connection is not None and not self._locks and line.is_hung_up(self._connection):
            self.close()
        if self._connection is None or self._connection.closed:
            try:
                self._connection = self._ready(self._connect())
            except psycopg.OperationalError:
                if self._revive is None:
                    raise
                self.url = PostgresUrl.parse(self._revive())
                self._connection = self._ready(self._connect())
        return self._connection

    def _connect(self) -> Connection:
        more = self._login() if self._login is not None else {}
        ours = line.parameters(os.environ if self._reads_environment else {})
        parameters = ours | dict(self.url.with_parameters(more).parameters)
        try:
            with nullcontext() if self._reads_environment else none_of_libpqs():
                connection: Connection = psycopg.connect(
                    # Keywords and no text, so that the driver has no URL to quote.
                    psycopg.conninfo.make_conninfo(**parameters),
                    application_name=f"condvest (process {os.getpid()})",
                    client_encoding="utf8",
                    # A pooler may hand our prepared statements to another session.
                    prepare_threshold=None,
                )
        except psycopg.ProgrammingError:
            raise SettingsError(
                "CONDVEST_DATABASE_URL cannot be read: after the ? it has a parameter that PostgreSQL does "
                "not know, or no value of such a parameter; in a password write ? as %3F"
            ) from None
        return connection

    def _ready(self, connection: Connection) -> Connection:
        """Check the server behind a new connection and set the session; close it if it will not do."""
        try:
            self._check_server(connection)
            line.set_session(connection, self._settings)
        except BaseException:  # Ctrl-C too must leave no connection open
            connection.close()
            raise
        return connection

    def _check_server(self, connection: Connection) -> None:
        version = connection.info.server_version // 10000
        if version < OLDEST_SERVER:
            raise DatabaseError(
                f"the server runs PostgreSQL {version}; Condvest needs {OLDEST_SERVER} or later"
            )
        self.is_pooled = line.is_pooled(connection)
        if not self.is_pooled:
            return
        from condvest.batch_layer.database.postgres.connecting.poolers import changes_sessions  # noqa: PLC0415  # poolers are rare

        if changes_sessions(connection, self._connect):
            raise DatabaseError(
                f"{self.url} is a connection pooler in transaction mode. Condvest keeps locks and settings "
                "over several transactions, so it needs a session of its own: name the server itself in "
                "CONDVEST_DATABASE_URL, or a pool in session mode (PgBouncer: pool_mode = session)"
            )
