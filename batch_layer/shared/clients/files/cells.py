"""Read columns of cells: symbols, numbers, counts and dates, and what is wrong with a cell.

Each function takes a column as a file gives it, text or typed, and returns NumPy values with the faults:
for each row (by position) whose cell could not be read, the column's label and what is wrong. The whole
column is read at once; only what is not plain is looked at piece by piece, each distinct value once.

A required cell that is absent is always reported as ``"<label>: missing"``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.clients.files.dates import (
    plain_dates,
    session_of_nanoseconds,
    session_of_text,
    session_of_timestamps,
)
from condvest.batch_layer.shared.clients.files.distinct import (
    absent_cells,
    distinct,
    distinct_texts,
    encoded,
    is_text,
    to_numpy,
    trimmed,
    without_nulls,
)
from condvest.batch_layer.shared.clients.files.unpacking.bounds import MAX_FAULTY_ROWS
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bools, Floats, Int32s, Int64s
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

Faults = dict[int, str]
Reader = Callable[[Any], Any]
"""Turns one value of a cell into what it means, or into text that says what is wrong with it."""

_NUMBER = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE
)
_WHOLE = re.compile(r"([+-]?[0-9]{1,18})(\.0*)?")
_PLAIN_WHOLE = "^[0-9]{1,18}$"
_MOST_DIGITS = 18
_FIRST_LONG = 10**_MOST_DIGITS
_SHOWN_LENGTH = 40


class WrongType(Exception):
    """A typed column cannot hold such values; the argument says what it should hold."""


class TooManyFaults(Exception):
    """More cells of a column cannot be read than are told one by one; the argument counts them."""


def symbols(column: pa.ChunkedArray, label: str) -> tuple[npt.NDArray[np.object_], Faults]:
    """Return symbols (str, outer white space removed, ``""`` where missing).

    Raises:
        WrongType: the column is not of text.
    """
    texts, codes = symbol_codes(column)
    is_missing = np.array([not text for text in texts])
    return np.array(texts, dtype=object)[codes], _missing(is_missing[codes], label)


def symbol_codes(column: pa.ChunkedArray) -> tuple[list[str], Int32s]:
    """Return the symbols of a column as `symbols` does, and the position of each row's among them.

    A symbol may be there twice. The last is ``""``, which a missing cell has by its code of -1.

    Raises:
        WrongType: the column is not of text.
    """
    if not (is_text(column.type) or pa.types.is_null(column.type)):
        raise WrongType("symbols as text")
    texts, codes = distinct_texts(column)
    return [*(text or "" for text in texts), ""], codes


def numbers(column: pa.ChunkedArray, label: str, *, required: bool) -> tuple[Floats, Faults]:
    """Return numbers as float64, NaN where missing or unreadable.

    Text may be signed, have an exponent, or say ``nan`` or ``inf`` in any case: that is a number that
    is not finite, not a missing one. Decimals take the nearest float64; float32 is widened as it is.

    Raises:
        WrongType: the column holds neither text nor numbers.
    """
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _filled(column.cast(pa.float64(), safe=False), column, label, required=required)
    if not (is_text(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        raise WrongType("numbers")
    if pa.types.is_string(kind):  # nearly always numbers and nothing beside
        with suppress(pa.ArrowInvalid):
            return _filled(column.cast(pa.float64()), column, label, required=required)
    cells, absent = trimmed(column)
    faults = _missing(absent & required, label)
    try:
        return to_numpy(cells.cast(pa.float64()).fill_null(math.nan)), faults
    except pa.ArrowInvalid:
        values, unread = _each_distinct(cells, label, _number, np.float64(math.nan))
        return values, faults | unread


def counts(column: pa.ChunkedArray, label: str) -> tuple[Int64s, Faults]:
    """Return numbers of trades as int64, UNKNOWN_TRADES where missing or unreadable.

    ``12.0`` is 12, and NaN in a column of floats is unknown. A fraction is a fault, and so is a number
    below 0, for one of them would pass for an unknown one.

    Raises:
        WrongType: the column holds neither text nor numbers.
    """
    kind = column.type
    if pa.types.is_floating(kind):
        values = to_numpy(column.cast(pa.float64()).fill_null(math.nan))
        is_whole = (values >= 0) & (values < 2**63) & (values == np.floor(values))
        faults = {
            row: f"{label}: {values[row]} is not a whole number of 0 or more"
            for row in _rows_of(~is_whole & ~np.isnan(values))
        }
        return np.where(is_whole, values, UNKNOWN_TRADES).astype(np.int64), faults
    if not (
        is_text(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    ):
        raise WrongType("whole numbers")
    if _is_plain_whole(column):
        return to_numpy(without_nulls(column.cast(pa.int64()), UNKNOWN_TRADES)), {}
    cells, _ = trimmed(column)
    # Not left to the cast alone, which takes hexadecimal.
    if pc.all(pc.match_substring_regex(cells, _PLAIN_WHOLE), min_count=0).as_py():
        return to_numpy(cells.cast(pa.int64()).fill_null(UNKNOWN_TRADES)), {}
    return _each_distinct(cells, label, _count, np.int64(UNKNOWN_TRADES))


def sessions(
    column: pa.ChunkedArray, label: str, *, in_nanoseconds: bool = False, zone: ZoneInfo = EXCHANGE_ZONE
) -> tuple[npt.NDArray[np.datetime64], Faults]:
    """Return dates as datetime64[D], NaT where missing or unreadable; ``dates.py`` says what is read.

    Args:
        column: text, whole numbers, dates or timestamps.
        label: the column's name.
        in_nanoseconds: whether text and whole numbers count nanoseconds since the epoch.
        zone: in which zone other instants are 00:00.

    Raises:
        WrongType: the column holds none of these.
    """
    kind = column.type
    if pa.types.is_string(kind) and not in_nanoseconds:
        values, codes = encoded(column)
        dates = plain_dates(values)
        if dates is not None:
            return dates[codes], _missing(codes < 0, label)
    read: Reader = session_of_nanoseconds if in_nanoseconds else partial(session_of_text, zone=zone)
    if pa.types.is_timestamp(kind):
        values, codes = distinct(column.cast(pa.int64()))
        read = session_of_timestamps(kind.unit, is_aware=kind.tz is not None, zone=zone)
    elif is_text(kind) or pa.types.is_integer(kind) or pa.types.is_date(kind) or pa.types.is_null(kind):
        values, codes = distinct_texts(column)
    else:
        raise WrongType("dates")
    dates, faults = _read_each(values, codes, label, read, np.datetime64("NaT", "D"))
    return dates, _missing(absent_cells(values, codes), label) | faults


def _number(text: str) -> float | str:
    return float(text) if _NUMBER.fullmatch(text) else f"{text[:_SHOWN_LENGTH]!r} is not a number"


def _count(text: str) -> int | str:
    number = _WHOLE.fullmatch(text)
    if not number or int(number[1]) < 0:
        return f"{text[:_SHOWN_LENGTH]!r} is not a whole number of 0 or more"
    return int(number[1])


def _filled(
    numbers: pa.ChunkedArray, column: pa.ChunkedArray, label: str, *, required: bool
) -> tuple[Floats, Faults]:
    """Return a column, read as numbers, with NaN where it has none, and the faults of such cells."""
    if not column.null_count:
        return to_numpy(numbers), {}
    return to_numpy(numbers.fill_null(math.nan)), _missing(to_numpy(column.is_null()) & required, label)


def _is_plain_whole(column: pa.ChunkedArray) -> bool:
    """Return whether all cells are whole numbers of 0 or more, of 18 digits at most, and nothing beside.

    Not left to the cast alone, which takes hexadecimal.
    """
    if pa.types.is_integer(column.type):
        bounds = pc.min_max(column).as_py()
        return bounds["min"] is None or (bounds["min"] >= 0 and bounds["max"] < _FIRST_LONG)
    if not pa.types.is_string(column.type):
        return False
    longest = pc.max(pc.binary_length(column)).as_py()
    is_short = longest is None or longest <= _MOST_DIGITS
    return is_short and bool(pc.all(pc.ascii_is_decimal(column), min_count=0).as_py())


def _each_distinct(
    cells: pa.ChunkedArray, label: str, read: Reader, absent: np.generic
) -> tuple[npt.NDArray[Any], Faults]:
    """Read every distinct value once; null and unreadable ones become ``absent``, which gives the dtype."""
    return _read_each(*distinct(cells), label, read, absent)


def _read_each(
    values: list[Any], codes: npt.NDArray[np.int32], label: str, read: Reader, absent: np.generic
) -> tuple[npt.NDArray[Any], Faults]:
    """Read values, each once; None, and what no reader can read, becomes ``absent``."""
    meant = [absent if value is None else read(value) for value in values]
    is_fault = np.array([*(isinstance(each, str) for each in meant), False])[codes]
    lookup = np.array([*(absent if isinstance(each, str) else each for each in meant), absent], absent.dtype)
    faults = {row: f"{label}: {meant[codes[row]]}" for row in _rows_of(is_fault)}
    return lookup[codes], faults


def _missing(absent: Bools, label: str) -> Faults:
    return dict.fromkeys(_rows_of(absent), f"{label}: missing")


def _rows_of(is_fault: Bools) -> list[int]:
    """Return the positions of the faults, looked at before there is a text for each."""
    count = int(np.count_nonzero(is_fault))
    if count > MAX_FAULTY_ROWS:
        raise TooManyFaults(f"{count:,}")
    return np.flatnonzero(is_fault).tolist()
