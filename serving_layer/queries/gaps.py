"""The sessions that instruments lack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.postgres.revisioned import DAILY_BARS
from batch_layer.database.stores.daily_bars import spans_of_bars
from batch_layer.database.stores.symbols import symbols_by_instrument
from serving_layer.queries.selection import instruments_asked_for


def read_gaps(opened: OpenDatabase, symbols: Sequence[str]) -> pa.Table:
    """Return the sessions that instruments lack between their first and last daily bar.

    Columns: symbol, session (date32); by symbol and session.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    labels: list[str] = []
    lacking: list[Any] = []
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        names = symbols_by_instrument(connection)
        ids = instruments_asked_for(connection, list(symbols) or None, names)
        spans = spans_of_bars(connection, ids)
        daily = DAILY_BARS.read(connection, spans)
    for instrument_id in sorted(spans.instrument_id.tolist(), key=names.__getitem__):
        held = daily.ordinal[np.searchsorted(daily.instrument_id, instrument_id) :][
            : int(np.count_nonzero(daily.instrument_id == instrument_id))
        ]
        absent = np.setdiff1d(np.arange(held[0], held[-1] + 1), held)
        labels.extend([names[instrument_id]] * len(absent))
        lacking.extend(opened.sessions.dates_of(absent).tolist())
    return pa.table({"symbol": pa.array(labels, pa.string()), "session": pa.array(lacking, pa.date32())})
