"""Read an imported file's bytes into rows; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from batch_layer.shared.clients.files import cells
from batch_layer.shared.clients.files.layout import LAYOUTS, WINDOW_START, Field, match_columns
from batch_layer.shared.clients.files.parquet import as_text, parquet_header, read_parquet
from batch_layer.shared.clients.files.text import Table, read_header, read_rows
from batch_layer.shared.clients.files.unpack import PARQUET_MAGIC, text_of
from batch_layer.shared.errors import InputError
from batch_layer.shared.models.bars import UNKNOWN_TRADES
from batch_layer.shared.models.payloads import BarRows, DatasetName, DividendRows, Parsed, Payload, SplitRows

_ROWS: Mapping[DatasetName, type[BarRows | SplitRows | DividendRows]] = {
    "daily_bars": BarRows,
    "splits": SplitRows,
    "dividends": DividendRows,
}


def parse(payload: Payload) -> Parsed:
    """Read CSV, CSV.GZ or Parquet; the first bytes say which, not ``media``.

    The columns are those of ``layout.LAYOUTS``: for daily bars ``symbol`` (or ``ticker``), ``session``
    (or ``date``), ``open``, ``high``, ``low``, ``close``, ``volume``, and if they are there ``vwap`` and
    ``trades``; also the Massive flat file's (``window_start`` for the session, ``transactions``). A cell
    that cannot be read is a fault of its row, and the row stays.

    Raises:
        InputError: the file as a whole is not what it should be; the message names the file, what is
            wrong with it (and the line, where one is to blame) and what to do.
    """
    table, columns = _table(payload)
    values: dict[str, Any] = {"line": table.line}
    faults: dict[int, str] = {}
    for field in LAYOUTS[payload.dataset]:
        if field.name not in columns:
            unknown = UNKNOWN_TRADES if field.kind == "count" else np.nan
            values[field.name] = np.full(len(table.line), unknown)
            continue
        place = columns[field.name]
        try:
            values[field.name], unread = _read(table.columns[place], field, table.header[place])
        except cells.WrongType as error:
            raise InputError(
                f"{payload.name}: column {table.header[place]!r} is of type {table.columns[place].type} "
                f"and should hold {error}"
            ) from error
        except pa.ArrowException as error:
            raise InputError(
                f"{payload.name}: column {table.header[place]!r} cannot be read ({error}); write it as UTF-8"
            ) from error
        for row, what in unread.items():
            faults[row] = f"{faults[row]}; {what}" if row in faults else what
    return Parsed(rows=_ROWS[payload.dataset](**values), faults=faults, source=_source(table, payload.name))


def _table(payload: Payload) -> tuple[Table, dict[str, int]]:
    """Check the header before any row is read: a file of the wrong kind is refused at once."""
    name = payload.name
    if payload.content.startswith(PARQUET_MAGIC):
        columns = match_columns(parquet_header(payload.content, name=name), payload.dataset, name=name)
        return read_parquet(payload.content, name=name), columns
    text = text_of(payload.content, name=name)
    header = read_header(text, name=name)
    columns = match_columns(header.names, payload.dataset, name=name)
    return read_rows(text, header, name=name), columns


def _read(column: pa.ChunkedArray, field: Field, given_name: str) -> tuple[Any, cells.Faults]:
    label = given_name.strip().lower()
    if field.kind == "symbol":
        return cells.symbols(column, label)
    if field.kind == "date":
        return cells.sessions(column, label, in_nanoseconds=label == WINDOW_START)
    if field.kind == "count":
        return cells.counts(column, label)
    return cells.numbers(column, label, required=field.required)


def _source(table: Table, name: str) -> pa.Table:
    texts = []
    for column, given_name in zip(table.columns, table.header, strict=True):
        try:
            texts.append(as_text(column))
        except (ValueError, OverflowError) as error:
            raise InputError(
                f"{name}: column {given_name!r} holds values that cannot be shown ({error}); leave it out"
            ) from error
    return pa.table(texts, names=list(table.header))
