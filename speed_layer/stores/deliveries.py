"""The table ``alert_deliveries``: the outbox, written in the transactions of the events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import records
from condvest.batch_layer.database.stores.alert_events import events_of

LEASE = 150
"""Seconds in which nobody else takes what a deliverer took; if it was killed, it is sent again then."""

PER_WEBHOOK = 10
"""Deliveries taken of one webhook at once."""


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one webhook.

    Attributes:
        event: as `events_of` reads them.
        attempts: how many there have been, this one included.
    """

    webhook_id: int
    url: str
    secret: str
    event: dict[str, Any]
    attempts: int


def take_due(connection: Connection) -> list[Delivery]:
    """Take what is due, oldest event first, and lease it; others pass over what is taken."""
    taken = records(
        connection,
        "WITH due AS (SELECT event_id, webhook_id, "
        "row_number() OVER (PARTITION BY webhook_id ORDER BY event_id) AS nth "
        "FROM alert_deliveries WHERE next_at <= clock_timestamp()), "
        "chosen AS (SELECT event_id, webhook_id FROM alert_deliveries JOIN due USING (event_id, webhook_id) "
        "WHERE nth <= %s AND next_at <= clock_timestamp() "
        "ORDER BY event_id, webhook_id FOR UPDATE OF alert_deliveries SKIP LOCKED) "
        "UPDATE alert_deliveries AS own SET attempts = attempts + 1, "
        "next_at = clock_timestamp() + make_interval(secs => %s) FROM chosen, alert_webhooks AS hooks "
        "WHERE own.event_id = chosen.event_id AND own.webhook_id = chosen.webhook_id "
        "AND hooks.webhook_id = own.webhook_id "
        "RETURNING own.event_id, own.webhook_id, url, secret, attempts",
        (PER_WEBHOOK, LEASE),
    )
    events = events_of(connection, [row["event_id"] for row in taken])
    return [
        Delivery(row["webhook_id"], row["url"], row["secret"], events[row["event_id"]], row["attempts"])
        for row in sorted(taken, key=lambda row: row["event_id"])
    ]


def note_delivered(connection: Connection, delivery: Delivery) -> None:
    """Note that an event has been taken."""
    connection.execute(
        "UPDATE alert_deliveries SET delivered_at = clock_timestamp(), next_at = NULL, last_error = NULL "
        "WHERE event_id = %s AND webhook_id = %s AND delivered_at IS NULL",
        (delivery.event["event_id"], delivery.webhook_id),
    )


def note_failed(connection: Connection, delivery: Delivery, error: str, wait: float | None) -> None:
    """Note why an event has not been taken, and when it is sent again; never if ``wait`` is None."""
    connection.execute(
        "UPDATE alert_deliveries SET last_error = %s, "
        "next_at = clock_timestamp() + make_interval(secs => %s) "
        "WHERE event_id = %s AND webhook_id = %s AND delivered_at IS NULL AND next_at IS NOT NULL",
        (error.replace("\0", " ")[:500], wait, delivery.event["event_id"], delivery.webhook_id),
    )


def give_back(connection: Connection, delivery: Delivery, wait: float) -> None:
    """Give back what was taken and not sent, since the webhook had failed to take an earlier event."""
    connection.execute(
        "UPDATE alert_deliveries SET attempts = attempts - 1, "
        "next_at = clock_timestamp() + make_interval(secs => %s) "
        "WHERE event_id = %s AND webhook_id = %s AND delivered_at IS NULL AND next_at IS NOT NULL",
        (wait, delivery.event["event_id"], delivery.webhook_id),
    )
