"""Where groups of consecutive rows lie, and which runs of 1, 2, 4, ... rows make each of them.

Worked example: 13 rows, grouped by 3 and by 5::

    row           0  1  2  3  4  5  6  7  8  9 10 11 12
    groups of 3  |   0    |   1    |   2    |   3    |4 |
    groups of 5  |      5       |      6       |   7    |

The groups of both are numbered through (*joined*). Groups 4 and 7 are *partial*: shorter than the full length
of their grouping. A full group of 3 is a run of 2 rows and one of 1; a full group of 5 is 2 + 2 + 1; group 7
is 2 + 1; group 4 is one run of 1. Values are computed in ten places, one per group and one more per partial
group::

    place         0   1   2   3   4      5   6   7      8         9
    group         0   1   2   3  (4)     5   6  (7)     7 again   4 again
    first run     2 rows, from each first row           rows 10-11   row 12
    second run    1 row, the third       2 rows         row 12
    third run                            1 row, the fifth

Every group is first taken for full, which needs no choice among groups: places 4 and 7 hold nonsense. Behind
them all, the partial groups are done again, those of the most runs first, and at the end 8 goes to 7 and 9 to
4. Groupings stand in order of how many runs a full group has, so the places that have an nth run are always
one slice: 0 to 9, 0 to 8, 5 to 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise, starmap
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.models.bars import Positions

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows cut into groups: each ends where the next one begins, the last with the rows.

    Attributes:
        first: integers, the first row of each group, ascending from 0.
        full_length: the most rows that a group has. Reducing is fast if most groups have that many.
    """

    first: npt.NDArray[np.integer]
    full_length: int


class Layout:
    """The groups of several groupings of the same rows, joined; the module's docstring shows one.

    Attributes:
        first: intp, the first row of every group, joined.
        last: intp, its last row, inclusive.
        count: intp, how many rows it has.
        slices: for each grouping, in the order given, where its groups stand among the joined ones.
        partial_groups: intp, the groups that are shorter than the full length, those of the most runs first.
        room: how many places values are worked out in: one per group, and one more per partial group.
        levels: how many lengths of runs are needed: 1, 2, 4, ... rows.
    """

    def __init__(self, rows: int, groupings: Sequence[Groups]) -> None:
        """Lay out the groups.

        Args:
            rows: how many rows there are, at least one.
            groupings: at least one; the groups of each cover all rows.
        """
        self._runs = _runs(max(groups.full_length for groups in groupings))
        self._full_lengths = [groups.full_length for groups in groupings]
        runs_of_full = self._runs.number
        self._order = sorted(range(len(groupings)), key=lambda each: runs_of_full[self._full_lengths[each]])
        sizes = [len(groupings[each].first) for each in self._order]
        slices = dict(zip(self._order, starmap(slice, pairwise(accumulate(sizes, initial=0))), strict=True))
        self.slices = [slices[each] for each in range(len(groupings))]
        self.first = np.concatenate([groupings[each].first for each in self._order], dtype=np.intp)
        self.last = np.empty_like(self.first)
        np.subtract(self.first[1:], 1, out=self.last[:-1])
        self.last[np.cumsum(sizes) - 1] = rows - 1
        self.count = self.last - self.first + 1
        is_partial = np.empty(len(self.first), dtype=np.bool_)
        for full_length, of_grouping in zip(self._full_lengths, self.slices, strict=True):
            np.not_equal(self.count[of_grouping], full_length, out=is_partial[of_grouping])
        partial = np.flatnonzero(is_partial)
        number = self._runs.number.take(self.count.take(partial))
        self.partial_groups = partial.take(number.argsort(kind="stable")[::-1])
        self.room = len(self.first) + len(partial)
        self.levels = self._runs.levels

    def join(self, parts: Sequence[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
        """Join values of the groups: an array per grouping, in the order given."""
        return np.concatenate([parts[each] for each in self._order])

    def nth_runs(self, width: int) -> Iterator[tuple[slice, Positions]]:
        """Yield, for the first run, the second, ...: the places that have one, and its position in the table.

        Args:
            width: row length of the flattened table; its row k holds, at r, the run of 2**k rows from r.
        """
        runs, partial = self._runs, self.partial_groups
        first, count = self.first.take(partial), self.count.take(partial)
        number = runs.number.take(count)
        for nth, position in enumerate(runs.level * width + runs.offset):
            full = [each for each in self._order if runs.number[self._full_lengths[each]] > nth]
            partials = int(np.count_nonzero(number > nth))
            start = self.slices[full[0]].start if full else len(self.first)
            end = len(self.first) + partials
            positions = np.empty(end - start, dtype=np.intp)
            for each in full:
                groups = self.slices[each]
                of_grouping = positions[groups.start - start : groups.stop - start]
                np.add(self.first[groups], position[self._full_lengths[each]], out=of_grouping)
            positions[len(positions) - partials :] = first[:partials] + position.take(count[:partials])
            yield slice(start, end), positions


class _Runs(NamedTuple):
    """The runs that make groups of 0, 1, 2, ... rows.

    Attributes:
        levels: how many lengths of runs there are: 1, 2, 4, ... rows.
        number: int8 per count of rows: how many runs make it.
        level: intp, nth run by count: the run is of 2**level rows. Meaningless where there is no nth run.
        offset: intp, likewise: how many rows of the group come before the run.
    """

    levels: int
    number: npt.NDArray[np.int8]
    level: Positions
    offset: Positions


@lru_cache(maxsize=8)
def _runs(longest: int) -> _Runs:
    """Return the runs of groups of up to ``longest`` rows.

    With 5 the lengths are 1 and 2: a run of 4 would serve few groups, so a group takes its two halves, one
    after the other, which adds up in the same order. Of 5 rows, the runs begin at offsets 0, 2 and 4.
    """
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
