"""Yahoo's frames of running days, read; pure.

A frame is a JSON object whose ``message`` is a protobuf message in base64. It tells of one symbol a trade,
and perhaps the date's volume, high, low and open so far: a field that is absent and one that is 0 are the
same here, so 0 is none. Only trades of regular hours are taken; ``market_hours`` says which those are.

A price comes as a single-precision float, 24 bits. Of the decimals that are as near to it as single precision
tells, the one with the fewest places is taken, as the batch layer does: so a price in cents comes out exact
up to 131,072, one of four places up to 1,024, and a larger one as exact as Yahoo says it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from condvest.batch_layer.shared.clients.massive.faults import Faults
from condvest.batch_layer.shared.clients.yahoo.basis import rounding, shortest_decimals
from condvest.batch_layer.shared.clients.yahoo.symbols import house_symbol
from condvest.batch_layer.shared.models.bars import Floats
from condvest.speed_layer.core.minutes import MinuteMessages
from condvest.speed_layer.core.state import NEVER
from condvest.speed_layer.feeds.frames import Frames

REGULAR = 1
"""``market_hours`` of a trade of regular hours; 0 before the open, 2 after the close."""

FIELDS = (
    ("id", 1, "STRING"),
    ("price", 2, "FLOAT"),
    ("time", 3, "SINT64"),
    ("market_hours", 7, "INT32"),
    ("day_volume", 9, "SINT64"),
    ("day_high", 10, "FLOAT"),
    ("day_low", 11, "FLOAT"),
    ("open_price", 15, "FLOAT"),
)
"""Name, number and type of those fields of Yahoo's message that are read; the others are skipped."""

_SHOWN_LENGTH = 80
_LARGEST_MILLISECONDS = 2**52


def _message_class() -> Any:  # noqa: ANN401  # made at run time
    file = descriptor_pb2.FileDescriptorProto(
        name="condvest/yahoo.proto", package="condvest", syntax="proto3"
    )
    message = file.message_type.add(name="RunningDay")
    for name, number, kind in FIELDS:
        field_type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind}")
        message.field.add(name=name, number=number, type=field_type, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("condvest.RunningDay"))


_RunningDay = _message_class()


def read_messages(frames: Sequence[bytes], received: Sequence[int]) -> Frames:
    """Read frames; see `ReadFrames`. ``start`` of a message is the instant of its trade.

    ``high`` and ``low`` are those of the date where they were told, and of the trade alone where not; NaN
    where the open or the volume was not.
    """
    days: list[Any] = []
    came: list[int] = []
    unreadable: list[str] = []
    for frame, instant in zip(frames, received, strict=True):
        day = _day_in(frame, unreadable)
        if day is not None and day.market_hours == REGULAR:
            days.append(day)
            came.append(instant)
    faults = Faults()
    for row, day in enumerate(days):
        if not 0 < day.time < _LARGEST_MILLISECONDS:
            faults.note(row, f"time: {day.time} is no instant of these days")
        if not day.id:
            faults.note(row, "symbol: missing")
    price, high, low, open_ = (
        as_printed(np.array([getattr(day, name) for day in days], dtype=np.float64))
        for name in ("price", "day_high", "day_low", "open_price")
    )
    volume = np.array([day.day_volume for day in days], dtype=np.float64)
    instants = [day.time * 1000 if row not in faults else int(NEVER) for row, day in enumerate(days)]
    messages = MinuteMessages(
        symbol=np.array([house_symbol(day.id) for day in days], dtype=object),
        start=np.array(instants, dtype=np.int64),
        received=np.array(came, dtype=np.int64),
        open=price,
        high=np.fmax(high, price),
        low=np.fmin(low, price),
        close=price,
        official_open=open_,
        volume=np.where(volume == 0, np.nan, volume),
        vwap=np.full(len(days), np.nan),
    )
    return Frames(messages, faults, [], unreadable)


def as_printed(values: Floats) -> Floats:
    """Return numbers told in single precision as they were printed; NaN for 0, which is none."""
    known = np.where(values == 0, np.nan, values)
    return shortest_decimals(known, rounding(known, np.ones(len(known))))


def _day_in(frame: bytes, unreadable: list[str]) -> Any:  # noqa: ANN401  # made at run time
    """Return the message in a frame, None if there is none to be read."""
    try:
        envelope = orjson.loads(frame)
        content = envelope.get("message") if isinstance(envelope, dict) else None
        if not isinstance(content, str):
            unreadable.append(f"no object with a message: {frame[:_SHOWN_LENGTH]!r}")
            return None
        return _RunningDay.FromString(base64.b64decode(content, validate=True))
    except (orjson.JSONDecodeError, binascii.Error, DecodeError) as error:
        unreadable.append(f"not as Yahoo writes them ({error}): {frame[:_SHOWN_LENGTH]!r}")
        return None
