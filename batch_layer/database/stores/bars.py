"""Bars of n sessions, in the database."""

from __future__ import annotations

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres import bars_by_key
from condvest.batch_layer.database.postgres.binary_copy import Column, copy_in, select_list
from condvest.batch_layer.database.postgres.connection import Connection
from condvest.batch_layer.database.postgres.packed import read_out
from condvest.batch_layer.database.postgres.queries import array_of, rows
from condvest.batch_layer.database.postgres.revisioned import EACH_SPAN, PRICE_COLUMNS
from condvest.batch_layer.database.postgres.touched import announce, touch, touch_keys
from condvest.batch_layer.shared.models.bars import Bars
from condvest.batch_layer.shared.models.spans import Spans

BAR_COLUMNS = (
    Column("instrument_id", "int4"),
    Column("window", "int4"),
    *PRICE_COLUMNS,
    Column("sessions", "int2"),
    Column("is_complete", "bool"),
)


def read_bars(connection: Connection, interval: int, spans: Spans) -> Bars:
    """Return the stored bars of an interval within spans of windows, in the spans' order.

    Args:
        connection: in a transaction.
        interval: sessions per bar.
        spans: windows by instrument; must not overlap.
    """
    if bars_by_key.is_worth_it(spans):
        return bars_by_key.read(connection, _table(interval), interval, BAR_COLUMNS, spans)
    table = _table(interval)
    query = EACH_SPAN.format(
        columns=select_list(BAR_COLUMNS, table),
        # The interval is the same in all of the table, but the key begins with it.
        rows=sql.SQL(
            'SELECT * FROM {table} WHERE {table}."interval" = {interval} '
            "AND {table}.instrument_id = span.instrument_id "
            'AND {table}."window" BETWEEN span.first AND span.last'
        ).format(table=sql.Identifier(table), interval=sql.Literal(interval)),
        table=sql.Identifier(table),
        key=sql.Identifier("window"),
    )
    parameters = {name: array_of(values) for name, values in vars(spans).items()}
    return Bars(**read_out(connection, query, BAR_COLUMNS, parameters, spans.size()))


def insert_bars(connection: Connection, interval: int, bars: Bars, table: str | None = None) -> None:
    """Store bars none of whose keys is stored; in another table of the same columns if one is named."""
    if len(bars):
        if table is None:
            touch_keys(connection, _table(interval), bars.window, len(bars))
        data = {**vars(bars), _INTERVAL.name: np.full(len(bars), interval, dtype=np.int16)}
        copy_in(connection, table or _table(interval), (*BAR_COLUMNS, _INTERVAL), data)


def put_bars(connection: Connection, interval: int, bars: Bars) -> tuple[int, int]:
    """Store bars (keys unique) in the place of the stored ones of their keys.

    Those that are stored as they should be are not written. One look at the key a bar, and the new version of
    a bar is written where the old one was, if there is room.

    Returns:
        how many are new, and how many were stored with other values.
    """
    if not len(bars):
        return 0, 0
    table, staged = _table(interval), f"{_table(interval)}_staged"
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE {staged} (LIKE {table})").format(
            staged=sql.Identifier(staged), table=sql.Identifier(table)
        )
    )
    insert_bars(connection, interval, bars, table=staged)
    announce(connection, table)
    names = [sql.Identifier(column.name) for column in (*BAR_COLUMNS, _INTERVAL)]
    values = [sql.Identifier(column.name) for column in BAR_COLUMNS[2:]]
    [(new, changed, first, last)] = rows(
        connection,
        sql.SQL(
            "WITH put AS (INSERT INTO {table} AS stored ({names}) SELECT {names} FROM {staged} "
            'ON CONFLICT ("interval", instrument_id, "window") DO UPDATE SET ({values}) = ROW ({new}) '
            "WHERE ({old}) IS DISTINCT FROM ({new}) "
            # A row version that replaces another one names the transaction that locked that one.
            'RETURNING "window", xmax = 0 AS is_new) '
            "SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new), "
            'min("window"), max("window") FROM put'
        ).format(
            table=sql.Identifier(table),
            staged=sql.Identifier(staged),
            names=sql.SQL(", ").join(names),
            values=sql.SQL(", ").join(values),
            old=sql.SQL(", ").join(sql.SQL("stored.{}").format(name) for name in values),
            new=sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in values),
        ),
    )
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(staged)))
    if new or changed:
        touch(connection, table, first, last, new)
    return new, changed


def delete_bars(connection: Connection, interval: int, bars: Bars) -> None:
    """Remove the stored bars that have the keys of ``bars``."""
    if len(bars):
        table = _table(interval)
        announce(connection, table)
        deleted = connection.execute(
            sql.SQL(
                "DELETE FROM {table} USING unnest(%s::int4[], %s::int4[]) AS old (instrument_id, number) "
                'WHERE {table}."interval" = {interval} AND {table}.instrument_id = old.instrument_id '
                'AND {table}."window" = old.number'
            ).format(table=sql.Identifier(table), interval=sql.Literal(interval)),
            (array_of(bars.instrument_id), array_of(bars.window)),
        ).rowcount
        touch_keys(connection, table, bars.window, -deleted)


_INTERVAL = Column("interval", "int2")


def _table(interval: int) -> str:
    return f"bars_{interval}"
