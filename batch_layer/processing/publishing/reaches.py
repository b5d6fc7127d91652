"""From when to when each instrument has daily bars, by the version before and what was read since. Pure.

Asked of PostgreSQL it is two searches an instrument, for thousands of them. But the years that changed are
read anyway, and a first or last bar of another year stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, DailyBars, Int32s
from condvest.batch_layer.shared.models.spans import Spans

_NEVER = np.iinfo(np.int32)


@dataclass(frozen=True)
class Reach:
    """What all daily bars of a range of ordinals say.

    Attributes:
        first, last: the range, inclusive.
        spans: its instruments ascending, each with the first and last bar that it has there.
    """

    first: int
    last: int
    spans: Spans

    @classmethod
    def of(cls, first: int, last: int, bars: DailyBars) -> Self:
        """Return what the bars of a range say; ``bars`` are all of it, by instrument and ordinal."""
        ids = bars.instrument_id
        begin = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1]))) if len(ids) else _NO_ROWS
        end = np.append(begin[1:], len(ids)) - 1 if len(ids) else _NO_ROWS
        return cls(first, last, Spans(ids[begin], bars.ordinal[begin], bars.ordinal[end]))


_NO_ROWS = np.zeros(0, dtype=np.intp)


def known_reaches(before: Spans, read: Sequence[Reach]) -> tuple[Spans, Int32s]:
    """Return the first and last bar of each instrument, and the instruments (int32) of which it is not known.

    Example: an instrument had bars from ordinal 10 to 99, and the range of 90 to 120 was read anew.

    ==================  =======================================================================
    bars found there    first and last
    ==================  =======================================================================
    90 to 100           10 and 100: 10 lies in no range that was read
    90 to 95            not known: its last one was 99, and the last one before 90 is not looked for
    none                not known
    ==================  =======================================================================

    Args:
        before: the first and last bars of earlier, ascending by instrument, each once.
        read: all ranges in which any bar may have been stored, altered or removed since.

    Returns:
        spans ascending by instrument, and the instruments that it lacks, ascending.
    """
    ids = np.unique(np.concatenate([before.instrument_id, *(reach.spans.instrument_id for reach in read)]))
    first, least = (np.full(len(ids), _NEVER.max, dtype=np.int32) for _ in range(2))
    last, greatest = (np.full(len(ids), _NEVER.min, dtype=np.int32) for _ in range(2))
    was = np.searchsorted(ids, before.instrument_id)
    first[was], last[was] = before.first, before.last
    first_moves, last_moves = np.ones((2, len(ids)), dtype=bool)
    first_moves[was], last_moves[was] = _inside(before.first, read), _inside(before.last, read)
    for reach in read:
        row = np.searchsorted(ids, reach.spans.instrument_id)
        least[row] = np.minimum(least[row], reach.spans.first)
        greatest[row] = np.maximum(greatest[row], reach.spans.last)
    is_known = (~first_moves | (least <= first)) & (~last_moves | (greatest >= last))
    first[first_moves], last[last_moves] = _NEVER.max, _NEVER.min
    spans = Spans(ids, np.minimum(first, least), np.maximum(last, greatest))
    return spans.take(is_known), ids[~is_known]


def _inside(ordinals: Int32s, read: Sequence[Reach]) -> Bools:
    inside = np.zeros(len(ordinals), dtype=bool)
    for reach in read:
        inside |= (reach.first <= ordinals) & (ordinals <= reach.last)
    return inside
