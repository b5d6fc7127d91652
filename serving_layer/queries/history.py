"""Every state that daily bars were known in."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.stores.daily_bars import states_of_bars
from batch_layer.database.stores.symbols import symbols_by_instrument
from serving_layer.queries.selection import instruments_asked_for

_HISTORY = pa.schema(
    [
        ("known_from", pa.timestamp("us", "UTC")),
        ("known_to", pa.timestamp("us", "UTC")),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "vwap")),
        ("trades", pa.int64()),
        *((name, pa.string()) for name in ("provider", "name", "archive_key", "ended_by")),
    ]
)


def read_history(opened: OpenDatabase, symbol: str, session: dt.date | None) -> pa.Table:
    """Return every state that the daily bars of a symbol were known in, by session and instant.

    Columns: session (date32), known_from, known_to (timestamp, UTC; null for what is known now), open, high,
    low, close (float64, as traded), volume (float64, shares), vwap, trades, provider, name (of the payload),
    archive_key, ended_by (the payload that superseded it).

    Raises:
        UnknownSymbol: no instrument with bars carries or carried the symbol.
        NotASession: the exchange held no session on that date.
    """
    ordinal = opened.sessions.ordinal(session) if session else None
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        names = symbols_by_instrument(connection)
        ids = instruments_asked_for(connection, [symbol], names)
        states = states_of_bars(connection, int(ids[0]), ordinal)
    dates = opened.sessions.dates_of(np.array([state.pop("ordinal") for state in states], dtype=np.int32))
    table = pa.Table.from_pylist(states, schema=_HISTORY)
    return table.add_column(0, "session", pa.array(dates, pa.date32()))
