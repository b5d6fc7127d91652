"""A connection to PostgreSQL, with the driver's errors translated in one place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from batch_layer.shared.errors import (
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnavailable,
    SettingsError,
)

Connection = psycopg.Connection[tuple[Any, ...]]

OLDEST_SERVER = 14
"""The oldest major version of PostgreSQL that the SQL here runs on."""

_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "not permitted to log in",
    "permission denied for database",
    "does not exist",
    "certificate verify failed",
    "does not match host name",
)
"""What is said of a connection that is refused for good."""


class Database:
    """One connection to one database, opened when first used.

    Every error of the driver leaves here as one of ours, with the driver's as its cause.
    """

    def __init__(self, url: str, login: Callable[[], Mapping[str, str]] | None = None) -> None:
        """Take a ``postgresql://`` URL; nothing is opened yet.

        Args:
            url: where the database is.
            login: gives parameters beside the URL's, asked anew for each connection: a password that
                expires, and how the server has to identify itself.
        """
        self.url = url
        self._login = login
        self._connection: Connection | None = None

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
        """Return the same database, for a connection of its own."""
        return Database(self.url, self._login)

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
            try:
                given = psycopg.conninfo.conninfo_to_dict(self.url).get("options") or ""
                more = self._login() if self._login is not None else {}
                connection: Connection = psycopg.connect(
                    psycopg.conninfo.make_conninfo(self.url, **more) if more else self.url,
                    application_name="condvest",
                    connect_timeout=10,
                    # Our statements are short, and long of rows: compiling them only delays them.
                    options=f"{given} -c timezone=UTC -c extra_float_digits=1 -c jit=off".strip(),
                )
            except psycopg.ProgrammingError as error:
                raise SettingsError(f"the database URL cannot be read: {_without_url(error)}") from error
            version = connection.info.server_version // 10000
            if version < OLDEST_SERVER:
                connection.close()
                raise DatabaseError(
                    f"the server runs PostgreSQL {version}; Condvest needs {OLDEST_SERVER} or later"
                )
            self._connection = connection
        return self._connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise _ours(error) from error


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


def _without_url(error: psycopg.Error) -> str:
    """Return what the driver says, cut before it quotes the URL or a part of it: there is the password."""
    return re.split(r'"[^"]*(?:://|%)', str(error), maxsplit=1)[0].strip().rstrip(":")


def _ours(error: psycopg.Error) -> Exception:
    state = error.sqlstate or ""
    text = str(error).strip() or type(error).__name__
    if state == "25006":
        return DatabaseReadOnly(f"the database takes no writes: {text}; connect to the primary server")
    if state == "53100":
        return DatabaseFull(f"the database has no room on its disk: {text}; free some and run again")
    # The driver gives no SQLSTATE for a connection that did not come about.
    if state in ("28P01", "28000", "3D000") or (not state and any(phrase in text for phrase in _REFUSALS)):
        return DatabaseError(f"the database refused the connection: {text}; check CONDVEST_DATABASE_URL")
    if state[:2] in ("08", "57", "53", "40") or (not state and isinstance(error, psycopg.OperationalError)):
        return DatabaseUnavailable(
            f"the database is away: {text}; nothing of the current step was stored, run it again"
        )
    return DatabaseError(f"the database refused ({state or 'no SQLSTATE'}): {text}")
