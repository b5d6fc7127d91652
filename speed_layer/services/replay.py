"""Replaying a session's journal: the same rows, from the bytes as they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from condvest.batch_layer.shared.errors import InputError
from condvest.speed_layer.core.following import Follower, Step
from condvest.speed_layer.core.provisional import Provisional, bars_of
from condvest.speed_layer.core.state import nothing
from condvest.speed_layer.feeds.journal import Journal, Record
from condvest.speed_layer.services.dialects import Dialect, dialect_of

_AT_ONCE = 1000
"""Frames that are read together; how many changes nothing."""


@dataclass(frozen=True)
class Kept:
    """What a run kept: the name of its files, and how many records its rows come from."""

    name: str
    records: int


@dataclass(frozen=True, eq=False)
class Replayed:
    """What a journal comes to.

    Attributes:
        symbols: of each row.
        bars: the live rows at its end; their slots are positions in ``symbols``.
        taken, refused: how many snapshots were used, and how many were not.
        messages: how many minutes passed.
    """

    symbols: list[str]
    bars: Provisional
    taken: int
    refused: int
    messages: int


def replay(journal: Journal, runs: Sequence[Kept], follower: Callable[[], Follower]) -> Replayed:
    """Return what the runs of a session come to, by the code that collected it.

    Each run knows only what came to itself; of two that tell of one symbol the later counts, unless its data
    are older, as in the table.

    Args:
        journal: of the session.
        runs: in the order in which they ran.
        follower: makes one that knows nothing yet.

    Raises:
        ArchiveError: records of a run are gone, or damaged.
    """
    dialect = dialect_of(journal.provider)
    known: dict[str, Provisional] = {}
    taken = refused = messages = 0
    for run in runs:
        own = follower()
        for frames, snapshot in _portions(journal.records(run.name, run.records)):
            read = dialect.read_frames(
                [frame.content for frame in frames], [frame.received for frame in frames]
            )
            messages += own.take_minutes(read.messages, read.faults)
            if snapshot is not None:
                is_taken = _takes(own, snapshot, dialect)
                taken, refused = taken + is_taken, refused + (not is_taken)
        if own.step() is not None:
            _merge(known, own)
    bars = Provisional.concat([bars_of(nothing()), *known.values()])
    slots = np.arange(len(bars), dtype=np.int32)
    return Replayed(list(known), replace(bars, slot=slots), taken, refused, messages)


def _portions(records: Iterable[Record]) -> Iterator[tuple[list[Record], Record | None]]:
    """Yield the frames before each snapshot with it, and those after the last; not too many at once."""
    frames: list[Record] = []
    for record in records:
        if record.kind == "frame":
            frames.append(record)
        if record.kind == "snapshot" or len(frames) == _AT_ONCE:
            yield frames, (record if record.kind == "snapshot" else None)
            frames = []
    yield frames, None


def _takes(follower: Follower, snapshot: Record, dialect: Dialect) -> bool:
    try:
        read = dialect.read_snapshot(snapshot.content, follower.session)
    except InputError:
        return False
    return isinstance(follower.take(read, snapshot.received), Step)


def _merge(known: dict[str, Provisional], follower: Follower) -> None:
    bars = bars_of(follower.state)
    for row, slot in enumerate(bars.slot.tolist()):
        symbol = follower.symbols[slot]
        earlier = known.get(symbol)
        if earlier is None or bars.data_through[row] >= earlier.data_through[0]:
            known[symbol] = bars.take(slice(row, row + 1))
