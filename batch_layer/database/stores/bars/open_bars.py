"""The bars under way, six to a row: one at most of an instrument and interval, stored anew every night.

A row an instrument costs the server a sixth of a row a bar, and no second version of a bar needs room in the
large tables. A bar is here or in `closed_bars`, never in both: `bars` sees to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of
from condvest.batch_layer.database.postgres.reading.packed import read_out
from condvest.batch_layer.database.postgres.revisioned import PRICE_COLUMNS
from condvest.batch_layer.database.postgres.touched import announce
from condvest.batch_layer.shared.models.bars import Bars, Bools, Int16s, Int32s, Positions
from condvest.batch_layer.shared.settings import INTERVALS

TABLE = "open_bars"
NO_WINDOW = -(2**31)
"""Stands for the window of a place without a bar."""

INSTRUMENT = Column("instrument_id", "int4")


def _columns(interval: int) -> tuple[Column, ...]:
    """Return the columns of an interval's bar; where there is no bar all of them are NULL."""
    return (
        Column(f"window_{interval}", "int4", NO_WINDOW),
        *(
            replace(column, name=f"{column.name}_{interval}", unknown=_unknown(column))
            for column in PRICE_COLUMNS
        ),
        Column(f"sessions_{interval}", "int2", -1),
    )


def _unknown(column: Column) -> float:
    return float("nan") if column.unknown is None else column.unknown


COLUMNS = {n: _columns(n) for n in INTERVALS}
VALUES = ("window", *(column.name for column in PRICE_COLUMNS), "sessions")
"""The columns of `Bars` that a place has, in the order of `_columns`."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where instruments have an open bar.

    Attributes:
        ids: the instruments, ascending.
        are_there: whether each has a row.
        window: by interval, the window of each one's open bar; `NO_WINDOW` where it has none.
        sessions: by interval, how many daily bars went into it; nothing to rely on where it has none.
    """

    ids: Int32s
    are_there: Bools
    window: Mapping[int, Int32s]
    sessions: Mapping[int, Int16s]

    def rank(self, instrument_id: Int32s) -> Positions:
        """Return the position in ``ids`` of each instrument, which must be there."""
        return np.searchsorted(self.ids, instrument_id)


def read_places(connection: Connection, ids: Int32s) -> Places:
    """Return where instruments (ascending, one at least) have an open bar."""
    columns = (INSTRUMENT, *(COLUMNS[n][which] for n in INTERVALS for which in (0, -1)))
    query = sql.SQL("SELECT {columns} FROM {table} WHERE instrument_id = ANY(%(ids)s::int4[])").format(
        columns=select_list(columns, TABLE), table=sql.Identifier(TABLE)
    )
    stored = read_out(connection, query, columns, {"ids": array_of(ids)}, len(ids))
    rank = np.searchsorted(ids, stored[INSTRUMENT.name])
    are_there = np.zeros(len(ids), dtype=np.bool_)
    are_there[rank] = True
    window, sessions = {}, {}
    for n in INTERVALS:
        window[n] = np.full(len(ids), NO_WINDOW, dtype=np.int32)
        window[n][rank] = stored[f"window_{n}"]
        sessions[n] = np.zeros(len(ids), dtype=np.int16)
        sessions[n][rank] = stored[f"sessions_{n}"]
    return Places(ids, are_there, window, sessions)


def move_out(connection: Connection, interval: int, ids: Int32s, table: str) -> None:
    """Add the open bars of instruments to a table of bars as they are; `put` has to take their place."""
    announce(connection, f"bars_{interval}")
    names = ("instrument_id", *VALUES, "interval", "is_complete")
    values = [sql.Identifier(column.name) for column in (INSTRUMENT, *COLUMNS[interval])]
    connection.execute(
        sql.SQL(
            "INSERT INTO {table} ({names}) SELECT {values}, {interval}, false FROM {open} "
            "WHERE instrument_id = ANY(%s::int4[]) AND {window} IS NOT NULL"
        ).format(
            table=sql.Identifier(table),
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(values),
            interval=sql.Literal(interval),
            open=sql.Identifier(TABLE),
            window=sql.Identifier(f"window_{interval}"),
        ),
        (array_of(ids),),
    )


def clear(connection: Connection, interval: int, bars: Bars) -> int:
    """Remove the open bars that have the keys of ``bars``; return how many there were."""
    announce(connection, TABLE)
    names = [column.name for column in COLUMNS[interval]]
    return connection.execute(
        sql.SQL(
            "UPDATE {table} SET {nothing} FROM unnest(%s::int4[], %s::int4[]) AS old (instrument_id, number) "
            "WHERE {table}.instrument_id = old.instrument_id AND {window} = old.number"
        ).format(
            table=sql.Identifier(TABLE),
            nothing=sql.SQL(", ").join(sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in names),
            window=sql.Identifier(names[0]),
        ),
        (array_of(bars.instrument_id), array_of(bars.window)),
    ).rowcount


def remove_doubles(connection: Connection, interval: int, ids: Int32s, table: str) -> int:
    """Remove from a table of bars those of instruments that are here too; return how many there were.

    Only foreign hands can have put them there.
    """
    announce(connection, f"bars_{interval}")
    return connection.execute(
        sql.SQL(
            'DELETE FROM {table} AS double USING {open} AS place WHERE double."interval" = {interval} '
            "AND place.instrument_id = ANY(%s::int4[]) AND double.instrument_id = place.instrument_id "
            'AND double."window" = place.{window}'
        ).format(
            table=sql.Identifier(table),
            open=sql.Identifier(TABLE),
            interval=sql.Literal(interval),
            window=sql.Identifier(f"window_{interval}"),
        ),
        (array_of(ids),),
    ).rowcount


def empty(connection: Connection) -> None:
    """Remove all of them, which nobody else reads or writes: the caller holds the table's lock."""
    announce(connection, TABLE)
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(TABLE)))
