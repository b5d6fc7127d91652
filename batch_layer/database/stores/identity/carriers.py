"""Who carries a symbol when, beyond who carried it on one date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import LiteralString

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of_texts, column, rows
from condvest.batch_layer.database.stores.identity.symbols import read_spans
from condvest.batch_layer.shared.core.names.names_of_today import Carriage
from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan


def carriage_of(connection: Connection, symbols: Iterable[str]) -> Carriage:
    """Return who carries which symbol when, of all instruments that carry or carried one of the symbols."""
    # No instrument carries an unprintable symbol, and PostgreSQL refuses NUL.
    wanted = sorted({symbol for symbol in symbols if symbol.isprintable()})
    among: LiteralString = "SELECT instrument_id FROM symbols WHERE symbol = ANY(%s::text[])"
    return Carriage.of(read_spans(connection, among, (array_of_texts(wanted),)))


SESSIONS_LATE = 3
"""A record of renames may give a rename so many sessions too late."""


def begun_earlier(
    connection: Connection, renames: Sequence[tuple[int, dt.date, str, str]]
) -> dict[tuple[int, dt.date], dt.date]:
    """Return the renames that the bars show to be earlier than they are recorded, and their true dates.

    Such a rename has bars of the new symbol up to SESSIONS_LATE sessions before its date, and from the first
    of them on none of the old one. The bars are of the instrument itself, or of one that has no others before
    and is in no reference.

    Args:
        connection: in a transaction.
        renames: instrument, recorded date, the symbol before it, and the symbol from it on.
    """
    if not renames:
        return {}
    ids, dates, old, new = zip(*renames, strict=True)
    query: LiteralString = (
        "SELECT given.id, given.date, first.session "
        "FROM unnest(%s::int4[], %s::date[], %s::text[], %s::text[]) AS given (id, date, old, new) "
        "CROSS JOIN LATERAL (SELECT min(ordinal) AS ordinal FROM sessions WHERE session >= given.date) AS at "
        "CROSS JOIN LATERAL (SELECT near.ordinal, near.session FROM sessions AS near "
        "  JOIN symbols AS held ON held.symbol = given.new "
        "    AND near.session BETWEEN held.valid_from AND held.valid_to "
        "  JOIN daily_bars AS bar ON bar.instrument_id = held.instrument_id AND bar.ordinal = near.ordinal "
        "  WHERE near.ordinal BETWEEN at.ordinal - %s AND at.ordinal - 1 AND (held.instrument_id = given.id "
        "    OR NOT EXISTS (SELECT FROM daily_bars AS before "
        "      WHERE before.instrument_id = held.instrument_id AND before.ordinal < at.ordinal - %s) "
        "    AND NOT EXISTS (SELECT FROM metadata WHERE metadata.instrument_id = held.instrument_id)) "
        "  ORDER BY near.ordinal LIMIT 1) AS first "
        "WHERE NOT EXISTS (SELECT FROM symbols AS held JOIN daily_bars AS bar USING (instrument_id) "
        "  JOIN sessions USING (ordinal) "
        "  WHERE held.symbol = given.old AND session BETWEEN held.valid_from AND held.valid_to "
        "    AND bar.ordinal BETWEEN first.ordinal AND at.ordinal - 1)"
    )
    earlier = rows(
        connection,
        query,
        (list(ids), list(dates), list(old), list(new), SESSIONS_LATE, SESSIONS_LATE),
    )
    return {(instrument_id, date): first for instrument_id, date, first in earlier}


def preceded_by_unknown(connection: Connection) -> list[int]:
    """Return the instruments with a record of renames before whose symbol one of no reference carried it."""
    query: LiteralString = (
        "SELECT DISTINCT later.instrument_id FROM symbols AS early JOIN symbols AS later "
        "ON later.symbol = early.symbol AND later.valid_from = early.valid_to + 1 "
        "AND later.instrument_id <> early.instrument_id "
        "JOIN metadata AS past ON past.instrument_id = later.instrument_id AND past.field = 'symbols' "
        "WHERE early.valid_to < 'infinity' AND NOT EXISTS "
        "(SELECT FROM metadata WHERE metadata.instrument_id = early.instrument_id) ORDER BY 1"
    )
    return column(connection, query)


def carriers_beside(connection: Connection, last_before: int) -> dict[int, list[SymbolSpan]]:
    """Return all spans of instruments that carry or carried a symbol of one with an id above ``last_before``.

    Those themselves are among them.
    """
    among: LiteralString = (
        "SELECT beside.instrument_id FROM symbols AS made "
        "JOIN symbols AS beside USING (symbol) WHERE made.instrument_id > %s"
    )
    return read_spans(connection, among, (last_before,))
