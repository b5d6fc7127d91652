"""The tables ``live_runs`` and ``live_gaps``: who collects, how far, and what was missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.queries import column, holds, number, records
from condvest.batch_layer.shared.errors import Superseded
from condvest.speed_layer.core.phases import Phase

LOCK = "condvest live"
"""The lock that a collector holds while it runs: one writer per database."""


def take_lock(database: Database) -> bool:
    """Take the collector's lock if it is free; it is let go with the connection.

    Args:
        database: a connection kept for the lock alone.
    """
    with database.transaction() as connection:
        return holds(connection, "SELECT pg_try_advisory_lock(hashtext(%s), 0)", (LOCK,))


def start_run(
    connection: Connection, provider: str, feed: str, ordinal: int, journal: str | None = None
) -> int:
    """Enter a run, end those that were left open, and return its id.

    What the session's run before knew last is the beginning of a gap, which the first snapshot heals.

    Args:
        connection: in a transaction.
        provider: whose data.
        feed: how they are asked for, ``poll`` or ``stream``.
        ordinal: the session.
        journal: the name of the run's files in the journal.
    """
    connection.execute(
        "UPDATE live_runs SET state = 'ended', ended_at = clock_timestamp(), "
        "ended_by = 'superseded by a later run' WHERE state <> 'ended'"
    )
    through = column(connection, "SELECT max(data_through) FROM live_runs WHERE ordinal = %s", (ordinal,))[0]
    run_id = number(
        connection,
        "INSERT INTO live_runs (provider, feed, ordinal, journal, state) "
        "VALUES (%s, %s, %s, %s, 'starting') RETURNING run_id",
        (provider, feed, ordinal, journal),
    )
    if through is not None:
        connection.execute(
            "INSERT INTO live_gaps (run_id, gap_from, reason) VALUES (%s, %s, 'restart')", (run_id, through)
        )
    return run_id


@dataclass(frozen=True)
class Progress:
    """What a tick tells of a run; times in microseconds since 1970-01-01 UTC.

    Attributes:
        state: of the run.
        phase: of the session.
        through: the instant that the data have got to.
        received: when they came.
        anchored: when the last snapshot was taken.
        records: how many records of the journal its rows come from.
        messages: snapshots and minutes taken since the tick before.
        refused: rows refused since.
        drifted: symbols since whose prices a snapshot set right.
        connections: connections to the stream so far.
        heals: whether what was missed is known by now.
    """

    state: str
    phase: Phase
    through: int
    received: int
    anchored: int
    records: int
    messages: int = 1
    refused: int = 0
    drifted: int = 0
    connections: int = 0
    heals: bool = True


def note_progress(connection: Connection, run_id: int, progress: Progress) -> None:
    """Note a tick of a run, in the transaction of its rows, and heal its gaps if it does.

    Raises:
        Superseded: a later run has ended this one.
    """
    changed = connection.execute(
        "UPDATE live_runs SET state = %(state)s, phase = %(phase)s, ticks = ticks + 1, "
        "messages = messages + %(messages)s, refused = refused + %(refused)s, "
        "drifted = drifted + %(drifted)s, connections = %(connections)s, records = %(records)s, "
        "data_through = timestamptz 'epoch' + %(through)s * interval '1 microsecond', "
        "anchored_at = timestamptz 'epoch' + %(anchored)s * interval '1 microsecond', "
        "delay_s = %(delay)s WHERE run_id = %(run)s AND state <> 'ended'",
        {**vars(progress), "delay": (progress.received - progress.through) / 1e6, "run": run_id},
    )
    _fence(changed.rowcount, run_id)
    if progress.heals:
        connection.execute(
            "UPDATE live_gaps SET gap_to = timestamptz 'epoch' + %s * interval '1 microsecond', "
            "healed_at = clock_timestamp() "
            "WHERE run_id = %s AND healed_at IS NULL",
            (progress.through, run_id),
        )


def note_gap(
    connection: Connection, run_id: int, reason: str, *, state: str = "stale", since: int | None = None
) -> None:
    """Note that data are missing from where the run has got to; one gap at a time.

    Args:
        connection: in a transaction.
        run_id: the run.
        reason: why.
        state: of the run from now on.
        since: from an earlier instant on, microseconds; None for where the run has got to.

    Raises:
        Superseded: a later run has ended this one.
    """
    changed = connection.execute(
        "UPDATE live_runs SET state = %s WHERE run_id = %s AND state <> 'ended'", (state, run_id)
    )
    _fence(changed.rowcount, run_id)
    connection.execute(
        "INSERT INTO live_gaps (run_id, gap_from, reason) SELECT run_id, least(data_through, "
        "timestamptz 'epoch' + %(since)s::int8 * interval '1 microsecond'), %(reason)s "
        "FROM live_runs WHERE run_id = %(run)s AND data_through IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM live_gaps WHERE run_id = %(run)s AND healed_at IS NULL)",
        {"run": run_id, "reason": reason, "since": since},
    )


def end_run(connection: Connection, run_id: int, reason: str) -> None:
    """Enter that a run has ended, unless a later one has ended it."""
    connection.execute(
        "UPDATE live_runs SET state = 'ended', ended_at = clock_timestamp(), ended_by = %s "
        "WHERE run_id = %s AND state <> 'ended'",
        (reason, run_id),
    )


def expected_tickers(connection: Connection, provider: str, ordinal: int) -> int:
    """Return how many bars the provider's last complete session before one has; 0 if there is none."""
    counts = column(
        connection,
        "SELECT passed FROM ledger JOIN providers USING (provider_id) WHERE provider = %s "
        "AND ordinal < %s AND status = 'complete' ORDER BY ordinal DESC LIMIT 1",
        (provider, ordinal),
    )
    return int(counts[0]) if counts else 0


def is_official(connection: Connection, provider: str, ordinal: int) -> bool:
    """Return whether the ledger calls a session complete for a provider."""
    return holds(
        connection,
        "SELECT EXISTS (SELECT FROM ledger JOIN providers USING (provider_id) "
        "WHERE provider = %s AND ordinal = %s AND status = 'complete')",
        (provider, ordinal),
    )


def last_run(connection: Connection) -> dict[str, Any] | None:
    """Return the newest run with its session, its rows and its gaps; None if there was none."""
    newest = records(
        connection,
        "SELECT live_runs.*, session, "
        "(SELECT count(*) FROM live_daily_bars AS own WHERE own.ordinal = live_runs.ordinal) AS live_bars, "
        "(SELECT count(*) FROM live_unresolved AS own WHERE own.ordinal = live_runs.ordinal) AS unresolved, "
        "(SELECT count(*) FROM live_refused AS own WHERE own.ordinal = live_runs.ordinal) AS refused_rows, "
        "(SELECT count(*) FROM live_gaps AS own WHERE own.run_id = live_runs.run_id) AS gaps, "
        "(SELECT count(*) FROM live_gaps AS own WHERE own.run_id = live_runs.run_id "
        " AND healed_at IS NULL) AS open_gaps "
        "FROM live_runs LEFT JOIN sessions USING (ordinal) ORDER BY run_id DESC LIMIT 1",
    )
    return newest[0] if newest else None


def _fence(changed: int, run_id: int) -> None:
    if changed != 1:
        raise Superseded(f"run {run_id}: a later `condvest live run` collects now, so this one stopped")
