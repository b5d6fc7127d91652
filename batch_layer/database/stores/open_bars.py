"""The bars under way, six to a row: of each instrument and interval one at most, which every night stores anew.

A row an instrument costs the server a sixth of a row a bar, and no second version of a bar needs room in the
large tables. A bar is here or in `closed_bars`, never in both: `bars` sees to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_in, select_list
from condvest.batch_layer.database.postgres.connection import Connection
from condvest.batch_layer.database.postgres.packed import read_out
from condvest.batch_layer.database.postgres.queries import array_of, rows
from condvest.batch_layer.database.postgres.revisioned import PRICE_COLUMNS
from condvest.batch_layer.database.postgres.touched import announce
from condvest.batch_layer.shared.models.bars import Bars, Bools, Int32s, Positions
from condvest.batch_layer.shared.settings import INTERVALS

TABLE = "open_bars"
NO_WINDOW = -(2**31)
"""Stands for the window of a place without a bar."""

_STAGED = "open_bars_staged"
_INSTRUMENT = Column("instrument_id", "int4")


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


_COLUMNS = {n: _columns(n) for n in INTERVALS}
_VALUES = ("window", *(column.name for column in PRICE_COLUMNS), "sessions")
"""The columns of `Bars` that a place has, in the order of `_columns`."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where instruments have an open bar.

    Attributes:
        ids: the instruments, ascending.
        are_there: whether each has a row.
        window: by interval, the window of each one's open bar; `NO_WINDOW` where it has none.
    """

    ids: Int32s
    are_there: Bools
    window: Mapping[int, Int32s]

    def rank(self, instrument_id: Int32s) -> Positions:
        """Return the position in ``ids`` of each instrument, which must be there."""
        return np.searchsorted(self.ids, instrument_id)


def read_places(connection: Connection, ids: Int32s) -> Places:
    """Return where instruments (ascending, one at least) have an open bar."""
    columns = (_INSTRUMENT, *(_COLUMNS[n][0] for n in INTERVALS))
    query = sql.SQL("SELECT {columns} FROM {table} WHERE instrument_id = ANY(%(ids)s::int4[])").format(
        columns=select_list(columns, TABLE), table=sql.Identifier(TABLE)
    )
    stored = read_out(connection, query, columns, {"ids": array_of(ids)}, len(ids))
    rank = np.searchsorted(ids, stored[_INSTRUMENT.name])
    are_there = np.zeros(len(ids), dtype=np.bool_)
    are_there[rank] = True
    window = {}
    for n in INTERVALS:
        window[n] = np.full(len(ids), NO_WINDOW, dtype=np.int32)
        window[n][rank] = stored[f"window_{n}"]
    return Places(ids, are_there, window)


def move_out(connection: Connection, interval: int, ids: Int32s, table: str) -> None:
    """Add the open bars of instruments to a table of bars as they are; `put` has to take their place."""
    announce(connection, f"bars_{interval}")
    names = ("instrument_id", *_VALUES, "interval", "is_complete")
    values = [sql.Identifier(column.name) for column in (_INSTRUMENT, *_COLUMNS[interval])]
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
    names = [column.name for column in _COLUMNS[interval]]
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


def put(
    connection: Connection, places: Places, bars: Mapping[int, Bars], cleared: Mapping[int, Int32s]
) -> dict[int, tuple[int, int, int]]:
    """Store open bars, one an instrument and interval at most, and empty the places of others.

    What else is in the rows stays. Rows that are as they should be are not written.

    Args:
        connection: in a transaction.
        places: of all the instruments, as they are now.
        bars: by interval.
        cleared: by interval, the instruments whose open bar goes; none that gets another.

    Returns:
        by interval how many bars were stored with other values for the same window, and the first and the
        last such window; only where there are any.
    """
    data, is_written, kept = _rows(places, bars, cleared)
    columns = (_INSTRUMENT, *(column for n in INTERVALS for column in _COLUMNS[n]))
    announce(connection, TABLE)
    new = is_written & ~places.are_there
    if new.any():
        copy_in(connection, TABLE, columns, {name: values[new] for name, values in data.items()})
    old = is_written & places.are_there
    if not old.any():
        return {}
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {})").format(sql.Identifier(_STAGED), sql.Identifier(TABLE))
    )
    copy_in(connection, _STAGED, columns, {name: values[old] for name, values in data.items()})
    for n, is_kept in kept.items():
        _fill(connection, n, places.ids[old & is_kept])
    changed = _changed(connection, [n for n, own in bars.items() if len(own)])
    _write(connection)
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(_STAGED)))
    return changed


def empty(connection: Connection) -> None:
    """Remove all of them, which nobody else reads or writes: the caller holds the table's lock."""
    announce(connection, TABLE)
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(TABLE)))


def _rows(
    places: Places, bars: Mapping[int, Bars], cleared: Mapping[int, Int32s]
) -> tuple[dict[str, npt.NDArray[Any]], Bools, dict[int, Bools]]:
    """Return a row an instrument, which of them are to be written, and whose bar of an interval stays."""
    data: dict[str, npt.NDArray[Any]] = {_INSTRUMENT.name: places.ids}
    is_written = np.zeros(len(places.ids), dtype=np.bool_)
    kept = {}
    for n, columns in _COLUMNS.items():
        kept[n] = places.window[n] != NO_WINDOW
        if n in cleared:
            gone = places.rank(cleared[n])
            is_written[gone], kept[n][gone] = True, False
        rank = places.rank(bars[n].instrument_id) if n in bars else np.empty(0, dtype=np.intp)
        is_written[rank], kept[n][rank] = True, False
        for column, name in zip(columns, _VALUES, strict=True):
            data[column.name] = np.full(len(places.ids), column.unknown, dtype=_KINDS[column.kind])
            if n in bars:
                data[column.name][rank] = getattr(bars[n], name)
    return data, is_written, kept


_KINDS = {"int2": np.int16, "int4": np.int32, "int8": np.int64, "float8": np.float64}


def _fill(connection: Connection, interval: int, ids: Int32s) -> None:
    """Put the stored bar of an interval into the staged rows of instruments whose bar stays."""
    if not len(ids):
        return
    connection.execute(
        sql.SQL(
            "UPDATE {staged} AS new SET {values} FROM {table} AS old "
            "WHERE old.instrument_id = new.instrument_id AND new.instrument_id = ANY(%s::int4[])"
        ).format(
            staged=sql.Identifier(_STAGED),
            table=sql.Identifier(TABLE),
            values=_assigned([column.name for column in _COLUMNS[interval]], "old"),
        ),
        (array_of(ids),),
    )


def _changed(connection: Connection, intervals: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """Return what `put` returns, of the staged rows."""
    if not intervals:
        return {}
    each = sql.SQL(", ").join(
        sql.SQL("count(*) FILTER (WHERE {is_changed}), {bounds}").format(
            is_changed=(is_changed := _is_changed(n)),
            bounds=sql.SQL(
                "min(new.{window}) FILTER (WHERE {is_changed}), max(new.{window}) FILTER (WHERE {is_changed})"
            ).format(window=sql.Identifier(f"window_{n}"), is_changed=is_changed),
        )
        for n in intervals
    )
    [counted] = rows(
        connection,
        sql.SQL("SELECT {each} FROM {staged} AS new JOIN {table} AS old USING (instrument_id)").format(
            each=each, staged=sql.Identifier(_STAGED), table=sql.Identifier(TABLE)
        ),
    )
    of_each = zip(intervals, zip(counted[::3], counted[1::3], counted[2::3], strict=True), strict=True)
    return {n: (count, first, last) for n, (count, first, last) in of_each if count}


def _is_changed(interval: int) -> sql.Composed:
    window, *values = [column.name for column in _COLUMNS[interval]]
    return sql.SQL("old.{window} = new.{window} AND {differ}").format(
        window=sql.Identifier(window), differ=_differ(values)
    )


def _write(connection: Connection) -> None:
    """Make the rows those that are staged."""
    names = [column.name for n in INTERVALS for column in _COLUMNS[n]]
    connection.execute(
        sql.SQL(
            "UPDATE {table} AS old SET {values} FROM {staged} AS new "
            "WHERE old.instrument_id = new.instrument_id AND {differ}"
        ).format(
            table=sql.Identifier(TABLE),
            staged=sql.Identifier(_STAGED),
            values=_assigned(names, "new"),
            differ=_differ(names),
        )
    )


def _assigned(names: Sequence[str], source: str) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier(source, name)) for name in names
    )


def _differ(names: Sequence[str]) -> sql.Composed:
    return sql.SQL("({}) IS DISTINCT FROM ({})").format(
        *(sql.SQL(", ").join(sql.Identifier(side, name) for name in names) for side in ("old", "new"))
    )
