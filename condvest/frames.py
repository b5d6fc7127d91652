"""Bars as pandas frames, in the shapes that backtesters and charts take."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from condvest.api import bars
from condvest.asking import From, Instant, Missing, Session, Symbols
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.queries.bars.question import Adjust, Anchor

Field = Literal["open", "high", "low", "close", "volume", "vwap", "trades"]
"""What a panel may hold."""

_FRAME = ("open", "high", "low", "close", "volume")


def frame(
    symbols: Symbols | None = None,
    interval: int = 13,
    start: Session | None = None,
    end: Session | None = None,
    adjust: Adjust = "splits",
    anchor: Anchor = "calendar",
    include_open: bool = False,  # noqa: FBT001, FBT002  # as in `bars`
    *,
    as_of: Instant | None = None,
    source: From = "database",
    settings: Settings | None = None,
    missing: Missing = "raise",
) -> pd.DataFrame:
    """Return bars as a frame that backtesting.py, mplfinance and the like take as it is.

    Arguments and errors are those of `bars`.

    Returns:
        A frame with the columns Open, High, Low, Close (float64, quote currency) and Volume (float64,
        shares); an unknown open is NaN. Its index is last_session, the last session of each bar's window,
        ascending: a DatetimeIndex without a time zone, at midnight of New York's date, in the unit of this
        pandas (ns before version 3, us since), so that it can be merged with other dates.

        Of one symbol given as text the index is that alone. Of several, or all, it is a MultiIndex of symbol
        (string, ascending) and last_session, so ``frame.loc["AAPL"]`` is what one symbol gives. Where a
        symbol has passed to another instrument, the former one has a label: ``X#12``.

        Its ``attrs["condvest"]`` has the interval and what the prices are adjusted for, so that
        `condvest.load` takes no bars of several sessions, and no adjusted prices, for daily bars as traded.
    """
    table = bars(
        symbols,
        interval,
        start,
        end,
        adjust,
        anchor,
        include_open,
        as_of=as_of,
        source=source,
        settings=settings,
        unique_symbols=True,
        missing=missing,
    )
    sessions = _sessions_of(table)
    index: pd.DatetimeIndex | pd.MultiIndex = sessions
    if not isinstance(symbols, str):
        names = ["symbol", "last_session"]
        index = pd.MultiIndex.from_arrays([table["symbol"].to_pandas(), sessions], names=names)
    data = {name.capitalize(): _floats(table, name) for name in _FRAME}
    made = pd.DataFrame(data, index=index, columns=list(data))
    made.attrs["condvest"] = {"interval": interval, "adjust": adjust}
    return made


def panel(
    field: Field = "close",
    symbols: Symbols | None = None,
    interval: int = 13,
    start: Session | None = None,
    end: Session | None = None,
    adjust: Adjust = "splits",
    anchor: Anchor = "calendar",
    include_open: bool = False,  # noqa: FBT001, FBT002  # as in `bars`
    *,
    as_of: Instant | None = None,
    source: From = "database",
    settings: Settings | None = None,
    missing: Missing = "raise",
) -> pd.DataFrame:
    """Return one field of the bars as a matrix, a column per symbol: for vectorbt, bt, ffn and the like.

    Args:
        field: ``open``, ``high``, ``low``, ``close``, ``volume``, ``vwap`` or ``trades``.
        symbols: as those that follow, as in `bars`.
        interval: see `bars`.
        start: see `bars`.
        end: see `bars`.
        adjust: see `bars`.
        anchor: see `bars`; windows by listing end at other sessions for each symbol.
        include_open: see `bars`.
        as_of: see `bars`.
        source: see `bars`.
        settings: see `bars`.
        missing: see `bars`; a symbol that is skipped has no column.

    Returns:
        A frame of float64 whose index is last_session, ascending (see `frame`), and whose columns are the
        symbols, ascending (see `frame` for labels); NaN where a symbol has no bar, or the value is unknown.
        Nothing is filled in. Sessions at which no symbol has a bar are not in the index.

    Raises:
        UsageError: there is no such field, or as `bars`.
        CondvestError: as `bars`.
    """
    if field not in get_args(Field):
        raise UsageError(f"field {field!r}: choose one of {', '.join(get_args(Field))}")
    table = bars(
        symbols,
        interval,
        start,
        end,
        adjust,
        anchor,
        include_open,
        as_of=as_of,
        source=source,
        settings=settings,
        unique_symbols=True,
        missing=missing,
    )
    names = table["symbol"].combine_chunks().dictionary_encode()
    sessions, row = np.unique(_sessions_of(table), return_inverse=True)
    values = np.full((len(sessions), len(names.dictionary)), np.nan)
    values[row, names.indices.to_numpy()] = _floats(table, field)
    columns = pd.Index(names.dictionary.to_pandas(), name="symbol")
    return pd.DataFrame(values, pd.DatetimeIndex(sessions, name="last_session"), columns)


def _sessions_of(table: pa.Table) -> pd.DatetimeIndex:
    """Return the last sessions as an index in the unit that this pandas gives the dates it reads itself."""
    days = table["last_session"].to_numpy().astype("datetime64[D]").astype("datetime64[s]")
    unit = pd.to_datetime(["1970-01-01"]).unit
    return pd.DatetimeIndex(days, name="last_session").as_unit(unit)


def _floats(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return a column as float64; what is unknown is NaN."""
    values: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        table[name].cast(pa.float64()).to_numpy().astype(np.float64)
    )
    return values
