"""Telling a connection pooler that changes sessions from one that keeps them, and from a server itself.

In session mode a pooler (PgBouncer, and the pooled addresses of managed servers) gives a client one server
process for as long as the client is connected. In transaction mode each transaction may run in another one:
settings and session locks then reach strangers, and are lost to us.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg

from condvest.batch_layer.database.postgres.connecting.line import server_process

Connection = psycopg.Connection[tuple[Any, ...]]

_PATIENCE = 3.0
"""Seconds that a second client waits for a server process of its own."""


def changes_sessions(connection: Connection, connect: Callable[[], Connection]) -> bool:
    """Return whether a pooler gives one client several server processes.

    Two clients take turns. While the first holds process 1 in a transaction, the second gets process 2; both
    end, the second last, so process 2 is the first to be handed out again::

        transaction mode   first: 1      second: 2      first again: 2    (or: second: 1)
        session mode       first: 1      second: 2      first again: 1

    A pool that is too small to serve the second client at the same time gives it nothing within 3 s. Then
    the first client's next transaction decides alone.
    """
    with closing(connect()) as second:
        for _ in range(3):
            ours = server_process(connection)
            served = _begins_in_time(second)
            connection.commit()
            if not served:
                return _pid_and_end(connection) != ours
            second.commit()
            if _pid_and_end(connection) != ours or _pid_and_end(second) == ours:
                return True
    return False


def _begins_in_time(connection: Connection) -> bool:
    """Begin a transaction; return False if the pooler has no process for it within `_PATIENCE`."""
    link = connection.pgconn
    link.send_query(b"BEGIN")
    if not select.select([link.socket], [], [], _PATIENCE)[0]:
        return False
    while link.get_result() is not None:
        pass
    return True


def _pid_and_end(connection: Connection) -> int:
    pid = server_process(connection)
    connection.commit()
    return pid
