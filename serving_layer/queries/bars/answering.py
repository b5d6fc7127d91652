"""Answer questions about bars, in columns, from any source.

The answer is made of NumPy arrays; `condvest.serving_layer.queries.bars.bars_table` turns it into an Arrow
table. A reader without Arrow (a Lambda function) uses the columns as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from condvest.batch_layer.shared.core.adjustment import adjust_in_place, rescaled, split_factors
from condvest.batch_layer.shared.core.windows import first_ordinals, last_ordinals, windows_of
from condvest.batch_layer.shared.models.bars import Bars, Int32s, Int64s, Positions, run_starts
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.coverage import Coverage
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.queries.bars.windows import bounds_of, days_of, days_of_windows, windows_within
from condvest.serving_layer.sources import BarSource

NOT_LIVE = np.int64(np.iinfo(np.int64).min)
"""Stands where a bar holds no live session."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The bars of one question.

    Attributes:
        interval: sessions per bar.
        bars: ascending by symbol, then by window; the rows of one instrument are contiguous.
        symbols: instrument id to the symbol that it carries now, or carried last.
        first_day, last_day: int32 per row, days since 1970-01-01: the first and the last session of the
            bar's window, both inclusive.
        live_through: int64 per row, microseconds since 1970-01-01 UTC: up to when its live session is known,
            NOT_LIVE where it holds none; None where none are asked for.
    """

    interval: int
    bars: Bars
    symbols: Mapping[int, str]
    first_day: Int32s
    last_day: Int32s
    live_through: Int64s | None = None


def answer(source: BarSource, question: Question) -> Answer:
    """Answer a question from any source; the source itself has to apply ``as_of``.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol of the question.
    """
    names, ids = select(source, question.symbols, unique=question.unique_symbols, on=question.symbols_on)
    if question.include_live and question.symbols is not None:
        source = _of_few(source, ids)
    return _Reader(source, question, names, ids).answer()


def _of_few(source: BarSource, ids: Int32s) -> BarSource:
    """Return a source of the live rows of some instruments only."""
    from condvest.serving_layer.sources.live import LiveSource  # noqa: PLC0415  # few questions are about now

    return source.of(ids) if isinstance(source, LiveSource) else source


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
        live = self._live_through(bars) if question.include_live else None
        return Answer(question.interval, bars, self._names, first_day, last_day, live)

    @cached_property
    def _splits(self) -> Splits:
        return self._source.splits(self._ids).on(self._sessions)

    @cached_property
    def _coverage(self) -> Coverage:
        return self._source.coverage(self._ids)

    def _anchors_of(self, instrument_id: Int32s) -> int | Int32s:
        """Return the anchor of each row; the calendar's is one for all, and costs no look at millions."""
        if self._question.anchor == "calendar":
            return 0
        return self._anchors[np.searchsorted(self._ids, instrument_id)]

    @property
    def _is_stored(self) -> bool:
        """Whether the bars are kept as they are asked for, and need not be folded."""
        question = self._question
        return question.interval in INTERVALS and question.anchor == "calendar" and question.as_of is None

    @cached_property
    def _rank(self) -> Int64s:
        """Per instrument that is asked for, its place among the others by symbol (by code point)."""
        symbols = [self._names[instrument] for instrument in self._ids.tolist()]
        rank = np.empty(len(symbols), dtype=np.int64)
        rank[sorted(range(len(symbols)), key=symbols.__getitem__)] = np.arange(len(symbols))
        return rank

    def _rank_of(self, instrument_id: Int32s) -> Int64s:
        return self._rank[np.searchsorted(self._ids, instrument_id)]

    def _by_symbol(self, spans: Spans) -> Spans:
        """Return spans (by instrument) in order of symbol; those of an instrument stay in their order."""
        return spans.take(np.argsort(self._rank_of(spans.instrument_id), kind="stable"))

    def _order(self, bars: Bars) -> Positions:
        """Return the positions of the wanted bars (given by instrument, window) by symbol and window."""
        starts = run_starts(bars.instrument_id)
        order = np.argsort(self._rank_of(bars.instrument_id[starts]))
        length = np.diff(starts, append=len(bars))[order]
        order = np.repeat(starts[order] - (np.cumsum(length) - length), length) + np.arange(len(bars))
        if self._question.include_open:
            return order
        is_wanted = bars.is_complete
        if self._question.include_live:
            is_wanted = is_wanted | (self._live_through(bars) != NOT_LIVE)
        return order[is_wanted[order]]

    def _live_through(self, bars: Bars) -> Int64s:
        """Return, per bar in any order, up to when its live session is known; see `Answer`."""
        # Few questions are about now.
        from condvest.serving_layer.queries.bars.live_bars import enter_live  # noqa: PLC0415
        from condvest.serving_layer.sources.live import LiveSource  # noqa: PLC0415

        through = np.full(len(bars), NOT_LIVE, dtype=np.int64)
        if not isinstance(self._source, LiveSource):
            return through
        live = self._source.live
        live = live.take(np.isin(live.instrument_id, self._ids))
        window = windows_of(live.ordinal, self._question.interval, self._anchors_of(live.instrument_id))
        enter_live(through, bars, live, window)
        return through

    def _windows(self) -> Spans:
        """Return the windows whose last session lies within the bounds, by instrument."""
        n = self._question.interval
        first, last = bounds_of(self._sessions, self._question)
        ones = np.ones(len(self._ids), dtype=np.int32)
        low = windows_of(ones * np.int32(first), n, self._anchors)
        high = windows_of(ones * np.int32(last - (n - 1)), n, self._anchors)
        is_any = low <= high
        return Spans(self._ids[is_any], low[is_any], high[is_any])

    def _stored(self) -> Bars:
        """Return the stored bars by symbol and window; windows that wait to be resampled are folded now."""
        n, windows = self._question.interval, self._windows()
        waiting = self._source.waiting(windows.instrument_id)
        behind = windows_within(waiting, n, windows) if len(waiting) else waiting
        current = windows.without(*behind.points()) if len(behind) else windows
        bars = self._source.bars(n, self._by_symbol(current), complete=not self._question.include_open)
        if not len(behind):
            return bars
        folded = self._folded(behind)
        return self._merged(bars, folded.take(self._order(folded)))

    def _merged(self, stored: Bars, folded: Bars) -> Bars:
        """Return stored and folded bars, both by symbol and window, of which none is in both."""
        rank = self._key_of(stored)
        after = np.searchsorted(rank, self._key_of(folded))
        is_folded = np.zeros(len(rank) + len(folded), dtype=np.bool_)
        is_folded[after + np.arange(len(folded))] = True
        is_stored = ~is_folded
        columns = {}
        for field in fields(Bars):
            column = getattr(stored, field.name)
            columns[field.name] = np.empty(len(is_folded), dtype=column.dtype)
            columns[field.name][is_stored] = column
            columns[field.name][is_folded] = getattr(folded, field.name)
        return Bars(**columns)

    def _key_of(self, bars: Bars) -> Int64s:
        """Return, per bar, a number that ascends by symbol and window; an instrument's rows are together."""
        starts = run_starts(bars.instrument_id)
        of_run = self._rank_of(bars.instrument_id[starts])
        return pack(np.repeat(of_run, np.diff(starts, append=len(bars))), bars.window)

    def _folded(self, windows: Spans) -> Bars:
        """Fold the daily bars of the windows."""
        from condvest.batch_layer.shared.core.folding import fold  # noqa: PLC0415  # stored intervals need no folding

        n, anchor = self._question.interval, self._anchors_of(windows.instrument_id)
        first, last = first_ordinals(windows.first, n, anchor), last_ordinals(windows.last, n, anchor)
        spans = Spans(windows.instrument_id, first, last)
        folded = []
        for daily in self._source.daily_of(self._source.portions(spans)):
            anchor = self._anchors_of(daily.instrument_id)
            folded.append(fold(daily, n, splits=self._splits, coverage=self._coverage, anchor=anchor))
        return Bars.concat(folded) if len(folded) > 1 else folded[0]

    def _total(self) -> Bars:
        """Fold the daily bars that splits and dividends have brought to the last loaded session."""
        from condvest.batch_layer.shared.core.folding import fold  # noqa: PLC0415  # stored intervals need no folding
        from condvest.batch_layer.shared.core.total_return import dividend_ratios  # noqa: PLC0415  # as above

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
        n = self._question.interval
        if self._anchors.any():
            return days_of(self._sessions, n, bars.window, self._anchors_of(bars.instrument_id))
        return days_of_windows(self._sessions, n, bars.window)
