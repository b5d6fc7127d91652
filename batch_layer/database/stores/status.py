"""What the database holds in numbers, and the runs of commands."""

from __future__ import annotations

import json
from typing import Any

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.queries import number, records, rows


def row_counts(connection: Connection) -> dict[str, int]:
    """Return the number of instruments with bars, of daily bars, of bars by interval, of refused rows.

    Keys: instruments, daily_bars, refused, changes_waiting, and bars_N for each interval N.
    """
    counts = {
        "instruments": number(connection, "SELECT count(DISTINCT instrument_id) FROM instrument_providers"),
        "daily_bars": number(connection, "SELECT count(*) FROM daily_bars"),
        "refused": number(connection, "SELECT count(*) FROM refused_rows"),
        "changes_waiting": number(connection, "SELECT count(*) FROM changes"),
    }
    by_interval = rows(connection, 'SELECT "interval", count(*) FROM bars GROUP BY 1 ORDER BY 1')
    return counts | {f"bars_{interval}": count for interval, count in by_interval}


def ledger_by_provider(connection: Connection) -> list[dict[str, Any]]:
    """Return, for each provider with loaded sessions, name, first, last (ordinals), complete, partial."""
    return records(
        connection,
        "SELECT provider, min(ordinal) AS first, max(ordinal) AS last, "
        "count(*) FILTER (WHERE status = 'complete') AS complete, "
        "count(*) FILTER (WHERE status = 'partial') AS partial "
        "FROM ledger JOIN providers USING (provider_id) GROUP BY provider ORDER BY provider",
    )


def start_run(connection: Connection, command: str) -> int:
    """Record that a run began; return its id."""
    return number(connection, "INSERT INTO runs (command) VALUES (%s) RETURNING run_id", (command,))


def finish_run(connection: Connection, run_id: int, exit_code: int, summary: dict[str, Any]) -> None:
    """Record how a run ended."""
    connection.execute(
        "UPDATE runs SET finished_at = clock_timestamp(), exit_code = %s, summary = %s WHERE run_id = %s",
        (exit_code, json.dumps(summary), run_id),
    )


def last_run(connection: Connection) -> dict[str, Any] | None:
    """Return the last run: command, started_at, finished_at, exit_code, summary; None if there was none."""
    runs = records(
        connection,
        "SELECT command, started_at, finished_at, exit_code, summary FROM runs ORDER BY run_id DESC LIMIT 1",
    )
    return runs[0] if runs else None


def recent_runs(connection: Connection, command: str = "", most: int = 1000) -> list[dict[str, Any]]:
    """Return runs whose command begins with a text, the newest first, at most ``most``.

    Keys: run_id, command, started_at, finished_at (None while it runs, or if it was killed), exit_code.
    """
    return records(
        connection,
        "SELECT run_id, command, started_at, finished_at, exit_code FROM runs "
        "WHERE starts_with(command, %s) ORDER BY run_id DESC LIMIT %s",
        (command, most),
    )
