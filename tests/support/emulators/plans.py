"""What a vendor's plan allows, and the count of calls against it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """A plan of the vendor.

    Attributes:
        calls, seconds: at most so many calls in any such span.
        years: how far back bars reach; None for all there are.
        today: whether today's bars are served before the day has ended in New York.
        flat_files: whether the files can be had.
        snapshots: whether the session under way can be had.
        stream: whether minutes are sent over a websocket.
        delay: how many seconds later.
    """

    calls: int
    seconds: float
    years: int | None
    today: bool
    flat_files: bool
    snapshots: bool = True
    stream: bool = True
    delay: float = 0.0


PLANS = {
    "basic": Plan(calls=5, seconds=60, years=2, today=False, flat_files=False, snapshots=False, stream=False),
    "starter": Plan(calls=100, seconds=1, years=5, today=True, flat_files=True, delay=900),
    "developer": Plan(calls=100, seconds=1, years=10, today=True, flat_files=True, delay=900),
    "paid": Plan(calls=100, seconds=1, years=None, today=True, flat_files=True),
    # No vendor sells this one: for benchmarks, in which the emulator must not be the limit.
    "unlimited": Plan(calls=10**9, seconds=1, years=None, today=True, flat_files=True),
}


class CallCount:
    """Calls let through within the last ``seconds``; a call refused does not count.

    ``clock`` returns seconds; tests give their own instead of sleeping.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self, calls: int, seconds: float) -> float:
        """Count a call and return 0, or return how many seconds to wait for the next free place."""
        with self._lock:
            now = self._clock()
            while self._times and self._times[0] <= now - seconds:
                self._times.popleft()
            if len(self._times) >= calls:
                return self._times[0] + seconds - now
            self._times.append(now)
            return 0.0
