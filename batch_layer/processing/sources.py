"""Where bars are read from: what a reader needs to know, and the database that tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from batch_layer.database import catalog_store, load_store
from batch_layer.database.bars_store import read_bars
from batch_layer.database.connection import Connection
from batch_layer.database.keyed_store import DAILY_BARS, DIVIDENDS, SPLITS
from batch_layer.shared.models.bars import Bars, DailyBars, Int32s
from batch_layer.shared.models.corporate_actions import DividendEvents, SplitEvents
from batch_layer.shared.models.coverage import Coverage
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans, always


class Source(Protocol):
    """One state of the bars and of all that they are adjusted with. Instruments are asked for ascending."""

    @property
    def sessions(self) -> Sessions:
        """The calendar."""
        ...

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbol that each instrument with bars carries now, or carried last; of all if None."""
        ...

    def carriers(self, symbol: str) -> list[int]:
        """Return the instruments that carry or carried a symbol, the latest first."""
        ...

    def coverage(self, ids: Int32s) -> Coverage:
        """Return which sessions have been loaded for the instruments."""
        ...

    def splits(self, ids: Int32s) -> SplitEvents:
        """Return the splits of the instruments, by instrument and ex-date."""
        ...

    def dividends(self, ids: Int32s) -> DividendEvents:
        """Return the dividends of the instruments, by instrument and ex-date."""
        ...

    def listed(self, ids: Int32s) -> Spans:
        """Return the ordinals of the first and last daily bar of each instrument that has any, ascending."""
        ...

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars within the spans, ascending by instrument and ordinal."""
        ...

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Return the stored bars within the spans of windows, in the spans' order; or the complete ones only.

        The spans of one instrument come together and ascend.
        """
        ...


@dataclass(frozen=True)
class DatabaseSource:
    """A `Source` within one transaction.

    Attributes:
        connection: in a transaction that sees one state of the database.
        sessions: the calendar.
        known_by: the last load that counts.
    """

    connection: Connection
    sessions: Sessions
    known_by: int = load_store.EVERY_LOAD

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbols by instrument; see `Source`."""
        return catalog_store.symbols_by_instrument(self.connection, ids)

    def carriers(self, symbol: str) -> list[int]:
        """Return the instruments that carry or carried a symbol; see `Source`."""
        return catalog_store.instruments_named(self.connection, symbol)

    def coverage(self, ids: Int32s) -> Coverage:
        """Return which sessions have been loaded; see `Source`."""
        return load_store.read_coverage(self.connection, ids, self.known_by)

    def splits(self, ids: Int32s) -> SplitEvents:
        """Return the splits; see `Source`."""
        return SPLITS.read(self.connection, always(ids), self.known_by)

    def dividends(self, ids: Int32s) -> DividendEvents:
        """Return the dividends; see `Source`."""
        return DIVIDENDS.read(self.connection, always(ids), self.known_by)

    def listed(self, ids: Int32s) -> Spans:
        """Return the spans of the daily bars; see `Source`."""
        return catalog_store.spans_of_bars(self.connection, ids, self.known_by)

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars; see `Source`."""
        return DAILY_BARS.read(self.connection, spans, self.known_by)

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Return the stored bars; see `Source`."""
        bars = read_bars(self.connection, interval, spans)
        return bars.take(bars.is_complete) if complete and not bars.is_complete.all() else bars
