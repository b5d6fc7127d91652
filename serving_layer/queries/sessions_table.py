"""The exchange's sessions as a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.utils.naming import unknown_name
from condvest.serving_layer.queries.bars.question import check_bounds

_UTC = pa.timestamp("s", "UTC")


def sessions_table(sessions: Sessions, start: dt.date | None, end: dt.date | None) -> pa.Table:
    """Return the sessions from ``start`` to ``end`` (both inclusive, None for no bound), ascending.

    Columns: ordinal (int32), session (date32), opens_at and closes_at (timestamp in seconds, UTC),
    early_close (bool).

    Raises:
        UsageError: ``start`` lies after ``end``.
    """
    check_bounds(start, end)
    within = np.ones(len(sessions), dtype=bool)
    if start is not None:
        within &= sessions.date >= np.datetime64(start)
    if end is not None:
        within &= sessions.date <= np.datetime64(end)
    ordinal = np.arange(len(sessions), dtype=np.int32) + np.int32(sessions.first_ordinal)
    return pa.table(
        {
            "ordinal": ordinal[within],
            "session": pa.array(sessions.date[within], pa.date32()),
            "opens_at": pa.array(sessions.opens_at[within]).cast(_UTC),
            "closes_at": pa.array(sessions.closes_at[within]).cast(_UTC),
            "early_close": sessions.early_close[within],
        }
    )


def with_status(
    sessions: Sessions,
    start: dt.date | None,
    end: dt.date | None,
    ledger: Sequence[Mapping[str, Any]],
    provider: str,
) -> pa.Table:
    """Return the same with one column more, status: what of each session was loaded from a provider.

    It is complete, partial, or missing between the first and the last session that were; null elsewhere.

    Args:
        sessions: the calendar.
        start: the first session, inclusive; None for no bound.
        end: the last one, inclusive; None for no bound.
        ledger: rows with provider, ordinal and complete; see `ledger_rows`.
        provider: whose.

    Raises:
        UnknownName: nothing has been loaded from the provider.
        UsageError: ``start`` lies after ``end``.
    """
    table = sessions_table(sessions, start, end)
    known = {row["provider"] for row in ledger}
    if provider not in known:
        raise unknown_name("provider from whom something was loaded", provider, known, "provider")
    standing = {
        row["ordinal"]: "complete" if row["complete"] else "partial"
        for row in ledger
        if row["provider"] == provider
    }
    first, last = min(standing), max(standing)
    status = [
        standing.get(ordinal, "missing") if first <= ordinal <= last else None
        for ordinal in table["ordinal"].to_pylist()
    ]
    return table.append_column("status", pa.array(status, pa.string()))
