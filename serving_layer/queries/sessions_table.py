"""The exchange's sessions as a table."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.models.sessions import Sessions
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
