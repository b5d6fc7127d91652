"""Migrations as files, without a database."""

import hashlib
import re

import pytest

from condvest.batch_layer.database.migration_files import Migration, migrations


def test_the_checksum_is_that_of_the_text():
    assert Migration(1, "one", "SELECT 1;\n").checksum == hashlib.sha256(b"SELECT 1;\n").hexdigest()
    assert Migration(1, "one", "SELECT 1;\r\n").checksum == Migration(2, "two", "SELECT 1;\n").checksum
    assert Migration(1, "one", "SELECT 1; \n").checksum != Migration(1, "one", "SELECT 1;\n").checksum


@pytest.mark.parametrize("migration", migrations(), ids=lambda one: one.name)
def test_each_leaves_its_transaction_to_the_migrator(migration):
    """A COMMIT within would part the migration from its record."""
    bodies_apart = re.sub(r"\$(\w+)\$.*?\$\1\$", "", migration.sql, flags=re.DOTALL)
    words = bodies_apart.upper().replace(";", " ").split()
    assert not {"BEGIN", "COMMIT", "ROLLBACK", "CONCURRENTLY"} & set(words)
    assert migration.sql.startswith("-- ")
    assert migration.sql.endswith(";\n")
