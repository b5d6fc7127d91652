"""The market at a glance: the newest bar of each instrument beside its own past. Pure but for the source."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.models.bars import Bars, Floats, Int32s, Int64s, Positions, run_starts
from condvest.serving_layer.queries.bars.answering import Answer, answer
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.size import Largest, check_size
from condvest.serving_layer.sources import BarSource

LOOKED_BACK = (1, 5, 13, 34)
"""Bars over which changes are told; the longest one is also the past that volumes, highs and lows are of."""

_PAST = max(LOOKED_BACK)

_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("last_session", pa.date32()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        *((f"change_{count}", pa.float64()) for count in LOOKED_BACK),
        ("volume_ratio", pa.float64()),
        ("from_high", pa.float64()),
        ("from_low", pa.float64()),
        ("is_complete", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Screen:
    """What is looked for.

    Attributes:
        interval: sessions per bar.
        on: the window is the newest that had ended by this date, so that nothing later is in it; if None, it
            is the newest of which a session is loaded, which may be under way.
        min_close, min_volume: of the newest bar, inclusive; no bound if None.
    """

    interval: int = 1
    on: dt.date | None = None
    min_close: float | None = None
    min_volume: float | None = None


def read_screen(source: BarSource, screen: Screen, largest: Largest | None = None) -> pa.Table:
    """Return each instrument that has a bar in the newest window, by symbol.

    Columns: symbol; last_session (date32) of the window; close and volume (float64) of its bar, adjusted for
    the splits known; change_1, change_5, change_13 and change_34 (float64): the close over that of the bar so
    many windows before, less 1, null if there is no such bar; volume_ratio: the volume over the mean of the
    bars of the 34 windows before, null without any; from_high and from_low: the close over the highest high
    and the lowest low of those bars and the newest, less 1; is_complete (bool).

    Raises:
        TooLarge: it would be made of more bars than ``largest`` allows; None allows any number.

    Example, interval 1, closes of 10, 11 and 12: change_1 is 12 / 11 - 1, change_5 is null.
    """
    sessions = source.sessions
    last = min(int(source.coverage(np.zeros(0, np.int32)).loaded_through.max()), sessions.last_ordinal)
    if screen.on is None:
        until = min(last + screen.interval - 1, sessions.last_ordinal)  # a window under way ends later
    else:
        after = np.array([np.datetime64(screen.on, "D") + np.timedelta64(1, "D")])
        until = last = min(int(sessions.ordinals_on_or_after(after)[0]) - 1, last)
    if last < sessions.first_ordinal:
        return _SCHEMA.empty_table()
    first = max(last - (_PAST + 2) * screen.interval, sessions.first_ordinal)
    question = Question(
        interval=screen.interval,
        start=sessions.session(first),
        end=sessions.session(until),
        include_open=True,
    )
    if largest is not None:
        check_size(source, question, largest)
    return _screened(answer(source, question), screen)


def _screened(answer: Answer, screen: Screen) -> pa.Table:
    bars = answer.bars
    if not len(bars):
        return _SCHEMA.empty_table()
    starts = run_starts(bars.instrument_id)
    newest = np.append(starts[1:], len(bars)) - 1
    wanted = bars.window[newest] == bars.window.max()
    if screen.min_close is not None:
        wanted &= bars.close[newest] >= screen.min_close
    if screen.min_volume is not None:
        wanted &= bars.volume[newest] >= screen.min_volume
    newest = newest[wanted]
    past = _Past(bars, np.flatnonzero(wanted), newest)
    columns = {
        "symbol": [answer.symbols[each] for each in bars.instrument_id[newest].tolist()],
        "last_session": pa.array(answer.last_day[newest]).view(pa.date32()),
        "close": bars.close[newest],
        "volume": bars.volume[newest],
        **{f"change_{count}": _known(past.change(count)) for count in LOOKED_BACK},
        "volume_ratio": _known(past.volume_ratio()),
        "from_high": bars.close[newest] / past.over(bars.high, np.maximum) - 1,
        "from_low": bars.close[newest] / past.over(bars.low, np.minimum) - 1,
        "is_complete": bars.is_complete[newest],
    }
    return pa.table(columns, schema=_SCHEMA)


class _Past:
    """The newest bar of some instruments, and the bars before it."""

    def __init__(self, bars: Bars, run: Positions, newest: Positions) -> None:
        """Take the bars of all instruments, each one's together and by window.

        Args:
            bars: the bars.
            run: which of the instruments, in the order of the bars, are looked at.
            newest: the row of the newest bar of each of these.
        """
        self._bars, self._run, self._newest = bars, run, newest
        starts = run_starts(bars.instrument_id)
        of_row = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(bars))))
        # One ascending key for instrument and window: no window before the first of all is looked for.
        self._low = int(bars.window.min()) - _PAST
        self._width = int(bars.window.max()) - self._low + 1
        self._keys = self._key(of_row, bars.window)
        self._first = self._since(_PAST)
        self._is_newest = np.zeros(len(bars), dtype=np.bool_)
        self._is_newest[newest] = True

    def change(self, count: int) -> Floats:
        """Return the close over that of ``count`` windows before, less 1; NaN if that window has no bar."""
        before = self._since(count)
        is_there = self._bars.window[before] == self._bars.window[self._newest] - np.int32(count)
        then = np.where(is_there, self._bars.close[before], np.nan)
        return self._bars.close[self._newest] / then - 1

    def volume_ratio(self) -> Floats:
        """Return the volume over the mean of the bars before; NaN without any, or if nothing was traded."""
        own = self._bars.volume[self._newest]
        past = self.over(np.where(self._is_newest, 0.0, self._bars.volume), np.add)
        traded = past > 0
        ratio = np.full(len(own), np.nan)
        ratio[traded] = own[traded] * (self._newest - self._first)[traded] / past[traded]
        return ratio

    def over(self, values: Floats, of: np.ufunc) -> Floats:
        """Return the highest value, the lowest or the sum of the newest bar and the bars before."""
        bounds = np.column_stack([self._first, self._newest + 1]).ravel()
        padded = np.append(values, values[-1])  # a bound may be the end
        reduced: Floats = of.reduceat(padded, bounds)[::2]
        return reduced

    def _since(self, count: int) -> Positions:
        """Return, per instrument, its first row within the ``count`` windows before the newest one's."""
        window = self._bars.window[self._newest] - np.int32(count)
        return np.searchsorted(self._keys, self._key(self._run, window)).astype(np.intp)

    def _key(self, run: Positions, window: Int32s) -> Int64s:
        return run.astype(np.int64) * self._width + (window.astype(np.int64) - self._low)


def _known(values: Floats) -> pa.Array:
    """Return numbers, null where they are NaN."""
    return pa.array(values, from_pandas=True)
