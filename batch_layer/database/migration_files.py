"""The migrations that ship: numbered SQL files.

A file whose first line is ``-- readable from: N`` adds to the schema and takes nothing away: code that
knows the migrations up to N goes on with it. So the schema can be migrated before the code changes, and the
code can be put back afterwards. Without that line only code that knows the migration itself may run.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

_READABLE = re.compile(r"-- readable from: (\d+)\n")
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


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
