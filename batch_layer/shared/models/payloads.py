"""What a provider answers, and the rows read from it before any check."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.models.bars import Columns, Floats, Int64s
from condvest.batch_layer.shared.models.contents import Content, pieces_of
from condvest.batch_layer.shared.models.file_options import AS_THEY_ARE, FileOptions, SymbolsMean
from condvest.batch_layer.shared.models.given_rows import OriginalRows

DatasetName = Literal[
    "daily_bars", "splits", "dividends", "instruments", "symbols", "renames", "chart", "undo"
]
"""What a payload holds: symbols are a vendor's record of renames, renames what a person says of them. A chart
is one symbol's daily bars, splits and dividends: three tables. An undo says what a person takes back."""


@dataclass(frozen=True)
class Payload:
    """One answer of a provider: its bytes, unaltered, and what is known about them.

    Attributes:
        provider: the provider's name, as in the ledger.
        dataset: what the bytes hold.
        content: the bytes as they came (a ``.gz`` file stays compressed).
        media: how to read them: ``csv``, ``csv.gz``, ``parquet``, ``json``.
        first_session, last_session: the sessions (or ex-dates) asked for, inclusive; None when the bytes
            alone say (an imported file).
        fetched_at: when they came, an aware UTC datetime.
        is_whole: True if the answer claims every instrument of its sessions (a vendor's grouped
            answer): then a row that is gone is a withdrawal and a low count makes the session partial.
            False for an imported file, which may hold any part of the market.
        name: where they came from, for messages: a file's path, an endpoint. Holds no secret.
        options: what a person said about an imported file.
        ordered_at: the instant that gives its place in the archive, where a wrong clock would give a wrong
            one; None if that is ``fetched_at``.
    """

    provider: str
    dataset: DatasetName
    content: Content = field(repr=False)
    media: str
    first_session: dt.date | None
    last_session: dt.date | None
    fetched_at: dt.datetime
    is_whole: bool
    name: str
    options: FileOptions = field(default=AS_THEY_ARE, kw_only=True)
    ordered_at: dt.datetime | None = field(default=None, kw_only=True)

    @property
    def order_instant(self) -> dt.datetime:
        """The instant by which the archive orders the payload; see `ordered_at`."""
        return self.ordered_at or self.fetched_at

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        digest = hashlib.sha256()
        for piece in pieces_of(self.content):
            digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True)
class VendorFile(Payload):
    """A file that a provider publishes, and may publish anew.

    Attributes:
        etag: its version, as the provider names it.
    """

    etag: str = field(kw_only=True)


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


_DATASET_OF: Mapping[type[Rows], DatasetName] = {
    BarRows: "daily_bars",
    SplitRows: "splits",
    DividendRows: "dividends",
    InstrumentRows: "instruments",
    SymbolRows: "symbols",
    RenameRows: "renames",
    UndoRows: "undo",
}


@dataclass(frozen=True)
class ListedPeriod:
    """The ex-dates of which a payload gives every action of one symbol: what it lacks there was taken back.

    Attributes:
        symbol: the symbol.
        first, last: the ex-dates, both inclusive.
    """

    symbol: str
    first: dt.date
    last: dt.date


class Portions(Protocol):
    """The rows of a large file of daily bars, divided by symbol: all rows of a symbol are in one portion."""

    def __iter__(self) -> Iterator[Parsed]:
        """Yield the portions, each with the lines of the file and its rows in their order; again each time.

        Raises:
            InputError: as for parsing the file whole.
        """


@dataclass(frozen=True, eq=False)
class Parsed:
    """What was read from a payload.

    Attributes:
        rows: the rows, in the payload's order.
        faults: for each row (by position) that could not be read in full, what and why, for example
            ``"open: 'abc' is not a number"``. An absent required value is exactly ``"<column>: missing"``;
            several faults of a row are joined by ``"; "``.
        source: the same rows as they were given, all columns as text, for the record of refused rows.
        notices: what a person should know about the payload, one sentence each.
        symbols_mean: how the rows' symbols are meant.
        listed: the period of which the rows are all actions of one symbol; None if they claim no such thing.
        also: the other tables of the same payload: the splits and the dividends of a chart, whose first
            table is its daily bars.
        portions: the rows of a file that is too large to be read at once; then there are no ``rows`` here.
    """

    rows: Rows
    faults: Mapping[int, str]
    source: OriginalRows
    notices: tuple[str, ...] = field(default=(), kw_only=True)
    symbols_mean: SymbolsMean = "date"
    listed: ListedPeriod | None = None
    also: tuple[Parsed, ...] = ()
    portions: Portions | None = field(default=None, kw_only=True)

    @property
    def dataset(self) -> DatasetName:
        """The data set that the rows are of; never ``chart``."""
        return _DATASET_OF[type(self.rows)]

    def rows_as(self, kind: type[RowsT]) -> RowsT:
        """Return the rows, which must be of that class.

        Raises:
            TypeError: they are of another data set, or come in portions.
        """
        if self.portions is not None:
            raise TypeError("the rows come in portions")
        if not isinstance(self.rows, kind):
            raise TypeError(f"expected {kind.__name__}, got {type(self.rows).__name__}")
        return self.rows


@dataclass(frozen=True, eq=False)
class Fetched:
    """An answer as its client hands it on.

    Attributes:
        payload: the bytes.
        parsed: what is read from them, where the client had to read them to check them; else None.
    """

    payload: Payload
    parsed: Parsed | None = None
