"""The table ``symbols``: which symbol each instrument carries, from one date to another."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.queries import array_of, column, rows
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.symbols import EVER, FOREVER, SymbolSpan


def symbols_by_instrument(connection: Connection, instrument_id: Int32s | None = None) -> dict[int, str]:
    """Return the present or last symbol of each instrument that has daily bars.

    Only of the instruments given, unless None.
    """
    return dict(
        rows(
            connection,
            "SELECT DISTINCT ON (instrument_id) instrument_id, symbol FROM symbols "
            "WHERE instrument_id IN (SELECT instrument_id FROM instrument_providers) "
            "AND (%(ids)s::int4[] IS NULL OR instrument_id = ANY(%(ids)s::int4[])) "
            "ORDER BY instrument_id, valid_to DESC, valid_from DESC",
            {"ids": None if instrument_id is None else array_of(instrument_id)},
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


def instruments_named(connection: Connection, symbol: str) -> list[int]:
    """Return the instruments that carry or carried a symbol, the latest first."""
    return column(
        connection,
        "SELECT instrument_id FROM symbols WHERE symbol = %s ORDER BY valid_to DESC, valid_from DESC",
        (symbol,),
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
    spans = rows(
        connection,
        "SELECT instrument_id, symbol, nullif(valid_from, '-infinity'), nullif(valid_to, 'infinity') "
        'FROM symbols ORDER BY symbol COLLATE "C", instrument_id, valid_from',
    )
    return [(instrument_id, symbol, first, last) for instrument_id, symbol, first, last in spans]


def read_spans(connection: Connection) -> dict[int, list[SymbolSpan]]:
    """Return each instrument's spans, ascending by date."""
    by_instrument: defaultdict[int, list[SymbolSpan]] = defaultdict(list)
    for instrument_id, symbol, first, last in rows(
        connection,
        "SELECT instrument_id, symbol, nullif(valid_from, '-infinity'), nullif(valid_to, 'infinity') "
        "FROM symbols ORDER BY instrument_id, valid_from",
    ):
        by_instrument[instrument_id].append(SymbolSpan(symbol, first or EVER, last or FOREVER))
    return dict(by_instrument)


def replace_spans(connection: Connection, wanted: Mapping[int, Sequence[SymbolSpan]]) -> None:
    """Store the instruments' spans in place of all that they had."""
    connection.execute("DELETE FROM symbols WHERE instrument_id = ANY(%s)", (list(wanted),))
    with connection.cursor().copy(
        "COPY symbols (symbol, valid_from, valid_to, instrument_id) FROM STDIN"
    ) as copy:
        for instrument_id, spans in wanted.items():
            for span in spans:
                first = "-infinity" if span.first == EVER else span.first
                last = "infinity" if span.last == FOREVER else span.last
                copy.write_row((span.symbol, first, last, instrument_id))
