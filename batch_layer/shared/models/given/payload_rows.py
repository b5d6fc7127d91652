"""The rows of a payload, one class per data set, as a provider gave them: before any check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.models.bars import Columns, Floats, Int64s


@dataclass(frozen=True, eq=False)
class BarRows(Columns):
    """Daily bars as a provider gave them, before any check and before symbols are identified.

    Attributes:
        line: int64, where the row stands in the payload: the line of a text file (the header is line
            1), the row number from 1 elsewhere.
        symbol: object array of str, as given, surrounding white space removed.
        session: datetime64[D], NaT where missing or unreadable.
        open, high, low, close, volume, vwap: float64, NaN where missing or unreadable.
        trades: int64, UNKNOWN_TRADES where missing.
    """

    line: Int64s
    symbol: npt.NDArray[np.object_]
    session: npt.NDArray[np.datetime64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    trades: Int64s

    def dates(self) -> npt.NDArray[np.datetime64]:
        """Return the sessions (datetime64[D], NaT where unknown)."""
        return self.session


@dataclass(frozen=True, eq=False)
class SplitRows(Columns):
    """Splits as a provider gave them. Columns as BarRows; ``ex_date`` datetime64[D]."""

    line: Int64s
    symbol: npt.NDArray[np.object_]
    ex_date: npt.NDArray[np.datetime64]
    split_from: Floats
    split_to: Floats

    def dates(self) -> npt.NDArray[np.datetime64]:
        """Return the ex-dates (datetime64[D], NaT where unknown)."""
        return self.ex_date


@dataclass(frozen=True, eq=False)
class DividendRows(Columns):
    """Cash dividends as a provider gave them, ``cash_amount`` per share in the quote currency."""

    line: Int64s
    symbol: npt.NDArray[np.object_]
    ex_date: npt.NDArray[np.datetime64]
    cash_amount: Floats

    def dates(self) -> npt.NDArray[np.datetime64]:
        """Return the ex-dates (datetime64[D], NaT where unknown)."""
        return self.ex_date


@dataclass(frozen=True, eq=False)
class InstrumentRows(Columns):
    """Listings as a provider's reference gives them: beside these columns, one per field of METADATA.

    Attributes:
        line: as in BarRows.
        symbol: object array of str.
        active: bool, whether it is listed now.
        name: the issuer's or fund's name.
        type: the kind of security as the provider codes it (CS, ETF ...).
        exchange: the primary exchange's MIC.
        currency: the ISO code, in upper case.
        cik: the SEC's key of the issuer.
        figi, share_class_figi: the composite FIGI, and that of the share class.
        market_cap: quote currency.
        shares_outstanding, weighted_shares_outstanding: shares.
    """

    line: Int64s
    symbol: npt.NDArray[np.object_]
    active: npt.NDArray[np.bool_]
    name: npt.NDArray[np.object_]
    type: npt.NDArray[np.object_]
    exchange: npt.NDArray[np.object_]
    currency: npt.NDArray[np.object_]
    cik: npt.NDArray[np.object_]
    figi: npt.NDArray[np.object_]
    share_class_figi: npt.NDArray[np.object_]
    list_date: npt.NDArray[np.datetime64]
    delisted_date: npt.NDArray[np.datetime64]
    sic_code: npt.NDArray[np.object_]
    sic_description: npt.NDArray[np.object_]
    market_cap: Floats
    shares_outstanding: Floats
    weighted_shares_outstanding: Floats

    def dates(self) -> npt.NDArray[np.datetime64]:
        """Return the dates of delisting (datetime64[D], NaT where unknown)."""
        return self.delisted_date


@dataclass(frozen=True, eq=False)
class SymbolRows(Columns):
    """Symbols that instruments took, as a provider's record of renames gives them.

    Attributes:
        line: as in BarRows.
        symbol: object array of str, the symbol taken.
        date: datetime64[D], the first date on which it was carried.
        figi: object array of str, the composite FIGI of the instrument; "" if it has none.
        current: object array of str, the symbol that the instrument took last, by the same answer.
    """

    line: Int64s
    symbol: npt.NDArray[np.object_]
    date: npt.NDArray[np.datetime64]
    figi: npt.NDArray[np.object_]
    current: npt.NDArray[np.object_]

    def dates(self) -> npt.NDArray[np.datetime64]:
        """Return the dates from which the symbols were carried (datetime64[D], NaT where unknown)."""
        return self.date


@dataclass(frozen=True, eq=False)
class RenameRows(Columns):
    """Renames as a person states them.

    Attributes:
        line: as in BarRows.
        symbol: object array of str, the symbol carried before the date.
        date: datetime64[D], the first date of the new symbol, NaT where missing or unreadable.
        to: object array of str, the symbol carried from then on; "" takes a rename back.
    """

    line: Int64s
    symbol: npt.NDArray[np.object_]
    date: npt.NDArray[np.datetime64]
    to: npt.NDArray[np.object_]

    def dates(self) -> npt.NDArray[np.datetime64]:
        """Return the first dates of the new symbols (datetime64[D], NaT where unknown)."""
        return self.date


@dataclass(frozen=True, eq=False)
class UndoRows(Columns):
    """What a person takes back: the loads of an archived payload, or the rows of an instrument.

    Attributes:
        line: as in BarRows.
        symbol: object array of str, a symbol that the instrument carried; "" of a payload.
        date: datetime64[D], when it carried the symbol; NaT of a payload.
        archive_key: object array of str, the payload's key in the archive; "" of an instrument.
    """

    line: Int64s
    symbol: npt.NDArray[np.object_]
    date: npt.NDArray[np.datetime64]
    archive_key: npt.NDArray[np.object_]

    def dates(self) -> npt.NDArray[np.datetime64]:
        """Return the dates on which the symbols were carried (datetime64[D], NaT of payloads)."""
        return self.date


Rows = BarRows | SplitRows | DividendRows | InstrumentRows | SymbolRows | RenameRows | UndoRows
"""Rows of any data set."""

RowsT = TypeVar("RowsT", BarRows, SplitRows, DividendRows, InstrumentRows, SymbolRows, RenameRows, UndoRows)
