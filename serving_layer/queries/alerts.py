"""What alert rules said, and the verdicts, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.stores.alert_events import check_names, newest_events

MOST = 100_000
"""Events of an answer, the newest."""

_EVENTS = pa.schema(
    [
        ("event_id", pa.int64()),
        ("state", pa.string()),
        ("rule", pa.string()),
        ("expression", pa.string()),
        ("mode", pa.string()),
        ("once", pa.string()),
        ("cooldown", pa.string()),
        ("rearm", pa.string()),
        ("symbol", pa.string()),
        ("instrument_id", pa.int32()),
        ("session", pa.date32()),
        ("sessions_left", pa.int32()),
        ("margin", pa.float64()),
        ("values", pa.string()),
        ("reason", pa.string()),
        ("repaint", pa.string()),
        ("fired_id", pa.int64()),
        ("data_through", pa.timestamp("us", "UTC")),
        ("created_at", pa.timestamp("us", "UTC")),
    ]
)


def alerts_table(opened: OpenDatabase, rule: str | None, symbols: Sequence[str] | None) -> pa.Table:
    """Return events, the newest first: of one rule, of some symbols; see the table ``alert_events``.

    The column ``values`` holds what the rule read, as text: ``close(13) = 12.1, highest(high(13), 4) =
    11.0``.

    Raises:
        UnknownName, UnknownSymbol: nobody knows the rule, or a symbol.
    """
    with opened.database.transaction(read_only=True) as connection:
        check_names(connection, rule, symbols)
        events = newest_events(connection, MOST, rule, None if symbols is None else list(symbols))
    for event in events:
        event["values"] = ", ".join(f"{text} = {value}" for text, value in event["values"].items())
    rows = [{name: event[name] for name in _EVENTS.names} for event in events]
    return pa.Table.from_pylist(rows, schema=_EVENTS)
