"""A rebuild from the archive that runs, or was stopped: what nothing may load or publish upon."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import holds, rows
from condvest.batch_layer.database.stores.daily.refused import LOADING_COMMANDS
from condvest.batch_layer.shared.errors import RebuildRuns, UsageError

REBUILD_LOCK = "condvest rebuild"
"""The database-wide lock that a rebuild holds from before it looks at the database until its end."""


@dataclass(frozen=True)
class UnfinishedRebuild:
    """A rebuild that stored something and did not end.

    Attributes:
        started_at: when it began, aware.
        is_mixed: whether a command that loads has begun since.
    """

    started_at: dt.datetime
    is_mixed: bool

    @property
    def began(self) -> str:
        """The instant when it began, for messages, with its zone."""
        return f"{self.started_at:%Y-%m-%d %H:%M:%S%z}"

    @property
    def to_do(self) -> str:
        """What to do about it, as an imperative."""
        if self.is_mixed:
            return "other commands have loaded since: rebuild into an empty database"
        return "if it runs no more, run condvest rebuild again, it goes on"


def unfinished_rebuild(connection: Connection) -> UnfinishedRebuild | None:
    """Return the last rebuild if it did not end well and left loads; None otherwise.

    One that still runs has not ended either. What a rebuild loads counts as known from the instant of its
    fetch, before the rebuild began; so loads from after the beginning are those of other commands.
    """
    last = rows(
        connection,
        "SELECT started_at, is_mixed FROM (SELECT started_at, exit_code, EXISTS (SELECT FROM runs AS later "
        "WHERE later.run_id > last.run_id AND later.command ~ %s AND later.command <> 'rebuild') "
        "AS is_mixed FROM runs AS last WHERE command = 'rebuild' AND exit_code IS DISTINCT FROM 2 "
        "ORDER BY run_id DESC LIMIT 1) AS last "
        "WHERE (exit_code IS NULL OR exit_code NOT IN (0, 3)) "
        "AND EXISTS (SELECT FROM loads WHERE NOT is_mixed OR loaded_at < started_at)",
        (LOADING_COMMANDS,),
    )
    return UnfinishedRebuild(*last[0]) if last else None


def keep_from_rebuild(connection: Connection, then: str) -> None:
    """Let no rebuild begin until this transaction ends; refuse if one runs, or was stopped half way.

    What is loaded before a rebuild goes on would come in a wrong order, and what is published would be a
    part. A rebuild that begins meanwhile waits for the transaction.

    Args:
        connection: in a transaction.
        then: what to do after the rebuild, as an imperative: ``run condvest import``.

    Raises:
        RebuildRuns: a rebuild runs (on a standby, whose locks are its own, the next one says so).
        UsageError: a rebuild has stored a part of the archive, and was stopped.
    """
    stopped = unfinished_rebuild(connection)
    if not holds(connection, "SELECT pg_try_advisory_xact_lock_shared(hashtext(%s), 0)", (REBUILD_LOCK,)):
        raise RebuildRuns(f"condvest rebuild runs in this database; when it has ended, {then}")
    if stopped is not None and not stopped.is_mixed:
        raise UsageError(
            f"the rebuild that began at {stopped.began} has not ended; {stopped.to_do}; then {then}"
        )
