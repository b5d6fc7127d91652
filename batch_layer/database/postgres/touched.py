"""The record of what a transaction alters in the tables that are published by parts.

It only grows, so that transactions that store at once do not wait for each other, and each entry has a
random token: two histories that part never have the same entries again, not even after a backup was
restored. Code that stores rows makes the entries. For a statement that nobody announced, triggers make one
of the whole table. Each entry says by how many rows the table grew, so that nobody counts them; a trigger
does not know.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection

EVERY_KEY = (-(2**31), 2**31 - 1)
"""The first and the last of all ordinals and windows."""


def announce(connection: Connection, table: str) -> None:
    """Keep the trigger of a table silent until the transaction ends: the caller calls `touch` itself."""
    connection.execute("SELECT set_config(%s, 'on', true)", (f"condvest.touches_{table}",))


def touch(connection: Connection, table: str, first: int, last: int, rows: int | None = None) -> None:
    """Record that the transaction alters rows of a table, and keep its trigger silent until the end.

    Args:
        connection: in a transaction.
        table: ``daily_bars``, ``daily_bar_revisions``, or ``bars_N``.
        first: the least ordinal (or window) of those rows, or below.
        last: the greatest, or above.
        rows: how many rows it adds, less those that it removes; None if the caller does not know, and then
            the rows are counted one by one until a publication has.
    """
    connection.execute(
        "WITH entry AS (INSERT INTO touched (dataset, first, last, token, rows) VALUES (%s, %s, %s, %s, %s)) "
        "SELECT set_config(%s, 'on', true)",
        (table, first, last, secrets.randbits(64) - 2**63, rows, f"condvest.touches_{table}"),
    )


def touch_keys(connection: Connection, table: str, keys: npt.NDArray[np.int32], rows: int) -> None:
    """Record the same of rows by their ordinals or windows, of which there is one at least."""
    touch(connection, table, int(keys.min()), int(keys.max()), rows)


def touch_rows(connection: Connection, table: str, data: Mapping[str, npt.NDArray[Any]], rows: int) -> None:
    """Record the same of rows by their columns; of splits and dividends their own triggers tell."""
    if "ordinal" in data:
        touch_keys(connection, table, data["ordinal"], rows)


def watch(connection: Connection, table: str, dataset: str) -> None:
    """Give a new table the triggers that the schema gives the one whose name it has taken.

    They tell of ``dataset``: of daily bars that is not the name of the partition.
    """
    name = sql.Identifier(table)
    for event, when in (
        ("INSERT OR UPDATE OR DELETE", "WHEN (current_setting({setting}, true) IS DISTINCT FROM 'on') "),
        ("TRUNCATE", ""),
    ):
        connection.execute(
            sql.SQL(
                f"CREATE TRIGGER {{trigger}} AFTER {event} ON {{table}} FOR EACH STATEMENT {when}"
                "EXECUTE FUNCTION touch_all({dataset})"
            ).format(
                trigger=sql.Identifier("truncated" if event == "TRUNCATE" else "touched"),
                table=name,
                setting=sql.Literal(f"condvest.touches_{dataset}"),
                dataset=sql.Literal(dataset),
            )
        )
