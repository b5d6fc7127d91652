"""Read an imported file's bytes into rows; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from batch_layer.shared.clients.files import cells
from batch_layer.shared.clients.files.adjusted import (
    DIVIDEND_NAMES,
    SPLIT_NAMES,
    as_traded,
    is_split,
    later_splits,
    position_of,
)
from batch_layer.shared.clients.files.dates import EXCHANGE_ZONE, UTC
from batch_layer.shared.clients.files.layout import LAYOUTS, WINDOW_START, Field, match_columns
from batch_layer.shared.clients.files.parquet import as_text, parquet_header, read_parquet
from batch_layer.shared.clients.files.text import Table, read_header, read_rows
from batch_layer.shared.clients.files.unpack import PARQUET_MAGIC, head_of, text_of
from batch_layer.shared.errors import InputError
from batch_layer.shared.models.bars import UNKNOWN_TRADES, Floats
from batch_layer.shared.models.file_options import FileOptions
from batch_layer.shared.models.payloads import BarRows, DatasetName, DividendRows, Parsed, Payload, SplitRows

_ROWS: Mapping[DatasetName, type[BarRows | SplitRows | DividendRows]] = {
    "daily_bars": BarRows,
    "splits": SplitRows,
    "dividends": DividendRows,
}


_ACTION_COLUMNS: Mapping[DatasetName, tuple[str, ...]] = {
    "splits": SPLIT_NAMES,
    "dividends": DIVIDEND_NAMES,
}
"""What a column of a price file may be called that holds the actions of a data set (see `plain_name`)."""

_TICKER = re.compile("[A-Z][A-Z0-9]{0,4}([.-][A-Z]{1,3})?")
_HIVE_FOLDER = re.compile("(?:symbol|ticker)=([^/]+)", re.IGNORECASE)


def parse(payload: Payload) -> Parsed:
    """Read CSV, CSV.GZ or Parquet; the first bytes say which, not ``media``.

    The columns are those of ``layout.LAYOUTS``: for daily bars ``symbol`` (or ``ticker``), ``session``
    (or ``date``), ``open``, ``high``, ``low``, ``close``, ``volume``, and if they are there ``vwap`` and
    ``trades``; also the Massive flat file's (``window_start`` for the session, ``transactions``). A cell
    that cannot be read is a fault of its row, and the row stays.

    A file without a column of symbols is of one symbol: that of its options, of its folder (``symbol=X``),
    or of its own name if that has the form of a ticker. Split-adjusted prices are returned as traded. Of a
    price file, as data set ``splits`` or ``dividends``, those of its column of actions are returned.

    Raises:
        InputError: the file as a whole is not in the expected format; the message names the file, what is
            wrong with it (and the line, where one is to blame) and what to do.
    """
    text = _text(payload)
    names = _header(payload, text)
    actions = _actions_column(names, payload.dataset)
    layout: DatasetName = payload.dataset if actions is None else "daily_bars"
    symbol = symbol_of(payload)
    columns = match_columns(names, layout, name=payload.name, has_symbol=symbol is not None)
    if payload.options.symbol and "symbol" in columns:
        raise InputError(f"{payload.name}: has a column of symbols; leave out --symbol")
    table = _table(payload, text)
    values: dict[str, Any] = {"line": table.line}
    faults: dict[int, str] = {}
    for field in LAYOUTS[layout]:
        if field.name not in columns:
            unknown = UNKNOWN_TRADES if field.kind == "count" else np.nan
            values[field.name] = np.full(len(table.line), symbol if field.kind == "symbol" else unknown)
            if field.kind == "symbol":
                values[field.name] = values[field.name].astype(object)
            continue
        values[field.name], unread = _column(payload, table, columns[field.name], field)
        for row, what in unread.items():
            faults[row] = f"{faults[row]}; {what}" if row in faults else what
    source = _source(table, payload.name)
    if actions is not None:
        return _actions(payload, table, values, actions, source)
    rows = _ROWS[payload.dataset](**values)
    named: tuple[str, ...] = ()
    if "symbol" not in columns and not payload.options.symbol:
        named = (f"{payload.name}: no column of symbols, so all rows are taken for {symbol}, by its path",)
    if not isinstance(rows, BarRows):
        return Parsed(rows, faults, source, notices=named)
    splits = position_of(table.header, SPLIT_NAMES)
    ratio = None if splits is None else _numbers(payload, table, splits)
    rows, notices = as_traded(rows, ratio, table.header, payload.options, name=payload.name)
    return Parsed(rows, faults, source, notices=named + notices)


def symbol_of(payload: Payload) -> str | None:
    """Return the symbol of all rows of a file without a column of symbols; None if nothing says it."""
    if payload.options.symbol:
        return payload.options.symbol
    if not payload.options.symbol_from_path:
        return None
    path = PurePath(payload.name)
    for folder in reversed(path.parts[:-1]):
        if hive := _HIVE_FOLDER.fullmatch(folder):
            return hive[1]
    stem = re.sub(r"\.(csv|txt|parquet)(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    return stem if _TICKER.fullmatch(stem) else None


def action_datasets(payload: Payload) -> list[DatasetName]:
    """Return which data sets of actions a price file has a column of. Only its header is read.

    Raises:
        InputError: there is no header to read.
    """
    header = _header(payload, head_of(payload.content, name=payload.name))
    return [dataset for dataset, names in _ACTION_COLUMNS.items() if position_of(header, names) is not None]


def _text(payload: Payload) -> bytes:
    """Return the text of a file of text; nothing of a Parquet file."""
    is_parquet = payload.content.startswith(PARQUET_MAGIC)
    return b"" if is_parquet else text_of(payload.content, name=payload.name)


def _header(payload: Payload, text: bytes) -> tuple[str, ...]:
    if payload.content.startswith(PARQUET_MAGIC):
        return parquet_header(payload.content, name=payload.name)
    return read_header(text, name=payload.name).names


def _actions_column(header: Sequence[str], dataset: DatasetName) -> int | None:
    """Return the position of the column of actions, if the file is one of prices that has such a column."""
    is_prices = {"open", "close"} <= {name.strip().lower() for name in header}
    names = _ACTION_COLUMNS.get(dataset)
    return position_of(header, names) if is_prices and names else None


def _actions(
    payload: Payload, table: Table, values: Mapping[str, Any], position: int, source: pa.Table
) -> Parsed:
    """Return the splits or dividends that stand in a column of a price file."""
    given = _numbers(payload, table, position)
    chosen = is_split(given) if payload.dataset == "splits" else np.isfinite(given) & (given > 0)
    line, symbol, date = (values[name][chosen] for name in ("line", "symbol", "session"))
    if payload.dataset == "dividends" and payload.options.prices == "split-adjusted":
        splits = position_of(table.header, SPLIT_NAMES)
        ratio = None if splits is None else _numbers(payload, table, splits)
        # Such tables state dividends, too, per share of today.
        given = given * later_splits(
            values["symbol"], values["session"], ratio, payload.options, name=payload.name
        )
    given, source = given[chosen], source.filter(pa.array(chosen))
    if payload.dataset == "splits":
        return Parsed(SplitRows(line, symbol, date, np.ones(len(given)), given), {}, source)
    return Parsed(DividendRows(line, symbol, date, given), {}, source)


def _table(payload: Payload, text: bytes) -> Table:
    if payload.content.startswith(PARQUET_MAGIC):
        return read_parquet(payload.content, name=payload.name)
    return read_rows(text, read_header(text, name=payload.name), name=payload.name)


def _numbers(payload: Payload, table: Table, position: int) -> Floats:
    """Return a column of numbers, NaN where empty or unreadable."""
    field = Field("number", "number", (), required=False)
    values: Floats
    values, _ = _column(payload, table, position, field)
    return values


def _column(payload: Payload, table: Table, position: int, field: Field) -> tuple[Any, cells.Faults]:
    given_name, kind = table.header[position], table.columns[position].type
    try:
        return _read(table.columns[position], field, given_name, payload.options)
    except cells.WrongType as error:
        raise InputError(
            f"{payload.name}: column {given_name!r} is of type {kind} and should hold {error}"
        ) from error
    except pa.ArrowException as error:
        raise InputError(
            f"{payload.name}: column {given_name!r} cannot be read ({error}); write it as UTF-8"
        ) from error


def _read(
    column: pa.ChunkedArray, field: Field, given_name: str, options: FileOptions
) -> tuple[Any, cells.Faults]:
    label = given_name.strip().lower()
    if field.kind == "symbol":
        return cells.symbols(column, label)
    if field.kind == "date":
        zone = UTC if options.midnight == "utc" else EXCHANGE_ZONE
        return cells.sessions(column, label, in_nanoseconds=label == WINDOW_START, zone=zone)
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
