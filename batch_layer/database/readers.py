"""Roles that read the views and nothing else: for analysts, notebooks and dashboards."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.queries import column, rows
from condvest.batch_layer.shared.errors import DatabaseError, UsageError

_LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""

_SHORTEST_PASSWORD = 8

_STATE = (
    "SELECT rolsuper OR rolcreaterole OR rolreplication, "
    "pg_has_role(oid, (SELECT relowner FROM pg_class AS bars WHERE bars.oid = 'daily_bars'::regclass), "
    "'MEMBER'), "
    "has_table_privilege(oid, 'daily_bars', 'INSERT, UPDATE, DELETE, TRUNCATE'), rolcanlogin "
    "FROM pg_roles WHERE rolname = %s"
)


@dataclass(frozen=True)
class Reader:
    """A role that reads the views.

    Attributes:
        name: of the role.
        views: schema of the views.
        is_new: whether the role was made.
        statements: what was executed, in order; a password is not among them.
    """

    name: str
    views: str
    is_new: bool
    statements: tuple[str, ...]


def grant_reader(
    database: Database, name: str, *, password: str | None = None, rehearsal: bool = False
) -> Reader:
    """Let a role read the views; make the role, and the views, if they are missing.

    The role gets: login; USAGE on the schema of the views and SELECT on what is in it, now and later (default
    privileges of the present role); that schema as its search path and read-only transactions as its default,
    in this database. It gets nothing on the tables. Once more gives the same.

    Args:
        database: opened as the owner of the tables, who may make roles unless the role is there.
        name: of the role.
        password: its password; None leaves it as it is. The server is sent what it stores, not the password.
        rehearsal: roll everything back.

    Raises:
        UsageError: the name is none, or the role may do more than read.
        DatabaseError: the schema of the views cannot be made, or the present role lacks a right.
    """
    if not name or "\0" in name or len(name.encode()) > _LONGEST_NAME or name.startswith("pg_"):
        raise UsageError(f"NAME {name!r}: expected a role's name of 1 to {_LONGEST_NAME} bytes, not pg_...")
    with (
        database.locked("condvest migrate"),
        database.transaction(rehearsal=rehearsal) as connection,
    ):
        views = _views(connection)
        role, schema = sql.Identifier(name), sql.Identifier(views)
        is_new = _check(connection, name)
        here = sql.Identifier(column(connection, "SELECT current_database()")[0])
        of_owner = "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}"
        texts = (
            *(("CREATE ROLE {role} LOGIN",) if is_new else ()),
            "GRANT CONNECT ON DATABASE {here} TO {role}",
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            of_owner,
            "ALTER ROLE {role} IN DATABASE {here} SET search_path = {schema}",
            "ALTER ROLE {role} IN DATABASE {here} SET default_transaction_read_only = on",
        )
        statements = [sql.SQL(text).format(role=role, schema=schema, here=here) for text in texts]
        for statement in statements:
            connection.execute(statement)
        if password is not None:
            _set_password(connection, name, password)
        return Reader(name, views, is_new, tuple(each.as_string(connection) for each in statements))


def _views(connection: Connection) -> str:
    """Make the views if they are missing, and return their schema."""
    views = column(connection, "SELECT make_views()")[0]
    if views is not None:
        return str(views)
    ((tables, owner),) = rows(
        connection,
        "SELECT nspname, current_user FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE pg_class.oid = 'daily_bars'::regclass",
    )
    name = "condvest_v1" if tables == "public" else f"{tables}_v1"
    raise DatabaseError(
        f"the schema {name} for the views cannot be made or used by {owner}: it needs CREATE on the "
        f'database, or as an administrator: CREATE SCHEMA "{name}" AUTHORIZATION "{owner}" (it must be empty)'
    )


def _check(connection: Connection, name: str) -> bool:
    """Return whether the role has yet to be made; refuse one that may do more than read."""
    state = rows(connection, _STATE, (name,))
    if not state:
        return True
    ((is_powerful, is_owner, may_write, may_login),) = state
    if is_powerful or is_owner or may_write:
        raise UsageError(f"role {name} may do more than read: choose another name for the reader")
    if not may_login:
        raise UsageError(f"role {name} is a group that cannot log in; grant it to a reader by yourself")
    return False


def _set_password(connection: Connection, name: str, password: str) -> None:
    # What the server would make of it, so that neither its log nor its statistics see the password.
    secret = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(name), sql.Literal(secret)))


def reader_password(file: Path, *, may_make: bool) -> str | None:
    """Return the first line of a file; make the file with a random password if it is not there.

    A password is never printed, and never stands in the arguments of a process.

    Args:
        file: where it is kept; made readable for its owner alone.
        may_make: whether to make it; if not, None is returned where it is missing.

    Raises:
        UsageError: the file cannot be read or made, or holds no password.
    """
    try:
        if not file.exists():
            if not may_make:
                return None
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as made:
                made.write(secrets.token_urlsafe(24) + "\n")
        password = file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--password-file {file}: {exc}") from exc
    if len(password) < _SHORTEST_PASSWORD:
        raise UsageError(
            f"--password-file {file}: expected a first line of at least {_SHORTEST_PASSWORD} characters"
        )
    return password
