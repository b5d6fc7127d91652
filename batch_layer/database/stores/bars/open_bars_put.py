"""Open bars put into their rows: all that a transaction stores of an instrument is one row, written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import copy_in
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, rows
from condvest.batch_layer.database.postgres.touched import announce
from condvest.batch_layer.database.stores.bars.open_bars import (
    COLUMNS,
    INSTRUMENT,
    NO_WINDOW,
    TABLE,
    VALUES,
    Places,
)
from condvest.batch_layer.shared.models.bars import Bars, Bools, Int32s
from condvest.batch_layer.shared.settings import INTERVALS

_STAGED = "open_bars_staged"


def put_open_bars(
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
    columns = (INSTRUMENT, *(column for n in INTERVALS for column in COLUMNS[n]))
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
    changed = _changed(connection, places, {n: own for n, own in bars.items() if len(own)})
    _write(connection)
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(_STAGED)))
    return changed


def _rows(
    places: Places, bars: Mapping[int, Bars], cleared: Mapping[int, Int32s]
) -> tuple[dict[str, npt.NDArray[Any]], Bools, dict[int, Bools]]:
    """Return a row an instrument, which of them are to be written, and whose bar of an interval stays."""
    data: dict[str, npt.NDArray[Any]] = {INSTRUMENT.name: places.ids}
    is_written = np.zeros(len(places.ids), dtype=np.bool_)
    kept = {}
    for n, columns in COLUMNS.items():
        kept[n] = places.window[n] != NO_WINDOW
        if n in cleared:
            gone = places.rank(cleared[n])
            is_written[gone], kept[n][gone] = True, False
        rank = places.rank(bars[n].instrument_id) if n in bars else np.empty(0, dtype=np.intp)
        is_written[rank], kept[n][rank] = True, False
        for column, name in zip(columns, VALUES, strict=True):
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
            values=_assigned([column.name for column in COLUMNS[interval]], "old"),
        ),
        (array_of(ids),),
    )


def _changed(
    connection: Connection, places: Places, bars: Mapping[int, Bars]
) -> dict[int, tuple[int, int, int]]:
    """Return what `put_open_bars` returns.

    A bar of another number of sessions has other values, so that nights need not ask; PostgreSQL compares
    the staged rows of the others.
    """
    windows, alike = {}, []
    for n, own in bars.items():
        rank = places.rank(own.instrument_id)
        stays = places.window[n][rank] == own.window
        is_longer = places.sessions[n][rank] != own.sessions
        windows[n] = [own.window[stays & is_longer]]
        alike.append(own.instrument_id[stays & ~is_longer])
    ids = np.unique(np.concatenate(alike)) if alike else np.empty(0, dtype=np.int32)
    if len(ids):
        for n, of_interval in _windows_changed(connection, list(bars), ids).items():
            windows[n].append(of_interval)
    joined = {n: np.concatenate(parts) for n, parts in windows.items()}
    return {n: (len(own), int(own.min()), int(own.max())) for n, own in joined.items() if len(own)}


def _windows_changed(
    connection: Connection, intervals: Sequence[int], ids: Int32s
) -> dict[int, npt.NDArray[np.int32]]:
    """Return the windows of the staged bars of instruments that differ from those of as many sessions."""
    each = sql.SQL(", ").join(
        sql.SQL("array_agg(new.{window}) FILTER (WHERE {is_changed})").format(
            window=sql.Identifier(f"window_{n}"), is_changed=_is_changed(n)
        )
        for n in intervals
    )
    [stored] = rows(
        connection,
        sql.SQL(
            "SELECT {each} FROM {staged} AS new JOIN {table} AS old USING (instrument_id) "
            "WHERE new.instrument_id = ANY(%s::int4[])"
        ).format(each=each, staged=sql.Identifier(_STAGED), table=sql.Identifier(TABLE)),
        (array_of(ids),),
    )
    return {n: np.array(given or [], dtype=np.int32) for n, given in zip(intervals, stored, strict=True)}


def _is_changed(interval: int) -> sql.Composed:
    window, *values, sessions = [column.name for column in COLUMNS[interval]]
    return sql.SQL("old.{window} = new.{window} AND old.{sessions} = new.{sessions} AND {differ}").format(
        window=sql.Identifier(window), sessions=sql.Identifier(sessions), differ=_differ(values)
    )


def _write(connection: Connection) -> None:
    """Make the rows those that are staged."""
    names = [column.name for n in INTERVALS for column in COLUMNS[n]]
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
