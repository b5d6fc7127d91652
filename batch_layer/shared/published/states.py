"""Whether anything of a part may have changed since it was published, without a look at its rows. Pure.

A *state* stands for all entries of ``touched`` that reach into a part: how many there are, and the exclusive
or of their tokens. An equal state means that nobody has stored anything there since, for each entry has a
random token, and none ever goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.models.bars import Int32s, Int64s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.parts import years_of

BEFORE = ""
"""The part of what lies before the calendar's first year, where no row may be."""


@dataclass(frozen=True)
class Touched:
    """Entries of what was altered in a data set, in any order; all arrays are of one length.

    Attributes:
        first, last: int32, ordinals or windows, inclusive.
        times: int32, how many entries each stands for.
        token: int64, the exclusive or of their tokens.
        rows: int64, by how many rows they made the table grow.
    """

    first: Int32s
    last: Int32s
    times: Int32s
    token: Int64s
    rows: Int64s

    def parts(self, starts: Int32s) -> tuple[Int64s, Int64s]:
        """Return the first and the last part that each entry reaches into; part 0 lies before ``starts``."""
        return starts.searchsorted(self.first, side="right"), starts.searchsorted(self.last, side="right")

    def states(self, starts: Int32s) -> list[str]:
        """Return the state of each part: of what lies before the first start, and then of each start.

        It is "" without an entry, which says nothing: every database begins with entries for everything.

        Args:
            starts: int32, ascending: the first ordinal or window of each part.
        """
        first, last = self.parts(starts)
        times = np.zeros(len(starts) + 2, dtype=np.int64)
        tokens = np.zeros(len(starts) + 2, dtype=np.int64)
        # Each entry begins to count with its first part, and ends behind its last one.
        np.add.at(times, first, self.times)
        np.subtract.at(times, last + 1, self.times)
        for ends in (first, last + 1):
            np.bitwise_xor.at(tokens, ends, self.token)
        tokens = np.bitwise_xor.accumulate(tokens).view(np.uint64)
        counts = np.cumsum(times).tolist()
        return [f"{n}-{token:016x}" if n else "" for n, token in zip(counts, tokens.tolist(), strict=True)][
            :-1
        ]

    def merged(self, starts: Int32s) -> Touched:
        """Return fewer entries that give the same states: one for all that reach into the same parts."""
        first, last = self.parts(starts)
        _, group = np.unique(first * (len(starts) + 1) + last, return_inverse=True)
        count = int(group.max(initial=-1)) + 1
        merged = Touched(
            np.full(count, np.iinfo(np.int32).max, dtype=np.int32),
            np.full(count, np.iinfo(np.int32).min, dtype=np.int32),
            np.zeros(count, dtype=np.int32),
            np.zeros(count, dtype=np.int64),
            np.zeros(count, dtype=np.int64),
        )
        np.minimum.at(merged.first, group, self.first)
        np.maximum.at(merged.last, group, self.last)
        np.add.at(merged.times, group, self.times)
        np.bitwise_xor.at(merged.token, group, self.token)
        np.add.at(merged.rows, group, self.rows)
        return merged


_NO_KEYS, _NO_NUMBERS = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64)
NEVER = Touched(_NO_KEYS, _NO_KEYS, _NO_KEYS, _NO_NUMBERS, _NO_NUMBERS)
"""No entry."""


def calendar_states(sessions: Sessions) -> dict[str, str]:
    """Return by year what stands for its dates and their ordinals: rows are published with dates.

    Dates of sessions to come may change, and with them the last one of an open window.
    """
    starts = np.array([f"{year}-01-01" for year in years_of(sessions)], dtype="datetime64[D]")
    at = np.searchsorted(sessions.date, starts).tolist()
    return {
        str(year): hashlib.sha256(
            f"{sessions.first_ordinal + begin} ".encode() + sessions.date[begin:end].tobytes()
        ).hexdigest()[:16]
        for year, begin, end in zip(years_of(sessions), at, [*at[1:], len(sessions)], strict=True)
    }


def reference_state(touched: Touched, daily_bars: Sequence[str], sessions: Sessions) -> str:
    """Return what stands for all small data sets: for all rows that they are made of.

    Args:
        touched: the entries of their tables.
        daily_bars: the states of the daily bars, whose first and last sessions are among them.
        sessions: the calendar, with its hours.

    Returns:
        "" without an entry, which says nothing.
    """
    [state] = touched.states(_NO_KEYS)
    if not state:
        return ""
    digest = hashlib.sha256(f"{state} {daily_bars} {sessions.first_ordinal}".encode())
    hours = (sessions.opens_at, sessions.closes_at, sessions.early_close, sessions.late_open)
    for column in (sessions.date, *hours):
        digest.update(column.tobytes())
    return digest.hexdigest()[:32]


def packed(parts: Sequence[str], states: Sequence[str]) -> dict[str, str]:
    """Return states by the first part of each run of equal ones, as a manifest names them."""
    return {
        part: state
        for part, state, before in zip(parts, states, [None, *states[:-1]], strict=True)
        if state != before
    }


def unpacked(parts: Sequence[str], states: Mapping[str, str]) -> dict[str, str | None]:
    """Return the state of each part; None before the first that a manifest names. The inverse of `packed`.

    Args:
        parts: those of the division that the manifest has.
        states: what `packed` made.
    """
    state = None
    return {part: (state := states.get(part, state)) for part in parts}
