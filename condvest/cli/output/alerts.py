"""Alert rules and their events as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from condvest.speed_layer.core.alerts.rules import Rule
from condvest.speed_layer.webhooks.addresses import shown_url

_RULES = pa.schema(
    [
        ("rule", pa.string()),
        ("expression", pa.string()),
        ("mode", pa.string()),
        ("fired", pa.int64()),
        ("confirmed", pa.int64()),
        ("withdrawn", pa.int64()),
        ("repaint", pa.string()),
        ("fires", pa.string()),
        ("once", pa.string()),
        ("cooldown", pa.string()),
        ("rearm", pa.string()),
        ("symbols", pa.string()),
        ("webhooks", pa.string()),
        ("waiting", pa.int64()),
        ("created_at", pa.timestamp("us", "UTC")),
    ]
)
_EVENTS = pa.schema(
    [
        ("event_id", pa.int64()),
        ("session", pa.date32()),
        ("sessions_left", pa.int32()),
        ("symbol", pa.string()),
        ("rule", pa.string()),
        ("state", pa.string()),
        ("margin", pa.float64()),
        ("repaint", pa.string()),
        ("values", pa.string()),
        ("reason", pa.string()),
        ("fired_id", pa.int64()),
        ("data_through", pa.timestamp("us", "UTC")),
        ("created_at", pa.timestamp("us", "UTC")),
    ]
)


def rules_table(rules: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rules as `listed_rules` reads them; of their webhooks only the hosts are shown."""
    return _table(
        [
            {
                **row,
                "rule": row["name"],
                "repaint": Rule(0, row["name"], row["expression"]).repaint,
                "symbols": ",".join(row["symbols"] or ()) or None,
                "webhooks": " ".join(map(shown_url, row["webhooks"])) or None,
            }
            for row in rules
        ],
        _RULES,
    )


def events_table(events: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return events as `newest_events` reads them, what the rule read as text."""
    return _table(
        [
            {**row, "values": ", ".join(f"{text} = {value}" for text, value in row["values"].items())}
            for row in events
        ],
        _EVENTS,
    )


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in rows], schema=schema)
