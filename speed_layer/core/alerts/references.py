"""What rules read beside the session under way: daily bars, complete bars, splits; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from condvest.batch_layer.shared.core.live import that_count
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s, Positions
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.coverage import Coverage
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.speed_layer.core.alerts.market import Market, Past, first_running, in_order, market_of, past_of
from condvest.speed_layer.core.alerts.rules import Needs


@dataclass(frozen=True, eq=False)
class _Frame:
    """Daily bars of a window in order, of which the session's own rows are written anew with each tick."""

    daily: DailyBars
    rows: Positions

    def filled(self, more: DailyBars) -> DailyBars:
        """Return the daily bars with other rows of the session, of the same instruments."""
        for column in fields(more):
            getattr(self.daily, column.name)[self.rows] = getattr(more, column.name)
        return self.daily


@dataclass(frozen=True, eq=False)
class References:
    """What has been loaded, as far as rules of some sessions need it.

    Attributes:
        ids: int32, ascending, the instruments.
        symbols: of each instrument.
        daily: as traded, by instrument and ordinal; back to the first of the longest running window.
        bars: by interval complete bars, each on the basis of its own window, by instrument and window.
        splits: by instrument and ex-ordinal.
        coverage: which sessions have been loaded.
        needs: by interval how many complete bars rules read.
        load: the last load that the rest is of.
    """

    ids: Int32s
    symbols: Mapping[int, str]
    daily: DailyBars
    bars: Mapping[int, Bars]
    splits: Splits
    coverage: Coverage
    needs: Needs
    load: int = 0
    _past: dict[tuple[int, int], tuple[Int32s, Past]] = field(default_factory=dict)
    _frames: dict[tuple[int, int], tuple[Int32s, _Frame]] = field(default_factory=dict)

    def counting(self, live: LiveBars) -> LiveBars:
        """Return the live rows that count, of instruments that are known here."""
        live = live.take(np.isin(live.instrument_id, self.ids))
        official = self.daily.take(np.isin(self.daily.ordinal, np.unique(live.ordinal)))
        return live.take(that_count(live, official, self.coverage))

    def market(self, ordinal: int, ids: Int32s, more: DailyBars | None = None) -> Market:
        """Return the market of a session as it was, or is with the rows of the session under way.

        Args:
            ordinal: the session.
            ids: int32, ascending: its instruments.
            more: daily bars of the session beside those that are loaded.
        """
        splits = self.splits.take(np.isin(self.splits.instrument_id, ids))
        past = {n: self._past_of(ordinal, n, ids, most, splits) for n, most in self.needs.items()}
        if more is not None:
            daily = {n: self._frame(ordinal, n, ids, more).filled(more) for n in past}
        else:
            daily = {n: self._window(ordinal, n, ids) for n in past}
        return market_of(ordinal, ids, daily, past, splits)

    def _window(self, ordinal: int, interval: int, ids: Int32s) -> DailyBars:
        """Return the daily bars of the window up to a session."""
        chosen = (self.daily.ordinal <= ordinal) & (self.daily.ordinal >= first_running(ordinal, interval))
        if len(ids) < len(self.ids):
            chosen &= np.isin(self.daily.instrument_id, ids)
        return self.daily if chosen.all() else self.daily.take(chosen)

    def _frame(self, ordinal: int, interval: int, ids: Int32s, more: DailyBars) -> _Frame:
        """Return the window with room for rows of the session, kept for the next tick of it."""
        kept = self._frames.get((ordinal, interval))
        if kept is None or not np.array_equal(kept[0], ids):
            daily = in_order(DailyBars.concat([self._window(ordinal, interval, ids), more]))
            kept = ids, _Frame(daily, np.flatnonzero(daily.ordinal == ordinal))
            self._frames[ordinal, interval] = kept
        return kept[1]

    def _past_of(self, ordinal: int, interval: int, ids: Int32s, most: int, splits: Splits) -> Past:
        """Return the complete bars before a session, kept for the next tick of it."""
        kept = self._past.get((ordinal, interval))
        if kept is None or not np.array_equal(kept[0], ids):
            if len(self._past) > len(self.needs):  # of a session before
                self._past.clear()
                self._frames.clear()
            kept = ids, past_of(ordinal, interval, ids, self.bars[interval], most, splits)
            self._past[ordinal, interval] = kept
        return kept[1]
