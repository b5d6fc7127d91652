"""Answers read from the database, within one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.revisioned import DAILY_BARS, DIVIDENDS, SPLITS
from batch_layer.database.stores.bars import read_bars
from batch_layer.database.stores.changes import peek_changes
from batch_layer.database.stores.daily_bars import spans_of_bars
from batch_layer.database.stores.ledger import read_coverage
from batch_layer.database.stores.symbols import instruments_named, symbols_by_instrument
from batch_layer.shared.models.bars import Bars, DailyBars, Int32s
from batch_layer.shared.models.corporate_actions import DividendEvents, SplitEvents
from batch_layer.shared.models.coverage import Coverage
from batch_layer.shared.models.loads import EVERY_LOAD
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans, always


@dataclass(frozen=True)
class DatabaseSource:
    """A `BarSource` within one transaction.

    Attributes:
        connection: in a transaction that sees one state of the database.
        sessions: the calendar.
        known_by: the last load that counts.
    """

    connection: Connection
    sessions: Sessions
    known_by: int = EVERY_LOAD

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbols by instrument; see `BarSource`."""
        return symbols_by_instrument(self.connection, ids)

    def carriers(self, symbol: str) -> list[int]:
        """Return the instruments that carry or carried a symbol; see `BarSource`."""
        return instruments_named(self.connection, symbol)

    def coverage(self, ids: Int32s) -> Coverage:
        """Return which sessions have been loaded; see `BarSource`."""
        return read_coverage(self.connection, ids, self.known_by)

    def splits(self, ids: Int32s) -> SplitEvents:
        """Return the splits; see `BarSource`."""
        return SPLITS.read(self.connection, always(ids), self.known_by)

    def dividends(self, ids: Int32s) -> DividendEvents:
        """Return the dividends; see `BarSource`."""
        return DIVIDENDS.read(self.connection, always(ids), self.known_by)

    def listed(self, ids: Int32s) -> Spans:
        """Return the spans of the daily bars; see `BarSource`."""
        return spans_of_bars(self.connection, ids, self.known_by)

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars; see `BarSource`."""
        return DAILY_BARS.read(self.connection, spans, self.known_by)

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Return the stored bars; see `BarSource`."""
        bars = read_bars(self.connection, interval, spans)
        return bars.take(bars.is_complete) if complete and not bars.is_complete.all() else bars

    def waiting(self, ids: Int32s) -> Spans:
        """Return what waits to be resampled; see `BarSource`."""
        return peek_changes(self.connection, ids)
