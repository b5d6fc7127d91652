"""The runs of commands, and the loads, as tables."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.stores.loading.listed_loads import listed_loads
from condvest.batch_layer.database.stores.status import RECORDED, runs_with_outcome
from condvest.batch_layer.shared.utils.naming import unknown_name

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

_LOADS = pa.schema(
    [
        ("load_id", pa.int32()),
        ("provider", pa.string()),
        ("dataset", pa.string()),
        ("name", pa.string()),
        ("archive_key", pa.string()),
        ("loaded_at", pa.timestamp("us", "UTC")),
        ("rows", pa.int32()),
        ("inserted", pa.int32()),
        ("changed", pa.int32()),
        ("withdrawn", pa.int32()),
        ("refused", pa.int32()),
        ("taken_back_by", pa.int32()),
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


def check_command(text: str) -> None:
    """Check what the commands begin with whose runs are asked for, such as ``run`` or ``run --provider``.

    Raises:
        UnknownName: no command whose runs are recorded does.
    """
    if not any(name.startswith(text) or text.startswith(f"{name} ") for name in RECORDED):
        raise unknown_name("command whose runs are recorded", text, RECORDED, "command")


def read_loads(opened: OpenDatabase, most: int) -> pa.Table:
    """Return the newest loads, the newest first, at most ``most``.

    Columns: load_id (int32), provider, dataset, name and archive_key (string), loaded_at (timestamp, UTC),
    rows, inserted, changed, withdrawn and refused (int32, numbers of rows), taken_back_by (int32, the load by
    which it was taken back; null if it counts).
    """
    with opened.database.transaction(read_only=True) as connection:
        listed = listed_loads(connection, most=most)
    return pa.Table.from_pylist([vars(load) for load in listed], schema=_LOADS)
