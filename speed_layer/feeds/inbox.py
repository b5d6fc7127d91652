"""What a collector sees of a stream: a connection, and between its thread and itself a bounded inbox."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from condvest.speed_layer.core.connecting import Ending

MOST_BYTES = 64 * 2**20
"""What waits at most; a burst of the whole market is 3 MB."""


@dataclass(frozen=True)
class Received:
    """What came since the inbox was emptied.

    Attributes:
        frames: the frames as they came; ``instants`` when each came, microseconds since 1970-01-01 UTC.
        is_open: whether the connection is subscribed.
        lost: frames that were dropped, for lack of room.
        ending: how the connection ended, None if it has not.
    """

    frames: list[bytes]
    instants: list[int]
    is_open: bool
    lost: int
    ending: Ending | None


@dataclass(eq=False)
class Inbox:
    """Takes frames of one connection from its thread; a full one drops them and counts them.

    Attributes:
        most: bytes that wait at most.
        count: frames that came so far.
        is_open: whether the connection is subscribed.
        ending: how it ended.
    """

    most: int = MOST_BYTES
    count: int = 0
    is_open: bool = False
    ending: Ending | None = None
    _frames: list[bytes] = field(default_factory=list)
    _instants: list[int] = field(default_factory=list)
    _bytes: int = 0
    _lost: int = 0
    _was_open: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, frame: bytes, received: int) -> None:
        """Add a frame, or drop it if there is no room."""
        with self._changed:
            self.count += 1
            if self._bytes + len(frame) > self.most:
                self._lost += 1
            else:
                self._frames.append(frame)
                self._instants.append(received)
                self._bytes += len(frame)
            self._changed.notify_all()

    def opened(self) -> None:
        """Say that the connection is subscribed."""
        with self._changed:
            self.is_open = True
            self._changed.notify_all()

    def ended(self, ending: Ending) -> None:
        """Say how the connection ended."""
        with self._changed:
            self.ending, self.is_open = ending, False
            self._changed.notify_all()

    def taken(self) -> Received:
        """Empty the inbox, and return what was in it."""
        with self._changed:
            received = Received(self._frames, self._instants, self.is_open, self._lost, self.ending)
            self._frames, self._instants, self._bytes, self._lost = [], [], 0, 0
            self._was_open = self.is_open
            return received

    def is_news(self) -> bool:
        """Return whether something waits to be taken; that the connection was subscribed is news as well."""
        is_changed = self.is_open != self._was_open or self.ending is not None
        return bool(self._frames) or bool(self._lost) or is_changed

    def wait(self, seconds: float) -> None:
        """Wait until something waits to be taken, or the time is over."""
        with self._changed:
            self._changed.wait_for(self.is_news, timeout=seconds)


class Connection(Protocol):
    """A connection that is being made, is open, or has ended; its inbox says which."""

    @property
    def inbox(self) -> Inbox:
        """What comes over it."""
        ...

    def abandon(self) -> None:
        """End it, without waiting for anybody."""
        ...


class StreamFeed(Protocol):
    """Where minute messages come from."""

    def open(self, now: Callable[[], int]) -> Connection:
        """Begin to connect; ``now`` tells the instant in microseconds."""
        ...
