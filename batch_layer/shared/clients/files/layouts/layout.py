"""Which columns a file must have, and what each of them may be called.

A column's case and the spaces around its name do not matter, nor does the order of columns. Columns
that no layout knows are ignored (they stay in ``Parsed.source``); those without a name are among them.
Nothing is guessed: a column that is missing, or there twice under one name or two, refuses the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import DatasetName

Kind = Literal["symbol", "date", "number", "count"]

WINDOW_START = "window_start"
"""The Massive flat file's session: nanoseconds since the epoch of 00:00 America/New_York."""

_SHOWN_NAMES = 12
_SHOWN_LENGTH = 24


@dataclass(frozen=True)
class Field:
    """One field of a row.

    Attributes:
        name: its name in the rows' dataclass.
        kind: how its cells are read.
        names: what its column may be called, lower case.
        required: whether the column must be there and every cell filled.
    """

    name: str
    kind: Kind
    names: tuple[str, ...]
    required: bool = True


_SYMBOL = Field("symbol", "symbol", ("symbol", "ticker"))
_EX_DATE = Field("ex_date", "date", ("ex_date",))


_SESSION_NAMES = ("session", "date", WINDOW_START)
_PRICES = {"open", "high", "low", "close"}


def _numbers(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "number", (name,)) for name in names)


LAYOUTS: Mapping[DatasetName, tuple[Field, ...]] = {
    "daily_bars": (
        _SYMBOL,
        Field("session", "date", _SESSION_NAMES),
        *_numbers("open", "high", "low", "close", "volume"),
        Field("vwap", "number", ("vwap",), required=False),
        Field("trades", "count", ("trades", "transactions"), required=False),
    ),
    "splits": (_SYMBOL, _EX_DATE, *_numbers("split_from", "split_to")),
    "dividends": (_SYMBOL, _EX_DATE, *_numbers("cash_amount")),
    "renames": (
        Field("symbol", "symbol", ("from", "symbol")),
        Field("date", "date", ("date", "session")),
        Field("to", "symbol", ("to",)),
    ),
}
"""The fields of each data set, in the order of its rows' dataclass."""


def match_columns(
    header: Sequence[str], dataset: DatasetName, *, name: str, has_symbol: bool = False
) -> dict[str, int]:
    """Return, for each field whose column is there, the position of its column in ``header``.

    Args:
        header: the columns' names as the file gives them.
        dataset: what the file should hold.
        name: the file, for messages.
        has_symbol: whether the symbol is known without a column of symbols.

    Raises:
        InputError: a column is missing, or one that is read is there twice; the message names it and the
            columns found.
    """
    plain = [column.strip().lower() for column in header]
    read = {column for field in LAYOUTS[dataset] for column in field.names}
    doubled = sorted(column for column, times in Counter(plain).items() if times > 1 and column in read)
    if doubled:
        raise InputError(
            f"{name}: column {_listed(doubled)} is there more than once; keep one column of each name"
            f"{_wide(doubled)}"
        )
    position_of = {column: position for position, column in enumerate(plain)}
    columns: dict[str, int] = {}
    missing = []
    for field in LAYOUTS[dataset]:
        matches = [column for column in field.names if column in position_of]
        if len(matches) > 1:
            raise InputError(
                f"{name}: columns {_listed(matches)} both stand for {field.name}; keep only one of them"
            )
        if matches:
            columns[field.name] = position_of[matches[0]]
        elif field.required and not (has_symbol and field.name == "symbol"):
            missing.append(" or ".join(field.names))
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(missing)}; found {_listed(header)}. "
            f"A file of {dataset.replace('_', ' ')} needs {_needed(dataset)}"
            f"{_remedy(dataset, missing, plain)}"
        )
    return columns


def _remedy(dataset: DatasetName, missing: Sequence[str], plain: Sequence[str]) -> str:
    """Return what to do about a table of prices that lacks columns; empty if that goes without saying."""
    if dataset != "daily_bars":
        return ""
    if any(name[:1].isdigit() for name in plain):
        return ". The first line has to name the columns"
    if not _PRICES & set(plain) and not _is_of_one_price(plain):
        return ""
    if not {"open", "high", "low"} & set(plain):
        return (
            ". Closes alone make no bars: Condvest makes up no open, high, low or volume; "
            "docs/files.md, Closes alone, says what to do"
        )
    return (
        "; of one symbol's table, say --symbol (symbol= in Python)"
        if missing == [" or ".join(_SYMBOL.names)]
        else ""
    )


def _is_of_one_price(plain: Sequence[str]) -> bool:
    """Return whether a table looks like one price of several symbols side by side, behind their sessions."""
    first, *others = plain
    is_dated = first in ("", "index", "unnamed: 0", *_SESSION_NAMES)
    return is_dated and bool(others) and "symbol" not in plain and "ticker" not in plain


def _wide(doubled: Sequence[str]) -> str:
    """Return what to do with prices of several symbols side by side; empty if the table has none."""
    if not set(doubled) >= _PRICES:
        return ""
    return (
        "; a table of symbols side by side goes in by Python: "
        "condvest.load(pandas.read_csv(FILE, header=[0, 1], index_col=0, parse_dates=True))"
    )


def _needed(dataset: DatasetName) -> str:
    fields = LAYOUTS[dataset]
    needed = ", ".join(field.names[0] for field in fields if field.required)
    optional = ", ".join(field.names[0] for field in fields if not field.required)
    return f"{needed} (and may have {optional})" if optional else needed


def _listed(names: Sequence[str]) -> str:
    """Name columns in a message that stays short however many and however long they are."""
    shown = [
        repr(name if len(name) <= _SHOWN_LENGTH else name[: _SHOWN_LENGTH - 3] + "...")
        for name in names[:_SHOWN_NAMES]
    ]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
