"""Daily bars, splits and dividends in the database: current rows, and revisions of superseded ones.

The three kinds are stored in one way. A row has an instrument and an ordinal or ex-date as its key and
the load that it came with; when a later load supersedes it, it moves to the revisions with both loads'
ids, and so keeps the instants between which it was known.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_in, copy_out, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, column, rows
from condvest.batch_layer.database.postgres.revisioned_columns import RevisionedColumns
from condvest.batch_layer.database.postgres.touched import announce, touch_rows
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Columns, DailyBars, Int32s
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, SplitEvents
from condvest.batch_layer.shared.models.difference import keys_of
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.spans import Spans

Rows = TypeVar("Rows", bound=Columns)

PRICE_COLUMNS = (
    Column("open", "float8", float("nan")),
    Column("high", "float8"),
    Column("low", "float8"),
    Column("close", "float8"),
    Column("volume", "float8"),
    Column("vwap", "float8", float("nan")),
    Column("trades", "int8", UNKNOWN_TRADES),
)
DAILY_BAR_TABLES = 16
"""Into how many tables the daily bars are divided: instrument_id % DAILY_BAR_TABLES. Divides PARTITIONS."""

_INSTRUMENT = Column("instrument_id", "int4")
LOAD = Column("load_id", "int4")
SUPERSEDED_BY = Column("superseded_by", "int4")


@dataclass(frozen=True)
class RevisionedTable(RevisionedColumns, Generic[Rows]):
    """Rows of one kind: those that are current, and revisions of those that were superseded.

    Attributes:
        model: the class of its rows, whose attributes are ``columns``.
    """

    model: type[Rows] = field(kw_only=True)

    def read(self, connection: Connection, spans: Spans, known_by: int = EVERY_LOAD) -> Rows:
        """Return the rows within the spans, in the spans' order. Spans must not overlap.

        With ``known_by`` the rows as they were known when that load had been stored.
        """
        return self.model(**self.read_columns(connection, self.columns, spans, known_by))

    def read_with_load(self, connection: Connection, spans: Spans) -> tuple[Rows, Int32s]:
        """Return the same as `read`, and the load that each row came with (int32)."""
        columns = self.read_columns(connection, (*self.columns, LOAD), spans, EVERY_LOAD)
        load_id = columns.pop(LOAD.name)
        return self.model(**columns), load_id

    def read_part(self, connection: Connection, parts: int, part: int) -> Rows:
        """Return the rows of the instruments whose id modulo ``parts`` is ``part``, by key.

        ``parts`` is a multiple of ``divided``: so that one table is read, from its beginning to its end.
        """
        rows = self.model(**self.read_columns_of_part(connection, self.columns, parts, part))
        # Sorted here: the server, which has to send the rows as well, is the busier of the two.
        return rows.in_order(keys_of(rows))

    def runs(self, connection: Connection, spans: Spans) -> Spans:
        """Return the runs of consecutive keys that rows within the spans have. Spans must not overlap."""
        return Spans.of_points(*self.read_columns(connection, self.columns[:2], spans, EVERY_LOAD).values())

    def runs_of_part(self, connection: Connection, parts: int, part: int) -> Spans:
        """Return the runs of consecutive keys that the rows of a part have; see `read_part`."""
        return Spans.of_points(*self.read_columns_of_part(connection, self.columns[:2], parts, part).values())

    def reaches_of_loads(self, connection: Connection) -> dict[int, tuple[int, int]]:
        """Return the first and last number of the rows, current or superseded, that came with each load.

        The number is the ordinal, or days since 1970-01-01. One pass over the table, so that `of_load` needs
        none for each load.
        """
        reaches = rows(
            connection,
            sql.SQL(
                "SELECT load_id, min({number}), max({number}) FROM (SELECT load_id, {key} FROM {table} "
                "UNION ALL SELECT load_id, {key} FROM {revisions}) AS came GROUP BY 1"
            ).format(
                number=self.number,
                key=sql.Identifier(self.columns[1].name),
                table=sql.Identifier(self.name),
                revisions=sql.Identifier(self.revisions),
            ),
        )
        return {load_id: (first, last) for load_id, first, last in reaches}

    def of_load(self, connection: Connection, load_id: int, reach: tuple[int, int]) -> Rows:
        """Return the rows, current or superseded, that came with a load and lie within its reach; by key."""
        query = sql.SQL(
            "SELECT {columns} FROM (SELECT {names} FROM {table} WHERE {own} UNION ALL "
            "SELECT {names} FROM {revisions} WHERE {own}) AS {table} ORDER BY {keys}"
        ).format(
            columns=select_list(self.columns, self.name),
            names=sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns),
            own=sql.SQL("load_id = %(load_id)s AND {number} BETWEEN %(first)s AND %(last)s").format(
                number=self.number
            ),
            table=sql.Identifier(self.name),
            revisions=sql.Identifier(self.revisions),
            keys=sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns[:2]),
        )
        parameters = {"load_id": load_id, "first": reach[0], "last": reach[1]}
        return self.model(**copy_out(connection, query, self.columns, parameters))

    def of_no_load(self, connection: Connection, dataset: str) -> list[tuple[int, int]]:
        """Return (load, number of rows) for rows, current or superseded, of a load that is not recorded.

        A load of another data set counts as not recorded. Ascending by load.
        """
        unrecorded = rows(
            connection,
            sql.SQL(
                "SELECT load_id, count(*) FROM (SELECT load_id FROM {table} UNION ALL "
                "SELECT load_id FROM {revisions}) AS named WHERE NOT EXISTS (SELECT FROM loads "
                "WHERE loads.load_id = named.load_id AND dataset = %s) GROUP BY 1 ORDER BY 1"
            ).format(table=sql.Identifier(self.name), revisions=sql.Identifier(self.revisions)),
            (dataset,),
        )
        return [(load_id, count) for load_id, count in unrecorded]

    def instruments_within(self, connection: Connection, first: dt.date, last: dt.date) -> Int32s:
        """Return the instruments (ascending) that have rows with ex-dates from first to last, inclusive."""
        ids = column(
            connection,
            sql.SQL(
                "SELECT DISTINCT instrument_id FROM {table} WHERE {key} BETWEEN %s AND %s ORDER BY 1"
            ).format(table=sql.Identifier(self.name), key=sql.Identifier(self.columns[1].name)),
            (first, last),
        )
        return np.array(ids, dtype=np.int32)

    def insert(self, connection: Connection, rows: Rows, load_id: int | Int32s) -> None:
        """Store rows none of whose keys is stored, of one load or each of its own (int32 a row); by key."""
        if len(rows):
            loads = np.broadcast_to(np.asarray(load_id, dtype=np.int32), len(rows))
            keys = keys_of(rows)
            if (keys[1:] < keys[:-1]).any():  # those of one file come in order
                order = np.argsort(keys, kind="stable")
                rows, loads = rows.take(order), loads[order]
            data = {**vars(rows), LOAD.name: loads}
            touch_rows(connection, self.name, data, len(rows))
            copy_in(connection, self.name, (*self.columns, LOAD), data)

    def supersede(
        self, connection: Connection, old: Rows, old_load_id: Int32s, new: Rows, load_id: int
    ) -> None:
        """Put ``new`` in the place of stored rows; rows of ``old`` without a successor are withdrawn.

        Every row of ``old`` is kept among the revisions.
        """
        if not len(old):
            return
        revised = {
            **vars(old),
            LOAD.name: old_load_id,
            SUPERSEDED_BY.name: np.full(len(old), load_id, dtype=np.int32),
        }
        touch_rows(connection, self.revisions, revised, len(old))
        copy_in(connection, self.revisions, (*self.columns, LOAD, SUPERSEDED_BY), revised)
        announce(connection, self.name)
        deleted = connection.execute(
            sql.SQL(
                "DELETE FROM {table} USING unnest(%s::int4[], %s::{kind}[]) AS old (instrument_id, key) "
                "WHERE {table}.instrument_id = old.instrument_id AND {table}.{key} = old.key AND {same_part}"
            ).format(
                same_part=self.same_part("old"),
                table=sql.Identifier(self.name),
                key=sql.Identifier(self.columns[1].name),
                kind=sql.SQL(self.columns[1].kind),
            ),
            [array_of(revised[column.name]) for column in self.columns[:2]],
        ).rowcount
        touch_rows(connection, self.name, revised, -deleted)
        self.insert(connection, new, load_id)


DAILY_BARS = RevisionedTable(
    "daily_bars",
    "daily_bar_revisions",
    (_INSTRUMENT, Column("ordinal", "int4"), *PRICE_COLUMNS),
    sql.SQL("ordinal"),
    divided=DAILY_BAR_TABLES,
    model=DailyBars,
)
SPLITS = RevisionedTable(
    "splits",
    "split_revisions",
    (_INSTRUMENT, Column("ex_date", "date"), Column("split_from", "float8"), Column("split_to", "float8")),
    sql.SQL("(ex_date - date '1970-01-01')"),
    model=SplitEvents,
)
DIVIDENDS = RevisionedTable(
    "dividends",
    "dividend_revisions",
    (_INSTRUMENT, Column("ex_date", "date"), Column("cash_amount", "float8")),
    sql.SQL("(ex_date - date '1970-01-01')"),
    model=DividendEvents,
)
