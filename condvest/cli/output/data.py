"""What commands write to standard output or a file for programs: JSON, CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import click
import pyarrow as pa

from condvest.batch_layer.shared.errors import UsageError
from condvest.cli.output.destination import Format, opened
from condvest.cli.output.printable import printable

_BATCH_ROWS = 50_000


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
