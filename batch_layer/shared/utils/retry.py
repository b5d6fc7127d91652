"""Call again what failed in passing, within a stated budget."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)

_TOLD_FROM = 5.0
"""Seconds. Who waits longer is told why; shorter waits are details."""


class RetriesSpent(Exception):
    """The budget is spent; never leaves a client, which says what it was asked for.

    Attributes:
        attempts: how many calls were made.
        waited: seconds waited between them.
    """

    def __init__(self, attempts: int, waited: float) -> None:
        super().__init__(f"{attempts} calls over {waited:.0f} s of waiting")
        self.attempts = attempts
        self.waited = waited


@dataclass(frozen=True)
class Retry:
    """How often a call is made again, and how long is waited before.

    The wait before call k + 1, in seconds, is the larger of

    - ``min(longest, initial * 2 ** (k - 1)) * u``, u drawn evenly from [0.5, 1), and
    - what the failure itself asks for (a Retry-After).

    No more than ``attempts`` calls are made, and no wait begins that would bring the waits' sum above
    ``budget``. By default that is 10 calls, at most 0.5 + 1 + 2 + ... + 32 + 60 + 60 = 183.5 s of waiting
    where no failure asks for more, and at most 600 s where one does. What the calls themselves last comes
    on top.

    Attributes:
        attempts: calls at most, at least 1; 1 retries nothing.
        initial, longest: seconds, as in the formula.
        budget: seconds of waiting at most.
        sleep: waits for so many seconds; tests pass their own.
        draw: draws from [0, 1); tests pass their own.
    """

    attempts: int = 10
    initial: float = 0.5
    longest: float = 60.0
    budget: float = 600.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    draw: Callable[[], float] = field(default=random.random, repr=False)

    def call(
        self,
        function: Callable[[], T],
        on: type[Exception],
        asked: Callable[[Exception], float] = lambda _: 0.0,
    ) -> T:
        """Return what ``function`` returns at the first call that does not fail with ``on``.

        Args:
            function: called without arguments.
            on: the failures that pass; any other goes through at once.
            asked: the seconds that a failure asks to be waited.

        Raises:
            RetriesSpent: from the last failure, when the budget is spent.
        """
        waited = 0.0
        for attempt in range(1, self.attempts + 1):
            try:
                return function()
            except on as failure:
                wait = max(self._backoff(attempt), asked(failure))
                if attempt == self.attempts or waited + wait > self.budget:
                    raise RetriesSpent(attempt, waited) from failure
                tell_of_wait(failure, wait)
            self.sleep(wait)
            waited += wait
        raise ValueError(f"attempts must be at least 1, not {self.attempts}")

    def _backoff(self, attempt: int) -> float:
        return float(min(self.longest, self.initial * 2.0 ** (attempt - 1)) * (0.5 + self.draw() / 2))


def tell_of_wait(failure: Exception, seconds: float) -> None:
    """Log that a call is made again after a wait, and why."""
    level = logging.INFO if seconds >= _TOLD_FROM else logging.DEBUG
    _log.log(level, "%s; asking again in %.0f s", failure, seconds)
