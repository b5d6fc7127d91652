"""What commands write: messages, metrics and progress for people; JSON, CSV and Parquet for programs."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from batch_layer.shared.errors import UsageError
from batch_layer.shared.exit_codes import is_batch
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.utils import logs
from condvest.cli.destination import Format, opened
from condvest.cli.screen import printable

_BATCH_ROWS = 50_000


def message(text: str) -> None:
    """Say something on standard error: to people as plain text, to AWS Batch's logs as a line of JSON."""
    if is_batch(os.environ):
        text = logs.log_line(os.environ, text, dt.datetime.now(dt.UTC))
    else:
        text = printable(text)
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # messages are the command line's own


def measure(values: Mapping[str, float]) -> None:
    """Leave metrics, named as in `logs.UNITS`, in AWS Batch's logs; people get none."""
    if is_batch(os.environ):
        line = logs.metrics_line(os.environ, values, dt.datetime.now(dt.UTC))
        print(line, file=sys.stderr, flush=True)  # noqa: T201  # as above


def write_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output."""
    click.echo(json.dumps(value, default=str))


def write_arrow(data: pa.Table, shape: Format, path: Path | None) -> None:
    """Write a table as CSV, JSON lines or Parquet, to a file or to standard output.

    In CSV, dates are ISO, floats the shortest text that reads back as the same number, and an unknown value
    is an empty field. In JSON, each line is one object. On a terminal control characters are shown as
    escapes.

    Raises:
        UsageError: Parquet is asked for on a terminal.
        click.FileError: the file cannot be written.
    """
    on_terminal = path is None and sys.stdout.isatty()
    if on_terminal and shape == "parquet":
        raise UsageError("a terminal cannot show Parquet; give -o FILE or send it to a pipe")
    with opened(path) as sink:
        if shape == "parquet":
            import pyarrow.parquet  # noqa: PLC0415  # no other shape waits for it

            pyarrow.parquet.write_table(data, sink, compression="zstd")
        elif shape == "csv":
            _write_csv(data, sink, as_data=not on_terminal)
        elif shape == "json":
            for batch in data.to_batches(_BATCH_ROWS):
                lines = "".join(json.dumps(row, default=str) + "\n" for row in batch.to_pylist())
                sink.write(lines.encode())


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Show progress bars on standard error while the block runs; nothing if that is no terminal."""
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


def note(bars: Progress, text: str) -> None:
    """Show what the first bar of `progress` is at."""
    bars.update(TaskID(0), description=printable(text)[-60:])


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
        self._bars.update(TaskID(0), completed=self._done, total=self._total, description=f"{left} to go")


@contextmanager
def countdown(label: str, total: int, seconds: float) -> Iterator[Countdown]:
    """Show a `Countdown` over ``total`` sessions that take ``seconds`` at least."""
    with progress(label) as bars:
        bars.update(TaskID(0), total=total)
        yield Countdown(bars, total, seconds)


def advance(bars: Progress, done: int, total: int) -> None:
    """Move the first bar of `progress`."""
    bars.update(TaskID(0), completed=done, total=total)


def _write_csv(data: pa.Table, sink: IO[bytes], *, as_data: bool) -> None:
    text = io.TextIOWrapper(sink, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(data.column_names)
    for batch in data.to_batches(_BATCH_ROWS):
        columns = [_csv_column(column, as_data=as_data) for column in batch.columns]
        writer.writerows(zip(*columns, strict=True))
    text.flush()
    text.detach()


def _csv_column(column: pa.Array, *, as_data: bool) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if pa.types.is_boolean(column.type):
        return [None if value is None else str(value).lower() for value in values]
    if pa.types.is_string(column.type) and not as_data:
        return [printable(value) if value else value for value in values]
    return values
