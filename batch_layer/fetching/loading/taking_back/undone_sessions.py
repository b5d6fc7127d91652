"""What an undo does to the ledger, and to who supplies whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.loading import undone
from condvest.batch_layer.database.stores.loading.ledger import read_ledger
from condvest.batch_layer.database.stores.loading.undone import StoredLoad
from condvest.batch_layer.fetching.loading.retelling.replay import claimed_by, may_concern_sessions
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.spans import Spans


@dataclass(frozen=True)
class Undoing:
    """One undo on its way.

    Attributes:
        load: its load, within the transaction.
        targets: the loads that are taken back.
        removed: int32, the instruments all of whose rows are taken back.
        others: the loads that count afterwards, in their order.
        recorded: the loads that the undo consists of, by data set and provider.
        counts: rows withdrawn, changed and inserted.
    """

    load: PayloadLoad
    targets: list[StoredLoad]
    removed: Int32s
    others: list[StoredLoad]
    recorded: dict[tuple[str, int], int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def target_ids(self) -> list[int]:
        """The ids of the loads that are taken back."""
        return [target.load_id for target in self.targets]


def leave_ledger(undoing: Undoing, main: int, seen: dict[int, Int32s]) -> tuple[str, ...]:
    """Take out of the ledger, and of what providers supply, what only the loads that are taken back said."""
    connection, load = undoing.load.connection, undoing.load
    gone = 0
    if len(undoing.removed):
        for provider in undone.supplied_by_nobody(connection, undoing.removed, main):
            gone += _forget(load, provider, read_ledger(connection, provider).ordinal, main)
    targets = [target for target in undoing.targets if target.dataset == "daily_bars"]
    if targets:
        provider = targets[0].provider_id
        before = read_ledger(connection, provider).ordinal
        only, doubtful = _only_of(undoing, targets, provider)
        gone += _forget(load, provider, np.union1d(only, doubtful).astype(np.int32), main)
        # Bars of other answers are there, so the session has been loaded; whether in full, only asking tells.
        undone.enter_as_partial(connection, provider, doubtful, main)
        ids = [target.load_id for target in targets]
        but = seen.get(provider, np.zeros(0, dtype=np.int32))
        lost = undone.no_longer_supplied(connection, provider, ids, but, main)
        if len(lost) and len(before):
            spans = Spans.within(lost, int(before[0]), int(before[-1]))
            changes.record_instruments(connection, spans)
    return (f"{gone:,} sessions count as not loaded now",) if gone else ()


def _only_of(undoing: Undoing, targets: list[StoredLoad], provider: int) -> tuple[Int32s, Int32s]:
    """Return the sessions that no other load of the provider speaks of; and those that a target completed.

    The latter, which others speak of, are of a whole market's answers alone: another one may be cut short.
    """
    load = undoing.load
    judged = [load.read(target.archive_key).table("daily_bars") for target in targets]
    claimed = np.unique(np.concatenate([claimed_by(load, each) for each in judged if each is not None]))
    is_whole = any(each is not None and each.payload.is_whole for each in judged)
    if not len(claimed):
        return claimed, claimed
    spoken = [
        claimed_by(load, table)
        for other in undoing.others
        if other.provider_id == provider
        and other.dataset == "daily_bars"
        and may_concern_sessions(load, other, claimed)
        and (table := load.read(other.archive_key).table("daily_bars")) is not None
    ]
    only = np.setdiff1d(claimed, np.concatenate(spoken)) if spoken else claimed
    if not is_whole:
        return only.astype(np.int32), claimed[:0]
    ids = [target.load_id for target in targets]
    completed = undone.sessions_completed_by(load.connection, provider, ids)
    return only.astype(np.int32), np.setdiff1d(completed, only).astype(np.int32)


def _forget(load: PayloadLoad, provider: int, ordinals: Int32s, main: int) -> int:
    """Take sessions out of a provider's ledger, and record that its bars there are no longer complete."""
    ledger = read_ledger(load.connection, provider)
    gone: Int32s = ordinals[np.isin(ordinals, ledger.ordinal)]
    if len(gone):
        # The last loaded session ends the split basis of open windows: what lies behind it changes, too.
        stays = ledger.ordinal[~np.isin(ledger.ordinal, gone)]
        last = int(stays[-1]) if len(stays) else int(ledger.ordinal[0]) - 1
        behind = np.arange(last + 1, ledger.ordinal[-1] + 1)
        reach = np.union1d(gone, behind).astype(np.int32)
        changes.record_sessions(load.connection, provider, changes.spans_of_ordinals(reach))
        undone.forget_sessions(load.connection, provider, gone, main)
    return len(gone)
