"""Columns of a price file that speak of splits, dividends and adjusted prices; pure.

Condvest stores prices as traded. A price table with a column of splits says which splits it knows: its
prices either jump by the ratio on the ex-date (as traded) or do not (split-adjusted). So the column is held
against the prices, and a file that contradicts itself is refused rather than stored on the wrong basis.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import Bools, Floats, Int64s
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.given.payload_rows import BarRows

SPLIT_NAMES = ("split", "splits", "stocksplits", "splitratio", "splitfactor", "splitcoefficient")
"""New shares per old on the ex-date; 0, 1 or nothing elsewhere. zipline's csvdir has ``split``, yfinance
``Stock Splits``, Tiingo ``splitFactor``, Alpha Vantage ``split_coefficient``."""

DIVIDEND_NAMES = ("dividend", "dividends", "divcash", "dividendamount", "divamount")
"""Cash per share on the ex-date; 0 or nothing elsewhere. Of the same sources."""

FACTOR_NAMES = ("factor",)
"""The adjusted price over the price as traded, for splits and dividends, of qlib."""

OTHER_NAMES = (
    "adjclose", "adjustedclose", "closeadj", "adjopen", "adjhigh", "adjlow", "adjvolume",
    "factor", "adjfactor", "adjustmentfactor", "cumfactor", "capitalgains",
)  # fmt: skip
"""Adjusted prices and factors. Yahoo's table has ``Adj Close``, qlib's ``factor``."""

_LEAST_RATIO = 1.3
"""A smaller split moves the price no more than news does, so the prices cannot deny it."""


def plain_name(column: str) -> str:
    """Return a column's name in lower case without blanks, marks and brackets."""
    return re.sub(r"[^a-z0-9]", "", column.lower())


def position_of(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the position of the first column with one of these plain names; None if there is none."""
    return next((position for position, name in enumerate(header) if plain_name(name) in names), None)


def named_columns(header: Sequence[str]) -> list[str]:
    """Return the columns, as given, that speak of splits, dividends or adjusted prices."""
    known = {*SPLIT_NAMES, *DIVIDEND_NAMES, *OTHER_NAMES}
    return [name for name in header if plain_name(name) in known]


def is_split(ratio: Floats) -> Bools:
    """Return, for each cell of a column of splits, whether it is one: neither empty, nor 0, nor 1."""
    chosen: Bools = np.isfinite(ratio) & (ratio > 0) & (ratio != 1)
    return chosen


def as_traded(
    rows: BarRows,
    ratio: Floats | None,
    header: Sequence[str],
    options: FileOptions,
    factor: Floats | None = None,
    *,
    name: str,
) -> tuple[BarRows, tuple[str, ...]]:
    """Return the rows with prices and volumes as traded, and notices on the columns that speak of it.

    For example, split-adjusted closes around a 4-for-1 split with ex-date 2024-06-05:

        ========== ===== ===== =============
        session    split close becomes
        ========== ===== ===== =============
        2024-06-04 0     25.0  100.0 (x 4)
        2024-06-05 4     25.5  25.5
        ========== ===== ===== =============

    Args:
        rows: as parsed.
        ratio: float64, the column of splits; None if there is none.
        header: the columns' names.
        options: what was said about the file.
        factor: float64, the column of qlib's factor; None if there is none.
        name: the file, for messages.

    Raises:
        InputError: the prices are adjusted for dividends and there is no factor, or they contradict the
            splits, or are split-adjusted and no split is given.
    """
    columns = ", ".join(map(repr, named_columns(header)))
    if options.prices == "adjusted" and factor is not None:
        with np.errstate(divide="ignore"):
            return _multiplied(rows, np.where(factor > 0, 1 / factor, np.nan)), ()
    if options.prices == "adjusted":
        raise InputError(
            f"{name}: prices adjusted for dividends cannot be brought back to prices as traded; "
            "give prices as traded, split-adjusted ones with their splits, or a column factor as qlib's"
        )
    if options.prices == "split-adjusted":
        factor = later_splits(rows.symbol, rows.session, ratio, options, name=name)
        return _multiplied(rows, factor), ()
    denied = _denied(rows, ratio)
    if denied and options.prices is None:
        raise InputError(
            f"{name}: the prices do not move at the split of {denied}, so they look split-adjusted; "
            "say --prices split-adjusted, or --prices as-traded if they are"
        )
    if options.prices is not None or not columns:
        return rows, ()
    notice = (
        f"{name}: prices are taken as traded, though there are columns {columns}; --prices says otherwise"
    )
    return rows, (notice,)


def later_splits(
    symbol: npt.NDArray[np.object_],
    date: npt.NDArray[np.datetime64],
    ratio: Floats | None,
    options: FileOptions,
    *,
    name: str,
) -> Floats:
    """Return, for each row, the product of the ratios of its symbol's splits with a later ex-date.

    Args:
        symbol: of each row.
        date: session or ex-date of each row.
        ratio: float64, the column of splits; None if there is none.
        options: what was said about the file, further splits among it; one split counts once.
        name: the file, for messages.

    Raises:
        InputError: no split is given.
    """
    by_symbol: dict[str, dict[str, float]] = {}
    for given_symbol, ex_date, given_ratio in options.splits:
        by_symbol.setdefault(given_symbol, {})[ex_date] = given_ratio
    for row in np.flatnonzero(is_split(ratio)) if ratio is not None else ():
        by_symbol.setdefault(symbol[row], {})[str(date[row])] = ratio[row]  # type: ignore[index]  # not None here
    if ratio is None and not by_symbol:
        raise InputError(f"{name}: to bring split-adjusted prices back, name the splits: --splits FILE")
    factor = np.ones(len(symbol))
    for split_symbol, ratios in by_symbol.items():
        own = symbol == split_symbol
        for ex_date, each in ratios.items():
            factor[own & (date < np.datetime64(ex_date, "D"))] *= each
    return factor


def _multiplied(rows: BarRows, factor: Floats) -> BarRows:
    return replace(
        rows,
        open=rows.open * factor,
        high=rows.high * factor,
        low=rows.low * factor,
        close=rows.close * factor,
        vwap=rows.vwap * factor,
        volume=rows.volume / factor,
    )


def _denied(rows: BarRows, ratio: Floats | None) -> str:
    """Return symbol and date of a split at which the close stayed nearer to unmoved than to split; or ""."""
    if ratio is None:
        return ""
    order: Int64s = np.lexsort((rows.session, rows.symbol.astype(str)))
    symbol, close, splits = rows.symbol[order], rows.close[order], ratio[order]
    for row in np.flatnonzero(is_split(splits)):
        if not row or symbol[row] != symbol[row - 1] or not (close[row] > 0 and close[row - 1] > 0):
            continue
        move, jump = np.log(close[row] / close[row - 1]), -np.log(splits[row])
        if abs(jump) >= np.log(_LEAST_RATIO) and abs(move) < abs(move - jump):
            return f"{symbol[row]} on {rows.session[order][row]}"
    return ""
