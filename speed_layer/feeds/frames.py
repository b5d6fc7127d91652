"""What the frames of a stream held, whoever sent them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from condvest.batch_layer.shared.clients.massive.faults import Faults
from condvest.speed_layer.core.minutes import MinuteMessages


@dataclass(frozen=True)
class Status:
    """A status event: ``connected``, ``auth_success``, ``max_connections`` ...; and the vendor's words."""

    status: str
    message: str


@dataclass(frozen=True, eq=False)
class Frames:
    """What frames held.

    Attributes:
        messages: the minutes, or what stands for them, in the order in which they came.
        faults: what could not be read of them, by row.
        statuses: the statuses, in their order.
        unreadable: of each frame that was none of the vendor's, what it was.
    """

    messages: MinuteMessages
    faults: Faults
    statuses: list[Status]
    unreadable: list[str]


ReadFrames = Callable[[Sequence[bytes], Sequence[int]], Frames]
"""Reads frames, as they came, with when each came (microseconds since 1970-01-01 UTC)."""
