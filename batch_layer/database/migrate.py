"""Migrations: numbered SQL files, each applied once, in one transaction with its record.

A file whose first line is ``-- readable from: N`` adds to the schema and takes nothing away: code that
knows the migrations up to N goes on with it. So the schema can be migrated before the code changes, and the
code can be put back afterwards. Without that line only code that knows the migration itself may run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from urllib.parse import quote

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.queries import column, holds, number, rows
from condvest.batch_layer.shared.errors import DatabaseError, MigrationEdited, SchemaTooNew, SchemaTooOld

_READABLE = re.compile(r"-- readable from: (\d+)\n")
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_RECORDS = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    int4 PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    readable_from int4
)"""

# Databases of before have no such column. Only where it is missing, and in a transaction of its own: whoever
# looks at the schema would wait for the lock, and a migration may take minutes.
_ADD_READABLE = """
DO $$ BEGIN
    IF to_regclass('schema_migrations') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('schema_migrations') AND attname = 'readable_from'
    ) THEN
        ALTER TABLE schema_migrations ADD COLUMN readable_from int4;
    END IF;
END $$"""


@dataclass(frozen=True)
class Migration:
    """One migration.

    Attributes:
        version: its number, from 1 without gaps.
        name: its name, from the file's name.
        sql: its text.
    """

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hexadecimal; line ends count as LF."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def readable_from(self) -> int:
        """The oldest version whose code goes on with this one: its own if the file names none."""
        said = _READABLE.match(self.sql.replace("\r\n", "\n"))
        return int(said[1]) if said else self.version

    def __str__(self) -> str:
        return f"{self.version:04}_{self.name}"


def migrations() -> tuple[Migration, ...]:
    """Return the migrations that ship with this version, ascending."""
    folder = resources.files("condvest.batch_layer.database") / "migrations"
    shipped = (
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _FILE_NAME.fullmatch(file.name))
    )
    return tuple(sorted(shipped, key=lambda migration: migration.version))


def migrate(database: Database, known: Sequence[Migration] | None = None) -> list[str]:
    """Apply what the database lacks; return the names of the migrations applied.

    Each is applied in one transaction with its record, so an interrupted one leaves nothing. An empty
    database gets today's schema at once. Two processes may migrate at once: the second waits and then finds
    nothing to do. So does one that is older than a schema that was only added to.

    Args:
        database: the database to bring up to date.
        known: the migrations; those that ship with this version if None.

    Raises:
        MigrationEdited: an applied migration is not the one that ships under its number.
        SchemaTooNew: the database has migrations that this version does not know, and that did not only add.
    """
    with database.locked("condvest migrate"):
        pending = _pending(database, migrations() if known is None else known)
        if known is None and pending == list(migrations()):
            _build(database, pending)
        elif pending:
            with database.transaction() as connection:
                connection.execute(_ADD_READABLE)
            for migration in pending:
                with database.transaction() as connection:
                    connection.execute(_RECORDS)
                    connection.execute(migration.sql.encode())
                    _record(connection, migration)
        database.schema = max([migration.version for migration in pending], default=database.schema)
    return [str(migration) for migration in pending]


def _build(database: Database, all_migrations: Sequence[Migration]) -> None:
    """Make today's schema in an empty database, in one transaction, and record every migration as applied.

    The migrations one by one would end in the same tables, as a test proves, but need more: one of them makes
    a schema to move daily bars through, which a role that owns one schema only may not.
    """
    with database.transaction() as connection:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise DatabaseError(
                f"the database's encoding is {encoding}; Condvest needs UTF8, for symbols and names may hold "
                "any character. Make another one: CREATE DATABASE condvest ENCODING 'UTF8' TEMPLATE template0"
            )
        connection.execute(
            (resources.files("condvest.batch_layer.database") / "schemas" / "schema.sql").read_bytes()
        )
        for migration in all_migrations:
            _record(connection, migration)


def _record(connection: Connection, migration: Migration) -> None:
    connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum, readable_from) VALUES (%s, %s, %s, %s)",
        (migration.version, migration.name, migration.checksum, migration.readable_from),
    )


def check_schema(database: Database, known: Sequence[Migration] | None = None) -> None:
    """Make sure that the database has the schema of this version, or a later one that was only added to.

    Raises:
        SchemaTooOld: migrations are waiting.
        DatabaseError: Condvest's tables are in a schema that is not in the search path.
        SchemaTooNew, MigrationEdited: as for `migrate`.
    """
    pending = _pending(database, migrations() if known is None else known)
    if pending:
        with database.transaction(read_only=True) as connection:
            _refuse_if_elsewhere(connection)
        waiting = ", ".join(map(str, pending))
        raise SchemaTooOld(f"the database waits for {waiting}; run: condvest db migrate")


def check_schema_again(connection: Connection, database: Database) -> None:
    """Check the schema of a database that has been open for long, if it has been migrated since.

    Args:
        connection: the database's, in a transaction.
        database: its schema was checked when it was opened; if it was not, nothing is checked.

    Raises:
        SchemaTooNew, MigrationEdited: as for `migrate`.
    """
    if database.schema is not None and newest_applied(connection) != database.schema:
        _checked(database, _records(connection), migrations())


def newest_applied(connection: Connection) -> int:
    """Return the version of the last migration that was applied to the database."""
    return number(connection, "SELECT coalesce(max(version), 0) FROM schema_migrations")


def is_empty(database: Database) -> bool:
    """Return whether no migration has been applied to the database.

    Raises:
        DatabaseError: Condvest's tables are there, in a schema that is not in the search path.
    """
    with database.transaction(read_only=True) as connection:
        _refuse_if_elsewhere(connection)
        return not _records(connection)


def _pending(database: Database, known: Sequence[Migration]) -> list[Migration]:
    with database.transaction(read_only=True) as connection:
        return _checked(database, _records(connection), known)


def _checked(
    database: Database, records: Mapping[int, _Record], known: Sequence[Migration]
) -> list[Migration]:
    """Return what is not applied yet; raise as `migrate` does."""
    by_version = {migration.version: migration for migration in known}
    newest = max(by_version, default=0)
    for version, record in records.items():
        if version not in by_version:
            if record.readable_from <= newest:
                continue
            raise SchemaTooNew(
                f"the database holds migration {version:04}_{record.name}, which this version of Condvest "
                f"does not know; install the version that applied it, or a later one"
            )
        if by_version[version].checksum != record.checksum:
            raise MigrationEdited(
                f"migration {version:04}_{record.name} was applied with another text than the one that ships "
                f"now; an applied migration is never edited: restore the file and write a new one"
            )
    database.schema = max(records, default=None)
    return [migration for migration in known if migration.version not in records]


@dataclass(frozen=True)
class _Record:
    name: str
    checksum: str
    readable_from: int


def _records(connection: Connection) -> dict[int, _Record]:
    """Return what is recorded of each applied migration, by version."""
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
    return {version: _Record(name, checksum, oldest) for version, name, checksum, oldest in applied}


def _refuse_if_elsewhere(connection: Connection) -> None:
    """Refuse a role that does not see the schema in which Condvest's tables are."""
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
