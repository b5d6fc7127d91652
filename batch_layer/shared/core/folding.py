"""Fold daily bars into bars of n sessions.

A bar depends on its own daily bars alone. It does not matter which others are folded beside it, in which
portions, or on how many threads: folding a few windows again gives exactly what folding everything would.

Fractions of shares make the order of a sum matter, so it is fixed: a bar's rows, in order of session, are
cut into runs of descending powers of two (13 = 8 + 4 + 1), each run is summed by halves ((a + b) + (c + d)),
and the runs' sums are added from the first to the last. Whole volumes are exact in any order as long as
their sum stays below 2**53 shares.

The rows are folded in portions that stay near the processor's cache, one per thread. Each portion writes its
bars where they belong in the result, so nothing is concatenated afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TypeVar

import numpy as np

from condvest.batch_layer.shared.core.adjustment import rescaled, split_factors
from condvest.batch_layer.shared.core.bar_columns import BarBuffer, at, fill, first_rows
from condvest.batch_layer.shared.core.search import search_pairs
from condvest.batch_layer.shared.core.windows import first_ordinals, last_ordinals, windows_of
from condvest.batch_layer.shared.errors import UnorderedSessions
from condvest.batch_layer.shared.models.bars import Bars, DailyBars, Int32s, Positions
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.coverage import Coverage

Result = TypeVar("Result")

PORTION = 1 << 17
"""Daily bars per portion, about. More leave the cache; with fewer, threads wait for the interpreter."""


def fold(
    daily: DailyBars,
    n: int,
    *,
    splits: Splits,
    coverage: Coverage,
    anchor: int | Int32s = 0,
    threads: int = 2,
) -> Bars:
    """Fold daily bars into bars of n sessions, one per window that holds a daily bar.

    Args:
        daily: ascending by instrument, then by ordinal, none twice. Prices in quote currency, as traded;
            volume in shares.
        n: sessions in a window, at least 1.
        splits: of these instruments, in any order; ``split_factors`` says how they are multiplied.
        coverage: which sessions are loaded, for ``is_complete`` and for the basis of open windows.
        anchor: ordinal of the first session of window 0: one for all, or an int32 per row of ``daily``,
            the same on all rows of an instrument.
        threads: how many threads to use. The result does not depend on it.

    Returns:
        Bars ascending by instrument, then by window. Open and close are those of the first and the last
        daily bar, high and low the extremes, volume and trades the sums, vwap the mean weighted by volume.
        The vwap is NaN if it is unknown for any session with volume, or if there was no volume; that of
        a single daily bar is kept as it is. The trades are unknown if those of any session are.

        Prices and volumes are on the split basis of the window's last session, or of the last session
        loaded for the instrument if that comes sooner: what lies before a split in the window is rescaled.

    Raises:
        UnorderedSessions: the rows of ``daily`` do not ascend; the message names the first that does not.
        UsageError: n is out of range; see `windows_of`.
    """
    return fold_all(daily, (n,), splits=splits, coverage=coverage, anchor=anchor, threads=threads)[n]


def fold_all(
    daily: DailyBars,
    intervals: Iterable[int],
    *,
    splits: Splits,
    coverage: Coverage,
    anchor: int | Int32s = 0,
    threads: int = 2,
) -> dict[int, Bars]:
    """Fold daily bars into bars of several intervals at once: as ``fold`` of each, but faster.

    Arguments, errors and the bars of each interval are those of ``fold``.
    """
    job = _Job(daily, tuple(dict.fromkeys(intervals)), anchor, splits, coverage)
    if not job.intervals:
        return {}
    portions = job.portions()
    firsts = _each(threads, job.cut, portions)
    buffers = {n: BarBuffer.of(sum(len(of_portion[n]) for of_portion in firsts)) for n in job.intervals}
    _each(threads, job.fold, portions, firsts, _shares(buffers, firsts))
    bars = {n: buffer.bars() for n, buffer in buffers.items()}
    if len(daily) and len(splits):
        _each(threads, job.rebase, list(bars), list(bars.values()))
    return bars


def _each(threads: int, work: Callable[..., Result], *arguments: Sequence[object]) -> list[Result]:
    """Return ``list(map(work, *arguments))``; of several errors the first in that order is raised."""
    if threads == 1 or len(arguments[0]) <= 1:
        return list(map(work, *arguments))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, *arguments))


def _shares(buffers: dict[int, BarBuffer], firsts: Sequence[dict[int, Int32s]]) -> list[dict[int, BarBuffer]]:
    """Return, for each portion, the part of the buffers that it fills."""
    shares = []
    begin = dict.fromkeys(buffers, 0)
    for of_portion in firsts:
        end = {n: begin[n] + len(of_portion[n]) for n in buffers}
        shares.append({n: buffers[n].take(slice(begin[n], end[n])) for n in buffers})
        begin = end
    return shares


@dataclass(frozen=True, eq=False)
class _Job:
    """One call of `fold_all`, and its steps; each step may run on several threads."""

    daily: DailyBars
    intervals: Sequence[int]
    anchor: int | Int32s
    splits: Splits
    coverage: Coverage

    def portions(self) -> list[slice]:
        """Cut the rows into portions of whole instruments, of about PORTION rows; at least one portion."""
        instrument = self.daily.instrument_id
        starts = np.unique([0, *np.searchsorted(instrument, instrument[::PORTION])])
        return [slice(*bounds) for bounds in pairwise([*starts.tolist(), len(self.daily)])]

    def cut(self, rows: slice) -> dict[int, Int32s]:
        """Return, for each interval, the rows of a portion at which its bars begin."""
        _check_order(self.daily, rows)
        return first_rows(self.daily.take(rows), self.intervals, at(self.anchor, rows))

    def fold(self, rows: slice, firsts: dict[int, Int32s], share: dict[int, BarBuffer]) -> None:
        """Fill a portion's share of the bars, from daily bars as traded."""
        fill(share, firsts, self.daily.take(rows), at(self.anchor, rows), self.coverage)

    def rebase(self, n: int, bars: Bars) -> None:
        """Fold again, on the basis of its window's end, each bar with a split between its daily bars.

        Example, interval 3, a 2-for-1 split with ex-ordinal 4 in window 1 (ordinals 3 to 5)::

            ordinal  3    4   5
            close   100  51  52     the daily bar before the split is row 3: its window is folded again,
            basis    50  51  52     with row 3 on the basis of ordinal 5
        """
        daily = self.daily
        due = self.splits.take(self.splits.ex_ordinal <= self.coverage.last_loaded(self.splits.instrument_id))
        # The last daily bar before each split; the split matters if both lie in one window.
        row = search_pairs(daily.instrument_id, daily.ordinal, due.instrument_id, due.ex_ordinal) - 1
        window = windows_of(daily.ordinal[row], n, at(self.anchor, row))
        inside = (
            (row >= 0)
            & (daily.instrument_id[row] == due.instrument_id)
            & (window == windows_of(due.ex_ordinal, n, at(self.anchor, row)))
        )
        # Two splits in one window concern one bar: it is folded again once.
        position, split = np.unique(
            search_pairs(bars.instrument_id, bars.window, due.instrument_id[inside], window[inside]),
            return_index=True,
        )
        if len(position):
            rows = _rows_of(bars.take(position), n, daily, at(self.anchor, row[inside][split]))
            folded_again = self._rescaled(n, rows)
            for field in fields(Bars):
                getattr(bars, field.name)[position] = getattr(folded_again, field.name)

    def _rescaled(self, n: int, rows: Positions) -> Bars:
        """Return the bars of interval n of these daily bars, each brought to the basis of its window."""
        daily, anchor = self.daily.take(rows), at(self.anchor, rows)
        end = last_ordinals(windows_of(daily.ordinal, n, anchor), n, anchor)
        basis = np.minimum(end, self.coverage.last_loaded(daily.instrument_id))
        factors = split_factors(daily.instrument_id, daily.ordinal, basis, self.splits)
        firsts = first_rows(daily, [n], anchor)
        buffer = BarBuffer.of(len(firsts[n]))
        fill({n: buffer}, firsts, rescaled(daily, *factors), anchor, self.coverage)
        return buffer.bars()


def _check_order(daily: DailyBars, rows: slice) -> None:
    """Check that the rows ascend, and that the first of them comes after the row before it."""
    start = max(rows.start - 1, 0)
    instrument, ordinal = daily.instrument_id[start : rows.stop], daily.ordinal[start : rows.stop]
    same = instrument[1:] == instrument[:-1]
    ascends = (instrument[1:] > instrument[:-1]) | (same & (ordinal[1:] > ordinal[:-1]))
    if not ascends.all():
        row = int(np.argmin(ascends))
        raise UnorderedSessions(
            f"daily bars must ascend by instrument, then by session, none twice: row {start + row + 1} "
            f"(instrument {instrument[row + 1]}, ordinal {ordinal[row + 1]}) comes after "
            f"instrument {instrument[row]}, ordinal {ordinal[row]}; sort them and drop duplicates"
        )


def _rows_of(bars: Bars, n: int, daily: DailyBars, anchor: int | Int32s) -> Positions:
    """Return the rows of the daily bars that went into the bars, bar by bar."""
    start = first_ordinals(bars.window, n, anchor)
    first = search_pairs(daily.instrument_id, daily.ordinal, bars.instrument_id, start)
    count = bars.sessions.astype(np.intp)
    return np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
