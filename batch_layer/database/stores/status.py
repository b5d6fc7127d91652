"""What the database holds in numbers, and the runs of commands."""

from __future__ import annotations

import json
from typing import Any, LiteralString

from batch_layer.database.postgres.connection import Connection


def row_counts(connection: Connection) -> dict[str, int]:
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
