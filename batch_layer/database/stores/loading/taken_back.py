"""Which splits and dividends a person took back."""

from __future__ import annotations

from typing import Any

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, rows
from condvest.batch_layer.database.postgres.revisioned import RevisionedTable
from condvest.batch_layer.database.stores.loading.undone import COUNTS
from condvest.batch_layer.shared.models.bars import Int32s, Int64s
from condvest.batch_layer.shared.models.difference import pack


def taken_back(
    connection: Connection, table: RevisionedTable[Any], instrument_id: Int32s, *, above: int
) -> Int64s:
    """Return the keys (see `pack`) of the instruments' actions that higher-ranked providers withdrew.

    No row of its own says so: the last revision of the key, with nothing in its place, was superseded by a
    load of a provider that ranks higher. An undo takes nothing back in this sense, and what it took back says
    nothing any more.

    Args:
        connection: in a transaction.
        table: of splits or of dividends.
        instrument_id: int32, the instruments.
        above: only withdrawals by providers of a higher rank.
    """
    query = sql.SQL(
        "SELECT instrument_id, {key} FROM (SELECT DISTINCT ON (instrument_id, {key}) instrument_id, {key}, "
        "rank FROM {revisions} JOIN loads ON loads.load_id = superseded_by "
        "JOIN providers USING (provider_id) WHERE instrument_id = ANY(%s::int4[]) AND {counts} "
        "ORDER BY instrument_id, {key}, superseded_by DESC) AS last "
        "WHERE rank > %s AND NOT EXISTS (SELECT FROM {table} AS held "
        "WHERE held.instrument_id = last.instrument_id AND held.{key} = last.{key})"
    ).format(
        key=sql.Identifier(table.columns[1].name),
        table=sql.Identifier(table.name),
        revisions=sql.Identifier(table.revisions),
        counts=COUNTS,
    )
    actions = rows(connection, query, (array_of(np.unique(instrument_id)), above))
    return pack(
        np.array([row[0] for row in actions], dtype=np.int32),
        np.array([row[1] for row in actions], dtype="datetime64[D]"),
    )
