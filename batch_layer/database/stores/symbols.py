"""Which symbol an instrument carries or carried, in the database."""

from __future__ import annotations

import datetime as dt

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.queries import numbers
from batch_layer.shared.models.bars import Int32s


def symbols_by_instrument(connection: Connection, instrument_id: Int32s | None = None) -> dict[int, str]:
    """Return the symbol that each instrument carries now, or carried last, for those with daily bars.

    Of the instruments given, or of all.
    """
    rows = connection.execute(
        "SELECT DISTINCT ON (instrument_id) instrument_id, symbol FROM symbols "
        "WHERE instrument_id IN (SELECT instrument_id FROM instrument_providers) "
        "AND (%(ids)s::int4[] IS NULL OR instrument_id = ANY(%(ids)s::int4[])) "
        "ORDER BY instrument_id, valid_to DESC, valid_from DESC",
        {"ids": None if instrument_id is None else numbers(instrument_id)},
    )
    return {int(str(instrument_id)): str(symbol) for instrument_id, symbol in rows}


def all_symbols(connection: Connection) -> dict[int, str]:
    """Return the symbol that each instrument carries now, or carried last, with bars or without."""
    rows = connection.execute(
        "SELECT DISTINCT ON (instrument_id) instrument_id, symbol FROM symbols "
        "ORDER BY instrument_id, valid_to DESC, valid_from DESC"
    )
    return {int(str(instrument_id)): str(symbol) for instrument_id, symbol in rows}


def instruments_named(connection: Connection, symbol: str) -> list[int]:
    """Return the instruments that carry or carried a symbol, the latest first."""
    rows = connection.execute(
        "SELECT instrument_id FROM symbols WHERE symbol = %s ORDER BY valid_to DESC, valid_from DESC",
        (symbol,),
    )
    return [int(str(row[0])) for row in rows]


def symbol_spans(connection: Connection) -> list[tuple[int, str, dt.date | None, dt.date | None]]:
    """Return instrument, symbol, first and last date it was carried (None: no bound).

    By symbol and instrument.
    """
    rows = connection.execute(
        "SELECT instrument_id, symbol, nullif(valid_from, '-infinity'), nullif(valid_to, 'infinity') "
        'FROM symbols ORDER BY symbol COLLATE "C", instrument_id, valid_from'
    )
    return [
        (int(str(one)), str(symbol), _date_or_none(first), _date_or_none(last))
        for one, symbol, first, last in rows
    ]


def _date_or_none(value: object) -> dt.date | None:
    return value if isinstance(value, dt.date) else None
