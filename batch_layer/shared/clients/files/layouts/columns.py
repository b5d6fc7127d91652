"""The columns of a price file: which are read, as what, and how an unreadable column is refused."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from condvest.batch_layer.shared.clients.files import cells
from condvest.batch_layer.shared.clients.files.dates import UTC
from condvest.batch_layer.shared.clients.files.layouts.adjusted import (
    DIVIDEND_NAMES,
    FACTOR_NAMES,
    SPLIT_NAMES,
    position_of,
)
from condvest.batch_layer.shared.clients.files.layouts.layout import LAYOUTS, WINDOW_START, Field
from condvest.batch_layer.shared.clients.files.parquet import (
    FileRows,
    as_text,
    is_always_text,
    parquet_types,
    read_parquet,
)
from condvest.batch_layer.shared.clients.files.text import Table, read_header, read_rows
from condvest.batch_layer.shared.clients.files.unpacking.bounds import MAX_FAULTY_ROWS
from condvest.batch_layer.shared.clients.files.unpacking.contents import begins_with
from condvest.batch_layer.shared.clients.files.unpacking.unpack import PARQUET_MAGIC
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import Floats, Int32s
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.given.payloads import DatasetName, Payload
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

ACTION_COLUMNS: Mapping[DatasetName, tuple[str, ...]] = {
    "splits": SPLIT_NAMES,
    "dividends": DIVIDEND_NAMES,
}
"""What a column of a price file may be called that holds the actions of a data set (see `plain_name`)."""

_ACTION = Field("number", "number", (), required=False)
"""A cell of such a column."""


def table_of(payload: Payload, text: bytes, header: Sequence[str], columns: Mapping[str, int]) -> Table:
    """Return the columns of a file of text; of a Parquet file those that are read, and no other.

    Args:
        payload: the file.
        text: its text.
        header: the columns' names.
        columns: the positions of those that the layout has.
    """
    if not begins_with(payload.content, PARQUET_MAGIC):
        return read_rows(text, read_header(text, name=payload.name), name=payload.name)
    return read_parquet(payload.content, wanted_columns(payload, header, columns), name=payload.name)


def wanted_columns(payload: Payload, header: Sequence[str], columns: Mapping[str, int]) -> list[str]:
    """Return the names of the columns of a Parquet file that are read, when each may be.

    Raises:
        InputError: a column is there twice, or of a wrong type.
    """
    beside = [position_of(header, names) for names in (*ACTION_COLUMNS.values(), FACTOR_NAMES)]
    positions = sorted({*columns.values(), *(position for position in beside if position is not None)})
    wanted = [header[position] for position in positions]
    if doubled := sorted({column for column in wanted if header.count(column) > 1}):
        raise InputError(
            f"{payload.name}: column {doubled[0]!r} is there more than once; keep one column of each name"
        )
    # A column of a wrong type is refused before any of its rows is read.
    types = parquet_types(payload.content, name=payload.name)
    fields = {field.name: field for layout in LAYOUTS.values() for field in layout}
    of_field = {position: fields[name] for name, position in columns.items()}
    for position in positions:
        column_of(payload, types, position, of_field.get(position, _ACTION))
    return wanted


def optional_numbers(payload: Payload, table: Table, names: Sequence[str]) -> Floats | None:
    """Return the first column of one of these plain names, as `action_numbers`; None if there is none."""
    position = position_of(table.header, names)
    return None if position is None else action_numbers(payload, table, position)


def action_numbers(payload: Payload, table: Table, position: int) -> Floats:
    """Return the column of actions of a price file, NaN where empty.

    Raises:
        InputError: a cell is no number. The prices around it depend on it, so none of the file is taken.
    """
    values: Floats
    values, faults = column_of(payload, table, position, _ACTION)
    if faults:
        row, what = min(faults.items())
        raise InputError(
            f"{payload.name}: line {table.line[row]}: {what}; write a split as new shares per old one (4, or "
            "0.1), a dividend as dollars per share (0.24), and leave the cell empty where there is none"
        )
    return values


def column_of(payload: Payload, table: Table, position: int, field: Field) -> tuple[Any, cells.Faults]:
    """Return the values of a column as its field's kind, and the faults of its cells by row.

    Raises:
        InputError: the column is of another type, has too many faults, or is not UTF-8.
    """
    with _refusing(payload, table, position):
        return _read(table.columns[position], field, table.header[position], payload.options)


def symbol_codes(payload: Payload, table: Table, position: int) -> tuple[list[str], Int32s]:
    """Return the symbols of a column, and which of them each row has; see `cells.symbol_codes`.

    Raises:
        InputError: as for `column_of`.
    """
    with _refusing(payload, table, position):
        return cells.symbol_codes(table.columns[position])


@contextmanager
def _refusing(payload: Payload, table: Table, position: int) -> Generator[None]:
    """Turn what is wrong with a column as a whole into the error of the file."""
    given_name, kind = table.header[position], table.columns[position].type
    try:
        yield
    except cells.WrongType as error:
        raise InputError(
            f"{payload.name}: column {given_name!r} is of type {kind} and should hold {error}"
        ) from error
    except cells.TooManyFaults as error:
        raise too_many_faults(payload.name, f"{error} cells of column {given_name!r}") from error
    except pa.ArrowException as error:
        raise InputError(
            f"{payload.name}: column {given_name!r} cannot be read ({error}); write it as UTF-8"
        ) from error


def too_many_faults(name: str, what: str) -> InputError:
    """Return the error of a file with more unreadable rows than a file may have."""
    return InputError(
        f"{name}: {what} cannot be read, where at most {MAX_FAULTY_ROWS:,} rows of a file may have such; "
        "mend the file, or leave those rows out"
    )


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


def rows_as_given(table: Table, name: str) -> FileRows:
    """Return the rows as text, for the record of refused rows.

    Raises:
        InputError: a column holds values that cannot be shown.
    """
    given = []
    for column, given_name in zip(table.columns, table.header, strict=True):
        try:
            given.append(column if is_always_text(column.type) else as_text(column))
        except (ValueError, OverflowError) as error:
            raise InputError(
                f"{name}: column {given_name!r} holds values that cannot be shown ({error}); leave it out"
            ) from error
    return FileRows(pa.table(given, names=list(table.header)))
