"""Rows, with all that was known of them, put in the place of others: of rows that are another instrument's.

What is stored under a key is its current row and its revisions. A row of which it turns out that it is of
another instrument takes with it when it was known: every load keeps its word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_in, copy_out, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, column
from condvest.batch_layer.database.postgres.revisioned import (
    DAILY_BARS,
    DIVIDENDS,
    LOAD,
    SPLITS,
    SUPERSEDED_BY,
    RevisionedTable,
    Rows,
)
from condvest.batch_layer.database.postgres.touched import announce, touch_rows
from condvest.batch_layer.shared.models.bars import Columns, Int16s, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import keys_of, pack, unpack

RETOLD: tuple[RevisionedTable[Any], ...] = (DAILY_BARS, SPLITS, DIVIDENDS)
"""The tables whose rows may be another instrument's when somebody is said to have carried another symbol."""


@dataclass(frozen=True, eq=False)
class Known(Generic[Rows]):
    """What is, and what was, known under some keys.

    Attributes:
        rows: the current rows, keys unique.
        load_id: int32, the load that each came with.
        past: the superseded rows.
        past_load_id, superseded_by: int32 a superseded row, the load that it came with, and the one by which
            it was known no more.
    """

    rows: Rows
    load_id: Int32s
    past: Rows
    past_load_id: Int32s
    superseded_by: Int32s

    def of_keys(self, keys: Int64s) -> Known[Rows]:
        """Return what is known of some keys alone."""
        now, past = np.isin(keys_of(self.rows), keys), np.isin(keys_of(self.past), keys)
        return Known(
            self.rows.take(now),
            self.load_id[now],
            self.past.take(past),
            self.past_load_id[past],
            self.superseded_by[past],
        )

    def differing(self, other: Known[Rows]) -> Int64s:
        """Return the keys (ascending) of which the two do not say the same, to the bit."""
        ours, theirs = self._whole(), other._whole()
        return np.array(sorted({key for _, key, _ in ours ^ theirs}), dtype=np.int64)

    def rows_by_load(self) -> dict[int, int]:
        """Return how many rows, current and superseded, came with each load."""
        ids, counts = np.unique(np.concatenate([self.load_id, self.past_load_id]), return_counts=True)
        return dict(zip(ids.tolist(), counts.tolist(), strict=True))

    def _whole(self) -> set[tuple[tuple[int, ...], int, int]]:
        now = zip(
            words_of(self.rows, self.load_id), keys_of(self.rows).tolist(), [0] * len(self.rows), strict=True
        )
        past = zip(
            words_of(self.past, self.past_load_id),
            keys_of(self.past).tolist(),
            self.superseded_by.tolist(),
            strict=True,
        )
        return {*now, *past}


def joined(parts: Sequence[Known[Rows]]) -> Known[Rows]:
    """Return what is known by all parts together; there must be at least one."""
    return Known(
        parts[0].rows.concat([part.rows for part in parts]),
        np.concatenate([part.load_id for part in parts]),
        parts[0].past.concat([part.past for part in parts]),
        np.concatenate([part.past_load_id for part in parts]),
        np.concatenate([part.superseded_by for part in parts]),
    )


def words_of(rows: Columns, load_id: Int32s) -> list[tuple[int, ...]]:
    """Return what each row says, to the bit, and by which load; but not of which instrument."""
    values = [
        column.astype(np.int64) if column.dtype.kind == "M" else column for column in vars(rows).values()
    ]
    exact = [
        (column.view(np.int64) if column.dtype == np.float64 else column).tolist() for column in values[1:]
    ]
    return list(zip(load_id.tolist(), *exact, strict=True))


def read_known(connection: Connection, table: RevisionedTable[Rows], keys: Int64s) -> Known[Rows]:
    """Return what is stored under keys (see `pack`; unique)."""
    parameters = _parameters(keys)
    now = _read(connection, table, table.name, (*table.columns, LOAD), parameters)
    past = _read(connection, table, table.revisions, (*table.columns, LOAD, SUPERSEDED_BY), parameters)
    load_id, past_load_id, superseded_by = now.pop("load_id"), past.pop("load_id"), past.pop("superseded_by")
    return Known(table.model(**now), load_id, table.model(**past), past_load_id, superseded_by)


def put_known(
    connection: Connection,
    table: RevisionedTable[Rows],
    keys: Int64s,
    stored: Known[Rows],
    known: Known[Rows],
) -> None:
    """Store what is known of keys in the place of what `read_known` told is ``stored`` under them."""
    parameters = _parameters(keys)
    for name, rows_there in ((table.name, stored.rows), (table.revisions, stored.past)):
        if not len(rows_there):
            continue
        announce(connection, name)
        deleted = connection.execute(
            sql.SQL("DELETE FROM {} AS stored USING {} WHERE {}").format(
                sql.Identifier(name), _GIVEN, _matching(table, name)
            ),
            parameters,
        ).rowcount
        touch_rows(connection, name, vars(rows_there), -deleted)
    table.insert(connection, known.rows, known.load_id)
    if len(known.past):
        revised = {
            **vars(known.past),
            LOAD.name: known.past_load_id,
            SUPERSEDED_BY.name: known.superseded_by,
        }
        touch_rows(connection, table.revisions, revised, len(known.past))
        copy_in(connection, table.revisions, (*table.columns, LOAD, SUPERSEDED_BY), revised)


def clear_way(
    connection: Connection, table: RevisionedTable[Rows], coming: int, taker: int
) -> Known[Rows] | None:
    """Remove what an instrument has under ordinals or ex-dates that another one's rows bring along.

    Returns:
        what was removed; None if nothing was in the way.
    """
    query = sql.SQL(
        "SELECT {number} FROM ("
        "SELECT instrument_id, {key} FROM {table} WHERE instrument_id = ANY(%(both)s) UNION ALL "
        "SELECT instrument_id, {key} FROM {revisions} WHERE instrument_id = ANY(%(both)s)) AS every "
        "GROUP BY {key} HAVING bool_or(instrument_id = %(coming)s) AND bool_or(instrument_id = %(taker)s) "
        "ORDER BY 1"
    ).format(**_names(table))
    numbers = column(connection, query, {"both": [coming, taker], "coming": coming, "taker": taker})
    if not numbers:
        return None
    keys = pack(np.full(len(numbers), taker, dtype=np.int32), np.array(numbers, dtype=np.int32))
    in_the_way = read_known(connection, table, keys)
    put_known(connection, table, keys, in_the_way, in_the_way.of_keys(keys[:0]))
    return in_the_way


def keys_known(
    connection: Connection, table: RevisionedTable[Any], dates: tuple[dt.date, dt.date], load_id: int
) -> tuple[Int64s, Int16s]:
    """Return the keys from an ex-date to another that were known by a load, and whose word each was."""
    query = sql.SQL(
        "SELECT instrument_id, {number} AS number, provider_id FROM ("
        "SELECT instrument_id, {key}, load_id FROM {table} UNION ALL "
        "SELECT instrument_id, {key}, load_id FROM {revisions} WHERE %(load)s < superseded_by) AS {table} "
        "JOIN loads USING (load_id) WHERE load_id <= %(load)s AND {key} BETWEEN %(first)s AND %(last)s"
    ).format(**_names(table))
    columns = (Column("instrument_id", "int4"), Column("number", "int4"), Column("provider_id", "int2"))
    parameters = {"load": load_id, "first": dates[0], "last": dates[1]}
    known = copy_out(connection, query, columns, parameters)
    return pack(known["instrument_id"], known["number"]), known["provider_id"]


def _names(table: RevisionedTable[Any]) -> dict[str, sql.Composable]:
    return {
        "number": table.number,
        "key": sql.Identifier(table.columns[1].name),
        "table": sql.Identifier(table.name),
        "revisions": sql.Identifier(table.revisions),
    }


_GIVEN = sql.SQL("unnest(%(ids)s::int4[], %(numbers)s::int4[]) AS given (instrument_id, number)")


def _matching(table: RevisionedTable[Any], name: str) -> sql.Composable:
    key = sql.Identifier(table.columns[1].name)
    at = sql.SQL("given.number" if table.columns[1].kind == "int4" else "date '1970-01-01' + given.number")
    part: sql.Composable = sql.SQL("true")
    if name == table.name and table.divided > 1:
        part = sql.SQL("stored.instrument_id %% {0} = given.instrument_id %% {0}").format(
            sql.Literal(table.divided)
        )
    text = sql.SQL("stored.instrument_id = given.instrument_id AND stored.{key} = {at} AND {part}")
    return text.format(key=key, at=at, part=part)


def _parameters(keys: Int64s) -> dict[str, str]:
    ids, numbers = unpack(keys)
    return {"ids": array_of(ids), "numbers": array_of(numbers)}


def _read(
    connection: Connection,
    table: RevisionedTable[Any],
    name: str,
    columns: tuple[Any, ...],
    parameters: Mapping[str, str],
) -> dict[str, Any]:
    query = sql.SQL("SELECT {} FROM {} AS stored JOIN {} ON {} ORDER BY stored.instrument_id, stored.{}")
    return copy_out(
        connection,
        query.format(
            select_list(columns, "stored"),
            sql.Identifier(name),
            _GIVEN,
            _matching(table, name),
            sql.Identifier(table.columns[1].name),
        ),
        columns,
        parameters,
    )
