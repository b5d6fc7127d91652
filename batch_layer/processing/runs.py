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
    """Reduces columns of one length, group by group.

    A group's rows are cut, in order, into runs of descending powers of two; each run is combined by halves,
    ``(a + b) + (c + d)``; the runs' results are combined from the first run to the last.
    """

    def __init__(self, rows: int, groupings: Sequence[Groups]) -> None:
        longest = max(int(groups.count.max(initial=1)) for groups in groupings)
        self._table = np.empty((longest.bit_length(), rows))
        self._recipes = [_Recipe.of(groups, rows) for groups in groupings]

    def reduce(
        self, column: npt.NDArray[Number], combine: np.ufunc, into: Sequence[npt.NDArray[Number]]
    ) -> None:
        """Reduce a column under every grouping.

        Args:
            column: float64 or int64.
            combine: an associative ufunc of two arguments.
            into: for each grouping, where its groups' results go, of the column's dtype.
        """
        # Row r of level k is the run of 2**k rows from r on, or of those there are before the end.
        table = self._table.view(column.dtype)
        table[0] = column
        for level in range(len(table) - 1):
            reach = 1 << level
            combine(table[level, :-reach], table[level, reach:], out=table[level + 1, :-reach])
            table[level + 1, -reach:] = table[level, -reach:]
        for recipe, out in zip(self._recipes, into, strict=True):
            recipe.follow(table.reshape(-1), combine, out)


@dataclass(frozen=True, eq=False)
class _Recipe:
    """Which runs, by their places in the flattened table, make up each group.

    ``usual`` treats every group as one of the usual count, which needs no choice of rows; what that gives
    the ``other`` groups is overwritten by their own runs in ``parts``: pairs of which of them, and places.
    """

    usual: list[Places]
    other: Places
    parts: list[tuple[Places, Places]]

    @classmethod
    def of(cls, groups: Groups, rows: int) -> _Recipe:
        other = np.flatnonzero(groups.count != groups.usual)
        some_usual = len(other) < len(groups.first)
        offsets = _runs(np.array([0]), np.array([groups.usual if some_usual else 0]), rows)
        return cls(
            usual=[groups.first + place for _, place in offsets],
            other=other,
            parts=list(_runs(groups.first[other], groups.count[other], rows)),
        )

    def follow(self, table: npt.NDArray[Number], combine: np.ufunc, out: npt.NDArray[Number]) -> None:
        for nth, places in enumerate(self.usual):
            # Clipped, since near the end a group treated as usual may reach past the table.
            if nth == 0:
                np.take(table, places, out=out, mode="clip")
            else:
                combine(out, table.take(places, mode="clip"), out=out)
        result = np.empty(len(self.other), dtype=out.dtype)
        for nth, (which, places) in enumerate(self.parts):
            runs = table.take(places)
            result[which] = runs if nth == 0 else combine(result[which], runs)
        out[self.other] = result


def _runs(first: Places, count: Places, rows: int) -> Iterator[tuple[Places, Places]]:
    """Yield each group's longest run, then the next of groups with rows left: which groups, and places."""
    which = np.arange(len(first))
    while True:
        left = count > 0
        which, first, count = which[left], first[left], count[left]
        if not len(which):
            return
        level = np.frexp(count)[1].astype(np.intp) - 1
        yield which, level * rows + first
        length = np.left_shift(1, level)
        first, count = first + length, count - length
