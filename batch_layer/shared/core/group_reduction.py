"""Reduce groups of consecutive rows, for several ways of grouping the same rows at once.

The runs of 1, 2, 4, 8, ... rows beginning at every row are combined once, each from two runs of half its
length. Any group is then a few runs, the longest first: 13 rows are a run of 8, one of 4 and one of 1. This
serves every way of grouping, costs a few additions per row that the processor does several at a time, and
fixes the order of a sum, which NumPy's own reductions leave to the version and the machine.

Worked example: the runs of 13 rows whose values are 1, 2, ..., 13, for sums of groups of 3 and of 5::

    row          0   1   2   3   4   5   6   7   8   9  10  11  12
    runs of 1    1   2   3   4   5   6   7   8   9  10  11  12  13
    runs of 2    3   5   7   9  11  13  15  17  19  21  23  25  13   (the last one has only one row)

The group of 3 from row 6 is 15 + 9 = 24; the group of 5 from row 5 is 13 + 17 + 10 = 40.
`group_layout` shows which runs each group takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.core.group_layout import Groups, Layout

Number = TypeVar("Number", np.float64, np.int64)

_LINE = 8
"""Values of 8 bytes in a line of the processor's cache."""


class Reducer:
    """Reduces columns of one length, group by group, under several groupings.

    A group's rows are cut, in order, into runs of descending powers of two; each run is combined by halves,
    ``(a + b) + (c + d)``; the runs' results are combined from the first run to the last.

    Attributes:
        layout: the groups of all groupings, joined in one array, so that each NumPy call does much.
    """

    def __init__(self, rows: int, groupings: Sequence[Groups]) -> None:
        """Prepare to reduce columns.

        Args:
            rows: length of the columns, at least one.
            groupings: at least one.
        """
        self.layout = Layout(rows, groupings)
        self._rows = rows
        self._table = _aligned(self.layout.levels, rows)
        self._nth_runs = list(self.layout.nth_runs(self._table.shape[1]))

    def reduce(
        self, column: npt.NDArray[Number], combine: np.ufunc, out: npt.NDArray[Number] | None = None
    ) -> npt.NDArray[Number]:
        """Return the column reduced to one value per group, joined.

        Args:
            column: float64 or int64, for whose sums `total` is faster.
            combine: an associative ufunc of two arguments.
            out: ``layout.room`` values of the column's dtype to work in; the result is its beginning.
        """
        table = self._combined(column, combine).reshape(-1)
        _, positions = self._nth_runs[0]
        # Clipped, since a group taken for full may reach past the table.
        values = table.take(positions, mode="clip", out=out)
        for places, positions in self._nth_runs[1:]:
            some = values[places]
            combine(some, table.take(positions, mode="clip"), out=some)
        groups = len(self.layout.first)
        result = values[:groups]
        result[self.layout.partial_groups] = values[groups:]
        return result

    def total(self, column: npt.NDArray[np.int64], out: npt.NDArray[np.int64]) -> None:
        """Sum whole numbers to one value per group, joined.

        Whole numbers are exact in any order, so a group's sum is the difference of two running totals, even
        where those wrap around.

        Args:
            column: int64.
            out: int64, one value per group, to be filled.
        """
        through = column.cumsum().take(self.layout.last)
        np.subtract(through[1:], through[:-1], out=out[1:])
        for groups in self.layout.slices:
            out[groups][:1] = through[groups][:1]

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

    Additions are faster by a third where they begin at a line.
    """
    width = -(-rows // _LINE) * _LINE
    memory = np.empty(levels * width + _LINE)
    start = -(memory.ctypes.data // memory.itemsize) % _LINE
    table = memory[start : start + levels * width].reshape(levels, width)
    table[:, rows:] = 0.0
    return table
