"""What a provider answers, and what is read from it before any check."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

from condvest.batch_layer.shared.models.given.contents import Content, pieces_of
from condvest.batch_layer.shared.models.given.file_options import AS_THEY_ARE, FileOptions, SymbolsMean
from condvest.batch_layer.shared.models.given.given_rows import OriginalRows
from condvest.batch_layer.shared.models.given.payload_rows import (
    BarRows,
    DividendRows,
    InstrumentRows,
    RenameRows,
    Rows,
    RowsT,
    SplitRows,
    SymbolRows,
    UndoRows,
)

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
