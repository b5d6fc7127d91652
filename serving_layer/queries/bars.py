"""Answer questions about bars, in columns, from any source.

The answer is made of NumPy arrays; `serving_layer.queries.bars_table` turns it into an Arrow table. A reader
without Arrow (a Lambda function) uses the columns as they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from batch_layer.database.postgres.connection import Database
from batch_layer.shared.core.adjustment import adjust_in_place, rescaled, split_factors
from batch_layer.shared.core.windows import first_ordinals, last_ordinals, windows_of
from batch_layer.shared.models.bars import Bars, Int32s, Positions, run_starts
from batch_layer.shared.models.corporate_actions import Splits
from batch_layer.shared.models.coverage import Coverage
from batch_layer.shared.models.difference import keys_of
from batch_layer.shared.models.loads import EVERY_LOAD
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans
from batch_layer.shared.settings import INTERVALS
from serving_layer.queries.question import Question
from serving_layer.queries.selection import select
from serving_layer.sources import BarSource
from serving_layer.sources.database import DatabaseSource


@dataclass(frozen=True, eq=False)
class Answer:
    """The bars of one question.

    Attributes:
        interval: sessions per bar.
        bars: ascending by symbol, then by window; the rows of one instrument are contiguous.
        symbols: instrument id to the symbol that it carries now, or carried last.
        first_day, last_day: int32 per row, days since 1970-01-01: the first and the last session of the
            bar's window, both inclusive.
    """

    interval: int
    bars: Bars
    symbols: Mapping[int, str]
    first_day: Int32s
    last_day: Int32s


def answer_from_database(database: Database, sessions: Sessions, question: Question) -> Answer:
    """Answer a question from one state of the database.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol of the question.
        TransientError, DatabaseError: the database is unreachable or refuses.
    """
    with database.transaction(snapshot=True, read_only=True) as connection:
        known_by = EVERY_LOAD
        if question.as_of is not None:
            from batch_layer.database.stores import loads  # noqa: PLC0415  # few questions are about the past

            known_by = loads.last_load_by(connection, question.as_of)
        return answer(DatabaseSource(connection, sessions, known_by), question)


def answer(source: BarSource, question: Question) -> Answer:
    """Answer a question from any source; the source itself has to apply ``as_of``.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol of the question.
    """
    names, ids = select(source, question.symbols)
    return _Reader(source, question, names, ids).answer()


class _Reader:
    """Answers one question from one state of a source."""

    def __init__(self, source: BarSource, question: Question, names: Mapping[int, str], ids: Int32s) -> None:
        self._source = source
        self._sessions = source.sessions
        self._question = question
        self._names = names
        self._ids = ids
        self._anchors = np.zeros(len(ids), dtype=np.int32)
        if question.anchor == "listing":
            listed = source.listed(ids)
            self._ids, self._anchors = listed.instrument_id, listed.first

    def answer(self) -> Answer:
        """Return the bars of the instruments, adjusted as the question asks."""
        question = self._question
        if question.adjust != "total" and self._is_stored:
            bars = self._stored()
        else:
            bars = self._total() if question.adjust == "total" else self._folded(self._windows())
            bars = bars.take(self._order(bars))
        if question.adjust == "splits" and len(self._splits):
            splits = self._splits
            window = windows_of(splits.ex_ordinal, question.interval, self._anchors_of(splits.instrument_id))
            adjust_in_place(bars, splits, window, self._coverage.last_loaded(splits.instrument_id))
        first_day, last_day = self._first_and_last(bars)
        return Answer(question.interval, bars, self._names, first_day, last_day)

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

    def _by_symbol(self, ids: Int32s) -> Positions:
        """Return the positions of the instruments (ascending by id) in order of symbol (by code point)."""
        symbols = [self._names[instrument] for instrument in ids.tolist()]
        return np.array(sorted(range(len(symbols)), key=symbols.__getitem__), dtype=np.intp)

    def _order(self, bars: Bars) -> Positions:
        """Return the positions of the wanted bars (given by instrument, window) by symbol and window."""
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
        is_any = low <= high
        return Spans(self._ids[is_any], low[is_any], high[is_any])

    def _stored(self) -> Bars:
        """Return the stored bars by symbol and window; windows that wait to be resampled are folded now."""
        windows = self._windows()
        in_order = windows.take(self._by_symbol(windows.instrument_id))
        bars = self._source.bars(self._question.interval, in_order, complete=not self._question.include_open)
        waiting = self._source.waiting(windows.instrument_id)
        if not len(waiting):
            return bars
        behind = _windows_within(waiting, self._question.interval, windows)
        current = bars.take(~behind.contain(bars.instrument_id, bars.window))
        both = Bars.concat([current, self._folded(behind)])
        both = both.take(np.argsort(keys_of(both)))
        return both.take(self._order(both))

    def _folded(self, windows: Spans) -> Bars:
        """Fold the daily bars of the windows."""
        from batch_layer.shared.core.folding import fold  # noqa: PLC0415  # stored intervals need no folding

        n = self._question.interval
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
        from batch_layer.shared.core.folding import fold  # noqa: PLC0415  # stored intervals need no folding
        from batch_layer.shared.core.total_return import dividend_ratios  # noqa: PLC0415  # as above

        n, windows = self._question.interval, self._windows()
        # To the end, not to the bounds: the factors need the closes of all later ex-dates.
        needed = Spans.within(windows.instrument_id, 0, self._sessions.last_ordinal)
        first = first_ordinals(windows.first, n, self._anchors_of(windows.instrument_id))
        daily = self._source.daily(replace(needed, first=first))
        ratios = dividend_ratios(self._source.dividends(self._ids), daily, self._splits, self._sessions)
        row = (daily.instrument_id, daily.ordinal, self._coverage.last_loaded(daily.instrument_id))
        price_factor, volume_factor = split_factors(*row, self._splits)
        dividend_factor, _ = split_factors(*row, ratios)
        adjusted = rescaled(daily, price_factor * dividend_factor, volume_factor)
        unsplit = self._splits.take(slice(0, 0))
        anchor = self._anchors_of(daily.instrument_id)
        bars = fold(adjusted, n, splits=unsplit, coverage=self._coverage, anchor=anchor)
        return bars.take(windows.merged().contain(bars.instrument_id, bars.window))

    def _first_and_last(self, bars: Bars) -> list[Int32s]:
        """Return, per bar, the days of the first and of the last session of its window."""
        if self._anchors.any():
            return self._days(bars.window, self._anchors_of(bars.instrument_id))
        # All instruments share these windows, which are far fewer than the bars: each is looked up once.
        low = bars.window.min(initial=0)
        windows = np.arange(low, bars.window.max(initial=low) + 1, dtype=np.int32)
        return [days.take(bars.window - low) for days in self._days(windows, 0)]

    def _days(self, windows: Int32s, anchor: int | Int32s) -> list[Int32s]:
        n, sessions = self._question.interval, self._sessions
        # The very first windows may begin before the calendar does.
        first = np.maximum(first_ordinals(windows, n, anchor), np.int32(sessions.first_ordinal))
        return [
            sessions.dates_of(ordinals).astype("datetime64[D]").astype(np.int32)
            for ordinals in (first, last_ordinals(windows, n, anchor))
        ]


def _windows_within(changed: Spans, n: int, asked: Spans) -> Spans:
    """Return the windows of interval n that hold a changed ordinal and are asked for, merged.

    Args:
        changed: spans of ordinals of instruments that ``asked`` has.
        n: sessions per window.
        asked: one span of windows per instrument, ascending by instrument.
    """
    asked = asked.take(np.searchsorted(asked.instrument_id, changed.instrument_id))
    first = np.maximum(windows_of(changed.first, n), asked.first)
    last = np.minimum(windows_of(changed.last, n), asked.last)
    is_any = first <= last
    return Spans(changed.instrument_id[is_any], first[is_any], last[is_any]).merged()
