"""Service: read bars as a table, adjusted as asked."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.database import catalog_store, load_store
from batch_layer.database.connection import Connection, Database
from batch_layer.processing.adjustment import rescaled, split_factors
from batch_layer.processing.ordering import run_starts
from batch_layer.processing.resampling import fold
from batch_layer.processing.runs import Places
from batch_layer.processing.sources import DatabaseSource, Source
from batch_layer.processing.total_return import dividend_ratios
from batch_layer.processing.windows import first_ordinals, last_ordinals, windows_of
from batch_layer.shared.errors import UnknownSymbol, UsageError
from batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars, Int32s
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
    return _Reader(source, question, names).table(ids)


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

    def __init__(self, source: Source, question: Question, names: Mapping[int, str]) -> None:
        self._source = source
        self._sessions = source.sessions
        self._question = question
        self._names = names

    def table(self, ids: Int32s) -> pa.Table:
        """Return the bars of the instruments as the question wants them."""
        n, question = self._question.interval, self._question
        coverage = self._source.coverage(ids)
        splits = self._source.splits(ids).on(self._sessions)
        anchors = np.zeros(len(ids), dtype=np.int32)
        if question.anchor == "listing":
            listed = self._source.listed(ids)
            ids, anchors = listed.instrument_id, listed.first
        if question.adjust != "total" and self._is_stored:
            windows = self._windows(ids, anchors)
            windows = windows.take(self._by_symbol(windows.instrument_id))
            bars = self._source.bars(n, windows, complete=not question.include_open)
        else:
            fold = self._total if question.adjust == "total" else self._folded
            bars = fold(ids, anchors, splits, coverage)
            bars = bars.take(self._order(bars))
        anchor = anchors[np.searchsorted(ids, bars.instrument_id)] if anchors.any() else 0
        last = last_ordinals(bars.window, n, anchor)
        if question.adjust == "splits":
            loaded = coverage.last_loaded(bars.instrument_id)
            basis = np.minimum(last, loaded)
            bars = _split_adjusted(bars, basis, loaded, splits)
        return self._arrow(bars, first_ordinals(bars.window, n, anchor), last)

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
        daily = self._source.daily(spans)
        anchor = anchors[np.searchsorted(ids, daily.instrument_id)]
        return fold(daily, n, splits=splits, coverage=coverage, anchor=anchor)

    def _total(self, ids: Int32s, anchors: Int32s, splits: Splits, coverage: Coverage) -> Bars:
        """Fold the daily bars that splits and dividends have brought to the last loaded session."""
        n, windows = self._question.interval, self._windows(ids, anchors)
        anchor = anchors[np.searchsorted(ids, windows.instrument_id)]
        # To the end, not to the bounds: the factors need the closes of all later ex-dates.
        needed = Spans.within(windows.instrument_id, 0, self._sessions.last_ordinal)
        needed = replace(needed, first=first_ordinals(windows.first, n, anchor))
        daily = self._source.daily(needed)
        ratios = dividend_ratios(self._source.dividends(ids), daily, self._sessions)
        row = (daily.instrument_id, daily.ordinal, coverage.last_loaded(daily.instrument_id))
        price_factor, volume_factor = split_factors(*row, splits)
        dividend_factor, _ = split_factors(*row, ratios)
        adjusted = rescaled(daily, price_factor * dividend_factor, volume_factor)
        anchor = anchors[np.searchsorted(ids, daily.instrument_id)]
        unsplit = splits.take(slice(0, 0))
        bars = fold(adjusted, n, splits=unsplit, coverage=coverage, anchor=anchor)
        return bars.take(windows.merged().contain(bars.instrument_id, bars.window))

    def _arrow(self, bars: Bars, first: Int32s, last: Int32s) -> pa.Table:
        columns = [
            self._symbols(bars.instrument_id),
            np.full(len(bars), self._question.interval, dtype=np.int16),
            bars.window,
            # The very first windows may begin before the calendar does.
            self._dates(np.maximum(first, np.int32(self._sessions.first_ordinal))),
            self._dates(last),
            *(getattr(bars, name) for name in ("open", "high", "low", "close", "volume")),
            pa.array(bars.vwap, mask=np.isnan(bars.vwap)),
            pa.array(bars.trades, mask=bars.trades == UNKNOWN_TRADES),
            bars.sessions,
            bars.is_complete,
        ]
        return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)

    def _symbols(self, instrument_id: Int32s) -> pa.Array:
        """Return the symbol of each row; rows of one instrument stand together."""
        starts = run_starts(instrument_id)
        names = pa.array([self._names[one] for one in instrument_id[starts].tolist()], pa.string())
        run = np.repeat(np.arange(len(starts), dtype=np.int32), np.diff(starts, append=len(instrument_id)))
        return names.take(pa.array(run))

    def _dates(self, ordinals: Int32s) -> pa.Array:
        """Return the sessions' dates; by half the bytes of what `Sessions.dates_of` gives."""
        if len(ordinals):
            self._sessions.dates_of(np.array([ordinals.min(), ordinals.max()]))  # raises if out of bounds
        days = self._sessions.date.astype("datetime64[D]").astype(np.int32)
        return pa.array(days[ordinals - np.int32(self._sessions.first_ordinal)]).view(pa.date32())


def _split_adjusted(bars: Bars, basis: Int32s, until: Int32s, splits: Splits) -> Bars:
    """Return the bars brought from one session's basis to another's; most instruments have no splits."""
    has_splits = np.zeros(int(bars.instrument_id.max(initial=0)) + 1, dtype=bool)
    has_splits[splits.instrument_id[splits.instrument_id < len(has_splits)]] = True
    rows = np.flatnonzero(has_splits[bars.instrument_id])
    some = bars.take(rows)
    adjusted = rescaled(some, *split_factors(some.instrument_id, basis[rows], until[rows], splits))
    for name in ("open", "high", "low", "close", "volume", "vwap"):
        getattr(bars, name)[rows] = getattr(adjusted, name)
    return bars
