"""What is published of the live rows to readers elsewhere, read in one transaction."""

from __future__ import annotations

from typing import Any

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import records


def read_rows(connection: Connection) -> list[dict[str, Any]]:
    """Return the live rows of the newest session that has some, by symbol.

    Returns:
        symbol, instrument_id, session (ISO date), open, high, low, close, volume, vwap (None where unknown),
        phase, data_through (ISO instant, UTC, microseconds).
    """
    return records(
        connection,
        "SELECT symbol, instrument_id, session::text, open, high, low, close, volume, vwap, phase, "
        "to_char(data_through AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS data_through "
        "FROM live_daily_bars JOIN sessions USING (ordinal) JOIN symbols USING (instrument_id) "
        "WHERE ordinal = (SELECT max(ordinal) FROM live_daily_bars) "
        "AND session BETWEEN valid_from AND valid_to ORDER BY symbol",
    )


def read_head(connection: Connection) -> dict[str, Any] | None:
    """Return how far the newest run has got; None if there was none.

    Returns:
        run_id, provider, session, state, phase, ticks, data_through, open_gaps (how many gaps of the session
        are not healed).
    """
    newest = records(
        connection,
        "SELECT run_id, provider, session::text, state, phase, ticks, "
        "to_char(data_through AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS data_through, "
        "(SELECT count(*) FROM live_gaps WHERE live_gaps.run_id = live_runs.run_id "
        " AND healed_at IS NULL) AS open_gaps "
        "FROM live_runs LEFT JOIN sessions USING (ordinal) ORDER BY run_id DESC LIMIT 1",
    )
    return newest[0] if newest else None
