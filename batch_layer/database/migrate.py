"""Migrations: numbered SQL files, each applied once, in one transaction with its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources

from condvest.batch_layer.database.applied import Applied, applied_to, newest_applied, refuse_if_elsewhere
from condvest.batch_layer.database.migration_files import Migration, migrations
from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.shared.errors import DatabaseError, MigrationEdited, SchemaTooNew, SchemaTooOld

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
            refuse_if_elsewhere(connection)
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
        _checked(database, applied_to(connection), migrations())


def is_empty(database: Database) -> bool:
    """Return whether no migration has been applied to the database.

    Raises:
        DatabaseError: Condvest's tables are there, in a schema that is not in the search path.
    """
    with database.transaction(read_only=True) as connection:
        refuse_if_elsewhere(connection)
        return not applied_to(connection)


def _pending(database: Database, known: Sequence[Migration]) -> list[Migration]:
    with database.transaction(read_only=True) as connection:
        return _checked(database, applied_to(connection), known)


def _checked(
    database: Database, records: Mapping[int, Applied], known: Sequence[Migration]
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
