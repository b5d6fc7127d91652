"""Tables in which all bars are built anew beside the stored ones, and the switch from those to these.

All of it is done in one transaction: until it commits, everybody reads the bars of before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from condvest.batch_layer.database.postgres.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, holds
from condvest.batch_layer.database.postgres.touched import EVERY_KEY, touch, watch
from condvest.batch_layer.database.postgres.waiting import undone_if_locked
from condvest.batch_layer.database.stores.bars import insert_bars
from condvest.batch_layer.shared.errors import DatabaseUnavailable
from condvest.batch_layer.shared.models.bars import Bars

_TRIES = 240
_PATIENCE = "500ms"
"""Shorter than the server's deadlock_timeout (1 s), so that no reader is ever ended for our sake."""


def may_build(connection: Connection) -> bool:
    """Return whether no bar is stored yet, and the present user may make tables in the place of these."""
    return holds(
        connection,
        "SELECT NOT EXISTS (SELECT FROM bars) AND pg_has_role(relowner, 'USAGE') "
        "AND has_schema_privilege(relnamespace, 'CREATE') FROM pg_class WHERE oid = 'bars'::regclass",
    )


def create(connection: Connection, intervals: Sequence[int]) -> None:
    """Make the new tables, without keys: a key costs less when it is made for all rows at once."""
    for n in intervals:
        connection.execute(sql.SQL("CREATE TABLE {new} (LIKE {old})").format(new=_new(n), old=_old(n)))


def append(connection: Connection, interval: int, bars: Bars) -> None:
    """Add bars to a new table."""
    insert_bars(connection, interval, bars, table=f"bars_{interval}_new")


def make_key(connection: Connection, interval: int) -> None:
    """Give a new table, now full, its key and what the planner has to know of it.

    What comes after is given the room that the schema says. The planner needs little: whoever reads bars
    looks for each span by the key, whatever the statistics say, so a tenth of the usual sample will do.
    """
    for statement in (
        "SET LOCAL default_statistics_target = 10",
        "ALTER TABLE {new} SET (fillfactor = 50)",
        'ALTER TABLE {new} ADD PRIMARY KEY ("interval", instrument_id, "window")',
        # By this the table can be attached without being read once more.
        'ALTER TABLE {new} ADD CONSTRAINT of_one_interval CHECK ("interval" = {n})',
        "ANALYZE {new}",
    ):
        connection.execute(sql.SQL(statement).format(new=_new(interval), n=sql.Literal(interval)))


def switch(connection: Connection, built: Mapping[int, int]) -> None:
    """Put the new tables in the place of the old ones, with the rights that others have on those.

    Args:
        connection: in the transaction that made the new tables.
        built: interval to the number of bars in its new table.

    Raises:
        DatabaseUnavailable: for two minutes somebody read the old ones without a pause.
    """
    for _ in range(_TRIES):
        with undone_if_locked(connection, _PATIENCE) as locked:
            connection.execute("LOCK TABLE bars IN ACCESS EXCLUSIVE MODE")
        if locked:
            break
    else:
        raise DatabaseUnavailable(
            "the bars are built, but others read the stored ones without a pause, so they cannot be "
            "switched; nothing was changed, run it again"
        )
    for n, bars in built.items():
        grants = _grants(connection, n)
        for statement in (
            "DROP TABLE {old}",
            "ALTER TABLE {new} RENAME TO {old}",
            "ALTER INDEX {new_key} RENAME TO {old_key}",
            "ALTER TABLE bars ATTACH PARTITION {old} FOR VALUES IN ({n})",
            "ALTER TABLE {old} DROP CONSTRAINT of_one_interval",
        ):
            connection.execute(
                sql.SQL(statement).format(
                    old=_old(n),
                    new=_new(n),
                    old_key=sql.Identifier(f"bars_{n}_pkey"),
                    new_key=sql.Identifier(f"bars_{n}_new_pkey"),
                    n=sql.Literal(n),
                )
            )
        for grant in grants:
            connection.execute(grant)
        watch(connection, f"bars_{n}")
        # No bar was stored before: see `may_build`.
        touch(connection, f"bars_{n}", *EVERY_KEY, bars)


def _grants(connection: Connection, interval: int) -> list[bytes]:
    """Return the statements that give others the rights that they have on a table."""
    statements = column(
        connection,
        "SELECT format('GRANT %%s ON %%s TO %%s', privilege_type, oid::regclass, "
        "CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END) "
        "FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass(%s) AND grantee <> relowner",
        (f"bars_{interval}",),
    )
    return [statement.encode() for statement in statements]


def _old(interval: int) -> sql.Identifier:
    return sql.Identifier(f"bars_{interval}")


def _new(interval: int) -> sql.Identifier:
    return sql.Identifier(f"bars_{interval}_new")
