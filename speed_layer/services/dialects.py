"""How each vendor of the session under way is understood."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from condvest.batch_layer.shared.utils.extras import from_extra
from condvest.speed_layer.core.following import Follower
from condvest.speed_layer.core.liveness import MUTE_AFTER
from condvest.speed_layer.core.phases import SECOND
from condvest.speed_layer.core.running import DayFollower
from condvest.speed_layer.core.snapshot import Snapshot
from condvest.speed_layer.feeds.frames import ReadFrames
from condvest.speed_layer.feeds.massive.massive_minutes import read_frames
from condvest.speed_layer.feeds.massive.massive_snapshot import read_snapshot

YAHOO_MUTE_AFTER = 300 * SECOND
"""A few symbols may be quiet for minutes; Yahoo's stream has been so for 25, until it was asked anew."""


@dataclass(frozen=True)
class Dialect:
    """How a vendor is understood.

    Attributes:
        read_frames: reads the frames of its stream.
        read_snapshot: reads its snapshot of a session; raises InputError.
        follower: follows a session of it.
        mute_after: how long its stream may say nothing in regular hours, microseconds.
    """

    read_frames: ReadFrames
    read_snapshot: Callable[[bytes, dt.date], Snapshot]
    follower: type[Follower] = Follower
    mute_after: int = MUTE_AFTER


def dialect_of(provider: str) -> Dialect:
    """Return how a provider is understood.

    Raises:
        MissingExtra: what it needs is not installed.
    """
    if provider != "yahoo":
        return Dialect(read_frames, read_snapshot)
    with from_extra("yahoo", "the live bars of Yahoo"):
        from condvest.speed_layer.feeds.yahoo.yahoo_messages import read_messages  # noqa: PLC0415  # an extra
        from condvest.speed_layer.feeds.yahoo.yahoo_quotes import read_quotes  # noqa: PLC0415  # an extra
    return Dialect(read_messages, read_quotes, DayFollower, YAHOO_MUTE_AFTER)
