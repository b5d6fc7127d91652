"""Reduce groups of consecutive rows, for several ways of grouping the same rows at once.

The runs of 1, 2, 4, 8, ... rows beginning at every row are combined once, each from two runs of half its
length. Any group is then a few runs, the longest first: 13 rows are a run of 8, one of 4 and one of 1. This
serves every way of grouping, costs a few additions a row that the processor does several at a time, and
fixes the order of a sum, which NumPy's own reductions leave to the version and the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise, starmap
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from batch_layer.shared.models.bars import Positions

Number = TypeVar("Number", np.float64, np.int64)
Scalar = TypeVar("Scalar", bound=np.generic)

_LINE = 8
"""Values of 8 bytes in a line of the processor's cache."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows cut into groups: each ends where the next one begins, the last with the rows.

    Attributes:
        first: integers, the first row of each group, ascending from 0.
        most: how many rows a group has at most. It is fast if that is what most of them have.
    """

    first: npt.NDArray[np.integer]
    most: int


class Reducer:
    """Reduces columns of one length, group by group, under several groupings.

    A group's rows are cut, in order, into runs of descending powers of two; each run is combined by halves,
    ``(a + b) + (c + d)``; the runs' results are combined from the first run to the last.

    The groups of all groupings are joined in one array, so that NumPy is called seldom and for much. All are
    first taken for full, which needs no choice among them; groupings whose full groups make the most runs
    stand last. Behind them all, the groups that are not full are done over, those of the most runs first. So
    those with an nth run are a slice.

    Attributes:
        first: intp, the first row of every group, joined.
        last: intp, its last row.
        count: intp, how many rows it has.
        slices: where each grouping's values stand among joined ones.
        room: how many values `reduce` works on: one a group, and one more a group that is not full.
    """

    def __init__(self, rows: int, groupings: Sequence[Groups]) -> None:
        """``rows``, at least one, is the length of the columns; there is at least one grouping."""
        runs = _runs(max(groups.most for groups in groupings))
        self._order = sorted(range(len(groupings)), key=lambda place: runs.number[groupings[place].most])
        sizes = [len(groupings[place].first) for place in self._order]
        slices = dict(zip(self._order, starmap(slice, pairwise(accumulate(sizes, initial=0))), strict=True))
        self.slices = [slices[place] for place in range(len(groupings))]
        self.first = np.concatenate([groupings[place].first for place in self._order], dtype=np.intp)
        self.last = np.empty_like(self.first)
        np.subtract(self.first[1:], 1, out=self.last[:-1])
        self.last[np.cumsum(sizes) - 1] = rows - 1
        self.count = self.last - self.first + 1
        is_other = np.empty(len(self.first), dtype=np.bool_)
        for groups, of_grouping in zip(groupings, self.slices, strict=True):
            np.not_equal(self.count[of_grouping], groups.most, out=is_other[of_grouping])
        other = np.flatnonzero(is_other)
        number = runs.number.take(self.count.take(other))
        self._other = other.take(number.argsort(kind="stable")[::-1])
        self.room = len(self.first) + len(other)
        self._rows = rows
        self._table = _aligned(runs.levels, rows)
        self._nth = list(self._nth_runs(runs, groupings))

    def join(self, parts: Sequence[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
        """Join values of the groups, an array a grouping."""
        return np.concatenate([parts[place] for place in self._order])

    def reduce(
        self, column: npt.NDArray[Number], combine: np.ufunc, out: npt.NDArray[Number] | None = None
    ) -> npt.NDArray[Number]:
        """Return the column reduced to one value a group, joined.

        Args:
            column: float64 or int64, for whose sums `total` is faster.
            combine: an associative ufunc of two arguments.
            out: ``room`` values of the column's dtype to work in; the result stands in front of them.
        """
        table = self._combined(column, combine).reshape(-1)
        _, places = self._nth[0]
        # Clipped, since a group taken for full may reach past the table.
        values = table.take(places, mode="clip", out=out)
        for which, places in self._nth[1:]:
            some = values[which]
            combine(some, table.take(places, mode="clip"), out=some)
        result = values[: len(self.first)]
        result[self._other] = values[len(self.first) :]
        return result

    def total(self, column: npt.NDArray[np.int64], out: npt.NDArray[np.int64]) -> None:
        """Sum whole numbers to one value a group, joined.

        They are exact in any order, so that the running totals at the ends of groups tell what lies between,
        even where those wrap around.

        Args:
            column: int64.
            out: int64, one value a group, to be filled.
        """
        through = column.cumsum().take(self.last)
        np.subtract(through[1:], through[:-1], out=out[1:])
        for groups in self.slices:
            out[groups][:1] = through[groups][:1]

    def _nth_runs(self, runs: _Runs, groupings: Sequence[Groups]) -> Iterator[tuple[slice, Positions]]:
        """Yield which values have a first run, a second, ..., and the runs' places in the flattened table."""
        first, count = self.first.take(self._other), self.count.take(self._other)
        number = runs.number.take(count)
        for nth, place in enumerate(runs.level * self._table.shape[1] + runs.offset):
            full = [of for of in self._order if runs.number[groupings[of].most] > nth]
            others = int(np.count_nonzero(number > nth))
            end = len(self.first) + others
            start = self.slices[full[0]].start if full else len(self.first)
            places = np.empty(end - start, dtype=np.intp)
            for of in full:
                of_groups = places[self.slices[of].start - start : self.slices[of].stop - start]
                np.add(self.first[self.slices[of]], place[groupings[of].most], out=of_groups)
            places[len(places) - others :] = first[:others] + place.take(count[:others])
            yield slice(start, end), places

    def _combined(self, column: npt.NDArray[Number], combine: np.ufunc) -> npt.NDArray[Number]:
        """Return the table whose row k holds, at r, the run of 2**k rows from r on, or of those there are."""
        whole = self._table.view(column.dtype)
        table = whole[:, : self._rows]
        table[0] = column
        for level in range(len(table) - 1):
            reach = 1 << level
            combine(table[level, :-reach], table[level, reach:], out=table[level + 1, :-reach])
            table[level + 1, -reach:] = table[level, -reach:]
        return whole


def _aligned(levels: int, rows: int) -> npt.NDArray[np.float64]:
    """Return a table without values, whose rows begin at lines of the cache and are filled up with zeros.

    Additions are faster where they begin at a line, by a third.
    """
    width = -(-rows // _LINE) * _LINE
    memory = np.empty(levels * width + _LINE)
    start = -(memory.ctypes.data // memory.itemsize) % _LINE
    table = memory[start : start + levels * width].reshape(levels, width)
    table[:, rows:] = 0.0
    return table


class _Runs(NamedTuple):
    """The runs that make groups of 0, 1, 2, ... rows.

    Attributes:
        levels: how many lengths of runs there are: 1, 2, 4, ... rows.
        number: int8 a count of rows: how many runs make it.
        level: intp, nth run by count: the run is of 2**level rows. Of no meaning where there is no nth run.
        offset: intp, likewise: how many rows of the group come before the run.
    """

    levels: int
    number: npt.NDArray[np.int8]
    level: Positions
    offset: Positions


@lru_cache(maxsize=8)
def _runs(longest: int) -> _Runs:
    """Return the runs of groups of up to ``longest`` rows."""
    # Groups that begin with a run of the longest are few; they take its two halves, one after the other.
    levels = max(1, longest.bit_length() - 1)
    count = np.arange(longest + 1)
    offset = np.zeros_like(count)
    level_of_nth, offset_of_nth = [], []
    while (offset < count).any():
        level = np.clip(np.frexp(count - offset)[1] - 1, 0, levels - 1).astype(np.intp)
        level_of_nth.append(level)
        offset_of_nth.append(offset)
        offset = np.minimum(offset + np.left_shift(1, level), count)
    level, offset = np.array(level_of_nth), np.array(offset_of_nth)
    return _Runs(levels, (offset < count).sum(axis=0).astype(np.int8), level, offset)
