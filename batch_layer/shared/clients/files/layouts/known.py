"""Layouts of known sources whose files say less, or otherwise, than their columns; pure.

Stooq's tables begin with ``<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>``, name
the market behind the ticker (``AAPL.US``), and hold split-adjusted prices. Lean's daily files have no header,
and prices in ten-thousandths of a dollar: read as dollars they would be wrong without a sign of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from condvest.batch_layer.shared.clients.files.text import Table
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.file_options import FileOptions

STOOQ = {
    "<ticker>": "symbol",
    "<date>": "date",
    "<open>": "open",
    "<high>": "high",
    "<low>": "low",
    "<close>": "close",
    "<vol>": "volume",
}
"""Stooq's columns, lower case, and ours."""

_PERIOD, _DAILY = "<per>", "D"
_MARKET = ".US"
_LEAN = re.compile(r"\d{8} \d{2}:\d{2}")


def known_names(header: Sequence[str], options: FileOptions, *, name: str) -> tuple[str, ...]:
    """Return the columns' names, those of Stooq as ours are.

    Raises:
        InputError: it is a file of Lean's, or one of Stooq's of which nobody said what its prices are.
    """
    if header and _LEAN.fullmatch(header[0]):
        raise InputError(
            f"{name}: looks like a daily file of Lean's, without a header and with prices in ten-thousandths "
            "of a dollar; write the header date,open,high,low,close,volume, divide the four prices by "
            "10,000, write the date as YYYYMMDD, and name the symbol by --symbol or by the file's name"
        )
    if not _is_stooqs(header):
        return tuple(header)
    if options.prices is None:
        raise InputError(
            f"{name}: is a table of Stooq's, whose prices are split-adjusted; say --prices split-adjusted "
            "and give the splits, --splits FILE, or say --prices as-traded if no symbol of it was ever split"
        )
    return tuple(STOOQ.get(column.strip().lower(), column) for column in header)


def without_market(values: dict[str, Any], table: Table, *, name: str) -> dict[str, Any]:
    """Return the columns read of a table, those of Stooq's without the market behind the symbols.

    Raises:
        InputError: a row of Stooq's is of another market than the US, or not of a whole session.
    """
    if not _is_stooqs(table.header):
        return values
    position = [column.strip().lower() for column in table.header].index(_PERIOD)
    periods = table.columns[position].to_pylist()
    for row, (symbol, period) in enumerate(zip(values["symbol"].tolist(), periods, strict=True)):
        if not symbol.endswith(_MARKET) or period != _DAILY:
            raise InputError(
                f"{name}: line {table.line[row]}: {symbol!r} with period {period!r}; expected rows of US "
                f"symbols ({_MARKET}) with period {_DAILY}, so leave out the others"
            )
    symbols = [symbol.removesuffix(_MARKET) for symbol in values["symbol"].tolist()]
    return values | {"symbol": np.array(symbols, dtype=object)}


def _is_stooqs(header: Sequence[str]) -> bool:
    return {*STOOQ, _PERIOD} <= {column.strip().lower() for column in header}
