"""What the database holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.changes import peek_changes
from condvest.batch_layer.database.stores.loading.rebuilds import UnfinishedRebuild, unfinished_rebuild
from condvest.batch_layer.database.stores.status import last_run as read_last_run
from condvest.batch_layer.database.stores.status import ledger_by_provider, row_counts
from condvest.batch_layer.shared.core.windows import windows_of
from condvest.batch_layer.shared.models.sessions import Dates, Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.reports.freshness import behind, closed_sessions


def read_status(opened: OpenDatabase) -> dict[str, Any]:
    """Return what the database holds.

    Keys: closed (the last session that the exchange has closed by now, an ISO date), sessions (first and last
    loaded, complete, partial, missing; sums over the providers), providers (the same by provider, and behind:
    how many sessions have closed since its last one that is complete, None of the sample, which ends by
    itself), instruments, daily_bars, bars (by interval), refused, changes_waiting (records),
    waiting (see `what_waits`), rebuild (began, an ISO instant, and to_do, of a rebuild that has not ended;
    None if there is none), last_run.
    A session is missing if the exchange held it between a provider's first and last loaded session and the
    ledger does not hold it.
    """
    sessions = opened.sessions
    closed = closed_sessions(sessions, opened.now)
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        counts = row_counts(connection)
        ledger = ledger_by_provider(connection)
        last_run = read_last_run(connection)
        waiting = _what_waits(connection, sessions)
        rebuild = unfinished_rebuild(connection)
    return status_of(
        closed,
        [provider_as_json(entry, sessions, closed) for entry in ledger],
        counts,
        {
            "waiting": waiting,
            "rebuild": rebuild and rebuild_as_json(rebuild),
            "last_run": run_as_json(last_run),
        },
    )


def status_of(
    closed: Dates,
    providers: Sequence[Mapping[str, Any]],
    counts: Mapping[str, int | None],
    rest: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the status of what was read; see `read_status`.

    Args:
        closed: the sessions that the exchange has closed, ascending.
        providers: how each stands; see `provider_as_json`.
        counts: as `row_counts` gives them.
        rest: waiting, rebuild and last_run.
    """
    totals = {
        name: sum(provider[name] for provider in providers) for name in ("complete", "partial", "missing")
    }
    return {
        "closed": closed[-1].item().isoformat(),
        "sessions": {
            "first": min((provider["first"] for provider in providers), default=None),
            "last": max((provider["last"] for provider in providers), default=None),
            **totals,
        },
        "providers": providers,
        "instruments": counts["instruments"],
        "daily_bars": counts["daily_bars"],
        "bars": {str(interval): counts.get(f"bars_{interval}", 0) for interval in INTERVALS},
        "refused": counts["refused"],
        "changes_waiting": counts["changes_waiting"],
        **rest,
    }


def rebuild_as_json(rebuild: UnfinishedRebuild) -> dict[str, Any]:
    """Return a rebuild that has not ended as plain values."""
    return {"began": rebuild.started_at.isoformat(timespec="seconds"), "to_do": rebuild.to_do}


def run_as_json(run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a run of a command as plain values; None if there is none."""
    return (
        None
        if run is None
        else {
            **run,
            "started_at": run["started_at"].isoformat(timespec="seconds"),
            "finished_at": run["finished_at"] and run["finished_at"].isoformat(timespec="seconds"),
        }
    )


def provider_as_json(entry: Mapping[str, Any], sessions: Sessions, closed: Dates) -> dict[str, Any]:
    """Return how a provider stands, from its line of `ledger_by_provider`."""
    # Where none is complete, those since the first count as behind.
    through = sessions.session(entry["first"] - 1 if entry["through"] is None else entry["through"])
    return {
        "provider": entry["provider"],
        "first": sessions.session(entry["first"]).isoformat(),
        "last": sessions.session(entry["last"]).isoformat(),
        "complete": entry["complete"],
        "partial": entry["partial"],
        "missing": entry["last"] - entry["first"] + 1 - entry["complete"] - entry["partial"],
        "behind": behind(entry["provider"], closed, through),
    }


def what_waits(opened: OpenDatabase) -> dict[str, Any] | None:
    """Return what was loaded and is not resampled yet; None if nothing is.

    Keys: instruments (how many), sessions (how many, from first to last, ISO dates inclusive), windows (how
    many, by interval). Reads fold these windows from the daily bars on the way.
    """
    sessions = opened.sessions
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        return _what_waits(connection, sessions)


def _what_waits(connection: Connection, sessions: Sessions) -> dict[str, Any] | None:
    spans = peek_changes(connection)
    if not len(spans):
        return None
    # Records of earlier versions may begin before the calendar.
    low = np.maximum(spans.first, np.int32(sessions.first_ordinal))
    high = np.minimum(spans.last, np.int32(sessions.last_ordinal))
    of_all = Spans(np.zeros(len(low), dtype=np.int32), low, high).merged()
    windows = {
        str(n): Spans(spans.instrument_id, windows_of(low, n), windows_of(high, n)).merged()
        for n in INTERVALS
    }
    return {
        "instruments": len(np.unique(spans.instrument_id)),
        "sessions": _length(of_all),
        "first": sessions.session(int(low.min())).isoformat(),
        "last": sessions.session(int(high.max())).isoformat(),
        "windows": {n: _length(each) for n, each in windows.items()},
    }


def _length(spans: Spans) -> int:
    return int((spans.last - spans.first + 1).sum())
