"""What a published data set holds, in the words of `read_status`."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from condvest.batch_layer.database.stores.daily.refused import LOADING_COMMANDS
from condvest.batch_layer.database.stores.loading.rebuilds import UnfinishedRebuild
from condvest.batch_layer.shared.exit_codes import DONE, NEEDS_ATTENTION, WRONG_USAGE
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.reports.freshness import closed_sessions
from condvest.serving_layer.queries.reports.status import (
    provider_as_json,
    rebuild_as_json,
    run_as_json,
    status_of,
)

if TYPE_CHECKING:
    from condvest.serving_layer.sources.published import PublishedSource


def published_status(source: PublishedSource, now: dt.datetime) -> dict[str, Any]:
    """Return what a published version holds.

    Keys are those of `read_status`, equal to what the database said when the version was made; nothing waits,
    for only resampled bars are published. What a version does not tell is None, and then there is one key
    more: lacks, a list of sentences that say what and why.

    Args:
        source: the version, with the data sets ``coverage`` and ``runs``.
        now: the instant by which sessions have closed, aware.
    """
    sessions, files = source.sessions, source.manifest.files
    closed = closed_sessions(sessions, now)
    ledger = _by_provider(source.small("coverage").to_pylist())
    counts = {
        name: sum(file.rows for file in files[name])
        for name in ("daily_bars", *(f"bars_{n}" for n in INTERVALS))
    }
    runs = source.small("runs").sort_by([("run_id", "descending")])
    has_refused, has_summary = "refused" in files, "summary" in runs.column_names
    lacks = []
    if not has_refused:
        lacks.append("refused: the refused rows were too large to be published, or an earlier version did it")
    if not has_summary:
        lacks.append("last_run.summary: an earlier version of Condvest published this; run condvest publish")
    status = status_of(
        closed,
        [provider_as_json(entry, sessions, closed) for entry in ledger],
        {
            **counts,
            "instruments": len(source.small("instruments")),
            "refused": len(source.small("refused")) if has_refused else None,
            "changes_waiting": 0,
        },
        {
            "waiting": None,
            "rebuild": _rebuild(runs.to_pylist(), source.small("loads")["loaded_at"].to_pylist()),
            "last_run": run_as_json(_last(runs.slice(0, 1).to_pylist())),
        },
    )
    return status | {"lacks": lacks} if lacks else status


def _by_provider(ledger: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a ledger, by provider and session, as `ledger_by_provider` tells them."""
    standing = []
    for provider, group in groupby(ledger, key=itemgetter("provider")):
        rows = list(group)
        complete = [row["ordinal"] for row in rows if row["complete"]]
        standing.append(
            {
                "provider": provider,
                "first": rows[0]["ordinal"],
                "last": rows[-1]["ordinal"],
                "through": complete[-1] if complete else None,
                "complete": len(complete),
                "partial": len(rows) - len(complete),
            }
        )
    return standing


def _last(newest: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the newest run as `last_run` tells it."""
    if not newest:
        return None
    (run,) = newest
    names = ("command", "started_at", "finished_at", "exit_code")
    summary = run.get("summary")
    return {name: run[name] for name in names} | {"summary": summary and json.loads(summary)}


def _rebuild(runs: Sequence[Mapping[str, Any]], loaded_at: Sequence[dt.datetime]) -> dict[str, Any] | None:
    """Return the last rebuild of runs, the newest first, as `unfinished_rebuild` finds it in the database."""
    counted = [run for run in runs if run["command"] == "rebuild" and run["exit_code"] != WRONG_USAGE]
    if not counted or counted[0]["exit_code"] in (DONE, NEEDS_ATTENTION):
        return None
    last = counted[0]
    later = [run["command"] for run in runs if run["run_id"] > last["run_id"]]
    is_mixed = any(re.search(LOADING_COMMANDS, each) and each != "rebuild" for each in later)
    if not any(not is_mixed or instant < last["started_at"] for instant in loaded_at):
        return None
    return rebuild_as_json(UnfinishedRebuild(last["started_at"], is_mixed))
