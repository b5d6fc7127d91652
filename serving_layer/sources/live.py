"""A source with the session under way: any other `BarSource`, and the live rows that count beside it.

Live rows wait to be resampled, as it were: the reader folds the windows that hold one, by the code that folds
every other window, and takes the rest as it is stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from condvest.batch_layer.shared.core.live import that_count, with_live
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, SplitEvents
from condvest.batch_layer.shared.models.coverage import Coverage
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.sources import BarSource, SymbolSpan


@dataclass(frozen=True)
class LiveSource:
    """A `BarSource` with live rows.

    Attributes:
        source: the other source.
        read: returns the live rows of instruments (of all if None), counting or not, of the state that
            ``source`` reads.
        kept: returns daily bars of ``source`` within spans, where all instruments are asked about; see
            `kept_daily`.
        ids: the instruments that are asked about; all if None.
    """

    source: BarSource
    read: Callable[[Int32s | None], LiveBars]
    kept: Callable[[Spans], DailyBars]
    ids: Int32s | None = None

    def of(self, ids: Int32s) -> LiveSource:
        """Return the same for some instruments only: who asks for one waits for the rows of one."""
        return replace(self, ids=ids)

    @cached_property
    def live(self) -> LiveBars:
        """The live rows that count, by instrument and ordinal."""
        live = self.read(self.ids)
        if not len(live):
            return live
        coverage = self._loaded(np.unique(live.instrument_id))
        live = live.take(np.isin(live.instrument_id, coverage.instrument_id))  # no bar yet: nobody's symbol
        official = self._official(Spans.of_points(live.instrument_id, live.ordinal))
        return live.take(that_count(live, official, coverage))

    @property
    def sessions(self) -> Sessions:
        """The calendar."""
        return self.source.sessions

    def names(self, ids: Int32s | None = None) -> dict[int, str]:
        """Return the symbols by instrument; see `BarSource`."""
        return self.source.names(ids)

    def carriers(self, symbol: str, on: dt.date | None = None) -> list[int]:
        """Return the instruments that carry or carried a symbol; see `BarSource`."""
        return self.source.carriers(symbol, on)

    def symbol_spans(self) -> list[SymbolSpan]:
        """Return who carried which symbol when; see `BarSource`."""
        return self.source.symbol_spans()

    def stands_for(self, symbols: Sequence[str]) -> dict[str, int]:
        """Return the instrument that each symbol stands for; see `BarSource`."""
        return self.source.stands_for(symbols)

    def coverage(self, ids: Int32s) -> Coverage:
        """Return which sessions have been loaded, and the live ones; see `BarSource`."""
        live = self._of(ids)
        return self._loaded(ids).with_live(live.instrument_id, live.ordinal)

    def splits(self, ids: Int32s) -> SplitEvents:
        """Return the splits; see `BarSource`."""
        return self.source.splits(ids)

    def dividends(self, ids: Int32s) -> DividendEvents:
        """Return the dividends; see `BarSource`."""
        return self.source.dividends(ids)

    def listed(self, ids: Int32s) -> Spans:
        """Return the spans of the stored daily bars; see `BarSource`."""
        return self.source.listed(ids)

    def portions(self, spans: Spans) -> Sequence[Spans]:
        """Return the spans in portions; see `BarSource`."""
        return self.source.portions(spans)

    def daily(self, spans: Spans) -> DailyBars:
        """Return the daily bars and the live rows that count; see `BarSource`."""
        return self._with_live(spans, self._official(spans))

    def daily_of(self, portions: Sequence[Spans]) -> Iterator[DailyBars]:
        """Yield the same of each portion; see `BarSource`."""
        if len(portions) == 1:  # windows under way, say, whose daily bars may be kept
            return map(self.daily, portions)
        return map(self._with_live, portions, self.source.daily_of(portions))

    def _with_live(self, spans: Spans, daily: DailyBars) -> DailyBars:
        """Return all daily bars within spans, and the live rows there that count."""
        live = self.live
        inside = spans.merged().contain(live.instrument_id, live.ordinal)
        return with_live(daily, live.take(inside))

    def _official(self, spans: Spans) -> DailyBars:
        """Return daily bars without live rows."""
        return self.kept(spans) if self.ids is None else self.source.daily(spans)

    def bars(self, interval: int, spans: Spans, *, complete: bool) -> Bars:
        """Return the stored bars; see `BarSource`."""
        return self.source.bars(interval, spans, complete=complete)

    def waiting(self, ids: Int32s) -> Spans:
        """Return what waits to be resampled, and the live rows; see `BarSource`."""
        live = self._of(ids)
        # From the first session that is not loaded: the live row moves the basis of every window since.
        loaded = self._loaded(ids).last_loaded(live.instrument_id)
        first = np.minimum(loaded + np.int32(1), live.ordinal)
        spans = Spans(live.instrument_id, first, live.ordinal)
        return Spans.concat([self.source.waiting(ids), spans]).merged()

    def _loaded(self, ids: Int32s) -> Coverage:
        """Return which sessions have been loaded, without the live ones; read once, asked thrice."""
        key = ids.tobytes()
        if key not in self._coverages:
            self._coverages[key] = self.source.coverage(ids)
        return self._coverages[key]

    @cached_property
    def _coverages(self) -> dict[bytes, Coverage]:
        return {}

    def _of(self, ids: Int32s) -> LiveBars:
        return self.live.take(np.isin(self.live.instrument_id, ids))
