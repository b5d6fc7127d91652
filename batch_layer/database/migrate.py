"""Migrations: numbered SQL files, each applied once, in one transaction with its record.

A file whose first line is ``-- readable from: N`` adds to the schema and takes nothing away: code that
knows the migrations up to N goes on with it. So the schema can be migrated before the code changes, and the
code can be put back afterwards. Without that line only code that knows the migration itself may run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from batch_layer.database.postgres.connection import Connection, Database
from batch_layer.database.postgres.queries import holds, rows
from batch_layer.shared.errors import MigrationEdited, SchemaTooNew, SchemaTooOld

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


def migrations() -> tuple[Migration, ...]:
    """Return the migrations that ship with this version, ascending."""
    folder = resources.files("batch_layer.database") / "migrations"
    shipped = (
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _FILE_NAME.fullmatch(file.name))
    )
    return tuple(sorted(shipped, key=lambda migration: migration.version))


def migrate(database: Database, known: Sequence[Migration] | None = None) -> list[str]:
    """Apply what the database lacks; return the names of the migrations applied.

    Each is applied in one transaction with its record, so an interrupted one leaves nothing. Two
    processes may migrate at once: the second waits and then finds nothing to do. So does one that is older
    than a schema that was only added to.

    Args:
        database: the database to bring up to date.
        known: the migrations; those that ship with this version if None.

    Raises:
        MigrationEdited: an applied migration is not the one that ships under its number.
        SchemaTooNew: the database has migrations that this version does not know, and that did not only add.
    """
    known = migrations() if known is None else known
    applied: list[str] = []
    with database.locked("condvest migrate"):
        pending = _pending(database, known)
        if pending:
            with database.transaction() as connection:
                connection.execute(_ADD_READABLE)
        for migration in pending:
            with database.transaction() as connection:
                connection.execute(_RECORDS)
                connection.execute(migration.sql.encode())
                connection.execute(
                    "INSERT INTO schema_migrations (version, name, checksum, readable_from) "
                    "VALUES (%s, %s, %s, %s)",
                    (migration.version, migration.name, migration.checksum, migration.readable_from),
                )
            applied.append(f"{migration.version:04}_{migration.name}")
    return applied


def check_schema(database: Database, known: Sequence[Migration] | None = None) -> None:
    """Make sure that the database has the schema of this version, or a later one that was only added to.

    Raises:
        SchemaTooOld: migrations are waiting.
        SchemaTooNew, MigrationEdited: as for `migrate`.
    """
    pending = _pending(database, migrations() if known is None else known)
    if pending:
        waiting = ", ".join(f"{migration.version:04}_{migration.name}" for migration in pending)
        raise SchemaTooOld(f"the database waits for {waiting}; run: condvest db migrate")


def is_empty(database: Database) -> bool:
    """Return whether no migration has been applied to the database."""
    with database.transaction(read_only=True) as connection:
        return not _records(connection)


def _pending(database: Database, known: Sequence[Migration]) -> list[Migration]:
    with database.transaction(read_only=True) as connection:
        records = _records(connection)
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
    return [migration for migration in known if migration.version not in records]


@dataclass(frozen=True)
class _Record:
    name: str
    checksum: str
    readable_from: int


def _records(connection: Connection) -> dict[int, _Record]:
    if not holds(connection, "SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return {}
    # By way of JSON, which says null of a column that is not there.
    applied = rows(
        connection,
        "SELECT version, name, checksum, "
        "coalesce((to_jsonb(record) ->> 'readable_from')::int4, version) "
        "FROM schema_migrations AS record ORDER BY version",
    )
    return {version: _Record(name, checksum, oldest) for version, name, checksum, oldest in applied}
