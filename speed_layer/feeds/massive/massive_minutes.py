"""Massive's frames of minute messages (``AM``), read; pure.

A frame is a JSON array of events: minutes, statuses, and whatever else was subscribed to. A bar of a minute
without a trade that sets a price does not come, so volume and vwap are taken of the date (``dav`` or ``av``,
``a``), never of the minute. ``op``, the official open, is 0 or absent before the open. Minutes of the
over-the-counter market (``otc``) are left out, as the batch layer leaves out its daily bars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from condvest.batch_layer.shared.clients.massive import columns
from condvest.batch_layer.shared.clients.massive.faults import Faults, shown
from condvest.batch_layer.shared.models.bars import Floats, Int64s
from condvest.speed_layer.core.minutes import MinuteMessages
from condvest.speed_layer.core.state import MINUTE, NEVER
from condvest.speed_layer.feeds.frames import Frames, Status
from condvest.speed_layer.feeds.massive.massive_values import instants, micros, volumes

if TYPE_CHECKING:
    from condvest.speed_layer.feeds.massive.massive_typed import PlainMinutes

_PRICES = {"open": "o", "high": "h", "low": "l", "close": "c"}
_SHOWN_LENGTH = 80


def read_frames(frames: Sequence[bytes], received: Sequence[int]) -> Frames:
    """Read frames.

    Args:
        frames: as they came.
        received: when each came, microseconds since 1970-01-01 UTC.
    """
    read = _Reading(_typed())
    for frame in frames:
        read.add(frame)
    instant = np.repeat(np.asarray(received, dtype=np.int64), read.counts)
    parts, faults, row = [], Faults(), 0
    for run in read.runs or [_Run()]:
        own, rows = Faults(), slice(row, row + run.count)
        if run.plain is None:
            parts.append(_of_objects(run.objects, instant[rows], own))
        else:
            parts.append(_of_plain(run.plain, instant[rows], own))
        faults |= {row + at: text for at, text in own.items()}
        row += run.count
    messages = parts[0] if len(parts) == 1 else MinuteMessages.concat(parts)
    return Frames(messages, faults, read.statuses, read.unreadable)


def read_volumes(frames: Sequence[bytes]) -> tuple[Floats, Floats]:
    """Return the minutes' own volume and vwap, NaN where unknown; row by row as `read_frames` does."""
    read = _Reading()
    for frame in frames:
        read.add(frame)
    rows = [row for run in read.runs for row in run.objects]
    own = volumes(columns.values_of(rows, "v"), columns.values_of(rows, "dv"), Faults())
    return columns.numbers(own, "v", Faults()), _positive(rows, "vw")


@cache
def _typed() -> type[PlainMinutes] | None:
    """Return what reads plain frames quickly; None where the extra ``stream`` is not installed."""
    try:
        from condvest.speed_layer.feeds.massive.massive_typed import PlainMinutes  # noqa: PLC0415  # as the docstring says
    except ImportError:
        return None
    return PlainMinutes


@dataclass(eq=False)
class _Run:
    """Minutes of consecutive frames: the columns of plain ones, or the objects of others."""

    plain: PlainMinutes | None = None
    objects: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0


@dataclass(eq=False)
class _Reading:
    """Frames, read one after the other.

    Attributes:
        typed: reads plain frames; every frame is looked at closely if None.
        runs: the minutes.
        counts: how many minutes each frame has.
        statuses, unreadable: as of `Frames`.
    """

    typed: type[PlainMinutes] | None = None
    runs: list[_Run] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, frame: bytes) -> None:
        """Read a frame."""
        count = self._added_as_plain(frame)
        if count is None:
            if not self.runs or self.runs[-1].plain is not None:
                self.runs.append(_Run())
            minutes = self._minutes_of(frame)
            self.runs[-1].objects += minutes
            count = len(minutes)
        self.runs[-1].count += count
        self.counts.append(count)

    def _added_as_plain(self, frame: bytes) -> int | None:
        """Add a plain frame to the run of such ones, or to a new one, and return how many minutes it has."""
        if self.typed is None:
            return None
        if self.runs and self.runs[-1].plain is not None:
            return self.runs[-1].plain.add(frame)
        plain = self.typed()
        count = plain.add(frame)
        if count is not None:
            self.runs.append(_Run(plain))
        return count

    def _minutes_of(self, frame: bytes) -> list[dict[str, Any]]:
        minutes = []
        for event in _events(frame, self.unreadable):
            kind = event.get("ev")
            if kind == "AM" and event.get("otc") is not True:
                minutes.append(event)
            elif kind == "status":
                self.statuses.append(Status(str(event.get("status")), str(event.get("message"))[:200]))
        return minutes


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


def _of_plain(plain: PlainMinutes, received: Int64s, faults: Faults) -> MinuteMessages:
    numbers = {name: np.frombuffer(values, np.float64) for name, values in plain.numbers.items()}
    symbol = np.empty(len(plain.symbol), dtype=object)
    symbol[:] = plain.symbol
    start = micros(numbers["s"])
    _note_odd(start, lambda row: int(numbers["s"][row]), faults)
    return MinuteMessages(
        symbol=symbol,
        start=start,
        received=received,
        **{name: numbers[key] for name, key in _PRICES.items()},
        official_open=_where_positive(numbers["op"]),
        volume=np.frombuffer(plain.volume, np.float64),
        vwap=_where_positive(numbers["a"]),
    )


def _of_objects(rows: list[dict[str, Any]], received: Int64s, faults: Faults) -> MinuteMessages:
    prices = {
        name: columns.numbers(columns.values_of(rows, key), name, faults, required=True)
        for name, key in _PRICES.items()
    }
    start = instants(columns.values_of(rows, "s"), "start", faults)
    _note_odd(start, lambda row: rows[row].get("s"), faults)
    volume = volumes(columns.values_of(rows, "av"), columns.values_of(rows, "dav"), faults)
    return MinuteMessages(
        symbol=columns.texts(columns.values_of(rows, "sym"), "symbol", faults, required=True),
        start=start,
        received=received,
        **prices,
        official_open=_positive(rows, "op"),
        volume=columns.numbers(volume, "volume", faults, required=True),
        vwap=_positive(rows, "a"),
    )


def _note_odd(start: Int64s, given: Callable[[int], object], faults: Faults) -> None:
    """Note which minutes begin at no minute."""
    for row in np.flatnonzero((start == NEVER) | (start % MINUTE != 0)).tolist():
        faults.note(row, f"start: expected the beginning of a minute, got {shown(given(row))}")


def _positive(rows: list[dict[str, Any]], key: str) -> Floats:
    """Return numbers that a message may lack: NaN where it is no price."""
    return _where_positive(columns.numbers(columns.values_of(rows, key), key, Faults()))


def _where_positive(numbers: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.where((numbers > 0) & np.isfinite(numbers), numbers, np.nan)
