"""Migrations: numbered SQL files, each applied once, in one transaction with its record."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from batch_layer.database.postgres.connection import Connection, Database
from batch_layer.database.postgres.queries import holds, rows
from batch_layer.shared.errors import MigrationEdited, SchemaTooNew, SchemaTooOld

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_RECORDS = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    int4 PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""


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
    processes may migrate at once: the second waits and then finds nothing to do.

    Args:
        database: the database to bring up to date.
        known: the migrations; those that ship with this version if None.

    Raises:
        MigrationEdited: an applied migration is not the one that ships under its number.
        SchemaTooNew: the database has migrations that this version does not know.
    """
    known = migrations() if known is None else known
    applied: list[str] = []
    with database.locked("condvest migrate"):
        pending = _pending(database, known)
        for migration in pending:
            with database.transaction() as connection:
                connection.execute(_RECORDS)
                connection.execute(migration.sql.encode())
                connection.execute(
                    "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                    (migration.version, migration.name, migration.checksum),
                )
            applied.append(f"{migration.version:04}_{migration.name}")
    return applied


def check_schema(database: Database, known: Sequence[Migration] | None = None) -> None:
    """Make sure that the database has exactly the schema of this version.

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
    for version, (name, checksum) in records.items():
        if version not in by_version:
            raise SchemaTooNew(
                f"the database holds migration {version:04}_{name}, which this version of Condvest does "
                f"not know; install the version that applied it, or a later one"
            )
        if by_version[version].checksum != checksum:
            raise MigrationEdited(
                f"migration {version:04}_{name} was applied with another text than the one that ships "
                f"now; an applied migration is never edited: restore the file and write a new one"
            )
    return [migration for migration in known if migration.version not in records]


def _records(connection: Connection) -> dict[int, tuple[str, str]]:
    if not holds(connection, "SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return {}
    applied = rows(connection, "SELECT version, name, checksum FROM schema_migrations ORDER BY version")
    return {version: (name, checksum) for version, name, checksum in applied}
