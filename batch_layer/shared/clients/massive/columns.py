"""Columns of JSON values as arrays, and what is wrong with a value; pure.

A column is a list with one value a row, as JSON gives it; None stands for a key that is absent or null.
All columns of a payload share one `Faults`, so that several faults of a row end in one text. A column that
is plain is read as a whole, for there are ten of thousands of values in an answer; only one that is not is
read value by value.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from array import array
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.clients.massive.faults import Faults, Values, shown
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bools, Floats, Int64s
from condvest.batch_layer.shared.models.given.given_rows import GivenRows, unpaired

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

MOST_CELLS = 10_000_000
"""Rows times keys of one answer: its own pages have 1,000 rows of 30 keys."""
_LARGEST_COUNT = 2**63 - 1


def objects(rows: Sequence[Any], faults: Faults) -> list[dict[str, Any]]:
    """Return the rows as objects, an empty one for each that is none, which is a fault."""
    if set(map(type, rows)) <= {dict}:
        return list(rows)
    for row, value in enumerate(rows):
        if not isinstance(value, dict):
            faults.note(row, f"row: {shown(value)} is not an object")
    return [value if isinstance(value, dict) else {} for value in rows]


def values_of(rows: Sequence[dict[str, Any]], key: str) -> Values:
    """Return one value a row, None where the key is absent."""
    try:
        return list(map(itemgetter(key), rows))  # twice as fast, and most keys are always there
    except KeyError:
        return list(map(dict.get, rows, repeat(key)))


def numbers(values: Values, label: str, faults: Faults, *, required: bool = False) -> Floats:
    """Return numbers as float64, NaN where missing or unreadable. Text is no number, nor is true."""
    plain = _plain("d", values)
    if plain is not None:
        return plain
    types = set(map(type, values))
    if required and type(None) in types:
        faults.note_missing(values, label)
    if types <= {int, float, type(None)}:
        try:
            return np.array(values, dtype=np.float64)  # None becomes NaN
        except OverflowError:
            pass  # an integer beyond float64: looked for below
    return np.array([_number(value, row, label, faults) for row, value in enumerate(values)], np.float64)


def counts(values: Values, label: str, faults: Faults) -> Int64s:
    """Return whole numbers of 0 or more as int64, UNKNOWN_TRADES where missing or unreadable."""
    plain = _plain("q", values)
    if plain is not None and not (plain < 0).any():
        return plain
    if set(map(type, values)) <= {int, type(None)}:
        given = [value for value in values if value is not None]
        if not given or (min(given) >= 0 and max(given) <= _LARGEST_COUNT):
            return np.array([UNKNOWN_TRADES if v is None else v for v in values], dtype=np.int64)
    return np.array([_count(value, row, label, faults) for row, value in enumerate(values)], np.int64)


def texts(values: Values, label: str, faults: Faults, *, required: bool = False) -> npt.NDArray[np.object_]:
    """Return text without white space around it, ``""`` where missing or unreadable."""
    column = np.empty(len(values), dtype=object)
    if are_words(values):
        column[:] = values
        return column
    if required:
        faults.note_missing(values, label)
    stripped = [_text(value, row, label, faults).strip() for row, value in enumerate(values)]
    if not _is_storable("".join(stripped)):
        stripped = [_storable(text, row, label, faults) for row, text in enumerate(stripped)]
    if required and "" in stripped:
        for row, (text, value) in enumerate(zip(stripped, values, strict=True)):
            if not text and isinstance(value, str):
                faults.note(row, f"{label}: missing")
    column[:] = stripped
    return column


def dates(
    values: Values, label: str, faults: Faults, *, required: bool = False
) -> npt.NDArray[np.datetime64]:
    """Return dates (``YYYY-MM-DD``) as datetime64[D], NaT where missing or unreadable."""
    return _read_dates(values, label, faults, _date, required=required)


def utc_dates(values: Values, label: str, faults: Faults) -> npt.NDArray[np.datetime64]:
    """Return the dates of ISO instants, as written: ``2024-03-05T00:00:00Z`` is 2024-03-05."""
    return _read_dates(values, label, faults, _date_of_instant, required=False)


def flags(values: Values, label: str, faults: Faults, *, missing: Callable[[int], bool]) -> Bools:
    """Return booleans; where one is missing or unreadable, what ``missing`` says of the row."""
    flags = []
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, bool):
            faults.note(row, f"{label}: {shown(value)} is neither true nor false")
        flags.append(value if isinstance(value, bool) else missing(row))
    return np.array(flags, dtype=np.bool_)


def source_of(rows: list[dict[str, Any]]) -> GivenRows:
    """Return the values of all keys of the rows, as they came.

    Raises:
        InputError: rows and keys make more than MOST_CELLS.
    """
    keys = dict.fromkeys(key for row in rows for key in row)
    if len(keys) * len(rows) > MOST_CELLS:
        raise InputError(f"{len(rows):,} rows of {len(keys):,} different keys, which are no rows of one list")
    return GivenRows({unpaired(key): values_of(rows, key) for key in keys}, len(rows))


def _plain(code: Literal["d", "q"], values: Values) -> npt.NDArray[Any] | None:
    """Return numbers as float64 ("d") or whole ones as int64 ("q"); None if any value is something else."""
    try:
        column = np.frombuffer(array(code, values), np.float64 if code == "d" else np.int64)
    except (TypeError, ValueError, OverflowError):  # another type, no values at all, a number beyond
        return None
    # True and false, which are no numbers, were taken for 1 and 0.
    doubtful = np.flatnonzero((column == 0) | (column == 1)).tolist()
    return None if any(isinstance(values[row], bool) for row in doubtful) else column


def are_words(values: Values) -> bool:
    """Return whether all values are text, none empty, with nothing in it that must be looked at closer."""
    try:
        everything = "".join(values)
    except TypeError:
        return False
    return everything.isprintable() and " " not in everything and "" not in values


def _number(value: object, row: int, label: str, faults: Faults) -> float:
    if value is None:
        return math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass  # said below
    faults.note(row, f"{label}: {shown(value)} is not a number")
    return math.nan


def _count(value: object, row: int, label: str, faults: Faults) -> int:
    if value is None:
        return UNKNOWN_TRADES
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT:
        whole = int(value)
        if whole == value:
            return whole
    faults.note(row, f"{label}: {shown(value)} is not a whole number of 0 or more")
    return UNKNOWN_TRADES


def _text(value: object, row: int, label: str, faults: Faults) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    faults.note(row, f"{label}: {shown(value)} is not text")
    return ""


def _is_storable(text: str) -> bool:
    """Return whether PostgreSQL can hold a text: it takes neither half a surrogate pair nor a NUL."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _storable(text: str, row: int, label: str, faults: Faults) -> str:
    # The rules of quality refuse a symbol with a NUL, as one that is none.
    if _is_storable(text.replace("\0", "") if label == "symbol" else text):
        return text
    faults.note(row, f"{label}: holds {'a NUL' if chr(0) in text else 'half a surrogate pair'}")
    return unpaired(text).replace("\0", "\ufffd")


def _read_dates(
    values: Values, label: str, faults: Faults, read: Callable[[str], dt.date], *, required: bool
) -> npt.NDArray[np.datetime64]:
    known: dict[str, dt.date | None] = {}
    column: list[dt.date | None] = []
    for row, value in enumerate(values):
        if isinstance(value, str):
            if value not in known:
                known[value] = _date_or_none(value, read)
            column.append(known[value])
        else:
            column.append(None)
        if value is None:
            if required:
                faults.note(row, f"{label}: missing")
        elif column[-1] is None:
            faults.note(row, f"{label}: {shown(value)} is not a date")
    return np.array(column, dtype="datetime64[D]")


def _date_or_none(text: str, read: Callable[[str], dt.date]) -> dt.date | None:
    try:
        return read(text)
    except ValueError:
        return None


def _date(text: str) -> dt.date:
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return dt.date.fromisoformat(text)


def _date_of_instant(text: str) -> dt.date:
    return dt.datetime.fromisoformat(text).date()
