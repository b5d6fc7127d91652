"""A rate limit that all processes of one machine keep together, through a file.

The file holds little-endian float64: the instant until which nobody may call, then the instants of the
latest calls, all in seconds since the epoch. It is read and rewritten under an exclusive lock of the
operating system, which ends with its process, so a killed process leaves nothing locked. A file that
cannot be read, or whose instants lie in the future because the clock was set back, costs one window of
waiting and no more.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.utils.ownership import give, make_folder

LONGEST_PUSH = 600.0
"""Nobody is kept waiting longer than these seconds, whatever a vendor or a damaged file says."""

_NUMBER_BYTES = 8


@dataclass(frozen=True)
class Rate:
    """At most ``calls`` calls in any ``seconds`` seconds."""

    calls: int
    seconds: float


class RateLimit:
    """Lets calls pass at a rate, for all who name the same file.

    Windows slide: whatever span of ``rate.seconds`` is looked at, it holds no more than ``rate.calls``
    calls.
    """

    def __init__(
        self,
        path: Path,
        rate: Rate,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name the file; it and its directory are made when first needed.

        Args:
            path: the file.
            rate: the limit.
            clock: seconds since the epoch, the same for all processes.
            sleep: waits for so many seconds.
        """
        self._path = path
        self.rate = rate
        self._clock = clock
        self._sleep = sleep

    @classmethod
    def for_key(cls, directory: Path, key: str, rate: Rate) -> RateLimit:
        """Return the limit of an API key: its file is named by a digest that does not give the key away."""
        return cls(directory / hashlib.sha256(b"condvest rate limit\0" + key.encode()).hexdigest()[:16], rate)

    def acquire(self) -> None:
        """Wait until a call may be made, and count it as made.

        Raises:
            SettingsError: the file cannot be written; the message names it.
        """
        while True:
            with self._state() as state:
                now = self._clock()
                wait = state.free_at(now) - now
                if wait <= 0:
                    state.add(now)
                    return
            self._sleep(wait)

    def push(self, seconds: float | None = None) -> None:
        """Let nobody call for so many seconds, because the vendor said so; one window if it did not say."""
        with self._state() as state:
            wait = min(self.rate.seconds if seconds is None else seconds, LONGEST_PUSH)
            state.blocked_until = max(state.blocked_until, self._clock() + wait)

    def seconds_until_made(self, calls: int) -> float:
        """Return after how many seconds the last of so many further calls may be made, 0 for none.

        That holds if nobody else uses the limit meanwhile and a call takes no time.
        """
        if calls <= 0:
            return 0.0
        with self._state() as state:
            now = self._clock()
            windows, further = divmod(calls - 1, self.rate.calls)
            return max(0.0, state.free_at(now, further) - now) + windows * self.rate.seconds

    @contextmanager
    def _state(self) -> Iterator[_State]:
        try:
            make_folder(self._path.parent)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            give(handle, self._path.parent)
        except OSError as error:
            raise SettingsError(
                f"cannot write the rate limit's file {self._path}: {error.strerror}; "
                "point CONDVEST_HOME at a directory that can be written"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            state = _State.read(os.pread(handle, 1 << 20, 0), self.rate, self._clock())
            yield state
            content = state.packed()
            os.pwrite(handle, content, 0)
            os.ftruncate(handle, len(content))
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)  # also for a process that was forked meanwhile
            os.close(handle)


@dataclass
class _State:
    """What the file holds.

    Attributes:
        blocked_until: nobody may call before this instant.
        times: instants of the latest ``rate.calls`` calls at most, ascending.
    """

    rate: Rate
    blocked_until: float
    times: list[float]

    @classmethod
    def read(cls, content: bytes, rate: Rate, now: float) -> _State:
        """Read the file; nothing in it lies in the future but a block of bounded length."""
        if not content:
            return cls(rate, 0.0, [])
        whole = len(content) - len(content) % _NUMBER_BYTES
        numbers = struct.unpack(f"<{whole // _NUMBER_BYTES}d", content[:whole])
        if whole != len(content) or not all(map(math.isfinite, numbers)):
            return cls(rate, 0.0, [now] * rate.calls)  # unreadable: as if the window had just been used up
        blocked_until = numbers[0] if numbers[0] <= now + LONGEST_PUSH else now + rate.seconds
        times = sorted(min(instant, now) for instant in numbers[1:])
        return cls(rate, blocked_until, times[-rate.calls :])

    def free_at(self, now: float, further: int = 0) -> float:
        """Return when the next call may be made, or the one ``further`` calls after it (below rate.calls)."""
        earlier = len(self.times) - self.rate.calls + further
        after = self.times[earlier] + self.rate.seconds if earlier >= 0 else 0.0
        return max(now, self.blocked_until, after)

    def add(self, now: float) -> None:
        """Count a call."""
        self.times = sorted([*self.times, now])[-self.rate.calls :]

    def packed(self) -> bytes:
        """Return the state as the file holds it."""
        return struct.pack(f"<{1 + len(self.times)}d", self.blocked_until, *self.times)
