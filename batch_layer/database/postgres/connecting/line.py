"""The line to the server: how it is kept, what each session on it is set to, and whether it still stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

Connection = psycopg.Connection[tuple[Any, ...]]

_PARAMETERS = {
    "connect_timeout": "10",
    # Firewalls and address translation cut a line that is idle for minutes, and tell nobody.
    "keepalives_idle": "60",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    # In milliseconds. Else who asks on a line that was cut waits a quarter of an hour for the kernel.
    "tcp_user_timeout": "30000",
}
"""What a URL need not say. The last four have no effect on a socket of this machine.

So a line that was cut in silence is found out 30 s after a question was sent on it, and 90 s after the last
word where an answer is waited for.
"""

_VARIABLES = {"connect_timeout": "PGCONNECT_TIMEOUT"}
"""Those of them that libpq has a variable for."""

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

_of_parents: list[Connection] = []
"""Connections that a fork has given us. Kept, so that the driver does not complain of one left open."""


def parameters(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a connection that neither a URL nor libpq's variables need to say."""
    return {name: value for name, value in _PARAMETERS.items() if not environ.get(_VARIABLES.get(name, ""))}


def set_session(connection: Connection, more: Mapping[str, str]) -> None:
    """Set what `_SESSION` says, and more, and commit."""
    calls = sql.SQL(", ").join(
        sql.SQL("set_config({}, {}, false)").format(name, value)
        for name, value in {**_SESSION, **more}.items()
    )
    connection.execute(sql.SQL("SELECT {}").format(calls))
    connection.commit()


def is_pooled(connection: Connection) -> bool:
    """Return whether something stands between us and the server.

    A server announces the process that serves a connection; a pooler announces another number.
    """
    pid = server_process(connection)
    connection.commit()
    return pid != connection.info.backend_pid


def server_process(connection: Connection) -> int:
    """Return the server process of the transaction, begun if none is under way."""
    return int(connection.execute("SELECT pg_backend_pid()").fetchall()[0][0])


def is_hung_up(connection: Connection) -> bool:
    """Return whether the server has ended an idle connection: it restarted, or somebody cut us off.

    It asks nothing of the server, so a line that a firewall cut in silence counts as standing.
    """
    link = connection.pgconn
    if link.transaction_status != TransactionStatus.IDLE:
        return False
    try:
        # The first may get the server's last words, the second then finds the end.
        link.consume_input()
        link.consume_input()
    except psycopg.OperationalError:
        return True
    return False


def leave_to_parent(connection: Connection) -> None:
    """Let go of a connection that a fork has given us; the parent's session goes on.

    To close it would tell the server that the parent is gone.
    """
    _of_parents.append(connection)


@contextmanager
def given_up_if_busy(connection: Connection) -> Iterator[None]:
    """Close the connection if the block ends in the midst of a statement, as by Ctrl-C.

    Nothing can be rolled back on it then; the next transaction opens another.
    """
    try:
        yield
    except BaseException:
        if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
            cancel(connection)
            connection.close()
        raise


def cancel(connection: Connection) -> None:
    """Ask the server to stop a statement; what made us ask counts, not that the server cannot be asked."""
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=5.0)
