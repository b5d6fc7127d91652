"""Read an imported file's bytes into rows; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np

from condvest.batch_layer.shared.clients.files.layouts.adjusted import (
    FACTOR_NAMES,
    SPLIT_NAMES,
    as_traded,
    is_split,
    later_splits,
    position_of,
)
from condvest.batch_layer.shared.clients.files.layouts.columns import (
    ACTION_COLUMNS,
    action_numbers,
    column_of,
    optional_numbers,
    rows_as_given,
    table_of,
    too_many_faults,
)
from condvest.batch_layer.shared.clients.files.layouts.known import known_names, without_market
from condvest.batch_layer.shared.clients.files.layouts.layout import LAYOUTS, match_columns
from condvest.batch_layer.shared.clients.files.parquet import (
    FileRows,
    parquet_header,
)
from condvest.batch_layer.shared.clients.files.text import Table, read_header
from condvest.batch_layer.shared.clients.files.unpacking.bounds import MAX_FAULTY_ROWS
from condvest.batch_layer.shared.clients.files.unpacking.contents import begins_with
from condvest.batch_layer.shared.clients.files.unpacking.unpack import PARQUET_MAGIC, head_of, text_of
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES
from condvest.batch_layer.shared.models.given.payload_rows import BarRows, DividendRows, RenameRows, SplitRows
from condvest.batch_layer.shared.models.given.payloads import DatasetName, Parsed, Payload

_ROWS: Mapping[DatasetName, type[BarRows | SplitRows | DividendRows | RenameRows]] = {
    "daily_bars": BarRows,
    "splits": SplitRows,
    "dividends": DividendRows,
    "renames": RenameRows,
}

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
    header = _header(payload, text)
    table = table_of(payload, text, header, columns_of(payload, header))
    del text  # the table has its own
    return parsed_table(payload, table, header)


def columns_of(payload: Payload, header: Sequence[str]) -> dict[str, int]:
    """Return the positions of a file's columns by field.

    Raises:
        InputError: a column is missing or there twice, or one of symbols is there beside --symbol.
    """
    names = known_names(header, payload.options, name=payload.name)
    columns = match_columns(
        names, _layout(payload, names), name=payload.name, has_symbol=symbol_of(payload) is not None
    )
    if payload.options.symbol and "symbol" in columns:
        raise InputError(f"{payload.name}: has a column of symbols; leave out --symbol")
    return columns


def _layout(payload: Payload, names: Sequence[str]) -> DatasetName:
    return payload.dataset if _actions_column(names, payload.dataset) is None else "daily_bars"


def parsed_table(payload: Payload, table: Table, header: Sequence[str]) -> Parsed:
    """Read rows of a file into what `parse` returns.

    Args:
        payload: the file.
        table: some or all of its rows, whole columns; of a Parquet file those that are read.
        header: the names of all its columns.

    Raises:
        InputError: as for `parse`.
    """
    symbol, columns = symbol_of(payload), columns_of(payload, table.header)
    names = known_names(table.header, payload.options, name=payload.name)
    actions, layout = _actions_column(names, payload.dataset), _layout(payload, names)
    values, faults = _values(payload, table, layout, columns, symbol)
    values = without_market(values, table, name=payload.name)
    source = rows_as_given(table, payload.name)
    meant = payload.options.symbols_mean
    if actions is not None:
        return replace(_actions(payload, table, values, actions, source), symbols_mean=meant)
    rows = _ROWS[payload.dataset](**values)
    named: tuple[str, ...] = ()
    if "symbol" not in columns and not payload.options.symbol:
        named = (f"{payload.name}: no column of symbols, so all rows are taken for {symbol}, by its path",)
    if not isinstance(rows, BarRows):
        return Parsed(rows, faults, source, notices=named, symbols_mean=meant)
    ratio, factor = (optional_numbers(payload, table, names) for names in (SPLIT_NAMES, FACTOR_NAMES))
    rows, notices = as_traded(rows, ratio, header, payload.options, factor, name=payload.name)
    return Parsed(rows, faults, source, notices=named + notices, symbols_mean=meant)


def _values(
    payload: Payload, table: Table, layout: DatasetName, columns: Mapping[str, int], symbol: str | None
) -> tuple[dict[str, Any], dict[int, str]]:
    """Return the values of a layout's fields by name, and what is wrong with a row, by position."""
    values: dict[str, Any] = {"line": table.line}
    faults: dict[int, str] = {}
    empty: dict[str, str] = {}
    for field in LAYOUTS[layout]:
        if field.name not in columns:
            unknown = UNKNOWN_TRADES if field.kind == "count" else np.nan
            is_symbol = field.kind == "symbol"
            values[field.name] = np.full(
                len(table.line), symbol if is_symbol else unknown, dtype=object if is_symbol else None
            )
            continue
        values[field.name], unread = column_of(payload, table, columns[field.name], field)
        if layout != "daily_bars" and field.kind == "number":
            empty[field.name] = f"{table.header[columns[field.name]].strip().lower()}: missing"
        for row, what in unread.items():
            faults[row] = f"{faults[row]}; {what}" if row in faults else what
        if len(faults) > MAX_FAULTY_ROWS:
            raise too_many_faults(payload.name, f"{len(faults):,} rows")
    _read_takings_back(values, faults, empty)
    return values, faults


def _read_takings_back(values: dict[str, Any], faults: dict[int, str], empty: Mapping[str, str]) -> None:
    """Let rows of zeros or without values, which take back, be alike and no faults."""
    _take_empty_for_zero(values, faults, empty)
    if "to" in values:
        values["to"] = np.where(values["to"] == "0", "", values["to"])
        for row in [row for row, fault in faults.items() if fault == "to: missing"]:
            del faults[row]


def _take_empty_for_zero(values: dict[str, Any], faults: dict[int, str], empty: Mapping[str, str]) -> None:
    """Write 0 into the rows of a list of actions that have a symbol and a date, and nothing else.

    Such a row takes an action back, as one of zeros does. One that lacks more, or less, stays faulty.

    Args:
        values: the columns read so far.
        faults: of the rows; those that are no faults are removed.
        empty: for each column of the action's values the fault of an empty cell.
    """
    alone = "; ".join(empty.values())
    rows = [row for row, fault in faults.items() if alone and fault == alone]
    for name in empty if rows else ():
        values[name] = values[name].copy()
        values[name][rows] = 0.0
    for row in rows:
        del faults[row]


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
    return [dataset for dataset, names in ACTION_COLUMNS.items() if position_of(header, names) is not None]


def _text(payload: Payload) -> bytes:
    """Return the text of a file of text; nothing of a Parquet file."""
    is_parquet = begins_with(payload.content, PARQUET_MAGIC)
    return b"" if is_parquet else text_of(payload.content, name=payload.name)


def _header(payload: Payload, text: bytes) -> tuple[str, ...]:
    if begins_with(payload.content, PARQUET_MAGIC):
        return parquet_header(payload.content, name=payload.name)
    return read_header(text, name=payload.name).names


def _actions_column(header: Sequence[str], dataset: DatasetName) -> int | None:
    """Return the position of the column of actions, if the file is one of prices that has such a column."""
    is_prices = {"open", "close"} <= {name.strip().lower() for name in header}
    names = ACTION_COLUMNS.get(dataset)
    return position_of(header, names) if is_prices and names else None


def _actions(
    payload: Payload, table: Table, values: Mapping[str, Any], position: int, source: FileRows
) -> Parsed:
    """Return the splits or dividends that stand in a column of a price file."""
    given = action_numbers(payload, table, position)
    chosen = is_split(given) if payload.dataset == "splits" else np.isfinite(given) & (given > 0)
    line, symbol, date = (values[name][chosen] for name in ("line", "symbol", "session"))
    if payload.dataset == "dividends" and payload.options.prices == "split-adjusted":
        ratio = optional_numbers(payload, table, SPLIT_NAMES)
        # Such tables state dividends, too, per share of today.
        given = given * later_splits(
            values["symbol"], values["session"], ratio, payload.options, name=payload.name
        )
    given, source = given[chosen], source.filter(chosen)
    if payload.dataset == "splits":
        return Parsed(SplitRows(line, symbol, date, np.ones(len(given)), given), {}, source)
    return Parsed(DividendRows(line, symbol, date, given), {}, source)
