"""Answers read from the database, within one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from condvest.batch_layer.database.migrate import check_schema_again
from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS, DIVIDENDS, SPLITS
from condvest.batch_layer.database.stores.bars.stored import read_bars
from condvest.batch_layer.database.stores.changes import peek_changes
from condvest.batch_layer.database.stores.identity.symbols import (
    instruments_named,
    latest_carriers,
    symbol_spans,
    symbols_by_instrument,
)
from condvest.batch_layer.database.stores.loading.ledger import read_coverage
from condvest.batch_layer.database.stores.sessions import present_sessions
from condvest.batch_layer.database.stores.touched import DAILY, version_of
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, SplitEvents
from condvest.batch_layer.shared.models.coverage import Coverage
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans, always
from condvest.serving_layer.sources import SymbolSpan
from condvest.serving_layer.sources.keeping.kept_reference import Reference, reference

if TYPE_CHECKING:
    from condvest.serving_layer.sources.live import LiveSource


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

    @cached_property
    def _reference(self) -> Reference:
        return reference(self.connection)

    @property
    def _is_of_all(self) -> bool:
        """Whether the question is about all instruments, as they are known now."""
        return self.known_by == EVERY_LOAD and "_reference" in self.__dict__

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbols by instrument; see `BarSource`."""
        if ids is None and self.known_by == EVERY_LOAD:
            return self._reference.names
        return symbols_by_instrument(self.connection, ids, self.known_by)

    def carriers(self, symbol: str, on: dt.date | None = None) -> list[int]:
        """Return the instruments that carry or carried a symbol; see `BarSource`."""
        return instruments_named(self.connection, symbol, on)

    def symbol_spans(self) -> list[SymbolSpan]:
        """Return who carried which symbol when; see `BarSource`."""
        return symbol_spans(self.connection)

    def stands_for(self, symbols: Sequence[str]) -> dict[str, int]:
        """Return the instrument that each symbol stands for; see `BarSource`."""
        return latest_carriers(self.connection, symbols, self.known_by)

    def coverage(self, ids: Int32s) -> Coverage:
        """Return which sessions have been loaded; see `BarSource`."""
        if self._is_of_all:
            return self._reference.coverage_of(ids)
        return read_coverage(self.connection, ids, self.known_by)

    def splits(self, ids: Int32s) -> SplitEvents:
        """Return the splits; see `BarSource`."""
        if self._is_of_all:
            return self._reference.splits_of(ids)
        return SPLITS.read(self.connection, always(ids), self.known_by)

    def dividends(self, ids: Int32s) -> DividendEvents:
        """Return the dividends; see `BarSource`."""
        return DIVIDENDS.read(self.connection, always(ids), self.known_by)

    def listed(self, ids: Int32s) -> Spans:
        """Return the spans of the daily bars; see `BarSource`."""
        from condvest.batch_layer.database.stores.daily.daily_bars import spans_of_bars  # noqa: PLC0415  # few need it

        return spans_of_bars(self.connection, ids, self.known_by)

    def portions(self, spans: Spans) -> Sequence[Spans]:
        """Return the spans as they are: by portions each session would be read again and again."""
        return [spans]

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars; see `BarSource`."""
        return DAILY_BARS.read(self.connection, spans, self.known_by)

    def daily_of(self, portions: Sequence[Spans]) -> Iterator[DailyBars]:
        """Yield the daily bars of each portion; see `BarSource`."""
        return map(self.daily, portions)

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Return the stored bars; see `BarSource`."""
        if self._is_of_all and len(spans):
            # The calendar goes on for months: no bar begins behind the last session that is loaded.
            through = np.int32(max(self._reference.coverage.loaded_through.max() // interval, 0))
            spans = replace(spans, last=np.maximum(np.minimum(spans.last, through), spans.first))
        bars = read_bars(self.connection, interval, spans)
        return bars.take(bars.is_complete) if complete and not bars.is_complete.all() else bars

    def waiting(self, ids: Int32s) -> Spans:
        """Return what waits to be resampled; see `BarSource`."""
        return peek_changes(self.connection, ids)

    def with_live(self) -> LiveSource:
        """Return the same with the live rows that count, read in the same transaction."""
        from condvest.batch_layer.database.stores.daily.live import read_live  # noqa: PLC0415  # few questions are about now
        from condvest.serving_layer.sources.keeping.kept_daily import kept_daily  # noqa: PLC0415  # as above
        from condvest.serving_layer.sources.live import LiveSource  # noqa: PLC0415  # as above

        def instruments() -> Int32s:
            return self._reference.coverage.instrument_id

        @cache
        def version() -> str:
            return f"{self._reference.version} {version_of(self.connection, DAILY)}"

        return LiveSource(
            self,
            lambda ids: read_live(self.connection, ids),
            lambda spans: kept_daily(self.daily, instruments, version(), spans),
        )


@contextmanager
def reading(
    database: Database, sessions: Sessions, as_of: dt.datetime | None = None
) -> Iterator[DatabaseSource]:
    """Give a source of one state of the database.

    Args:
        database: the database.
        sessions: the calendar as it was read; if it has changed since, it is read again.
        as_of: an aware datetime: what was known then; what is known now if None.
    """
    with database.transaction(snapshot=True, read_only=True) as connection:
        check_schema_again(connection, database)
        known_by = EVERY_LOAD
        if as_of is not None:
            from condvest.batch_layer.database.stores.loading import loads  # noqa: PLC0415  # few questions are about the past

            known_by = loads.last_load_by(connection, as_of)
        yield DatabaseSource(connection, present_sessions(connection, sessions), known_by)
