"""How results are shown: tables for people, CSV, JSON and Parquet for programs."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import click
import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from batch_layer.shared.errors import UsageError
from batch_layer.shared.exit_codes import is_batch
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.utils import logs

FORMATS = ("table", "csv", "json", "parquet")

_BATCH_ROWS = 50_000


def message(text: str) -> None:
    """Say something on standard error: to people as it is, to AWS Batch's logs as a line of JSON."""
    if is_batch(os.environ):
        text = logs.log_line(os.environ, text, dt.datetime.now(dt.UTC))
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # messages are the command line's own


def measure(values: Mapping[str, float]) -> None:
    """Leave metrics (names of `observing.UNITS`) in AWS Batch's logs; people get none."""
    if is_batch(os.environ):
        line = logs.metrics_line(os.environ, values, dt.datetime.now(dt.UTC))
        print(line, file=sys.stderr, flush=True)  # noqa: T201  # as above


def write_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output."""
    click.echo(json.dumps(value, default=str))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Write a table for people to standard output; numbers to the right."""
    shown = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    listed = [[_cell(value) for value in row] for row in rows]
    for number, name in enumerate(columns):
        right = bool(listed) and all(_is_number(row[number]) for row in listed)
        shown.add_column(name, justify="right" if right else "left", header_style="bold", overflow="fold")
    for row in listed:
        shown.add_row(*row)
    # Symbols, reasons and paths may hold brackets and colons, which are no markup and no emoji.
    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(shown)
    for line in captured.get().splitlines():
        click.echo(line.rstrip(), color=console.is_terminal)


def write_arrow(data: pa.Table, shape: str, path: Path | None) -> None:
    """Write a table in one of FORMATS, to a file or to standard output.

    In CSV dates are ISO, floats the shortest text that reads back as the same number, and an unknown value
    an empty field. JSON is one object a line.

    Raises:
        UsageError: Parquet is asked for on a terminal.
        click.FileError: the file cannot be written.
    """
    if path is None and shape == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet on a terminal is no use; give -o FILE or send it to a pipe")
    with _sink(path) as sink:
        if shape == "parquet":
            import pyarrow.parquet  # noqa: PLC0415  # no other shape waits for it

            pyarrow.parquet.write_table(data, sink, compression="zstd")
        elif shape == "csv":
            _write_csv(data, sink)
        elif shape == "json":
            for batch in data.to_batches(_BATCH_ROWS):
                lines = "".join(json.dumps(row, default=str) + "\n" for row in batch.to_pylist())
                sink.write(lines.encode())


def shape_for(path: Path | None, shape: str) -> str:
    """Return the format to write: that asked for, or in a file instead of a table what its suffix says."""
    if path is None or shape != "table":
        return shape
    return {".parquet": "parquet", ".json": "json"}.get(path.suffix, "csv")


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Show progress bars on standard error while the block runs; nothing if that is no terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
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
    bars.update(TaskID(0), description=text[-60:])


class Countdown:
    """A progress bar of sessions with an honest time of arrival.

    What is left is told at the pace so far, but no sooner than the provider's limit allows.
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


def _write_csv(data: pa.Table, sink: BinaryIO) -> None:
    text = io.TextIOWrapper(sink, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(data.column_names)
    for batch in data.to_batches(_BATCH_ROWS):
        columns = [_csv_column(column) for column in batch.columns]
        writer.writerows(zip(*columns, strict=True))
    text.flush()
    text.detach()


def _csv_column(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if pa.types.is_boolean(column.type):
        return [None if value is None else str(value).lower() for value in values]
    return values


@contextmanager
def _sink(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    scratch = path.with_name(f".{path.name}.part")
    try:
        with scratch.open("wb") as file:
            yield file
        scratch.replace(path)
    except OSError as error:
        raise click.FileError(str(path), hint=error.strerror) from error
    finally:
        with suppress(OSError):  # its folder is not there: nor is it, and the error above says so
            scratch.unlink(missing_ok=True)


def _cell(value: Any) -> str:  # noqa: ANN401  # any value that a table shows
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 1e6 else f"{value:,.0f}"  # noqa: PLR2004  # beyond it no cents
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_number(text: str) -> bool:
    return not text or text.replace(",", "").replace(".", "").replace("-", "").isdigit()
