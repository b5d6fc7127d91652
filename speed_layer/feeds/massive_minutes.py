"""Massive's frames of minute messages (``AM``), read; pure.

A frame is a JSON array of events: minutes, statuses, and whatever else was subscribed to. A bar of a minute
without a trade that sets a price does not come, so volume and vwap are taken of the date (``dav`` or ``av``,
``a``), never of the minute. ``op``, the official open, is 0 or absent before the open. Minutes of the
over-the-counter market (``otc``) are left out, as the batch layer leaves out its daily bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from batch_layer.shared.clients.massive import columns
from batch_layer.shared.clients.massive.columns import Faults
from batch_layer.shared.models.bars import Floats
from speed_layer.core.minutes import MinuteMessages
from speed_layer.core.state import MINUTE, NEVER
from speed_layer.feeds.frames import Frames, Status
from speed_layer.feeds.massive_values import instants, volumes

_PRICES = {"open": "o", "high": "h", "low": "l", "close": "c"}
_SHOWN_LENGTH = 80


def read_frames(frames: Sequence[bytes], received: Sequence[int]) -> Frames:
    """Read frames.

    Args:
        frames: as they came.
        received: when each came, microseconds since 1970-01-01 UTC.
    """
    minutes, counts, statuses, unreadable = _sorted_out(frames)
    faults = Faults()
    return Frames(_messages(minutes, np.repeat(received, counts), faults), faults, statuses, unreadable)


def read_volumes(frames: Sequence[bytes]) -> tuple[Floats, Floats]:
    """Return the minutes' own volume and vwap, NaN where unknown; row by row as `read_frames` does."""
    minutes, _, _, _ = _sorted_out(frames)
    return columns.numbers(volumes(minutes, "v", "dv", Faults()), "v", Faults()), _positive(minutes, "vw")


def _sorted_out(
    frames: Sequence[bytes],
) -> tuple[list[dict[str, Any]], list[int], list[Status], list[str]]:
    """Return the minutes, how many of them are of each frame, the statuses, and what cannot be read."""
    minutes: list[dict[str, Any]] = []
    counts: list[int] = []
    statuses: list[Status] = []
    unreadable: list[str] = []
    for frame in frames:
        before = len(minutes)
        for event in _events(frame, unreadable):
            kind = event.get("ev")
            if kind == "AM" and event.get("otc") is not True:
                minutes.append(event)
            elif kind == "status":
                statuses.append(Status(str(event.get("status")), str(event.get("message"))[:200]))
        counts.append(len(minutes) - before)
    return minutes, counts, statuses, unreadable


def _events(frame: bytes, unreadable: list[str]) -> list[dict[str, Any]]:
    try:
        events = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        unreadable.append(f"no JSON ({error}): {frame[:_SHOWN_LENGTH]!r}")
        return []
    if not isinstance(events, list):
        unreadable.append(f"no array: {frame[:_SHOWN_LENGTH]!r}")
        return []
    objects = [event for event in events if isinstance(event, dict)]
    if len(objects) < len(events):
        unreadable.append(f"an array of more than objects: {frame[:_SHOWN_LENGTH]!r}")
    return objects


def _messages(rows: list[dict[str, Any]], received: Any, faults: Faults) -> MinuteMessages:  # noqa: ANN401  # an array
    prices = {
        name: columns.numbers(columns.values_of(rows, key), name, faults, required=True)
        for name, key in _PRICES.items()
    }
    start = instants(columns.values_of(rows, "s"), "start", faults)
    for row in np.flatnonzero((start == NEVER) | (start % MINUTE != 0)).tolist():
        faults.note(
            row, f"start: expected the beginning of a minute, got {columns.shown(rows[row].get('s'))}"
        )
    return MinuteMessages(
        symbol=columns.texts(columns.values_of(rows, "sym"), "symbol", faults, required=True),
        start=start,
        received=np.asarray(received, dtype=np.int64),
        **prices,
        official_open=_positive(rows, "op"),
        volume=columns.numbers(volumes(rows, "av", "dav", faults), "volume", faults, required=True),
        vwap=_positive(rows, "a"),
    )


def _positive(rows: list[dict[str, Any]], key: str) -> Floats:
    """Return numbers that a message may lack: NaN where it is no price."""
    numbers = columns.numbers(columns.values_of(rows, key), key, Faults())
    with np.errstate(invalid="ignore"):
        return np.where((numbers > 0) & np.isfinite(numbers), numbers, np.nan)
