"""Instruments, the symbols they carry, and who supplies them, in the database."""

from __future__ import annotations

from typing import LiteralString

import numpy as np
import numpy.typing as npt

from batch_layer.database.connection import Connection
from batch_layer.shared.models.bars import Int32s

IMPORTED_RANK = 30
PROVIDER_RANKS = {"sample": 0, "yahoo": 10, "massive": 20}
"""A provider's bar gives way only to one of the same or a higher rank; what a user imports ranks highest."""

NO_INSTRUMENT = 0
"""Stands where a symbol belongs to no instrument."""

_DATE_ONE = np.datetime64("0001-01-01", "D")
_MOST_DAYS = 4_000_000  # more than the days from year 1 to year 9999


def rank_of(provider: str) -> int:
    """Return the rank of a provider by its name."""
    return PROVIDER_RANKS.get(provider, IMPORTED_RANK)


def provider_id_of(connection: Connection, provider: str) -> int:
    """Return the id of a provider, made if new."""
    query: LiteralString = "SELECT provider_id FROM providers WHERE provider = %s"
    row = connection.execute(query, (provider,)).fetchone()
    if row is None:
        # The lowest id that is free, not a sequence's next: what is rolled back must use up none of the few.
        connection.execute("LOCK TABLE providers IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(
            "INSERT INTO providers (provider_id, provider, rank) OVERRIDING SYSTEM VALUE "
            "SELECT coalesce(max(provider_id) + 1, 0), %(provider)s, %(rank)s FROM providers "
            "HAVING bool_or(provider = %(provider)s) IS NOT TRUE",
            {"provider": provider, "rank": rank_of(provider)},
        )
        row = connection.execute(query, (provider,)).fetchone()
    return int(str(row[0])) if row else -1


def instruments_of(
    connection: Connection, symbols: npt.NDArray[np.object_], sessions: npt.NDArray[np.datetime64]
) -> Int32s:
    """Return, a row, the instrument that carried the symbol on that date; NO_INSTRUMENT where none did."""
    distinct, code = np.unique(symbols.astype(str), return_inverse=True)
    rows = connection.execute(
        "SELECT symbol, greatest(valid_from, date '0001-01-01')::text, "
        "least(valid_to, date '9999-12-31')::text, instrument_id "
        "FROM symbols WHERE symbol = ANY(%s) ORDER BY symbol, valid_from",
        # What nobody can carry need not be sought, and PostgreSQL takes no NUL.
        ([symbol for symbol in distinct.tolist() if symbol.isprintable()],),
    ).fetchall()
    found = np.full(len(symbols), NO_INSTRUMENT, dtype=np.int32)
    if not rows:
        return found
    spans = np.searchsorted(distinct, np.array([str(row[0]) for row in rows]))
    start = np.array([str(row[1]) for row in rows], dtype="datetime64[D]")
    end = np.array([str(row[2]) for row in rows], dtype="datetime64[D]")
    ids = np.array([int(str(row[3])) for row in rows], dtype=np.int32)
    # The last span of the symbol that starts on or before the date, if it is still running then.
    order = np.lexsort((start, spans))
    spans, start, end, ids = spans[order], start[order], end[order], ids[order]
    keys = _span_keys(spans, start)
    place = np.searchsorted(keys, _span_keys(code, sessions), side="right") - 1
    held = (place >= 0) & (spans[place] == code) & (sessions <= end[place])
    found[held] = ids[place[held]]
    return found


def _span_keys(code: npt.NDArray[np.integer], date: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    days: npt.NDArray[np.int64] = (date.astype("datetime64[D]") - _DATE_ONE).astype(np.int64)
    return code.astype(np.int64) * _MOST_DAYS + days


def create_instruments(
    connection: Connection, symbols: npt.NDArray[np.object_], dates: npt.NDArray[np.datetime64]
) -> None:
    """Make an instrument for each symbol that nobody carried on a date; it carries it for all the free time.

    A symbol is free between the spans in which others carry it. Rows are symbol and date; several dates in
    one free time make one instrument.
    """
    connection.execute(
        "WITH given AS (SELECT DISTINCT symbol, date "
        "  FROM unnest(%s::text[], %s::date[]) AS given (symbol, date)), "
        "free AS (SELECT DISTINCT given.symbol, "
        "  coalesce((SELECT max(valid_to) + 1 FROM symbols AS held WHERE held.symbol = given.symbol "
        "    AND held.valid_to < given.date), '-infinity') AS valid_from, "
        "  coalesce((SELECT min(valid_from) - 1 FROM symbols AS held WHERE held.symbol = given.symbol "
        "    AND held.valid_from > given.date), 'infinity') AS valid_to FROM given), "
        "new AS (SELECT symbol, valid_from, valid_to, "
        "  nextval(pg_get_serial_sequence('instruments', 'instrument_id'))::int4 AS instrument_id "
        "  FROM (SELECT * FROM free ORDER BY symbol, valid_from) AS ordered), "
        "made AS (INSERT INTO instruments (instrument_id) OVERRIDING SYSTEM VALUE "
        "  SELECT instrument_id FROM new) "
        "INSERT INTO symbols (symbol, valid_from, valid_to, instrument_id) "
        "SELECT symbol, valid_from, valid_to, instrument_id FROM new",
        (symbols.tolist(), dates.astype("datetime64[D]").tolist()),
    )


def supplied_by(connection: Connection, provider_id: int) -> Int32s:
    """Return the instruments that a provider has supplied, ascending."""
    rows = connection.execute(
        "SELECT instrument_id FROM instrument_providers WHERE provider_id = %s ORDER BY instrument_id",
        (provider_id,),
    )
    return np.array([row[0] for row in rows], dtype=np.int32)


def add_supplied(connection: Connection, provider_id: int, instrument_id: Int32s, load_id: int) -> Int32s:
    """Note that a provider supplies the instruments; return those it had not supplied before."""
    rows = connection.execute(
        "INSERT INTO instrument_providers (instrument_id, provider_id, first_load_id) "
        "SELECT unnest(%s::int4[]), %s, %s ON CONFLICT DO NOTHING RETURNING instrument_id",
        (np.unique(instrument_id).tolist(), provider_id, load_id),
    )
    return np.array(sorted(int(str(row[0])) for row in rows), dtype=np.int32)


def symbols_of(connection: Connection, instrument_id: Int32s) -> list[str]:
    """Return every symbol that the instruments carry or carried, ascending."""
    rows = connection.execute(
        "SELECT DISTINCT symbol FROM symbols WHERE instrument_id = ANY(%s) ORDER BY 1",
        (instrument_id.tolist(),),
    )
    return [str(row[0]) for row in rows]


def known_symbols(connection: Connection) -> list[str]:
    """Return every symbol that an instrument carries or carried, ascending."""
    return [str(row[0]) for row in connection.execute("SELECT DISTINCT symbol FROM symbols ORDER BY 1")]
