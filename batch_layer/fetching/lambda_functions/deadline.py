"""The time that a call of a function has: asked before each step, and enforced if a step does not return."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from condvest.batch_layer.shared.errors import OutOfTime

RESERVE = 30.0
"""Seconds that must be left for a further step to begin; less if the whole time is short."""

LAST_MOMENT = 4.0
"""So many seconds before Lambda kills the function, whatever still runs is broken off with an error, which
closes connections, rolls back, and gets into the log. Less if the whole time is short."""

_SHARE, _LAST_SHARE = 0.25, 0.05


class LambdaContext(Protocol):
    """What Lambda tells a function about a call."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""
        ...


class Deadline:
    """How long a call may still take."""

    def __init__(self, context: LambdaContext) -> None:
        self._context = context
        whole = self.left
        self._reserve = min(RESERVE, whole * _SHARE)
        self.last_moment = min(LAST_MOMENT, whole * _LAST_SHARE)

    @property
    def left(self) -> float:
        """Seconds until Lambda kills the function."""
        return self._context.get_remaining_time_in_millis() / 1000

    @property
    def budget(self) -> float:
        """Seconds that the present step may take."""
        return max(self.left - self._reserve, 0.0)

    def has_time(self) -> bool:
        """Tell whether a further step may begin."""
        return self.left > self._reserve

    def sleep(self, seconds: float) -> None:
        """Wait, as a vendor's rate wants it.

        Raises:
            OutOfTime: so long a wait would leave no time for the step behind it.
        """
        if seconds > self.budget:
            raise OutOfTime(f"the vendor is to be left alone for {seconds:.0f} s, {self.left:.0f} s are left")
        time.sleep(seconds)

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Raise OutOfTime within the block shortly before the time is over, whatever it waits for."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals reach the main thread alone; on Lambda that is where a handler runs
            return
        before = signal.signal(signal.SIGALRM, _broken_off)
        signal.setitimer(signal.ITIMER_REAL, max(self.left - self.last_moment, 0.001))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _broken_off(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of a handler
    raise OutOfTime("the function's time is over; what was finished is kept, the next call goes on")
