"""Whose turn it is to be asked about, and when Yahoo counts as away.

Symbols take turns. Who was not answered waits for another turn while others are asked about, so bad luck of
one symbol keeps nobody. What Yahoo says about its rate holds for all symbols. And the time without any answer
is bounded, however many symbols there are.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from condvest.batch_layer.shared.errors import CondvestError, RateLimited, VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.utils.retry import tell_of_wait

WAITS = (2.0, 10.0, 60.0)
"""Seconds before the second, third and fourth request for a symbol; there is no fifth."""

LONGEST_WAIT = 300.0
"""A longer Retry-After than the wait that is due is obeyed, up to so many seconds."""

GIVE_UP_AFTER = 3
"""When so many symbols in a row were asked about four times in vain, the rest is not asked about."""

PATIENCE = 120.0
"""Seconds without an answer to any symbol, after which Yahoo is away and nobody is asked about any more."""


@dataclass(order=True)
class _Turn:
    """A symbol that waits to be asked about.

    Attributes:
        due: not before, by the timer.
        number: its place among those of the same instant.
        symbol: the symbol.
        failures: what its requests ended with so far.
    """

    due: float
    number: int
    symbol: str = field(compare=False)
    failures: list[VendorUnavailable] = field(default_factory=list, compare=False)


class Rounds:
    """Asks about symbols in turns.

    Args:
        ask: asks about a symbol once.
        pause: seconds between two requests at least.
        timer: seconds since any instant.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        ask: Callable[[str], bytes],
        pause: float,
        timer: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._ask, self._pause, self._timer, self._sleep = ask, pause, timer, sleep
        self._numbers = itertools.count()
        self._turns: list[_Turn] = []
        self._free_at = self._answered_at = timer()
        self._lost = self._limited = 0

    def answers(self, symbols: Iterable[str]) -> Iterator[tuple[str, bytes | CondvestError]]:
        """Yield each symbol and its answer, or why there is none, as it comes."""
        for number, symbol in enumerate(symbols):
            self._enter(self._answered_at + number * self._pause, symbol, [])
        while self._turns:
            turn = heapq.heappop(self._turns)
            at = max(turn.due, self._free_at)
            reason = self._away(at)
            if reason:
                yield turn.symbol, _given_up(turn, reason)
                continue
            if at > self._timer():
                self._sleep(at - self._timer())
            self._free_at = self._timer() + self._pause
            answer = self._asked(turn)
            if answer is not None:
                yield turn.symbol, answer

    def _enter(self, due: float, symbol: str, failures: list[VendorUnavailable]) -> None:
        heapq.heappush(self._turns, _Turn(due, next(self._numbers), symbol, failures))

    def _away(self, at: float) -> str:
        """Return why nobody is to be asked about at an instant; "" if somebody is."""
        if self._limited > len(WAITS):
            return "Yahoo limits the rate of requests (429)"
        if self._lost >= GIVE_UP_AFTER:
            return f"the {GIVE_UP_AFTER} symbols before it failed"
        # What Yahoo asks to be waited is no silence of its.
        silent = at - self._answered_at
        return f"Yahoo has not answered for {silent:.0f} s" if silent > PATIENCE and not self._limited else ""

    def _asked(self, turn: _Turn) -> bytes | CondvestError | None:
        """Ask about a symbol; return None if it is to be asked about once more."""
        try:
            content = self._ask(turn.symbol)
        except VendorRefused as error:
            self._answered()
            return error
        except VendorUnavailable as error:
            return self._failed(turn, error)
        self._answered()
        return content

    def _answered(self) -> None:
        self._answered_at, self._lost, self._limited = self._timer(), 0, 0

    def _failed(self, turn: _Turn, error: VendorUnavailable) -> CondvestError | None:
        turn.failures.append(error)
        is_limited = isinstance(error, RateLimited)
        self._limited = self._limited + 1 if is_limited else 0
        tries = self._limited if is_limited else len(turn.failures)
        if tries > len(WAITS) or len(turn.failures) > len(WAITS):
            self._lost += 1
            return VendorUnavailable(f"{turn.symbol}: {error}; asked {_times(turn)}")
        asked = (error.retry_after or 0.0) if isinstance(error, RateLimited) else 0.0
        wait = max(WAITS[tries - 1], min(asked, LONGEST_WAIT))
        tell_of_wait(VendorUnavailable(f"{turn.symbol}: {error}"), wait)
        due = self._timer() + wait
        if is_limited:
            self._free_at = due
        self._enter(due, turn.symbol, turn.failures)
        return None


def _given_up(turn: _Turn, reason: str) -> VendorUnavailable:
    if not turn.failures:
        return VendorUnavailable(f"{turn.symbol}: not asked for, since {reason}")
    said = str(turn.failures[-1])
    also = "" if said == reason else f", and {reason}"
    return VendorUnavailable(f"{turn.symbol}: {said}; asked {_times(turn)}{also}")


def _times(turn: _Turn) -> str:
    return "once" if len(turn.failures) == 1 else f"{len(turn.failures)} times"
