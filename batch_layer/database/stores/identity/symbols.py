"""The table ``symbols``: which symbol each instrument carries, from one date to another."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, column, rows
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.instruments.symbols import EVER, FOREVER, SymbolSpan
from condvest.batch_layer.shared.models.loads import EVERY_LOAD

_SPANS: LiteralString = (
    "SELECT instrument_id, symbol, nullif(valid_from, '-infinity'), nullif(valid_to, 'infinity') "
    "FROM symbols "
)


def symbols_by_instrument(
    connection: Connection, instrument_id: Int32s | None = None, known_by: int = EVERY_LOAD
) -> dict[int, str]:
    """Return the present or last symbol of each instrument that has daily bars, or had some by ``known_by``.

    Only of the instruments given, unless None.
    """
    return dict(
        rows(
            connection,
            "SELECT DISTINCT ON (instrument_id) instrument_id, symbol FROM symbols "
            "WHERE instrument_id IN (SELECT instrument_id FROM instrument_providers UNION ALL "
            "  SELECT instrument_id FROM supplier_revisions WHERE superseded_by > %(known_by)s) "
            "AND (%(ids)s::int4[] IS NULL OR instrument_id = ANY(%(ids)s::int4[])) "
            "ORDER BY instrument_id, valid_to DESC, valid_from DESC",
            {"ids": None if instrument_id is None else array_of(instrument_id), "known_by": known_by},
        )
    )


def all_symbols(connection: Connection) -> dict[int, str]:
    """Return the present or last symbol of each instrument, with daily bars or without."""
    return dict(
        rows(
            connection,
            "SELECT DISTINCT ON (instrument_id) instrument_id, symbol FROM symbols "
            "ORDER BY instrument_id, valid_to DESC, valid_from DESC",
        )
    )


def instruments_named(connection: Connection, symbol: str, on: dt.date | None = None) -> list[int]:
    """Return the instruments that carry or carried a symbol, the latest first; or that did so on a date."""
    return column(
        connection,
        "SELECT instrument_id FROM symbols WHERE symbol = %(symbol)s "
        "AND (%(on)s::date IS NULL OR %(on)s::date BETWEEN valid_from AND valid_to) "
        "ORDER BY valid_to DESC, valid_from DESC",
        {"symbol": symbol, "on": on},
    )


def latest_carriers(
    connection: Connection, symbols: Sequence[str], known_by: int = EVERY_LOAD
) -> dict[str, int]:
    """Return, per symbol, the first of `instruments_named` that has daily bars, or had by ``known_by``."""
    return dict(
        rows(
            connection,
            "SELECT DISTINCT ON (symbol) symbol, instrument_id FROM symbols "
            "WHERE symbol = ANY(%s::text[]) "
            "AND instrument_id IN (SELECT instrument_id FROM instrument_providers UNION ALL "
            "  SELECT instrument_id FROM supplier_revisions WHERE superseded_by > %s) "
            "ORDER BY symbol, valid_to DESC, valid_from DESC",
            (list(symbols), known_by),
        )
    )


def symbols_of(connection: Connection, instrument_id: Int32s) -> list[str]:
    """Return every symbol that the instruments carry or carried, ascending."""
    return column(
        connection,
        "SELECT DISTINCT symbol FROM symbols WHERE instrument_id = ANY(%s::int4[]) ORDER BY 1",
        (array_of(instrument_id),),
    )


def known_symbols(connection: Connection) -> list[str]:
    """Return every symbol that an instrument carries or carried, ascending."""
    return column(connection, "SELECT DISTINCT symbol FROM symbols ORDER BY 1")


def symbol_spans(connection: Connection) -> list[tuple[int, str, dt.date | None, dt.date | None]]:
    """Return (instrument, symbol, first date, last date) of every span; None where a span has no bound.

    Both dates are inclusive. By symbol (in code point order), then instrument and first date.
    """
    spans = rows(connection, _SPANS + 'ORDER BY symbol COLLATE "C", instrument_id, valid_from')
    return [(instrument_id, symbol, first, last) for instrument_id, symbol, first, last in spans]


def read_spans(
    connection: Connection, among: LiteralString = "", parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> dict[int, list[SymbolSpan]]:
    """Return each instrument's spans, ascending by date.

    Args:
        connection: to the database.
        among: a query of instruments whose spans are wanted; "" for all.
        parameters: of that query.
    """
    chosen: LiteralString = f"WHERE instrument_id IN ({among}) " if among else ""
    spans: defaultdict[int, list[SymbolSpan]] = defaultdict(list)
    query = _SPANS + chosen + "ORDER BY instrument_id, valid_from"
    for instrument_id, symbol, first, last in rows(connection, query, parameters):
        spans[instrument_id].append(SymbolSpan(symbol, first or EVER, last or FOREVER))
    return dict(spans)
