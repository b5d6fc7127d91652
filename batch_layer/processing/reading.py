"""Service: read bars as a table, adjusted as asked."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.database import catalog_store, load_store
from batch_layer.database.connection import Connection, Database
from batch_layer.processing.adjusting import adjust_in_place
from batch_layer.processing.adjustment import rescaled, split_factors
from batch_layer.processing.ordering import run_starts
from batch_layer.processing.price_columns import PRICES, price_arrays
from batch_layer.processing.resampling import fold
from batch_layer.processing.runs import Places
from batch_layer.processing.sources import DatabaseSource, Source
from batch_layer.processing.total_return import dividend_ratios
from batch_layer.processing.windows import first_ordinals, last_ordinals, windows_of
from batch_layer.shared.errors import UnknownSymbol, UsageError
from batch_layer.shared.models.bars import Bars, Int32s
from batch_layer.shared.models.corporate_actions import Splits
from batch_layer.shared.models.coverage import Coverage
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans
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
        *((field.name, field.type) for field in PRICES),
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
        known_by = load_store.EVERY_LOAD
        if question.as_of is not None:
            known_by = load_store.last_load_by(connection, question.as_of)
        return read_from(DatabaseSource(connection, sessions, known_by), question)


def read_from(source: Source, question: Question) -> pa.Table:
    """Return the bars asked for from any source, as `read` does; the source has to know ``as_of`` itself."""
    if question.symbols is None:
        names = source.names()
        ids = np.array(sorted(names), dtype=np.int32)
    else:
        carriers = {symbol: source.carriers(symbol) for symbol in question.symbols}
        names = source.names(
            np.array(sorted({one for found in carriers.values() for one in found}), np.int32)
        )
        ids = _latest(carriers, names, source.names)
    return _Reader(source, question, names, ids).table()


def instruments_asked_for(
    connection: Connection, symbols: Sequence[str] | None, names: dict[int, str]
) -> Int32s:
    """Return the instruments (ascending) that carry the symbols now, or carried them last; all if None.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    if symbols is None:
        return np.array(sorted(names), dtype=np.int32)
    carriers = {symbol: catalog_store.instruments_named(connection, symbol) for symbol in symbols}
    return _latest(carriers, names, lambda: names)


def _latest(
    carriers: Mapping[str, Sequence[int]], names: Mapping[int, str], known: Callable[[], Mapping[int, str]]
) -> Int32s:
    """Return the first carrier of each symbol that has bars; ``known`` gives all names, for the message."""
    found = set()
    for symbol, ids in carriers.items():
        with_bars = [one for one in ids if one in names]
        if not with_bars:
            near = difflib.get_close_matches(symbol.upper(), known().values(), n=3)
            hint = f"; near it are {', '.join(near)}" if near else ""
            raise UnknownSymbol(f"no instrument with bars carries the symbol {symbol}{hint}")
        found.add(with_bars[0])
    return np.array(sorted(found), dtype=np.int32)


class _Reader:
    """Answers one question from one state of a source."""

    def __init__(self, source: Source, question: Question, names: Mapping[int, str], ids: Int32s) -> None:
        self._source = source
        self._sessions = source.sessions
        self._question = question
        self._names = names
        self._ids = ids
        self._anchors = np.zeros(len(ids), dtype=np.int32)
        if question.anchor == "listing":
            listed = source.listed(ids)
            self._ids, self._anchors = listed.instrument_id, listed.first

    def table(self) -> pa.Table:
        """Return the bars of the instruments as the question wants them."""
        question = self._question
        if question.adjust != "total" and self._is_stored:
            windows = self._windows()
            windows = windows.take(self._by_symbol(windows.instrument_id))
            bars = self._source.bars(question.interval, windows, complete=not question.include_open)
        else:
            bars = self._total() if question.adjust == "total" else self._folded()
            bars = bars.take(self._order(bars))
        if question.adjust == "splits" and len(self._splits):
            splits = self._splits
            window = windows_of(splits.ex_ordinal, question.interval, self._anchors_of(splits.instrument_id))
            adjust_in_place(bars, splits, window, self._coverage.last_loaded(splits.instrument_id))
        return self._arrow(bars)

    @cached_property
    def _splits(self) -> Splits:
        return self._source.splits(self._ids).on(self._sessions)

    @cached_property
    def _coverage(self) -> Coverage:
        return self._source.coverage(self._ids)

    def _anchors_of(self, instrument_id: Int32s) -> Int32s:
        return self._anchors[np.searchsorted(self._ids, instrument_id)]

    @property
    def _is_stored(self) -> bool:
        """Whether the bars are kept as they are asked for, and need not be folded."""
        question = self._question
        return question.interval in INTERVALS and question.anchor == "calendar" and question.as_of is None

    def _by_symbol(self, ids: Int32s) -> Places:
        """Return the places of the instruments (ascending), by symbol."""
        symbols = pa.array([self._names[one] for one in ids.tolist()], pa.string())
        places: Places = pc.array_sort_indices(symbols).to_numpy().astype(np.intp)
        return places

    def _order(self, bars: Bars) -> Places:
        """Return the places of the bars to give (by instrument and window), by symbol and window."""
        starts = run_starts(bars.instrument_id)
        order = self._by_symbol(bars.instrument_id[starts])
        length = np.diff(starts, append=len(bars))[order]
        order = np.repeat(starts[order] - (np.cumsum(length) - length), length) + np.arange(len(bars))
        return order if self._question.include_open else order[bars.is_complete[order]]

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

    def _windows(self) -> Spans:
        """Return the windows whose last session lies within the bounds, by instrument."""
        n = self._question.interval
        first, last = self._bounds()
        ones = np.ones(len(self._ids), dtype=np.int32)
        low = windows_of(ones * np.int32(first), n, self._anchors)
        high = windows_of(ones * np.int32(last - (n - 1)), n, self._anchors)
        held = low <= high
        return Spans(self._ids[held], low[held], high[held])

    def _folded(self) -> Bars:
        n, windows = self._question.interval, self._windows()
        anchor = self._anchors_of(windows.instrument_id)
        spans = Spans(
            windows.instrument_id,
            first_ordinals(windows.first, n, anchor),
            last_ordinals(windows.last, n, anchor),
        )
        daily = self._source.daily(spans)
        anchor = self._anchors_of(daily.instrument_id)
        return fold(daily, n, splits=self._splits, coverage=self._coverage, anchor=anchor)

    def _total(self) -> Bars:
        """Fold the daily bars that splits and dividends have brought to the last loaded session."""
        n, windows = self._question.interval, self._windows()
        # To the end, not to the bounds: the factors need the closes of all later ex-dates.
        needed = Spans.within(windows.instrument_id, 0, self._sessions.last_ordinal)
        first = first_ordinals(windows.first, n, self._anchors_of(windows.instrument_id))
        daily = self._source.daily(replace(needed, first=first))
        ratios = dividend_ratios(self._source.dividends(self._ids), daily, self._sessions)
        row = (daily.instrument_id, daily.ordinal, self._coverage.last_loaded(daily.instrument_id))
        price_factor, volume_factor = split_factors(*row, self._splits)
        dividend_factor, _ = split_factors(*row, ratios)
        adjusted = rescaled(daily, price_factor * dividend_factor, volume_factor)
        unsplit = self._splits.take(slice(0, 0))
        anchor = self._anchors_of(daily.instrument_id)
        bars = fold(adjusted, n, splits=unsplit, coverage=self._coverage, anchor=anchor)
        return bars.take(windows.merged().contain(bars.instrument_id, bars.window))

    def _arrow(self, bars: Bars) -> pa.Table:
        columns = [
            self._symbols(bars.instrument_id),
            np.full(len(bars), self._question.interval, dtype=np.int16),
            bars.window,
            *self._first_and_last(bars),
            *price_arrays(bars).values(),
            bars.sessions,
            bars.is_complete,
        ]
        return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)

    def _symbols(self, instrument_id: Int32s) -> pa.Array:
        """Return the symbol of each row; rows of one instrument stand together."""
        starts = run_starts(instrument_id)
        names = pa.array([self._names[one] for one in instrument_id[starts].tolist()], pa.string())
        ends = np.append(starts[1:], len(instrument_id))[: len(starts)].astype(np.int32)
        return pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, names))

    def _first_and_last(self, bars: Bars) -> list[pa.Array]:
        """Return the dates of the first and of the last session of each bar's window."""
        if self._anchors.any():
            return self._dates(bars.window, self._anchors_of(bars.instrument_id))
        # The same for all instruments, and far fewer than bars: each is looked up once.
        low = bars.window.min(initial=0)
        windows = np.arange(low, bars.window.max(initial=low) + 1, dtype=np.int32)
        place = pa.array(bars.window - low)
        return [dates.take(place) for dates in self._dates(windows, 0)]

    def _dates(self, windows: Int32s, anchor: int | Int32s) -> list[pa.Array]:
        n, sessions = self._question.interval, self._sessions
        # The very first windows may begin before the calendar does.
        first = np.maximum(first_ordinals(windows, n, anchor), np.int32(sessions.first_ordinal))
        return [
            pa.array(sessions.dates_of(ordinals), pa.date32())
            for ordinals in (first, last_ordinals(windows, n, anchor))
        ]
