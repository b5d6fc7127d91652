"""What would be stored under some keys, had certain loads never been: the other answers, read again in order.

For example, Yahoo's close of a session was 10, an import (load 7) made it 99, and Yahoo's answer of the next
night, 10.1, was outranked and stored nowhere. Without load 7 the close is 10.1, of Yahoo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from condvest.batch_layer.database.stores.daily.retold import read_known
from condvest.batch_layer.database.stores.loading.told_loads import told_loads
from condvest.batch_layer.database.stores.loading.undone import StoredLoad
from condvest.batch_layer.fetching.loading.bars import sessions_asked_for
from condvest.batch_layer.fetching.loading.judged import JudgedPayload
from condvest.batch_layer.fetching.loading.removals import removals_of, removed
from condvest.batch_layer.fetching.loading.retelling.answers import TABLES, answer_of
from condvest.batch_layer.fetching.loading.retelling.histories import Standing
from condvest.batch_layer.fetching.loading.retelling.reach import dates_of_keys, may_concern
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.fetching.reconcile import Rows
from condvest.batch_layer.shared.models.bars import Int16s, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import keys_of


@dataclass(frozen=True, eq=False)
class Replayed(Generic[Rows]):
    """What the answers say.

    Attributes:
        rows: by key.
        provider_id: int16 a row, whose word it is.
        seen: int32, ascending: the instruments of which the providers' answers had any of the keys, by
            provider.
    """

    rows: Rows
    provider_id: Int16s
    seen: dict[int, Int32s]


def replayed(load: PayloadLoad, dataset: str, keys: Int64s, others: Sequence[StoredLoad]) -> Replayed[Any]:
    """Return what other loads give under the keys, by the rules of rank by which loads give way.

    Args:
        load: within the transaction; reads the archive.
        dataset: ``daily_bars``, ``splits`` or ``dividends``.
        keys: int64, ascending, unique; see `pack`.
        others: the loads that count, in their order; those of other data sets or sessions are left out. What
            was removed with all rows of its instrument stays so.

    Raises:
        ArchiveError: a payload is missing or damaged.
    """
    standing = Standing(load, dataset)
    seen: dict[int, Int32s] = {}
    dates = dates_of_keys(load, dataset, keys)
    own_key = load.archive_key.result()
    earlier = [each for each in told_loads(load.connection) if each.archive_key != own_key]
    removals = {ids[0]: ids for ids in removals_of(earlier)}
    stored = read_known(load.connection, TABLES[dataset][0], keys if removals else keys[:0])
    telling = {other.load_id: other for other in others if other.dataset == dataset}
    for load_id in sorted(telling.keys() | removals.keys()):
        if load_id in removals:
            gone = removed(standing.rows, standing.load_id, stored, removals[load_id])
            ids = standing.rows.instrument_id[gone]
            seen = {each: np.setdiff1d(own, ids).astype(np.int32) for each, own in seen.items()}
            standing.withdraw(gone, load_id)
            continue
        other = telling[load_id]
        if not may_concern(other.archive_key, dataset, dates):
            continue
        answer = answer_of(load, dataset, keys, other)
        if answer is None:
            continue
        before = seen.get(other.provider_id, answer.rows.instrument_id[:0])
        seen[other.provider_id] = np.union1d(before, answer.rows.instrument_id).astype(np.int32)
        standing.tell(answer, other)
    order = np.argsort(keys_of(standing.rows), kind="stable")
    return Replayed(standing.rows.take(order), standing.provider_id[order], seen)


def claimed_by(load: PayloadLoad, judged: JudgedPayload) -> Int32s:
    """Return the ordinals (ascending) of the sessions that a payload of daily bars speaks of."""
    asked_for = sessions_asked_for(judged.payload, load.sessions)
    if asked_for is not None:
        return asked_for
    ordinals: Int32s = np.unique(judged.verdict.ordinal[judged.verdict.passed])
    return ordinals


def may_concern_sessions(load: PayloadLoad, other: StoredLoad, ordinals: Int32s) -> bool:
    """Return whether a load may have answered one of some sessions (ordinals, ascending, one at least)."""
    return may_concern(
        other.archive_key, "daily_bars", [str(date) for date in load.sessions.dates_of(ordinals)]
    )
