"""Replaying a session's journal: the same rows, from the bytes as they came."""

from __future__ import annotations

from dataclasses import dataclass

from batch_layer.shared.errors import InputError
from speed_layer.core.following import Follower, Step
from speed_layer.core.provisional import Provisional, bars_of
from speed_layer.feeds.journal import Journal
from speed_layer.feeds.massive_snapshot import read_snapshot


@dataclass(frozen=True, eq=False)
class Replayed:
    """What a journal comes to.

    Attributes:
        symbols: of each slot.
        bars: the live rows at its end, by slot.
        taken, refused: how many snapshots were used, and how many were not.
    """

    symbols: list[str]
    bars: Provisional
    taken: int
    refused: int


def replay(journal: Journal, follower: Follower) -> Replayed:
    """Return what the journal of a session comes to, by the code that collected it.

    Raises:
        ArchiveError: nothing is kept of the session, or a snapshot is damaged.
    """
    taken = refused = 0
    for entry in journal.entries():
        try:
            step = follower.take(read_snapshot(entry.content, follower.session), entry.received)
        except InputError:
            refused += 1
            continue
        if isinstance(step, Step):
            taken += 1
        else:
            refused += 1
    return Replayed(follower.symbols, bars_of(follower.state), taken, refused)
