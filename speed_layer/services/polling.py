"""Rounds of a collector that polls: a snapshot, and a rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from condvest.batch_layer.shared.errors import VendorUnavailable
from condvest.speed_layer.core.following import Step
from condvest.speed_layer.feeds.polling import Feed
from condvest.speed_layer.services.collect import Collector


class Rounds(Protocol):
    """What a collector does again and again until its session is over."""

    taken: int
    refused: int
    has_bars: bool

    def turn(self) -> bool:
        """Do what is due; return whether something was taken.

        Raises:
            VendorRefused, ClockWrong, Superseded, ArchiveError, DatabaseError, DatabaseUnavailable: as the
                collector does.
        """
        ...

    def rest(self) -> None:
        """Wait for what comes next."""
        ...

    def close(self) -> None:
        """End what was opened."""
        ...


@dataclass(eq=False)
class Polling:
    """`Rounds` of snapshots.

    Attributes:
        collector: takes them.
        feed: where they come from.
        now: the instant, microseconds since 1970-01-01 UTC.
        sleep: waits for so many seconds.
        say: told what happens, in a sentence.
        interval: seconds from one to the next.
        once: whether an unavailable snapshot is an error.
    """

    collector: Collector
    feed: Feed
    now: Callable[[], int]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    interval: float
    once: bool = False
    taken: int = 0
    refused: int = 0
    has_bars: bool = False

    def turn(self) -> bool:
        """Take one snapshot; if there is none to use, that is said and noted as a gap."""
        step = self._ask()
        if step is None:
            self.refused += 1
            return False
        self.taken += 1
        self.has_bars = step.with_bar > 0
        return True

    def rest(self) -> None:
        """Wait for the next."""
        self.sleep(self.interval)

    def close(self) -> None:
        """Nothing was opened."""

    def _ask(self) -> Step | None:
        try:
            answered = self.feed.ask(self.collector.follower.session)
        except VendorUnavailable as error:
            self.collector.miss("unavailable")
            if self.once:
                raise
            self.say(str(error))
            return None
        step = self.collector.take(answered, self.now())
        if not isinstance(step, Step):
            self.say(f"snapshot refused: {step.reason}")
            return None
        return step
