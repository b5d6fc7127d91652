"""A connection to PostgreSQL, with the driver's errors translated in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from batch_layer.database.postgres import poolers
from batch_layer.database.postgres.failures import translation_of
from batch_layer.database.postgres.variables import none_of_libpqs
from batch_layer.shared.errors import DatabaseError, SettingsError
from batch_layer.shared.postgres_url import PostgresUrl

Connection = psycopg.Connection[tuple[Any, ...]]

OLDEST_SERVER = 14
"""The oldest major version of PostgreSQL that the SQL here runs on."""

_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "extra_float_digits": "1",
    # Our statements are short and long of rows: compiling them only delays them.
    "jit": "off",
}
"""What each session is set to, whatever the server, the role or the environment (PGTZ, PGDATESTYLE) prefers.

By SET and not by the parameter ``options``, which connection poolers refuse.
"""


class Database:
    """One connection to one database, opened when first used.

    Every error of the driver leaves here as one of ours, with the driver's as its cause. Neither ``repr`` nor
    a message shows a password.

    A `Database` belongs to one thread of one process. A child process that inherits it must not use it; it
    opens its own by `another`.
    """

    def __init__(
        self,
        url: str | PostgresUrl,
        login: Callable[[], Mapping[str, str]] | None = None,
        *,
        reads_environment: bool = True,
    ) -> None:
        """Take a ``postgresql://`` URL; nothing is opened yet.

        Args:
            url: where the database is.
            login: returns parameters beside the URL's, called anew for each connection: a password that
                expires, and how the server has to identify itself.
            reads_environment: whether libpq's variables (PGPASSFILE, PGSSLROOTCERT, ...) complete the URL.
                False for the embedded server: they are of another database.

        Raises:
            SettingsError: it is not such a URL.
        """
        self.url = PostgresUrl.parse(url) if isinstance(url, str) else url
        self._login = login
        self._reads_environment = reads_environment
        self._connection: Connection | None = None

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
            self._connection.close()
            self._connection = None

    def another(self) -> Database:
        """Return the same database, with a connection of its own."""
        return Database(self.url, self._login, reads_environment=self._reads_environment)

    def interrupt(self) -> None:
        """Stop the statement that another thread is running on the connection, if one is."""
        if self._connection is not None and not self._connection.closed:
            self._connection.cancel_safe(timeout=5.0)

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
            with connection.transaction(force_rollback=rehearsal), _given_up_if_busy(connection):
                yield connection

    @contextmanager
    def locked(self, name: str, parts: Sequence[int] = (0,)) -> Iterator[bool]:
        """Hold the database-wide lock ``name``, or parts of it, over several transactions.

        Yields whether the lock was free at once; if not, the block is entered when it has been got. The
        server drops the lock with the connection, so a killed process never keeps it.
        """
        wanted = sorted(parts)
        got = [part for part, free in self._advisory("pg_try_advisory_lock", name, wanted) if free]
        at_once = len(got) == len(wanted)
        if not at_once:
            self._advisory("pg_advisory_unlock", name, got)
            # All take the parts in ascending order, so that no two can wait for each other.
            self._advisory("pg_advisory_lock", name, wanted)
        try:
            yield at_once
        finally:
            if self._connection is not None and not self._connection.closed:
                self._advisory("pg_advisory_unlock", name, wanted)

    def _advisory(self, function: LiteralString, name: str, parts: list[int]) -> list[tuple[int, bool]]:
        query = sql.SQL("SELECT part, {}(hashtext(%s), part) FROM unnest(%s::int4[]) AS part")
        with self.transaction() as connection:
            rows = connection.execute(query.format(sql.Identifier(function)), (name, parts))
            return [(part, answer is not False) for part, answer in rows]

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._ready(self._connect())
        return self._connection

    def _connect(self) -> Connection:
        more = self._login() if self._login is not None else {}
        parameters = {"connect_timeout": "10", **self.url.with_parameters(more).parameters}
        try:
            with nullcontext() if self._reads_environment else none_of_libpqs():
                connection: Connection = psycopg.connect(
                    # Keywords and no text, so that the driver has no URL to quote.
                    psycopg.conninfo.make_conninfo(**parameters),
                    application_name="condvest",
                    client_encoding="utf8",
                    # A pooler may hand our prepared statements to another session.
                    prepare_threshold=None,
                )
        except psycopg.ProgrammingError:
            raise SettingsError(
                "CONDVEST_DATABASE_URL cannot be read: it has a parameter after the ? that PostgreSQL does "
                "not know; in a password write ? as %3F"
            ) from None
        return connection

    def _ready(self, connection: Connection) -> Connection:
        """Check the server behind a new connection and set the session; close it if it will not do."""
        try:
            self._check_server(connection)
            calls = sql.SQL(", ").join(
                sql.SQL("set_config({}, {}, false)").format(name, value) for name, value in _SESSION.items()
            )
            connection.execute(sql.SQL("SELECT {}").format(calls))
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_server(self, connection: Connection) -> None:
        version = connection.info.server_version // 10000
        if version < OLDEST_SERVER:
            raise DatabaseError(
                f"the server runs PostgreSQL {version}; Condvest needs {OLDEST_SERVER} or later"
            )
        if poolers.is_pooled(connection) and poolers.changes_sessions(connection, self._connect):
            raise DatabaseError(
                f"{self.url} is a connection pooler in transaction mode. Condvest keeps locks and settings "
                "over several transactions, so it needs a session of its own: name the server itself in "
                "CONDVEST_DATABASE_URL, or a pool in session mode (PgBouncer: pool_mode = session)"
            )


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise translation_of(error) from error


@contextmanager
def _given_up_if_busy(connection: Connection) -> Iterator[None]:
    """Close the connection if the block ends in the midst of a statement, as by Ctrl-C.

    Nothing can be rolled back on it then; the next transaction opens another.
    """
    try:
        yield
    except BaseException:
        if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
            connection.cancel_safe(timeout=5.0)
            connection.close()
        raise


@contextmanager
def undone_if_locked(connection: Connection, patience: str) -> Iterator[list[bool]]:
    """Run a block that takes locks; undo it if one is not to be had in time.

    Yields a list that is empty after the block if so. ``patience`` is how long a lock is waited for, as
    PostgreSQL writes it: ``500ms``.
    """
    done: list[bool] = []
    try:
        with connection.transaction():
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(patience)))
            yield done
            done.append(True)
    except psycopg.errors.LockNotAvailable:
        done.clear()
