"""New tables in the place of empty partitions: filled without a key, keyed when full, and then switched.

All of it is done in one transaction: until it commits, everybody reads the tables of before. A row costs the
server less than half of what it costs in a table with a key, and where the server's log is minimal it is not
logged, either: the new tables are on the disk when the transaction commits.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.connecting.waiting import undone_if_locked
from condvest.batch_layer.database.postgres.queries import column, holds
from condvest.batch_layer.database.postgres.touched import watch

PATIENCE = "500ms"
"""Shorter than the server's deadlock_timeout (1 s), so that no reader is ever ended for our sake."""


def may_replace(connection: Connection, parent: str) -> bool:
    """Return whether a table has no row, and the present user may make tables in place of its partitions."""
    return holds(
        connection,
        sql.SQL(
            "SELECT NOT EXISTS (SELECT FROM {table}) AND pg_has_role(relowner, 'USAGE') "
            "AND has_schema_privilege(relnamespace, 'CREATE') FROM pg_class WHERE oid = {name}::regclass"
        ).format(table=sql.Identifier(parent), name=sql.Literal(parent)),
    )


def new_name(table: str) -> str:
    """Return the name that a new table has until it takes the place of ``table``."""
    return f"{table}_new"


def create(connection: Connection, table: str) -> None:
    """Make the new table for a partition: its columns and checks, and no key."""
    statement = "CREATE TABLE {new} (LIKE {old} INCLUDING CONSTRAINTS)"
    connection.execute(sql.SQL(statement).format(**_names(table)))


def lock(connection: Connection, tables: Sequence[str], tries: int) -> bool:
    """Let nobody else read or write tables until the transaction ends, if that is to be had.

    Returns whether it was: each try waits for half a second for those who are at it.
    """
    statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
        sql.SQL(", ").join(map(sql.Identifier, tables))
    )
    for _ in range(tries):
        with undone_if_locked(connection, PATIENCE) as done:
            connection.execute(statement)
        if done:
            return True
    return False


def switch(
    connection: Connection, parent: str, table: str, value: int, *, watched_as: str, check: str
) -> None:
    """Put a new table, now full and keyed, in the place of a partition, with the rights that others have.

    Args:
        connection: in the transaction that made the new table and has locked the parent.
        parent: the partitioned table.
        table: the name of the partition, which is empty.
        value: the value of its rows by which the parent is divided.
        watched_as: the data set of which its triggers tell (see `touched`).
        check: the name of the new table's check that its rows have that value, by which it can be attached
            without being read once more.
    """
    grants = _grants(connection, table)
    names = _names(table) | {"parent": sql.Identifier(parent), "check": sql.Identifier(check)}
    for statement in (
        "DROP TABLE {old}",
        "ALTER TABLE {new} RENAME TO {old}",
        "ALTER INDEX {new_key} RENAME TO {old_key}",
        "ALTER TABLE {parent} ATTACH PARTITION {old} FOR VALUES IN ({value})",
        "ALTER TABLE {old} DROP CONSTRAINT {check}",
    ):
        connection.execute(sql.SQL(statement).format(**names, value=sql.Literal(value)))
    for grant in grants:
        connection.execute(grant)
    watch(connection, table, watched_as)


def _names(table: str) -> dict[str, sql.Composable]:
    new = new_name(table)
    return {
        "old": sql.Identifier(table),
        "new": sql.Identifier(new),
        "old_key": sql.Identifier(f"{table}_pkey"),
        "new_key": sql.Identifier(f"{new}_pkey"),
    }


def _grants(connection: Connection, table: str) -> list[bytes]:
    """Return the statements that give others the rights that they have on a table."""
    statements = column(
        connection,
        "SELECT format('GRANT %%s ON %%s TO %%s', privilege_type, oid::regclass, "
        "CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END) "
        "FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass(%s) AND grantee <> relowner",
        (table,),
    )
    return [statement.encode() for statement in statements]
