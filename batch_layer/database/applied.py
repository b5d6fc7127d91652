"""What a database says of the migrations that were applied to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, holds, number, rows
from condvest.batch_layer.shared.errors import DatabaseError


@dataclass(frozen=True)
class Applied:
    """A migration that was applied.

    Attributes:
        name, checksum: see `Migration`.
        readable_from: the oldest version whose code goes on with it.
    """

    name: str
    checksum: str
    readable_from: int


def applied_to(connection: Connection) -> dict[int, Applied]:
    """Return what is recorded of each applied migration, by version.

    Raises:
        DatabaseError: the records are another application's.
    """
    if not holds(connection, "SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return {}
    columns = column(
        connection,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'schema_migrations'::regclass AND attnum > 0",
    )
    if "checksum" not in columns:
        raise DatabaseError(
            "the table schema_migrations is another application's. Give Condvest a database of its own, or a "
            "schema: CREATE SCHEMA condvest, and ?options=-csearch_path%3Dcondvest in CONDVEST_DATABASE_URL"
        )
    # By way of JSON, which says null of a column that is not there.
    applied = rows(
        connection,
        "SELECT version, name, checksum, coalesce((to_jsonb(record) ->> 'readable_from')::int4, version) "
        "FROM schema_migrations AS record ORDER BY version",
    )
    return {version: Applied(name, checksum, oldest) for version, name, checksum, oldest in applied}


def refuse_if_elsewhere(connection: Connection) -> None:
    """Refuse a role that does not see the schema in which Condvest's tables are: raise DatabaseError."""
    if holds(connection, "SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return
    schemas = rows(
        connection,
        "SELECT quote_ident(nspname), has_schema_privilege(pg_namespace.oid, 'USAGE') "
        "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'checksum' "
        "WHERE relname = 'schema_migrations' AND relkind = 'r' ORDER BY 2 DESC, 1",
    )
    if not schemas:
        return
    schema, may_use = schemas[0]
    where = f"Condvest's tables are in schema {', '.join(name for name, _ in schemas)}"
    if not may_use:
        raise DatabaseError(
            f"{where}, which this role may not use: GRANT USAGE ON SCHEMA {schema} TO ..., and the rights to "
            "its tables that docs/postgres.md lists; or log in as a role that has them"
        )
    path = column(connection, "SHOW search_path")[0]
    # The server divides options at blanks.
    option = quote("-csearch_path=" + re.sub(r"([\\ ])", r"\\\1", schema), safe="")
    raise DatabaseError(
        f"{where}, and the search path of this role is {path}. Add ?options={option} to "
        f"CONDVEST_DATABASE_URL, or: ALTER ROLE ... IN DATABASE ... SET search_path = {schema}. To make a "
        "second set: condvest db migrate"
    )


def newest_applied(connection: Connection) -> int:
    """Return the version of the last migration that was applied to the database."""
    return number(connection, "SELECT coalesce(max(version), 0) FROM schema_migrations")
