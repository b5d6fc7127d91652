"""Waiting for a lock with a word about it: who waits in silence looks hung."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.line import Connection

OnWait = Callable[[str], None]
"""Takes a sentence for people."""

PATIENCE = "2s"
"""How long a lock is waited for in silence, as PostgreSQL writes it."""

_TO_DO = "if it was stopped, end it or let it go on"

_MOST_RUNS = 3
"""Unfinished runs that a sentence names."""


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


def lock_transaction(connection: Connection, name: str, on_wait: OnWait | None) -> None:
    """Hold the database-wide lock ``name`` until the transaction ends, however long others hold it.

    Args:
        connection: in a transaction.
        name: of the lock.
        on_wait: told after PATIENCE who holds it; None if nobody is to be told.
    """
    lock = "SELECT pg_advisory_xact_lock(hashtext(%s))"
    if on_wait is not None:
        with undone_if_locked(connection, PATIENCE) as done:
            connection.execute(lock, (name,))
        if done:
            return
        who, _ = _holder(connection, name, None)
        on_wait(f"waiting for {who}, which is storing; {_TO_DO}")
    connection.execute(lock, (name,))


def lock_session(connection: Connection, name: str, part: int, on_wait: OnWait | None) -> None:
    """Hold a part of the database-wide lock ``name`` until the session lets it go.

    Args:
        connection: in a transaction; the lock outlives it.
        name: of the lock.
        part: of the lock.
        on_wait: told after PATIENCE who holds it, since when, and which runs have no end; None if nobody is
            to be told.
    """
    lock = "SELECT pg_advisory_lock(hashtext(%s), %s)"
    if on_wait is not None:
        with undone_if_locked(connection, PATIENCE) as done:
            connection.execute(lock, (name, part))
        if done:
            return
        on_wait(_sentence(connection, name, part))
    connection.execute(lock, (name, part))


def _sentence(connection: Connection, name: str, part: int) -> str:
    who, since = _holder(connection, name, part)
    known = [f"waiting for {who}, which holds the lock of {name}"]
    if since is not None:
        known.append(f"connected since {_instant(since)}")
        known += [f"run {command!r} since {_instant(began)}" for command, began in _runs(connection, since)]
    return f"{', '.join(known)}; {_TO_DO}"


def _holder(connection: Connection, name: str, part: int | None) -> tuple[str, dt.datetime | None]:
    """Return who holds a lock, or a part of one, and since when it is connected; None if that is not told.

    PostgreSQL shows the key of a lock as two numbers without a sign: of a lock without parts the second is
    the key, of one with parts they are name and part.
    """
    holders = connection.execute(
        "SELECT application_name, pid, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted"
        " AND CASE WHEN %(part)s::int4 IS NULL"
        " THEN objsubid = 1 AND objid = (hashtext(%(name)s)::int8 & 4294967295)::oid"
        " ELSE objsubid = 2 AND classid = (hashtext(%(name)s)::int8 & 4294967295)::oid"
        " AND objid = %(part)s::int4::oid END"
        " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        {"name": name, "part": part},
    ).fetchall()
    if not holders:
        return "another command", None
    application, pid, since = holders[0]
    return f"{application or 'another command'} (server process {pid})", since


def _runs(connection: Connection, since: dt.datetime) -> list[tuple[str, dt.datetime]]:
    """Return the commands that began since then and have no end, with when; none if we may not see them."""
    visible = connection.execute(
        "SELECT coalesce(has_table_privilege(to_regclass('runs')::oid, 'SELECT'), false)"
    ).fetchone()
    if visible != (True,):
        return []
    runs = connection.execute(
        "SELECT command, started_at FROM runs WHERE finished_at IS NULL AND started_at >= %s"
        " ORDER BY run_id DESC LIMIT %s",
        (since, _MOST_RUNS),
    )
    return [(command, began) for command, began in runs]


def _instant(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
