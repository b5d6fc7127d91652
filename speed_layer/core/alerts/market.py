"""A market as a rule sees it at one session: its running bars, and the complete ones before; pure.

The running bars are folded from daily bars by the code that folds every other bar, on the split basis of the
session; the complete ones are the stored bars, brought to the same basis. Whether the session's own rows are
live, official, or those of twenty years ago makes no difference here: that is why a rule that is tested on
history is the rule that fires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from condvest.batch_layer.shared.core.adjustment import adjust_in_place
from condvest.batch_layer.shared.core.folding import fold
from condvest.batch_layer.shared.core.windows import first_ordinals, windows_of
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Floats, Int32s, Positions
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.models.difference import pack
from condvest.speed_layer.core.alerts.language.nodes import Over

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def reach_of(bars: int) -> int:
    """Return within how many windows the ``bars`` complete bars before the running one have to lie.

    An instrument that was not traded for whole windows has no bar of them. What lies further back than this
    is no level of today's, and is unknown.
    """
    return 2 * bars + 10


@dataclass(frozen=True, eq=False)
class Past:
    """The complete bars of one interval before the running one.

    Attributes:
        bars: by instrument and window, on the split basis of the session.
        row: intp per instrument of the market and bar back (0 is the newest): its row in ``bars``, -1 for
            none.
    """

    bars: Bars
    row: np.ndarray[tuple[int, int], np.dtype[np.intp]]
    _kept: dict[str, Matrix] = field(default_factory=dict)
    _reduced: dict[tuple[str, str, int, int], Floats] = field(default_factory=dict)

    def of(self, name: str) -> Matrix:
        """Return a field per bar back (the newest first) and instrument; NaN where there is none."""
        if name not in self._kept:
            values = np.append(getattr(self.bars, name), np.nan)
            self._kept[name] = np.ascontiguousarray(values[self.row].T)
        return self._kept[name]

    def reduced(self, function: Over, name: str, skipped: int, bars: int) -> Floats:
        """Return the highest, lowest or average of a field; kept, for complete bars stay as they are."""
        key = (function, name, skipped, bars)
        if key not in self._reduced:
            values = self.of(name)[skipped : skipped + bars]
            if function == "average":
                self._reduced[key] = values.mean(axis=0)
            else:
                self._reduced[key] = values.max(axis=0) if function == "highest" else values.min(axis=0)
        return self._reduced[key]


@dataclass(frozen=True, eq=False)
class Market:
    """What rules are evaluated on.

    Attributes:
        ordinal: the session.
        ids: int32, the instruments, ascending; every column has a row for each.
        running: by interval the bars under way, one row per instrument that has one.
        row: by interval intp per instrument, its row in ``running``, -1 for none.
        past: by interval the complete bars before.
    """

    ordinal: int
    ids: Int32s
    running: Mapping[int, Bars]
    row: Mapping[int, Positions]
    past: Mapping[int, Past]

    def field(self, name: str, interval: int, back: int) -> Floats:
        """Return a field of the running bar (``back`` 0) or of one before it; NaN where unknown."""
        values: Floats
        if back:
            values = self.past[interval].of(name)[back - 1]
            return values
        values = getattr(self.running[interval], name)
        if len(values) == len(self.ids):  # then each has its own row, for both ascend
            return values
        padded: Floats = np.append(values, np.nan)[self.row[interval]]
        return padded


def market_of(
    ordinal: int, ids: Int32s, daily: Mapping[int, DailyBars], past: Mapping[int, Past], splits: Splits
) -> Market:
    """Return the market of a session.

    Args:
        ordinal: the session.
        ids: int32, ascending.
        daily: by interval the daily bars of these instruments from the first session of the running window to
            the session, ascending by instrument and ordinal; as traded.
        past: by interval, of the same instruments; see `past_of`.
        splits: of these instruments.
    """
    basis = _basis(ids, ordinal)
    running = {n: fold(daily[n], n, splits=splits, coverage=basis) for n in past}
    row = {n: _rows_of(ids, bars.instrument_id) for n, bars in running.items()}
    return Market(ordinal, ids, running, row, past)


def first_running(ordinal: int, interval: int) -> int:
    """Return the first session of the window that holds a session."""
    return int(first_ordinals(windows_of(np.array([ordinal], np.int32), interval), interval)[0])


def past_of(ordinal: int, interval: int, ids: Int32s, bars: Bars, most: int, splits: Splits) -> Past:
    """Return the complete bars before the running one of a session, on the session's split basis.

    Args:
        ordinal: the session.
        interval: sessions per bar.
        ids: int32, ascending: the instruments of the market.
        bars: complete bars, each on the basis of its own window, by instrument and window; later ones, and
            those of other instruments, are passed over.
        most: how many bars back.
        splits: of the instruments, by instrument and ex-ordinal.
    """
    running = int(windows_of(np.array([ordinal], np.int32), interval)[0])
    near = bars.take((bars.window < running) & (bars.window >= running - reach_of(most)))
    near = Bars(**{column.name: getattr(near, column.name).copy() for column in fields(near)})
    until = np.full(len(splits), ordinal, dtype=np.int32)
    adjust_in_place(near, splits, windows_of(splits.ex_ordinal, interval), until)
    end = np.searchsorted(near.instrument_id, ids, side="right")
    start = np.searchsorted(near.instrument_id, ids, side="left")
    back = np.arange(1, most + 1)
    row = end[:, None] - back[None, :]
    is_there = row >= start[:, None]
    if len(near):
        window = near.window[np.maximum(row, 0)]
        is_there &= window >= running - reach_of(1) - 2 * (back[None, :] - 1)
    return Past(near, np.where(is_there, row, -1))


def _rows_of(ids: Int32s, instrument_id: Int32s) -> Positions:
    """Return the row of each instrument among ascending, unique ones; -1 where it is not among them."""
    row = np.searchsorted(instrument_id, ids)
    is_there = row < len(instrument_id)
    is_there[is_there] = instrument_id[row[is_there]] == ids[is_there]
    return np.where(is_there, row, -1)


def _basis(ids: Int32s, ordinal: int) -> Coverage:
    """Return what makes a fold bring its open windows to the basis of a session, and no later one."""
    loaded = np.full(64, NOTHING_LOADED, dtype=np.int32)
    loaded[0] = ordinal
    return Coverage(ids, np.ones(len(ids), np.int64), ordinal, np.zeros(1, np.int64), loaded)


def in_order(daily: DailyBars) -> DailyBars:
    """Return daily bars ascending by instrument and ordinal."""
    return daily.in_order(pack(daily.instrument_id, daily.ordinal))
