"""The tables of bars that nights only add to: one an interval, of all bars but those in `open_bars`."""

from __future__ import annotations

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_in
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, rows
from condvest.batch_layer.database.postgres.revisioned import PRICE_COLUMNS
from condvest.batch_layer.database.postgres.touched import announce
from condvest.batch_layer.shared.models.bars import Bars

BAR_COLUMNS = (
    Column("instrument_id", "int4"),
    Column("window", "int4"),
    *PRICE_COLUMNS,
    Column("sessions", "int2"),
    Column("is_complete", "bool"),
)

_INTERVAL = Column("interval", "int2")


def table_of(interval: int) -> str:
    """Return the name of an interval's table."""
    return f"closed_bars_{interval}"


def insert(connection: Connection, interval: int, bars: Bars, table: str) -> None:
    """Add bars to a table, none of whose keys is in it."""
    data = {**vars(bars), _INTERVAL.name: np.full(len(bars), interval, dtype=np.int16)}
    copy_in(connection, table, (*BAR_COLUMNS, _INTERVAL), data)


def put(connection: Connection, interval: int, bars: Bars) -> tuple[int, int, tuple[int, ...]]:
    """Store bars (keys unique) in the place of those of their keys.

    Those that are stored as they should be are not written. One look at the key a bar.

    Returns:
        how many are new, how many were stored with other values, and the first and the last window written,
        if there is any.
    """
    if not len(bars):
        return 0, 0, ()
    table, staged = table_of(interval), f"{table_of(interval)}_staged"
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE {staged} (LIKE {table})").format(
            staged=sql.Identifier(staged), table=sql.Identifier(table)
        )
    )
    insert(connection, interval, bars, staged)
    announce(connection, f"bars_{interval}")
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
    return new, changed, () if first is None else (first, last)


def delete(connection: Connection, interval: int, bars: Bars) -> int:
    """Remove the rows that have the keys of ``bars``; return how many there were."""
    table = table_of(interval)
    announce(connection, f"bars_{interval}")
    return connection.execute(
        sql.SQL(
            "DELETE FROM {table} USING unnest(%s::int4[], %s::int4[]) AS old (instrument_id, number) "
            'WHERE {table}."interval" = {interval} AND {table}.instrument_id = old.instrument_id '
            'AND {table}."window" = old.number'
        ).format(table=sql.Identifier(table), interval=sql.Literal(interval)),
        (array_of(bars.instrument_id), array_of(bars.window)),
    ).rowcount
