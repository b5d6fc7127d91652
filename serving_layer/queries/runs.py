"""The runs of commands as a table."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.stores.status import runs_with_outcome

_RUNS = pa.schema(
    [
        ("run_id", pa.int32()),
        ("command", pa.string()),
        ("started_at", pa.timestamp("s", "UTC")),
        ("finished_at", pa.timestamp("s", "UTC")),
        ("seconds", pa.int64()),
        ("exit_code", pa.int16()),
        ("inserted", pa.int64()),
        ("changed", pa.int64()),
        ("failure", pa.string()),
    ]
)


def read_runs(opened: OpenDatabase, most: int) -> pa.Table:
    """Return the newest runs of commands, the newest first, at most ``most``.

    Columns: run_id (int32), command (string), started_at and finished_at (timestamp in seconds, UTC; null
    while it runs, or if it was killed), seconds (int64, how long it took), exit_code (int16), inserted and
    changed (int64, daily bars; null where the run counts none), failure (string, why it failed; null if it
    did not).
    """
    with opened.database.transaction(read_only=True) as connection:
        rows = runs_with_outcome(connection, most)
    for row in rows:
        row["seconds"] = _seconds(row["started_at"], row["finished_at"])
        for name in ("started_at", "finished_at"):
            row[name] = row[name] and row[name].replace(microsecond=0)
    return pa.Table.from_pylist(rows, schema=_RUNS)


def _seconds(began: dt.datetime, ended: dt.datetime | None) -> int | None:
    return None if ended is None else round((ended - began).total_seconds())
