"""Loads that were taken back, and what the ledger and the list of suppliers said before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_out, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, column, rows
from condvest.batch_layer.database.postgres.revisioned import LOAD, RevisionedTable, Rows
from condvest.batch_layer.shared.models.bars import Int32s, Int64s
from condvest.batch_layer.shared.models.difference import keys_of, pack
from condvest.batch_layer.shared.models.spans import Spans, always

COUNTS = sql.SQL(
    "split_part(loads.archive_key, '/', 2) <> 'undo' "
    "AND NOT EXISTS (SELECT FROM taken_back_loads AS back WHERE back.load_id = loads.load_id)"
)
"""The condition that a load was not taken back, nor takes anything back itself."""


@dataclass(frozen=True)
class StoredLoad:
    """A load of daily bars, splits or dividends.

    Attributes:
        load_id, provider_id, rank, dataset, archive_key: as stored.
        withdrawn: how many stored rows it withdrew.
    """

    load_id: int
    provider_id: int
    rank: int
    dataset: str
    archive_key: str
    withdrawn: int


def loads_that_count(connection: Connection) -> list[StoredLoad]:
    """Return the loads of daily bars, splits and dividends that were not taken back, in their order."""
    query = sql.SQL(
        "SELECT load_id, provider_id, rank, dataset, archive_key, withdrawn "
        "FROM loads JOIN providers USING (provider_id) "
        "WHERE dataset IN ('daily_bars', 'splits', 'dividends') AND {} ORDER BY load_id"
    ).format(COUNTS)
    return [StoredLoad(*row) for row in rows(connection, query)]


def with_words_of_others(connection: Connection, dataset: str) -> list[int]:
    """Return the loads of a data set whose rows are other loads' words: undos, and what they took back.

    A row of a load that was taken back stays if another one of its provider gives the same.
    """
    return column(
        connection,
        "SELECT load_id FROM loads WHERE dataset = %s AND (archive_key IN (SELECT archive_key "
        "FROM loads JOIN taken_back_loads ON taken_back_by = loads.load_id) "
        "OR load_id IN (SELECT load_id FROM taken_back_loads)) ORDER BY 1",
        (dataset,),
    )


def taking_back(connection: Connection, load_id: Sequence[int], taken_back_by: int) -> None:
    """Note that loads count no more; their splits and dividends without an instrument wait no longer."""
    connection.execute(
        "INSERT INTO taken_back_loads (load_id, taken_back_by) SELECT unnest(%s::int4[]), %s",
        (list(load_id), taken_back_by),
    )
    connection.execute(
        "UPDATE refused_rows SET code = 'taken_back' "
        "WHERE load_id = ANY(%s::int4[]) AND code = 'no_instrument'",
        (list(load_id),),
    )


def rows_of_loads(
    connection: Connection, table: RevisionedTable[Rows], load_id: Sequence[int], reach: tuple[int, int]
) -> tuple[Rows, Int32s]:
    """Return the current rows that came with loads, and each one's load; within numbers, by key."""
    query = sql.SQL(
        "SELECT {columns} FROM {table} WHERE load_id = ANY(%(loads)s::int4[]) "
        "AND {number} BETWEEN %(first)s AND %(last)s ORDER BY instrument_id, {key}"
    ).format(
        columns=select_list((*table.columns, LOAD), table.name),
        table=sql.Identifier(table.name),
        number=table.number,
        key=sql.Identifier(table.columns[1].name),
    )
    parameters = {"loads": list(load_id), "first": reach[0], "last": reach[1]}
    columns = copy_out(connection, query, (*table.columns, LOAD), parameters)
    loads = columns.pop(LOAD.name)
    return table.model(**columns), loads


def rows_of_instruments(
    connection: Connection, table: RevisionedTable[Rows], instrument_id: Int32s
) -> tuple[Rows, Int32s]:
    """Return the current rows of instruments, and the load that each came with; by key."""
    return table.read_with_load(connection, always(np.unique(instrument_id)))


def withdrawn_by(connection: Connection, table: RevisionedTable[Any], load_id: Sequence[int]) -> Int64s:
    """Return the keys (see `pack`, ascending) that loads withdrew and that have no row now."""
    query = sql.SQL(
        "SELECT DISTINCT instrument_id, {number} FROM {revisions} AS {table} "
        "WHERE superseded_by = ANY(%(loads)s::int4[])"
    ).format(number=table.number, revisions=sql.Identifier(table.revisions), table=sql.Identifier(table.name))
    keys = rows(connection, query, {"loads": list(load_id)})
    ids = np.array([row[0] for row in keys], dtype=np.int32)
    number = np.array([row[1] for row in keys], dtype=np.int32)
    stored = keys_of(table.read(connection, Spans.of_points(ids, number)))
    packed = pack(ids, number)
    return np.sort(packed[~np.isin(packed, stored)])


def lines_that_stay_refused(connection: Connection, load_id: int) -> Int64s:
    """Return the lines (int64) of a payload that its load refused, save for what others say.

    Whether an import took them back, and whether they have an instrument, and one alone, is asked anew.
    """
    lines = column(
        connection,
        "SELECT line FROM refused_rows WHERE load_id = %s "
        "AND code NOT IN ('taken_back', 'no_instrument', 'conflicting_duplicate')",
        (load_id,),
    )
    return np.array(lines, dtype=np.int64)


def forget_sessions(connection: Connection, provider_id: int, ordinal: Int32s, superseded_by: int) -> None:
    """Take sessions out of the ledger; what it said of them is kept for answers as of before."""
    connection.execute(
        "WITH gone AS (DELETE FROM ledger WHERE provider_id = %s AND ordinal = ANY(%s::int4[]) "
        "RETURNING provider_id, ordinal, first_load_id, completed_by) "
        "INSERT INTO ledger_revisions SELECT *, %s FROM gone",
        (provider_id, array_of(ordinal), superseded_by),
    )


def enter_as_partial(connection: Connection, provider_id: int, ordinal: Int32s, load_id: int) -> None:
    """Enter sessions in the ledger, which holds none of them, as partial: they are to be asked for again."""
    connection.execute(
        "INSERT INTO ledger (provider_id, ordinal, status, load_id, first_load_id, "
        "rows, passed, inserted, changed, withdrawn, refused) "
        "SELECT %(provider)s, unnest(%(ordinals)s::int4[]), 'partial', %(load)s, %(load)s, 0, 0, 0, 0, 0, 0",
        {"provider": provider_id, "ordinals": array_of(ordinal), "load": load_id},
    )


def no_longer_supplied(
    connection: Connection, provider_id: int, load_id: Sequence[int], but: Int32s, superseded_by: int
) -> Int32s:
    """Take instruments that a provider supplies since loads that are taken back out of what it supplies.

    Those stay of which it has a daily bar, or had one by a load that counts, and those of ``but``. Return the
    others (int32, ascending).
    """
    gone = column(
        connection,
        sql.SQL(
            "WITH own AS (SELECT load_id FROM loads WHERE provider_id = %(provider)s AND {} "
            "  UNION ALL SELECT load_id FROM loads WHERE provider_id = %(provider)s "
            "  AND split_part(archive_key, '/', 2) = 'undo'), "
            "gone AS (DELETE FROM instrument_providers AS supplied WHERE provider_id = %(provider)s "
            "  AND first_load_id = ANY(%(loads)s::int4[]) AND NOT instrument_id = ANY(%(but)s::int4[]) "
            "  AND NOT EXISTS (SELECT FROM daily_bars AS bar JOIN own USING (load_id) "
            "    WHERE bar.instrument_id = supplied.instrument_id "
            "    AND bar.instrument_id %% 16 = supplied.instrument_id %% 16) "
            "  RETURNING instrument_id, provider_id, first_load_id), "
            "kept AS (INSERT INTO supplier_revisions SELECT *, %(by)s FROM gone) "
            "SELECT instrument_id FROM gone ORDER BY 1"
        ).format(COUNTS),
        {"provider": provider_id, "loads": list(load_id), "but": array_of(but), "by": superseded_by},
    )
    return np.array(gone, dtype=np.int32)


def supplied_by_nobody(connection: Connection, instrument_id: Int32s, superseded_by: int) -> list[int]:
    """Take instruments out of what any provider supplies; return those that supply nothing any more."""
    connection.execute(
        "WITH gone AS (DELETE FROM instrument_providers WHERE instrument_id = ANY(%s::int4[]) "
        "RETURNING instrument_id, provider_id, first_load_id) "
        "INSERT INTO supplier_revisions SELECT *, %s FROM gone",
        (array_of(instrument_id), superseded_by),
    )
    return column(
        connection,
        "SELECT DISTINCT provider_id FROM ledger WHERE NOT EXISTS (SELECT FROM instrument_providers "
        "WHERE instrument_providers.provider_id = ledger.provider_id) ORDER BY 1",
    )


_KEY = Column("ordinal", "int4")


def sessions_completed_by(connection: Connection, provider_id: int, load_id: Sequence[int]) -> Int32s:
    """Return the ordinals (ascending) of the sessions of a provider that loads completed."""
    query = (
        "SELECT ordinal FROM ledger WHERE provider_id = %(provider)s "
        "AND completed_by = ANY(%(loads)s::int4[]) ORDER BY 1"
    )
    return copy_out(connection, query, (_KEY,), {"provider": provider_id, "loads": list(load_id)})["ordinal"]


def count_rows(connection: Connection, table: RevisionedTable[Any], load_id: int) -> None:
    """Write into a load how many rows it changed, inserted and withdrew, as they are stored."""
    query = sql.SQL(
        "WITH gave AS (SELECT instrument_id, {key} FROM {table} WHERE load_id = %(load)s), "
        "took AS (SELECT instrument_id, {key} FROM {revisions} WHERE superseded_by = %(load)s), "
        "counted AS (SELECT (SELECT count(*) FROM gave) AS given, (SELECT count(*) FROM took) AS taken, "
        "  (SELECT count(*) FROM gave JOIN took USING (instrument_id, {key})) AS changed) "
        "UPDATE loads SET rows = given, changed = counted.changed, inserted = given - counted.changed, "
        "withdrawn = taken - counted.changed FROM counted WHERE load_id = %(load)s"
    ).format(
        key=sql.Identifier(table.columns[1].name),
        table=sql.Identifier(table.name),
        revisions=sql.Identifier(table.revisions),
    )
    connection.execute(query, {"load": load_id})
