"""Who carries a symbol when, beyond who carried it on one date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import LiteralString

import numpy as np

from batch_layer.database.postgres.binary_copy import Column, copy_out
from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.queries import array_of, array_of_texts, rows
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.spans import Spans


def lifetimes(connection: Connection, instrument_id: Int32s) -> Spans:
    """Return when each instrument carried any symbol, merged, in days since 1970-01-01, bounds inclusive."""
    columns = copy_out(
        connection,
        "SELECT instrument_id, greatest(valid_from, date '0001-01-01') - date '1970-01-01', "
        "least(valid_to, date '9999-12-31') - date '1970-01-01' FROM symbols "
        "WHERE instrument_id = ANY(%(ids)s::int4[])",
        (Column("instrument_id", "int4"), Column("first", "int4"), Column("last", "int4")),
        {"ids": array_of(np.unique(instrument_id))},
    )
    return Spans(columns["instrument_id"], columns["first"], columns["last"]).merged()


def takers(connection: Connection, symbols: Iterable[str]) -> dict[str, list[tuple[np.datetime64, int]]]:
    """Return the first date (datetime64[D]) and the instrument of each span of the symbols, ascending."""
    wanted = sorted({symbol for symbol in symbols if symbol.isprintable()})
    query: LiteralString = (
        "SELECT symbol, greatest(valid_from, date '0001-01-01'), instrument_id FROM symbols "
        "WHERE symbol = ANY(%s::text[]) ORDER BY symbol, valid_from"
    )
    spans: dict[str, list[tuple[np.datetime64, int]]] = {}
    for symbol, first, instrument_id in rows(connection, query, (array_of_texts(wanted),)):
        spans.setdefault(symbol, []).append((np.datetime64(first, "D"), instrument_id))
    return spans
