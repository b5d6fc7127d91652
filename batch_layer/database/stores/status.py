"""What the database holds in numbers, and the runs of commands."""

from __future__ import annotations

import json
from typing import Any, LiteralString

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import holds, number, records, rows
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.touched import rows_of
from condvest.batch_layer.shared.settings import INTERVALS

RECORDED = ("backfill", "import", "metadata", "publish", "rebuild", "remove", "resample", "run", "undo")
"""The commands whose runs are recorded."""


def row_counts(connection: Connection) -> dict[str, int]:
    """Return the number of instruments with bars, of daily bars, of bars by interval, of refused rows.

    Keys: instruments, daily_bars, refused, changes_waiting, and bars_N for each interval N.
    """
    counts = {
        "instruments": number(connection, "SELECT count(DISTINCT instrument_id) FROM instrument_providers"),
        "refused": number(connection, "SELECT count(*) FROM refused_rows"),
        "changes_waiting": changes.waiting(connection),
    }
    return counts | rows_of(connection, ("daily_bars", *(f"bars_{interval}" for interval in INTERVALS)))


def ledger_by_provider(connection: Connection) -> list[dict[str, Any]]:
    """Return, for each provider with loaded sessions, name, first, last (ordinals), complete, partial.

    And through, the ordinal of the last session that is complete; None if none is.
    """
    return records(
        connection,
        "SELECT provider, min(ordinal) AS first, max(ordinal) AS last, "
        "max(ordinal) FILTER (WHERE status = 'complete') AS through, "
        "count(*) FILTER (WHERE status = 'complete') AS complete, "
        "count(*) FILTER (WHERE status = 'partial') AS partial "
        "FROM ledger JOIN providers USING (provider_id) GROUP BY provider ORDER BY provider",
    )


def ledger_rows(connection: Connection) -> list[dict[str, Any]]:
    """Return each session of the ledger, by provider and session.

    Keys: provider, ordinal, complete (bool), passed and refused (rows of the load that settled it).
    """
    return records(
        connection,
        "SELECT provider, ordinal, status = 'complete' AS complete, passed, refused "
        "FROM ledger JOIN providers USING (provider_id) ORDER BY provider, ordinal",
    )


def loaded_through(connection: Connection, known_by: int) -> dict[str, int]:
    """Return the ordinal of the last session loaded by provider, of the loads up to ``known_by``."""
    providers = records(
        connection,
        "SELECT provider, max(ordinal) AS last FROM (SELECT provider_id, ordinal, first_load_id FROM ledger "
        "  UNION ALL SELECT provider_id, ordinal, first_load_id FROM ledger_revisions "
        "  WHERE superseded_by > %(known_by)s) AS ledger JOIN providers USING (provider_id) "
        "WHERE first_load_id <= %(known_by)s GROUP BY provider ORDER BY provider",
        {"known_by": known_by},
    )
    return {each["provider"]: each["last"] for each in providers}


def start_run(connection: Connection, command: str) -> int:
    """Record that a run began of one of `RECORDED`, with its options; return its id."""
    if command.split(maxsplit=1)[0] not in RECORDED:
        raise ValueError(f"{command}: no command whose runs are recorded")
    return number(connection, "INSERT INTO runs (command) VALUES (%s) RETURNING run_id", (command,))


def finish_run(connection: Connection, run_id: int, exit_code: int, summary: dict[str, Any]) -> None:
    """Record how a run ended."""
    connection.execute(
        "UPDATE runs SET finished_at = clock_timestamp(), exit_code = %s, summary = %s WHERE run_id = %s",
        (exit_code, json.dumps(summary), run_id),
    )


def screenings(connection: Connection) -> dict[str, int]:
    """Return, by command, the load through which its newest screening looked, the newest run first."""
    newest: LiteralString = (
        "SELECT command, (summary->>'screened_through')::int4 FROM (SELECT DISTINCT ON (command) * FROM runs "
        "  WHERE summary->>'screened_through' IS NOT NULL ORDER BY command, run_id DESC) AS newest "
        "ORDER BY run_id DESC"
    )
    return dict(rows(connection, newest))


def has_only_arrays(connection: Connection) -> bool:
    """Return whether no command is recorded but those of jobs of an AWS Batch array."""
    return not holds(connection, "SELECT EXISTS (SELECT FROM runs WHERE strpos(command, ' --shard ') = 0)")


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


def runs_with_outcome(connection: Connection, most: int) -> list[dict[str, Any]]:
    """Return the newest runs, the newest first, at most ``most``, and what came of each.

    Keys: run_id, command, started_at, finished_at (None while it runs, or if it was killed), exit_code,
    inserted, changed (daily bars, None where the run counts none), failure (why it failed, None if it did
    not).
    """
    return records(
        connection,
        "SELECT run_id, command, started_at, finished_at, exit_code, "
        "(summary->>'inserted')::int8 AS inserted, (summary->>'changed')::int8 AS changed, "
        "coalesce(summary->>'error', (SELECT string_agg(value, '; ' ORDER BY key) "
        "  FROM jsonb_each_text(summary->'failed'))) AS failure "
        "FROM runs ORDER BY run_id DESC LIMIT %s",
        (most,),
    )
