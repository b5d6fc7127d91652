"""Where answers are read from: the database, or a published data set. `BarSource` is what each can do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Protocol

from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, SplitEvents
from condvest.batch_layer.shared.models.coverage import Coverage
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans

SymbolSpan = tuple[int, str, dt.date | None, dt.date | None]
"""Instrument, symbol, and the first and last date on which it was carried; None where that is open."""


def was_carried(first: dt.date | None, last: dt.date | None, on: dt.date) -> bool:
    """Return whether a span reaches over a date; None stands for no bound."""
    return (first or dt.date.min) <= on <= (last or dt.date.max)


class BarSource(Protocol):
    """One state of the bars and of all that they are adjusted with. Instruments are asked for ascending."""

    @property
    def sessions(self) -> Sessions:
        """The calendar."""
        ...

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbol that each instrument with bars carries now, or carried last; of all if None."""
        ...

    def carriers(self, symbol: str, on: dt.date | None = None) -> list[int]:
        """Return the instruments that carry or carried a symbol, or did so on a date; the latest first."""
        ...

    def symbol_spans(self) -> list[SymbolSpan]:
        """Return who carried which symbol from when to when, by symbol, instrument and first date."""
        ...

    def stands_for(self, symbols: Sequence[str]) -> dict[str, int]:
        """Return the instrument with bars that each symbol stands for: its latest carrier."""
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

    def portions(self, spans: Spans) -> Sequence[Spans]:
        """Return the spans (ascending) in runs of instruments, for `daily_of`.

        So that not all daily bars of a market are in memory at once, where reading them so costs little.
        """
        ...

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars within the spans, ascending by instrument and ordinal."""
        ...

    def daily_of(self, portions: Sequence[Spans]) -> Iterator[DailyBars]:
        """Yield what `daily` returns of each portion; no instrument is in two of them, and they ascend."""
        ...

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Return the stored bars within the spans of windows, in the spans' order; or the complete ones only.

        The spans of one instrument are contiguous and ascend. The bars of windows that `waiting` touches are
        not what the daily bars say.
        """
        ...

    def waiting(self, ids: Int32s) -> Spans:
        """Return the ordinals whose windows have not been resampled since they changed, merged."""
        ...
