"""Service: read bars as a table, adjusted as asked."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from batch_layer.database import catalog_store, load_store
from batch_layer.database.bars_store import read_bars
from batch_layer.database.connection import Connection, Database
from batch_layer.database.keyed_store import DAILY_BARS, DIVIDENDS, SPLITS
from batch_layer.processing.adjustment import rescaled, split_factors
from batch_layer.processing.resampling import fold
from batch_layer.processing.total_return import dividend_ratios
from batch_layer.processing.windows import first_ordinals, last_ordinals, windows_of
from batch_layer.shared.errors import UnknownSymbol, UsageError
from batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars, Int32s
from batch_layer.shared.models.corporate_actions import Splits
from batch_layer.shared.models.coverage import Coverage
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans, always
from batch_layer.shared.settings import INTERVALS

Adjust = Literal["none", "splits", "total"]
Anchor = Literal["calendar", "listing"]

LONGEST_INTERVAL = 252
"""The longest bar that can be asked for: about a year."""

SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("interval", pa.int16()),
        ("window", pa.int32()),
        ("first_session", pa.date32()),
        ("last_session", pa.date32()),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("vwap", pa.float64()),
        ("trades", pa.int64()),
        ("sessions", pa.int16()),
        ("is_complete", pa.bool_()),
    ]
)
"""The columns of `bars`, in order."""


@dataclass(frozen=True)
class Question:
    """Which bars are asked for; see `condvest.bars` for the meaning of each.

    Raises:
        UsageError: a value that the question cannot have; the message names it.
    """

    symbols: Sequence[str] | None = None
    interval: int = 13
    start: dt.date | None = None
    end: dt.date | None = None
    adjust: Adjust = "splits"
    anchor: Anchor = "calendar"
    include_open: bool = False
    as_of: dt.datetime | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.interval <= LONGEST_INTERVAL:
            raise UsageError(f"interval {self.interval}: a bar has 1 to {LONGEST_INTERVAL} sessions")
        if self.adjust not in get_args(Adjust):
            raise UsageError(f"adjust {self.adjust!r}: choose none, splits or total")
        if self.anchor not in get_args(Anchor):
            raise UsageError(f"anchor {self.anchor!r}: choose calendar or listing")
        if self.as_of is not None and self.as_of.tzinfo is None:
            raise UsageError(f"as_of {self.as_of} needs a time zone: an instant, not a local time")
        if self.start and self.end and self.start > self.end:
            raise UsageError(f"start {self.start} lies after end {self.end}")


def read(database: Database, sessions: Sessions, question: Question) -> pa.Table:
    """Return the bars asked for, by symbol and window, with the columns of `SCHEMA`.

    All of it is one state of the database.

    Raises:
        UnknownSymbol: no instrument carries or carried a symbol asked for.
        TransientError, DatabaseError: the database is away or refuses.
    """
    with database.transaction(snapshot=True, read_only=True) as connection:
        names = catalog_store.symbols_by_instrument(connection)
        ids = instruments_asked_for(connection, question.symbols, names)
        return _Reader(connection, sessions, question, names).table(ids)


def instruments_asked_for(
    connection: Connection, symbols: Sequence[str] | None, names: dict[int, str]
) -> Int32s:
    """Return the instruments (ascending) that carry the symbols now, or carried them last; all if None.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    if symbols is None:
        return np.array(sorted(names), dtype=np.int32)
    found = set()
    for symbol in symbols:
        carriers = [one for one in catalog_store.instruments_named(connection, symbol) if one in names]
        if not carriers:
            near = difflib.get_close_matches(symbol.upper(), names.values(), n=3)
            hint = f"; near it are {', '.join(near)}" if near else ""
            raise UnknownSymbol(f"no instrument with bars carries the symbol {symbol}{hint}")
        found.add(carriers[0])
    return np.array(sorted(found), dtype=np.int32)


class _Reader:
    """Answers one question within one transaction."""

    def __init__(
        self, connection: Connection, sessions: Sessions, question: Question, names: dict[int, str]
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._question = question
        self._names = names
        self._known_by = load_store.EVERY_LOAD
        if question.as_of is not None:
            self._known_by = load_store.last_load_by(connection, question.as_of)

    def table(self, ids: Int32s) -> pa.Table:
        """Return the bars of the instruments as the question wants them."""
        n, question = self._question.interval, self._question
        coverage = load_store.read_coverage(self._connection, ids, self._known_by)
        splits = SPLITS.read(self._connection, always(ids), self._known_by).on(self._sessions)
        anchors = np.zeros(len(ids), dtype=np.int32)
        if question.anchor == "listing":
            listed = catalog_store.spans_of_bars(self._connection, ids, self._known_by)
            ids, anchors = listed.instrument_id, listed.first
        if question.adjust == "total":
            bars = self._total(ids, anchors, splits, coverage)
        elif n in INTERVALS and question.anchor == "calendar" and question.as_of is None:
            bars = read_bars(self._connection, n, self._windows(ids, anchors))
        else:
            bars = self._folded(ids, anchors, splits, coverage)
        if not question.include_open:
            bars = bars.take(bars.is_complete)
        anchor = anchors[np.searchsorted(ids, bars.instrument_id)]
        last = last_ordinals(bars.window, n, anchor)
        if question.adjust == "splits":
            loaded = coverage.last_loaded(bars.instrument_id)
            basis = np.minimum(last, loaded)
            bars = rescaled(bars, *split_factors(bars.instrument_id, basis, loaded, splits))
        return self._arrow(bars, first_ordinals(bars.window, n, anchor), last)

    def _bounds(self) -> tuple[int, int]:
        """Return the ordinals between which a bar's last session lies, inclusive."""
        first, last = self._sessions.first_ordinal, self._sessions.last_ordinal
        if self._question.start:
            first = int(
                self._sessions.ordinals_on_or_after(np.array([self._question.start], "datetime64[D]"))[0]
            )
        if self._question.end:
            after = np.array([self._question.end + dt.timedelta(1)], "datetime64[D]")
            last = int(self._sessions.ordinals_on_or_after(after)[0]) - 1
        return first, last

    def _windows(self, ids: Int32s, anchors: Int32s) -> Spans:
        """Return the windows whose last session lies within the bounds, by instrument."""
        n = self._question.interval
        first, last = self._bounds()
        low = windows_of(np.full(len(ids), first, dtype=np.int32), n, anchors)
        high = windows_of(np.full(len(ids), last - (n - 1), dtype=np.int32), n, anchors)
        held = low <= high
        return Spans(ids[held], low[held], high[held])

    def _folded(self, ids: Int32s, anchors: Int32s, splits: Splits, coverage: Coverage) -> Bars:
        n, windows = self._question.interval, self._windows(ids, anchors)
        anchor = anchors[np.searchsorted(ids, windows.instrument_id)]
        spans = Spans(
            windows.instrument_id,
            first_ordinals(windows.first, n, anchor),
            last_ordinals(windows.last, n, anchor),
        )
        daily = DAILY_BARS.read(self._connection, spans, self._known_by)
        anchor = anchors[np.searchsorted(ids, daily.instrument_id)]
        return fold(daily, n, splits=splits, coverage=coverage, anchor=anchor)

    def _total(self, ids: Int32s, anchors: Int32s, splits: Splits, coverage: Coverage) -> Bars:
        """Fold the daily bars that splits and dividends have brought to the last loaded session."""
        n, windows = self._question.interval, self._windows(ids, anchors)
        anchor = anchors[np.searchsorted(ids, windows.instrument_id)]
        # To the end, not to the bounds: the factors need the closes of all later ex-dates.
        needed = Spans.within(windows.instrument_id, 0, self._sessions.last_ordinal)
        needed = replace(needed, first=first_ordinals(windows.first, n, anchor))
        daily = DAILY_BARS.read(self._connection, needed, self._known_by)
        dividends = DIVIDENDS.read(self._connection, always(ids), self._known_by)
        ratios = dividend_ratios(dividends, daily, self._sessions)
        row = (daily.instrument_id, daily.ordinal, coverage.last_loaded(daily.instrument_id))
        price_factor, volume_factor = split_factors(*row, splits)
        dividend_factor, _ = split_factors(*row, ratios)
        adjusted = rescaled(daily, price_factor * dividend_factor, volume_factor)
        anchor = anchors[np.searchsorted(ids, daily.instrument_id)]
        unsplit = splits.take(slice(0, 0))
        bars = fold(adjusted, n, splits=unsplit, coverage=coverage, anchor=anchor)
        return bars.take(windows.merged().contain(bars.instrument_id, bars.window))

    def _arrow(self, bars: Bars, first: Int32s, last: Int32s) -> pa.Table:
        labels = np.array([self._names[key] for key in sorted(self._names)], dtype=object)
        known = np.array(sorted(self._names), dtype=np.int32)
        by_label = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
        place = np.searchsorted(known, bars.instrument_id)
        order = np.lexsort((bars.window, by_label[place]))
        bars, place, first, last = bars.take(order), place[order], first[order], last[order]
        symbols = pa.DictionaryArray.from_arrays(place.astype(np.int32), pa.array(labels, pa.string()))
        columns = [
            symbols.cast(pa.string()),
            np.full(len(bars), self._question.interval, dtype=np.int16),
            bars.window,
            # The very first windows may begin before the calendar does.
            self._sessions.dates_of(np.maximum(first, self._sessions.first_ordinal)),
            self._sessions.dates_of(last),
            *(getattr(bars, name) for name in ("open", "high", "low", "close", "volume")),
            pa.array(bars.vwap, mask=np.isnan(bars.vwap)),
            pa.array(bars.trades, mask=bars.trades == UNKNOWN_TRADES),
            bars.sessions,
            bars.is_complete,
        ]
        return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)
