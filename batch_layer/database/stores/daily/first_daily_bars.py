"""The daily bars of a store that has none: into new tables, which get their keys at the end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import LiteralString

import numpy as np
import psycopg
from psycopg import sql

from condvest.batch_layer.database.postgres import replacing
from condvest.batch_layer.database.postgres.binary_copy import copy_in
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import holds
from condvest.batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES, DAILY_BARS, LOAD
from condvest.batch_layer.database.postgres.touched import touch_keys
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import DailyBars

_CHECK = "of_one_table"

_TRIES = 20
"""Ten seconds."""


def may_begin(connection: Connection) -> bool:
    """Return whether nothing was ever loaded that stands, and the present user may make tables."""
    return not holds(connection, "SELECT EXISTS (SELECT FROM ledger)") and replacing.may_replace(
        connection, DAILY_BARS.name
    )


@dataclass
class FirstDailyBars:
    """Daily bars of one load on their way into new tables.

    Attributes:
        connection: in the transaction that loads them, which lets nobody else load.
        load_id: of the load.
    """

    connection: Connection
    load_id: int

    def __post_init__(self) -> None:
        for part in range(DAILY_BAR_TABLES):
            replacing.create(self.connection, _table(part))
            # By this the table can be attached without being read once more.
            self._run(
                "ALTER TABLE {new} ADD CONSTRAINT {check} CHECK ((instrument_id % {parts}) IS NOT NULL "
                "AND (instrument_id % {parts}) = {part})",
                part,
            )

    def insert(self, rows: DailyBars) -> None:
        """Store rows; none of them may have another's key."""
        if not len(rows):
            return
        touch_keys(self.connection, DAILY_BARS.name, rows.ordinal, len(rows))
        # Sorted by table once, each table's rows are a slice, of which nothing is copied.
        parts = (rows.instrument_id % DAILY_BAR_TABLES).astype(np.int8)
        rows = rows.take(np.argsort(parts, kind="stable"))
        ends = np.cumsum(np.bincount(parts, minlength=DAILY_BAR_TABLES)).tolist()
        for part, (first, end) in enumerate(pairwise([0, *ends])):
            if first == end:
                continue
            own = rows.take(slice(first, end))
            data = {**vars(own), LOAD.name: np.full(len(own), self.load_id, dtype=np.int32)}
            columns = (*DAILY_BARS.columns, LOAD)
            copy_in(self.connection, replacing.new_name(_table(part)), columns, data)

    def finish(self) -> None:
        """Make the keys, and put the new tables in the place of the empty ones.

        If others read those for ten seconds without a pause, the rows go into the tables that are there.

        Raises:
            InputError: two rows have the same key.
        """
        try:
            for part in range(DAILY_BAR_TABLES):
                self._run("ALTER TABLE {new} ADD PRIMARY KEY (instrument_id, ordinal)", part)
        except psycopg.errors.UniqueViolation as error:
            raise InputError(
                "two symbols are of one instrument in the same session; expected one row a session, so leave "
                "out the symbol that it did not carry"
            ) from error
        is_free = replacing.lock(self.connection, [DAILY_BARS.name], _TRIES)
        for part in range(DAILY_BAR_TABLES):
            if is_free:
                replacing.switch(
                    self.connection,
                    DAILY_BARS.name,
                    _table(part),
                    part,
                    watched_as=DAILY_BARS.name,
                    check=_CHECK,
                )
            else:
                self._run("INSERT INTO {old} SELECT * FROM {new}", part)
                self._run("DROP TABLE {new}", part)

    def _run(self, statement: LiteralString, part: int) -> None:
        self.connection.execute(
            sql.SQL(statement).format(
                new=sql.Identifier(replacing.new_name(_table(part))),
                old=sql.Identifier(_table(part)),
                check=sql.Identifier(_CHECK),
                parts=sql.Literal(DAILY_BAR_TABLES),
                part=sql.Literal(part),
            )
        )


def _table(part: int) -> str:
    return f"{DAILY_BARS.name}_{part}"
