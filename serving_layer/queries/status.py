"""What the database holds."""

from __future__ import annotations

from typing import Any

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.stores.status import last_run as read_last_run
from batch_layer.database.stores.status import ledger_by_provider, row_counts
from batch_layer.shared.settings import INTERVALS


def read_status(opened: OpenDatabase) -> dict[str, Any]:
    """Return what the database holds.

    Keys: sessions (first and last loaded, complete, partial, missing; sums over the providers), providers
    (the same by provider), instruments, daily_bars, bars (by interval), refused, changes_waiting, last_run.
    A session is missing if the exchange held it between a provider's first and last loaded session and the
    ledger does not hold it.
    """
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        counts = row_counts(connection)
        ledger = ledger_by_provider(connection)
        last_run = read_last_run(connection)
    sessions = opened.sessions
    providers = [
        {
            "provider": held["provider"],
            "first": sessions.session(held["first"]).isoformat(),
            "last": sessions.session(held["last"]).isoformat(),
            "complete": held["complete"],
            "partial": held["partial"],
            "missing": held["last"] - held["first"] + 1 - held["complete"] - held["partial"],
        }
        for held in ledger
    ]
    totals = {name: sum(one[name] for one in providers) for name in ("complete", "partial", "missing")}
    return {
        "sessions": {
            "first": min((one["first"] for one in providers), default=None),
            "last": max((one["last"] for one in providers), default=None),
            **totals,
        },
        "providers": providers,
        "instruments": counts["instruments"],
        "daily_bars": counts["daily_bars"],
        "bars": {str(interval): counts.get(f"bars_{interval}", 0) for interval in INTERVALS},
        "refused": counts["refused"],
        "changes_waiting": counts["changes_waiting"],
        "last_run": last_run
        and {
            **last_run,
            "started_at": last_run["started_at"].isoformat(timespec="seconds"),
            "finished_at": last_run["finished_at"] and last_run["finished_at"].isoformat(timespec="seconds"),
        },
    }
