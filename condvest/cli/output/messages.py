"""What commands say on standard error: messages and progress to people, metrics to AWS Batch."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from batch_layer.shared.exit_codes import is_batch
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.utils import logs
from condvest.cli.output import streams
from condvest.cli.output.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress


def message(text: str) -> None:
    """Say something on standard error: to people as plain text, to AWS Batch's logs as a line of JSON."""
    if is_batch(os.environ):
        text = logs.log_line(os.environ, text, dt.datetime.now(dt.UTC))
    else:
        text = printable(text)
    _say(text)


def measure(values: Mapping[str, float]) -> None:
    """Leave metrics, named as in `logs.UNITS`, in AWS Batch's logs; people get none."""
    if is_batch(os.environ):
        line = logs.metrics_line(os.environ, values, dt.datetime.now(dt.UTC))
        _say(line)


def _say(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201  # messages are the command line's own
    except OSError:
        # Nobody can be told (a full disk, a reader that has gone), and the work itself is not at fault: it
        # goes on, and its exit code says how it ended.
        streams.drop(sys.stderr)


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Show progress bars on standard error while the block runs; nothing if that is no terminal."""
    if not sys.stderr.isatty():
        yield cast("Progress", _Unseen())
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

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        bars.add_task(label, total=None)
        yield bars


class _Unseen:
    """What the functions below ask of progress bars, where nobody sees them."""

    task_ids = (0,)

    def update(self, *_: object, **__: object) -> None:
        """Show nothing."""


def note(bars: Progress, text: str) -> None:
    """Show what the first bar of `progress` is at."""
    bars.update(bars.task_ids[0], description=printable(text)[-60:])


class Countdown:
    """A progress bar of sessions with an honest time of arrival.

    The pace so far gives the time left, but never less than the provider's limit allows.
    """

    def __init__(self, bars: Progress, total: int, seconds: float) -> None:
        self._bars = bars
        self._total = total
        self._least = seconds / total if total else 0.0
        self._started = time.monotonic()
        self._done = 0

    def loaded(self, summary: LoadSummary) -> None:
        """Count a load."""
        if summary.dataset != "daily_bars":
            return
        self._done += 1
        pace = max((time.monotonic() - self._started) / self._done, self._least)
        left = dt.timedelta(seconds=round(pace * max(self._total - self._done, 0)))
        self._bars.update(
            self._bars.task_ids[0], completed=self._done, total=self._total, description=f"{left} to go"
        )


@contextmanager
def countdown(label: str, total: int, seconds: float) -> Iterator[Countdown]:
    """Show a `Countdown` over ``total`` sessions that take ``seconds`` at least."""
    with progress(label) as bars:
        bars.update(bars.task_ids[0], total=total)
        yield Countdown(bars, total, seconds)


def advance(bars: Progress, done: int, total: int) -> None:
    """Move the first bar of `progress`."""
    bars.update(bars.task_ids[0], completed=done, total=total)
