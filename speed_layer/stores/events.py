"""The table ``alert_events``, as rules and verdicts write it, and the outbox of what is to be sent of it.

An event, what is to be delivered of it, and the notice to whoever listens are one transaction.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, rows
from condvest.batch_layer.database.stores.alert_events import CHANNEL
from condvest.speed_layer.core.alerts.firing import Moment

LOCK = "condvest alerts"
"""Whoever stores events has it, so that their ids ascend in the order in which they become visible."""


@dataclass(frozen=True)
class Event:
    """An event to be stored; see the table ``alert_events``. Times in ISO format."""

    rule_id: int
    instrument_id: int
    symbol: str
    bar_window: int
    ordinal: int
    state: Literal["fired", "confirmed", "withdrawn"]
    margin: float | None
    bar_values: dict[str, float | None]
    repaint: str
    reason: str | None = None
    fired_id: int | None = None
    data_through: str | None = None
    occurrence: int = 0


@dataclass(frozen=True)
class Pending:
    """A firing without a verdict."""

    event_id: int
    rule_id: int
    instrument_id: int
    symbol: str
    bar_window: int
    occurrence: int
    repaint: str


def lock_events(connection: Connection) -> None:
    """Wait until nobody else stores events; let go at the end of the transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s), 0)", (LOCK,))


def write_events(connection: Connection, events: Sequence[Event]) -> list[int]:
    """Store events that are not stored yet, with what is to be delivered of them; return their ids.

    A firing is known by its rule, instrument, window and occurrence (which of the times it is, within the
    window, at which the rule may fire), a verdict likewise: the second of either is left out. The caller has
    the lock.
    """
    if not events:
        return []
    stored = column(
        connection,
        "WITH given AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS given (rule_id int4, "
        "instrument_id int4, symbol text, bar_window int4, ordinal int4, state text, margin float8, "
        "bar_values jsonb, repaint text, reason text, fired_id int8, data_through timestamptz, "
        "occurrence int8)), "
        "stored AS (INSERT INTO alert_events (rule_id, instrument_id, symbol, bar_window, ordinal, state, "
        "margin, bar_values, repaint, reason, fired_id, data_through, occurrence) "
        "SELECT rule_id, instrument_id, symbol, bar_window, ordinal, state, margin, bar_values, repaint, "
        "reason, fired_id, data_through, occurrence FROM given "
        "ON CONFLICT DO NOTHING RETURNING event_id, rule_id), "
        "due AS (INSERT INTO alert_deliveries (event_id, webhook_id) SELECT event_id, webhook_id FROM stored "
        "JOIN alert_webhooks USING (rule_id) JOIN alert_rules USING (rule_id) WHERE removed_at IS NULL) "
        "SELECT event_id FROM stored ORDER BY 1",
        (json.dumps([asdict(event) for event in events]).replace("\\u0000", "\\ufffd"),),
    )
    if stored:
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(stored[-1])))
    return stored


def pending(connection: Connection) -> list[Pending]:
    """Return the firings without a verdict, by id."""
    return [
        Pending(*row)
        for row in rows(
            connection,
            "SELECT event_id, rule_id, instrument_id, symbol, bar_window, occurrence, repaint "
            "FROM alert_events AS fired "
            "WHERE state = 'fired' AND NOT EXISTS (SELECT FROM alert_events AS verdict "
            "WHERE verdict.fired_id = fired.event_id) ORDER BY event_id",
        )
    ]


def last_firings(connection: Connection, of: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Moment]:
    """Return when rules last fired for instruments, by rule and instrument; of those that ever did.

    The last one is the one stored last, and not the one whose data are the newest: no firing is told twice
    because data went back.
    """
    stored = rows(
        connection,
        "SELECT DISTINCT ON (rule_id, instrument_id) rule_id, instrument_id, bar_window, ordinal, "
        "(extract(epoch FROM coalesce(data_through, created_at)) * 1000000)::int8 FROM alert_events "
        "JOIN unnest(%s::int4[], %s::int4[]) AS asked (rule_id, instrument_id) "
        "USING (rule_id, instrument_id) "
        "WHERE state = 'fired' ORDER BY rule_id, instrument_id, event_id DESC",
        ([rule_id for rule_id, _ in of], [instrument_id for _, instrument_id in of]),
    )
    return {(rule_id, instrument_id): Moment(*moment) for rule_id, instrument_id, *moment in stored}


def confirmed_near(connection: Connection, rule_id: int, first: int, last: int) -> set[tuple[int, int]]:
    """Return the instrument and session of what a ``confirmed`` rule said in sessions from first to last."""
    query = (
        "SELECT instrument_id, ordinal FROM alert_events WHERE rule_id = %s AND state = 'confirmed' "
        "AND fired_id IS NULL AND ordinal BETWEEN %s AND %s"
    )
    return {(row[0], row[1]) for row in rows(connection, query, (rule_id, first, last))}


def created_on(connection: Connection) -> dict[int, dt.datetime]:
    """Return when each rule was made."""
    query: Any = "SELECT rule_id, created_at FROM alert_rules"
    return dict(rows(connection, query))
