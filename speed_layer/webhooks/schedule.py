"""When an event that could not be delivered is sent again; pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

SCHEDULE = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 21600)
"""Seconds from one attempt to the next: most of a day together. After the last one an event is given up."""

LONGEST_WAIT = 21600
"""Seconds that a receiver may ask for."""


def wait_after(attempts: int, asked: float | None, jitter: float) -> float | None:
    """Return the seconds until the next attempt, None if there is none.

    Args:
        attempts: how many there were.
        asked: what the receiver asks for; it counts where it is longer.
        jitter: 0 to 1: up to a tenth is added, so that what failed together does not come together.
    """
    if attempts > len(SCHEDULE):
        return None
    return max(SCHEDULE[attempts - 1] * (1 + jitter / 10), min(asked or 0.0, LONGEST_WAIT))


def message_of(event: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the id and the body of an event as it is sent: the same in each attempt."""
    body = {"type": f"alert.{event['state']}", "timestamp": event["created_at"], "data": event}
    return f"evt_{event['event_id']}", json.dumps(body, default=_text, separators=(",", ":")).encode()


def _text(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
