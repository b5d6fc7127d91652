"""When to connect to a stream again, and what the end of a connection means; pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from condvest.speed_layer.core.phases import SECOND

Meaning = Literal["refused", "unplanned", "capped", "lost"]
"""``refused``: the key is wrong, for good. ``unplanned``: the plan has no stream, or not this one.
``capped``: another program uses the key's only connection. ``lost``: anything that may pass."""

FIRST, LONGEST = 1 * SECOND, 60 * SECOND
"""The bounds of the wait before a lost connection is made again; it doubles each time."""

COOL_DOWN, LONGEST_COOL_DOWN = 60 * SECOND, 900 * SECOND
"""The same for one that the vendor closed because of another; at once would be a loop, since it closes a
connection only after it has acknowledged all of the handshake."""

PROVEN_AFTER = 60 * SECOND
"""A connection that has given data for as long was good, so the waits begin anew after it; an
acknowledged handshake proves nothing."""

MAX_CONNECTIONS = "max_connections"
_POLICY = 1008


@dataclass(frozen=True)
class Ending:
    """How a connection ended: what that means, the reason in short, as in ``live_gaps``, and a sentence."""

    meaning: Meaning
    reason: str
    words: str


def of_status(status: str, message: str) -> Ending | None:
    """Return how a status event ends a connection; None if it does not.

    Massive calls a plan without a stream a failed authentication; its words tell them apart.
    """
    if status == "auth_failed":
        if "plan" in message.lower():
            return Ending("unplanned", "plan", message)
        return Ending("refused", status, message)
    if status == "auth_timeout":
        return Ending("lost", status, message)
    if status == MAX_CONNECTIONS:
        return Ending("capped", status, message)
    if status == "error" and "not authorized" in message.lower():
        return Ending("unplanned", "plan", message)
    return None


def of_close(code: int, words: str, last_status: Ending | None) -> Ending:
    """Return how a closed connection ended.

    Args:
        code: of the closing, 1006 if there was none; 1000 is an outage as well: the day is not over.
        words: the reason given.
        last_status: what a status event before it meant.
    """
    if last_status is not None:
        return last_status
    if code == _POLICY:
        return Ending("capped", MAX_CONNECTIONS, words or "closed for a breach of policy (1008)")
    return Ending("lost", f"closed {code}", f"the connection was closed with {code} {words}".strip())


def said_of(ending: Ending, wait: int) -> str:
    """Return in words how a connection ended, and what comes now.

    Args:
        ending: how it ended.
        wait: microseconds until the next try.
    """
    if ending.meaning == "unplanned":
        return f"this plan has no stream ({ending.words}); snapshots are polled instead"
    again = f"snapshots are polled meanwhile, and the next try is in {wait / SECOND:.0f} s"
    if ending.meaning == "capped":
        return (
            f"another program uses this key's only connection to the stream ({ending.words}); {again}. Stop "
            "it, or give it a key of its own"
        )
    return f"{ending.words}; {again}"


@dataclass
class Redial:
    """How long to wait before the next connection.

    Attributes:
        jitter: a factor around 1, drawn for each wait: the clients of one outage must not come back together.
    """

    jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2)  # noqa: S311  # no secret
    _lost: int = 0
    _capped: int = 0

    def wait(self, ending: Ending, data_for: int) -> int:
        """Return the microseconds to wait after a connection that gave data for so many."""
        if data_for >= PROVEN_AFTER:
            self._lost = self._capped = 0
        if ending.meaning == "capped":
            self._capped += 1
            wait = min(COOL_DOWN << min(self._capped - 1, 10), LONGEST_COOL_DOWN)
        else:
            self._lost += 1
            wait = min(FIRST << min(self._lost - 1, 10), LONGEST)
        return round(wait * self.jitter())
