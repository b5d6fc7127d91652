"""A text that names what a transaction sees: two transactions with the same text see the same rows.

It begins with the instant at which the server was started: see `SNAPSHOT`.

PostgreSQL's snapshot names the transactions that are not over (xmin:xmax:those in between). On a hot standby
it leaves the last part out (PostgreSQL 18.6, and before): of two transactions that end in another order than
they began, the text of `pg_current_snapshot` shows the first to end there and not the second. So there the
transactions in between are asked for one by one, before the snapshot is taken and after it: each only ever
goes from under way to over, so if both times the same ones are, they are under way in the snapshot too.
"""

from __future__ import annotations

import itertools
import threading
import time

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.prepared import Row, Statement, ask
from condvest.batch_layer.database.postgres.snapshot import SERVER, SNAPSHOT

_MOST_BETWEEN = 10_000
"""Transactions asked for one by one; of more the snapshot is given a text that no other has."""

NOW = Statement(
    "condvest_snapshot",
    f"SELECT convert_to({SNAPSHOT}, 'UTF8'), pg_is_in_recovery(), (SELECT max(load_id) FROM loads)",  # noqa: S608 - a constant
)
"""What asks for the present snapshot; `Snapshots.snapshot_in` reads its row."""

_SEEN = f"""
    SELECT {SNAPSHOT}, {SERVER}, pg_is_in_recovery(), (SELECT coalesce(max(load_id), 0) FROM loads)
"""  # noqa: S608 - constants
_ON_STANDBY = """
    SELECT bounds.low || ':' || bounds.high || ':' || coalesce(string_agg(xid::text, ',' ORDER BY xid)
               FILTER (WHERE pg_xact_status(xid::text::xid8) = 'in progress'), ''),
           bounds.high - bounds.low
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8 AS low,
                 pg_snapshot_xmax(pg_current_snapshot())::text::int8 AS high) AS bounds
    LEFT JOIN LATERAL generate_series(low, least(high - 1, low + %s)) AS xid ON true
    GROUP BY bounds.low, bounds.high
"""


class Snapshots:
    """Names the snapshots of one database. Its methods may be called from several threads at once."""

    def __init__(self) -> None:
        self._is_standby = False
        self._number = itertools.count()
        self._started = time.time_ns()
        self._own = threading.local()

    def now(self, database: Database) -> tuple[str, int] | None:
        """Return the name of the present snapshot, and the last load in it; None if it takes more to tell.

        It is one statement outside a transaction: so one round trip, and one snapshot.
        """
        return self.snapshot_in(ask(database, NOW))

    def snapshot_in(self, row: Row) -> tuple[str, int] | None:
        """Return what a row of `NOW` tells, as `now` does."""
        self._is_standby = bool(row.number(1))
        return None if self._is_standby else (row.bytes(0).decode(), row.number(2) or 0)

    def prepare(self, database: Database) -> None:
        """Look at the database before the transaction begins whose snapshot is asked for; see `seen`."""
        self._own.before = None
        if self._is_standby:
            with database.transaction(read_only=True) as connection:
                self._own.before = _on_standby(connection)

    def seen(self, connection: Connection) -> tuple[str, int]:
        """Return the name of the snapshot of a transaction, and the last load in it; 0 for none.

        The name is of digits, colons and commas. Where there is no telling, it is one that no other snapshot
        has.
        """
        text, server, self._is_standby, load = connection.execute(_SEEN).fetchall()[0]
        if not self._is_standby:
            return str(text), load
        after = _on_standby(connection)
        if after is not None and after == getattr(self._own, "before", None):
            return f"{server}:{after}", load
        # No snapshot's first part is 0.
        return f"{server}:0:{self._started}:{next(self._number)}", load


def _on_standby(connection: Connection) -> str | None:
    """Return the transactions that are not over; None if there are too many to tell."""
    text, between = connection.execute(_ON_STANDBY, (_MOST_BETWEEN,)).fetchall()[0]
    return str(text) if between <= _MOST_BETWEEN else None
