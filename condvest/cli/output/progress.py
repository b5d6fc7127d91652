"""How far a command is: bars on a terminal, a line a minute where there is none."""

from __future__ import annotations

import datetime as dt
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.cli.output.messages import message, verbosity
from condvest.cli.output.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY = 60.0
"""Seconds between two lines where there is no terminal."""

_LONGEST_NOTE = 60


class Progression(Protocol):
    """What shows how far a command is."""

    def update(
        self, *, completed: int | None = None, total: int | None = None, note: str | None = None
    ) -> None:
        """Say how much is done, of how much, and what the command is at; None leaves it as it was."""
        ...


class Bars:
    """A progress bar on a terminal."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def update(
        self, *, completed: int | None = None, total: int | None = None, note: str | None = None
    ) -> None:
        """See `Progression`."""
        self._bars.update(self._task, completed=completed, total=total, description=note)


class Lines:
    """What a log gets: a line whenever a minute has passed, whether something moved in it or not.

    A command that ends within the first minute leaves none.
    """

    def __init__(self, label: str, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._label, self._say, self._clock = label, say, clock
        self._began = clock()
        self._completed: int | None = None
        self._total: int | None = None
        self._note: str | None = None

    def update(
        self, *, completed: int | None = None, total: int | None = None, note: str | None = None
    ) -> None:
        """See `Progression`."""
        self._completed = self._completed if completed is None else completed
        self._total = self._total if total is None else total
        self._note = self._note if note is None else note

    def tick(self) -> None:
        """Say how far the command is."""
        minutes = round((self._clock() - self._began) / 60)
        parts = [self._label]
        if self._completed is not None and self._total is not None:
            parts.append(f"{self._completed:,} of {self._total:,}")
        if self._note and self._note != self._label:
            parts.append(self._note)
        self._say(f"{', '.join(parts)}, after {minutes:,} min")


@contextmanager
def progress(label: str) -> Iterator[Progression]:
    """Show how far the block is on standard error; with ``--quiet``, nothing."""
    if verbosity.is_quiet or not sys.stderr.isatty():
        with _lines(label) as lines:
            yield lines
        return
    # Imported here: few commands take long enough, and these take a tenth of a second.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield Bars(bars, bars.add_task(label, total=None))


@contextmanager
def _lines(label: str) -> Iterator[Lines]:
    lines, is_over = Lines(label, message, time.monotonic), threading.Event()

    def speak() -> None:
        while not is_over.wait(EVERY):
            lines.tick()

    threading.Thread(target=speak, name="a line a minute", daemon=True).start()
    try:
        yield lines
    finally:
        is_over.set()


def note(bars: Progression, text: str) -> None:
    """Show what the command is at."""
    bars.update(note=printable(text)[-_LONGEST_NOTE:])


def advance(bars: Progression, done: int, total: int) -> None:
    """Show how much is done."""
    bars.update(completed=done, total=total)


class Countdown:
    """Progress in sessions with an honest time of arrival.

    The pace so far gives the time left, but never less than the provider's limit allows.
    """

    def __init__(
        self,
        bars: Progression,
        total: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bars = bars
        self._total = total
        self._least = seconds / total if total else 0.0
        self._clock = clock
        self._started = clock()
        self._done = 0

    def loaded(self, summary: LoadSummary) -> None:
        """Count a load."""
        if summary.dataset != "daily_bars":
            return
        self._done += 1
        pace = max((self._clock() - self._started) / self._done, self._least)
        left = dt.timedelta(seconds=round(pace * max(self._total - self._done, 0)))
        self._bars.update(completed=self._done, total=self._total, note=f"{left} to go")


@contextmanager
def countdown(label: str, total: int, seconds: float) -> Iterator[Countdown]:
    """Show a `Countdown` over ``total`` sessions that take ``seconds`` at least."""
    with progress(label) as bars:
        bars.update(completed=0, total=total)
        yield Countdown(bars, total, seconds)
