"""Every state that daily bars were known in."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.stores.daily.daily_bars import states_of_bars
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.spans import Spans, always
from condvest.batch_layer.shared.published.tables import to_numpy
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.sources.database import DatabaseSource

if TYPE_CHECKING:
    from condvest.serving_layer.sources.published import PublishedSource

_FLOATS = ("open", "high", "low", "close", "volume", "vwap")

_HISTORY = pa.schema(
    [
        ("known_from", pa.timestamp("us", "UTC")),
        ("known_to", pa.timestamp("us", "UTC")),
        *((name, pa.float64()) for name in _FLOATS),
        ("trades", pa.int64()),
        *((name, pa.string()) for name in ("provider", "name", "archive_key", "ended_by")),
    ]
)


def read_history(opened: OpenDatabase, symbol: str, session: dt.date | None) -> pa.Table:
    """Return every state that the daily bars of a symbol, or of a label (``X#12``), were known in.

    They are ordered by session and instant.

    Columns: session (date32), known_from, known_to (timestamp, UTC; null for what is known now), open, high,
    low, close (float64, as traded), volume (float64, shares), vwap, trades, provider, name (of the payload),
    archive_key, ended_by (the payload that superseded it).

    Raises:
        UnknownSymbol: no instrument with bars carries or carried the symbol.
        NotASession: the exchange held no session on that date.
    """
    sessions = opened.sessions  # read before: not within a transaction
    ordinal = sessions.ordinal(session) if session else None
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        # By all that was ever known: whose rows were taken back, too.
        _, ids = select(DatabaseSource(connection, sessions, known_by=0), [symbol])
        states = states_of_bars(connection, int(ids[0]), ordinal)
    dates = sessions.dates_of(np.array([state.pop("ordinal") for state in states], dtype=np.int32))
    table = pa.Table.from_pylist(states, schema=_HISTORY)
    return table.add_column(0, "session", pa.array(dates, pa.date32()))


def published_history(source: PublishedSource, symbol: str, session: dt.date | None) -> pa.Table:
    """Return the same of a published data set; raises as `read_history`.

    Raises:
        UsageError: an earlier version of Condvest published it, without history.
    """
    # Imported here: who reads from the database does not need what reads Parquet.
    from condvest.serving_layer.sources import published_past  # noqa: PLC0415

    published_past.check_history(source)
    ordinal = source.sessions.ordinal(session) if session else None
    _, ids = select(published_past.PublishedPast(source, EVERY_LOAD), [symbol])
    spans = always(ids) if ordinal is None else Spans.within(ids, ordinal, ordinal)
    states = published_past.states_of_bars(source, spans)
    loads = source.small("loads")
    came = loads.take(pa.array(np.searchsorted(to_numpy(loads["load_id"]), states["load_id"])))
    known_now = states["superseded_by"] == EVERY_LOAD
    at = np.searchsorted(to_numpy(loads["load_id"]), states["superseded_by"])
    gone = loads.take(pa.array(at, mask=known_now))
    columns = {
        **{name: pa.array(states[name], mask=np.isnan(states[name])) for name in _FLOATS},
        "trades": pa.array(states["trades"], mask=states["trades"] == UNKNOWN_TRADES),
        "known_from": came["loaded_at"],
        "known_to": gone["loaded_at"],
        "provider": came["provider"],
        "name": came["name"],
        "archive_key": came["archive_key"],
        "ended_by": gone["name"],
    }
    table = pa.table([columns[name] for name in _HISTORY.names], schema=_HISTORY)
    return table.add_column(0, "session", pa.array(source.sessions.dates_of(states["ordinal"]), pa.date32()))
