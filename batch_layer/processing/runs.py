"""Reduce groups of consecutive rows, for several ways of grouping the same rows at once.

The runs of 1, 2, 4, 8, ... rows beginning at every row are combined once, each from two runs of half its
length. Any group is then a few runs, the longest first: 13 rows are a run of 8, one of 4 and one of 1. This
serves every way of grouping, costs a few additions a row that the processor does eight at a time, and fixes
the order of a sum, which NumPy's own reductions leave to the version and the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]
Number = TypeVar("Number", np.float64, np.int64)
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows cut into groups: group i holds ``count[i]`` rows, at least one, from row ``first[i]`` on.

    Attributes:
        first: intp.
        count: intp.
        usual: the count that most groups have; it changes the speed, not the result.
    """

    first: Places
    count: Places
    usual: int


class Reducer:
    """Reduces columns of one length, group by group, under several groupings.

    A group's rows are cut, in order, into runs of descending powers of two; each run is combined by halves,
    ``(a + b) + (c + d)``; the runs' results are combined from the first run to the last.

    The groups of all groupings are joined in one array, so that NumPy is called seldom and for much. All are
    first taken for groups of the usual count, which needs no choice among them; groupings whose usual count
    makes the most runs stand in front, so that those with an nth run are a slice. Then the groups of
    another count are done over.

    Attributes:
        first: intp, the first row of every group, joined.
        count: intp, how many rows it has.
    """

    def __init__(self, rows: int, groupings: Sequence[Groups]) -> None:
        """``rows`` is the length of the columns; there is at least one grouping."""
        longest = max(int(groups.count.max(initial=1)) for groups in groupings)
        # Groups that begin with a run of the longest are few; they take its two halves, one after the other.
        levels = max(1, longest.bit_length() - 1)
        usual = [_usual_runs(groups.usual, rows, levels) for groups in groupings]
        self._order = sorted(range(len(groupings)), key=lambda place: -len(usual[place]))
        self._ends = np.cumsum([len(groupings[place].first) for place in self._order], dtype=np.intp)
        self._table = np.empty((levels, rows))
        self._usual = [
            np.concatenate([groupings[place].first + usual[place][nth] for place in front])
            for nth in range(max(map(len, usual)))
            if (front := [place for place in self._order if len(usual[place]) > nth])
        ]
        self.first = self.join([groups.first for groups in groupings])
        self.count = self.join([groups.count for groups in groupings])
        self._other = np.flatnonzero(self.join([groups.count != groups.usual for groups in groupings]))
        self._runs = list(_runs(self.first[self._other], self.count[self._other], rows, levels))

    def join(self, parts: Sequence[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
        """Join values of the groups, an array a grouping."""
        return np.concatenate([parts[place] for place in self._order])

    def split(self, joined: npt.NDArray[Scalar]) -> list[npt.NDArray[Scalar]]:
        """Return the joined values of each grouping."""
        parts = dict(zip(self._order, np.split(joined, self._ends[:-1]), strict=True))
        return [parts[place] for place in range(len(parts))]

    def reduce(self, column: npt.NDArray[Number], combine: np.ufunc) -> npt.NDArray[Number]:
        """Return the column reduced to one value a group, joined.

        Args:
            column: float64 or int64.
            combine: an associative ufunc of two arguments.
        """
        table = self._combined(column, combine).reshape(-1)
        # Clipped, since a group taken for a usual one may reach past the table.
        result = table.take(self._usual[0], mode="clip")
        for places in self._usual[1:]:
            some = result[: len(places)]
            combine(some, table.take(places, mode="clip"), out=some)
        over = np.empty(len(self._other), dtype=column.dtype)
        for nth, (which, places) in enumerate(self._runs):
            runs = table.take(places)
            over[which] = runs if nth == 0 else combine(over[which], runs)
        result[self._other] = over
        return result

    def _combined(self, column: npt.NDArray[Number], combine: np.ufunc) -> npt.NDArray[Number]:
        """Return the table whose row k holds, at r, the run of 2**k rows from r on, or of those there are."""
        table = self._table.view(column.dtype)
        table[0] = column
        for level in range(len(table) - 1):
            reach = 1 << level
            combine(table[level, :-reach], table[level, reach:], out=table[level + 1, :-reach])
            table[level + 1, -reach:] = table[level, -reach:]
        return table


def _usual_runs(count: int, rows: int, levels: int) -> list[int]:
    """Return the places, in the flattened table, of the runs of a group that begins at row 0."""
    return [int(places[0]) for _, places in _runs(np.array([0]), np.array([count]), rows, levels)]


def _runs(first: Places, count: Places, rows: int, levels: int) -> Iterator[tuple[Places, Places]]:
    """Yield each group's longest run, then the next of groups with rows left: which groups, and places."""
    which = np.arange(len(first))
    while len(which):
        level = np.minimum(np.frexp(count)[1].astype(np.intp), levels) - 1
        yield which, level * rows + first
        length = np.left_shift(1, level)
        left = count > length
        which, first, count = which[left], (first + length)[left], (count - length)[left]
