"""The daily bars of windows under way, kept between questions about the whole market with its live session.

While a session lasts, they are asked for again with each of its ticks and change with a load only. They are
kept under the version that their reader sees, so they cannot be stale. The live rows themselves, and
whether each counts, are read anew for every question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.core.adjustment import expanded
from condvest.batch_layer.shared.models.bars import DailyBars, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import keys_of, pack
from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.kept import Kept

LARGEST = 64 << 20
"""Bytes that a process keeps: the windows under way of all stored intervals, of 11,000 instruments."""

ROW = 72
"""Bytes of a daily bar with its key."""


@dataclass(frozen=True, eq=False)
class _Stretch:
    """The daily bars of all instruments from one session to another. Nobody alters them.

    Attributes:
        key: int64 per row, instrument and ordinal in one, ascending.
        rows: the daily bars, by key.
    """

    key: Int64s
    rows: DailyBars

    def within(self, spans: Spans) -> DailyBars:
        """Return copies of the rows within spans that do not overlap, in the spans' order."""
        first = np.searchsorted(self.key, pack(spans.instrument_id, spans.first))
        end = np.searchsorted(self.key, pack(spans.instrument_id, spans.last), side="right")
        return self.rows.take(expanded(first, end - first)[1])


_kept: Kept[_Stretch] = Kept(LARGEST)


def kept_daily(
    read: Callable[[Spans], DailyBars], instruments: Callable[[], Int32s], version: str, spans: Spans
) -> DailyBars:
    """Return the daily bars within spans, in the spans' order.

    Args:
        read: reads those within spans, in their order, from one state of a source.
        instruments: returns all that have daily bars in that state; int32, ascending.
        version: names all that either of them may return: another state has another version.
        spans: must not overlap. What reaches too far back to be kept is read as it is.
    """
    if not len(spans):
        return read(spans)
    first, last = int(spans.first.min()), int(spans.last.max())
    if (last - first + 1) * len(instruments()) * ROW > LARGEST // 2:
        return read(spans)

    def stretch() -> _Stretch:
        rows = read(Spans.within(instruments(), first, last))
        return _Stretch(keys_of(rows), rows)

    return _kept.get((version, first, last), stretch, lambda made: ROW * len(made.rows)).within(spans)
