"""Spans of ordinals (or windows), inclusive at both ends, one a row, each for a group (an instrument)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Columns, Int32s
from condvest.batch_layer.shared.models.difference import pack, unpack


@dataclass(frozen=True, eq=False)
class Spans(Columns):
    """Spans of ordinals of instruments.

    Attributes:
        instrument_id: int32.
        first, last: int32, inclusive; first <= last.
    """

    instrument_id: Int32s
    first: Int32s
    last: Int32s

    @classmethod
    def within(cls, instrument_id: Int32s, first: int, last: int) -> Self:
        """Return the same span for each of the instruments (ascending, none twice)."""
        ones = np.ones(len(instrument_id), dtype=np.int32)
        return cls(instrument_id, ones * np.int32(first), ones * np.int32(last))

    @classmethod
    def of_points(cls, instrument_id: Int32s, ordinal: Int32s) -> Self:
        """Return the runs of consecutive ordinals, by instrument and ordinal; repeats count once."""
        return cls(instrument_id, ordinal, ordinal).merged()

    def size(self) -> int:
        """Return how many ordinals the spans have, all together."""
        return int((self.last.astype(np.int64) - self.first + 1).sum())

    def merged(self) -> Self:
        """Return the same spans by instrument and ordinal, those that overlap or touch made one."""
        if not len(self):
            return self
        order = np.argsort(pack(self.instrument_id, self.first), kind="stable")
        ids, first, last = self.instrument_id[order], self.first[order], self.last[order]
        # Packed with their instrument, the ends so far of earlier instruments never reach a later one.
        reach = np.maximum.accumulate(pack(ids, last))
        starts = np.concatenate(([True], (ids[1:] != ids[:-1]) | (pack(ids, first)[1:] > reach[:-1] + 1)))
        begin = np.flatnonzero(starts)
        end = np.append(begin[1:], len(ids)) - 1
        through = (reach[end] - pack(ids[begin], np.zeros(len(begin), np.int32))).astype(np.int32)
        return type(self)(ids[begin], first[begin], through)

    def between(self) -> Self:
        """Return what lies between the spans of each instrument, by instrument; the spans must be merged.

        Example: of 3 to 5 and 8 to 9 of one instrument, 6 to 7.
        """
        same = self.instrument_id[1:] == self.instrument_id[:-1]
        ends, begins = self.last[:-1][same], self.first[1:][same]
        return type(self)(self.instrument_id[1:][same], ends + np.int32(1), begins - np.int32(1))

    def points(self) -> tuple[Int32s, Int32s]:
        """Return the instrument and the ordinal of every point of the spans, in the spans' order."""
        lengths = self.last - self.first + np.int32(1)
        before = np.repeat(np.cumsum(lengths, dtype=np.int64) - lengths, lengths)
        ordinal = np.repeat(self.first, lengths) + (np.arange(len(before)) - before)
        return np.repeat(self.instrument_id, lengths), ordinal.astype(np.int32)

    def contain(self, instrument_id: Int32s, ordinal: Int32s) -> Bools:
        """Return, a row, whether a span of the instrument holds the ordinal. The spans must be merged."""
        inside = np.zeros(len(ordinal), dtype=bool)
        if not len(self):
            return inside
        keys = pack(instrument_id, ordinal)
        position = np.searchsorted(pack(self.instrument_id, self.first), keys, side="right") - 1
        known = position >= 0
        inside[known] = pack(self.instrument_id, self.last)[position[known]] >= keys[known]
        return inside

    def without(self, instrument_id: Int32s, ordinal: Int32s) -> Self:
        """Return what is left of the spans, by instrument and ordinal, when points that lie in them go.

        The spans must be merged, and the points unique.
        """
        # Sorted, what is left begins and ends in turns: behind a point or where a span begins, and before one
        # or where a span ends. Points that touch leave a span between them that ends before it begins.
        points = pack(instrument_id, ordinal)
        first = np.sort(np.concatenate([pack(self.instrument_id, self.first), points + 1]))
        last = np.sort(np.concatenate([pack(self.instrument_id, self.last), points - 1]))
        left = first <= last
        ids, begin = unpack(first[left])
        return type(self)(ids, begin, unpack(last[left])[1])


def always(instrument_id: Int32s) -> Spans:
    """Return, for each of the instruments (ascending, none twice), the span that holds every ordinal."""
    limits = np.iinfo(np.int32)
    return Spans.within(instrument_id, limits.min + 1, limits.max)
