"""What the database holds, counted and named: for reading, for reports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
from psycopg import sql

from batch_layer.database import load_store
from batch_layer.database.arrays import numbers
from batch_layer.database.binary_copy import Column, copy_out
from batch_layer.database.connection import Connection
from batch_layer.database.keyed_store import DAILY_BARS
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.spans import Spans


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


def spans_of_bars(
    connection: Connection, instrument_id: Int32s, known_by: int = load_store.EVERY_LOAD
) -> Spans:
    """Return the ordinals of the first and last daily bar of each instrument that has any, ascending.

    With ``known_by`` of the bars that were known when that load had been stored.
    """
    # The key's index ends a search for the first or the last of today's bars at once; those of the past
    # have to be looked through.
    bars = sql.SQL(
        "SELECT min(ordinal) AS first, max(ordinal) AS last FROM daily_bars WHERE {own} AND {same_part}"
    )
    if known_by != load_store.EVERY_LOAD:
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
        {"ids": numbers(np.unique(instrument_id)), "known_by": known_by},
    )
    return Spans(**columns)


def counts(connection: Connection) -> dict[str, int]:
    """Return the number of instruments with bars, of daily bars, of bars by interval, of refused rows.

    Keys: instruments, daily_bars, refused, changes_waiting, and bars_N for each interval N.
    """
    found = {
        "instruments": _number(connection, "SELECT count(DISTINCT instrument_id) FROM instrument_providers"),
        "daily_bars": _number(connection, "SELECT count(*) FROM daily_bars"),
        "refused": _number(connection, "SELECT count(*) FROM refused_rows"),
        "changes_waiting": _number(connection, "SELECT count(*) FROM changes"),
    }
    rows = connection.execute('SELECT "interval", count(*) FROM bars GROUP BY 1 ORDER BY 1')
    return found | {f"bars_{interval}": int(str(count)) for interval, count in rows}


def ledger_by_provider(connection: Connection) -> list[dict[str, Any]]:
    """Return, for each provider with loaded sessions, name, first, last (ordinals), complete, partial."""
    rows = connection.execute(
        "SELECT provider, min(ordinal), max(ordinal), count(*) FILTER (WHERE status = 'complete'), "
        "count(*) FILTER (WHERE status = 'partial') "
        "FROM ledger JOIN providers USING (provider_id) GROUP BY provider ORDER BY provider"
    )
    names = ("provider", "first", "last", "complete", "partial")
    return [dict(zip(names, row, strict=True)) for row in rows]


def refused_rows(connection: Connection) -> list[dict[str, Any]]:
    """Return every refused row: load_id, provider, name, line, code, symbol, session, reason, content."""
    cursor = connection.execute(
        "SELECT load_id, provider, dataset, name, line, code, symbol, session, reason, content "
        "FROM refused_rows JOIN loads USING (load_id) JOIN providers USING (provider_id) "
        "ORDER BY load_id, line"
    )
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def history(connection: Connection, instrument_id: int, ordinal: int | None = None) -> list[dict[str, Any]]:
    """Return every state that the daily bars of an instrument (of one session if given) were known in.

    By session and the instant from which it was known: ordinal, open, high, low, close, volume, vwap,
    trades, known_from, known_to (None for what is known now), provider, name (of the payload),
    archive_key, ended_by (the payload that superseded it; None for what is known now).
    """
    cursor = connection.execute(
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
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


@dataclass(frozen=True)
class ArchivedLoad:
    """A load, where the archive has what it loaded, and how many rows it stored."""

    load_id: int
    archive_key: str
    stored: int


def archived_loads(connection: Connection) -> list[ArchivedLoad]:
    """Return every load, in their order."""
    rows = connection.execute("SELECT load_id, archive_key, inserted + changed FROM loads ORDER BY 1")
    return [ArchivedLoad(int(str(load_id)), str(key), int(str(stored))) for load_id, key, stored in rows]


def archive_keys_of(connection: Connection, provider: str) -> list[str]:
    """Return where the archive has what a provider answered for daily bars, in the order of the loads."""
    rows = connection.execute(
        "SELECT archive_key FROM loads JOIN providers USING (provider_id) "
        "WHERE provider = %s AND dataset = 'daily_bars' ORDER BY load_id",
        (provider,),
    )
    return [str(row[0]) for row in rows]


def start_run(connection: Connection, command: str) -> int:
    """Record that a run began; return its id."""
    row = connection.execute("INSERT INTO runs (command) VALUES (%s) RETURNING run_id", (command,)).fetchone()
    return int(str(row[0])) if row else -1


def finish_run(connection: Connection, run_id: int, exit_code: int, summary: dict[str, Any]) -> None:
    """Record how a run ended."""
    connection.execute(
        "UPDATE runs SET finished_at = clock_timestamp(), exit_code = %s, summary = %s WHERE run_id = %s",
        (exit_code, json.dumps(summary), run_id),
    )


def last_run(connection: Connection) -> dict[str, Any] | None:
    """Return the last run: command, started_at, finished_at, exit_code, summary; None if there was none."""
    cursor = connection.execute(
        "SELECT command, started_at, finished_at, exit_code, summary FROM runs ORDER BY run_id DESC LIMIT 1"
    )
    names = [column.name for column in cursor.description or ()]
    row = cursor.fetchone()
    return None if row is None else dict(zip(names, row, strict=True))


def _number(connection: Connection, query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    return int(str(row[0])) if row else 0
