"""The runs of commands, as a table."""

from __future__ import annotations

import pyarrow as pa

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.stores.status import recent_runs

_RUNS = pa.schema(
    [
        ("run_id", pa.int32()),
        ("command", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        ("finished_at", pa.timestamp("us", "UTC")),
        ("exit_code", pa.int32()),
    ]
)


def runs_table(opened: OpenDatabase, begins: str) -> pa.Table:
    """Return the runs whose command begins with a text, the newest first."""
    with opened.database.transaction(read_only=True) as connection:
        rows = recent_runs(connection, begins)
    return pa.Table.from_pylist([dict(row) for row in rows], schema=_RUNS)
