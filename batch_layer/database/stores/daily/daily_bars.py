"""Questions about the daily bars that need no row of them, and about their revisions."""

from __future__ import annotations

from typing import Any

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_out
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, records
from condvest.batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES, DAILY_BARS
from condvest.batch_layer.database.stores.changes import PARTITIONS
from condvest.batch_layer.database.stores.loading.ledger import rows_loaded
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.spans import Spans

ROWS_A_PART = 1_000_000
"""Daily bars per part, about, when all are read; two parts are in memory at once."""


def number_of_parts(connection: Connection) -> int:
    """Return into how many parts to divide the instruments to read all daily bars.

    A multiple of DAILY_BAR_TABLES; see `RevisionedTable.read_part`.
    """
    rows, parts = rows_loaded(connection), DAILY_BAR_TABLES
    while rows > parts * ROWS_A_PART and parts < PARTITIONS:
        parts *= 2
    return parts


def spans_of_bars(connection: Connection, instrument_id: Int32s, known_by: int = EVERY_LOAD) -> Spans:
    """Return the ordinals of the first and last daily bar of each instrument that has any, ascending.

    With ``known_by`` of the bars that were known when that load had been stored.
    """
    # The key's index ends a search for the first or the last of today's bars at once; those of the past
    # have to be looked through.
    bars = sql.SQL(
        "SELECT min(ordinal) AS first, max(ordinal) AS last FROM daily_bars WHERE {own} AND {same_part}"
    )
    if known_by != EVERY_LOAD:
        bars = sql.SQL(
            "SELECT min(ordinal) AS first, max(ordinal) AS last FROM ("
            "SELECT ordinal FROM daily_bars WHERE {own} AND {same_part} AND load_id <= %(known_by)s "
            "UNION ALL SELECT ordinal FROM daily_bar_revisions WHERE {own} "
            "AND load_id <= %(known_by)s AND %(known_by)s < superseded_by) AS known"
        )
    own, same_part = sql.SQL("instrument_id = asked.instrument_id"), DAILY_BARS.same_part("asked")
    columns = copy_out(
        connection,
        sql.SQL(
            "SELECT asked.instrument_id, bars.first, bars.last "
            "FROM unnest(%(ids)s::int4[]) AS asked (instrument_id) "
            "CROSS JOIN LATERAL ({bars}) AS bars WHERE bars.first IS NOT NULL ORDER BY 1"
        ).format(bars=bars.format(own=own, same_part=same_part)),
        (Column("instrument_id", "int4"), Column("first", "int4"), Column("last", "int4")),
        {"ids": array_of(np.unique(instrument_id)), "known_by": known_by},
    )
    return Spans(**columns)


def states_of_bars(
    connection: Connection, instrument_id: int, ordinal: int | None = None
) -> list[dict[str, Any]]:
    """Return every state that the daily bars of an instrument (of one session if given) were known in.

    By session and the instant from which it was known: ordinal, open, high, low, close, volume, vwap,
    trades, known_from, known_to (None for what is known now), provider, name (of the payload),
    archive_key, ended_by (the payload that superseded it; None for what is known now).
    """
    return records(
        connection,
        "WITH states AS (SELECT daily_bars.*, NULL::int4 AS superseded_by FROM daily_bars "
        "  UNION ALL SELECT * FROM daily_bar_revisions) "
        "SELECT ordinal, open, high, low, close, volume, vwap, trades, came.loaded_at AS known_from, "
        "gone.loaded_at AS known_to, provider, came.name, came.archive_key, gone.name AS ended_by "
        "FROM states JOIN loads AS came USING (load_id) "
        "JOIN providers ON providers.provider_id = came.provider_id "
        "LEFT JOIN loads AS gone ON gone.load_id = superseded_by "
        "WHERE instrument_id = %(id)s AND (%(ordinal)s::int4 IS NULL OR ordinal = %(ordinal)s) "
        "ORDER BY ordinal, came.load_id",
        {"id": instrument_id, "ordinal": ordinal},
    )
