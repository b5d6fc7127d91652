"""What all loads together say of some keys, one load after the other, by who carries which symbol now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from condvest.batch_layer.database.stores.daily.retold import Known, keys_known
from condvest.batch_layer.database.stores.loading.told_loads import ToldLoad, left_bars_in_doubt
from condvest.batch_layer.database.stores.loading.undone import StoredLoad
from condvest.batch_layer.fetching.loading.actions import FEW, MOST_WITHDRAWN
from condvest.batch_layer.fetching.loading.removals import removals_of, removed
from condvest.batch_layer.fetching.loading.retelling.answers import TABLES, Answer, answer_of
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.fetching.reconcile import reconcile
from condvest.batch_layer.shared.models.bars import Bools, Int16s, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import difference, keys_of
from condvest.batch_layer.shared.models.spans import Spans

_NONE = np.zeros(0, dtype=np.int32)


@dataclass
class Standing:
    """What holds of some keys between two loads, and what held before.

    Attributes:
        load: within the transaction.
        dataset: ``daily_bars``, ``splits`` or ``dividends``.
        rows: by no order; keys unique.
        load_id, provider_id, rank: a row, of the load that it came with.
        barred: the rank of the load that withdrew a key last, of keys that nobody has given since.
        past: the rows that were superseded, with their load and the one that superseded them.
    """

    load: PayloadLoad
    dataset: str
    rows: Any = None
    load_id: Int32s = field(default_factory=_NONE.copy)
    provider_id: Int16s = field(default_factory=lambda: np.zeros(0, dtype=np.int16))
    rank: Int16s = field(default_factory=lambda: np.zeros(0, dtype=np.int16))
    barred: dict[int, int] = field(default_factory=dict)
    past: list[tuple[Any, Int32s, Int32s]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.rows is None:
            table, _ = TABLES[self.dataset]
            self.rows = table.read(self.load.connection, Spans(_NONE, _NONE, _NONE))

    def tell(self, answer: Answer, other: StoredLoad) -> Int64s:
        """Take in what a load says, by the rules of rank; return the keys that an import keeps it from."""
        keys = keys_of(answer.rows)
        allowed = np.array([self.barred.get(key, -1) <= other.rank for key in keys.tolist()], dtype=bool)
        wanted = answer.rows.take(allowed)
        yielding = self.rank <= other.rank
        lacks = answer.lacks(self.rows) & (self.provider_id == other.provider_id)
        if self.dataset != "daily_bars" and lacks.any() and _passed_over(self.load, answer, other):
            lacks[:] = False
        may_go = lacks | (np.isin(keys_of(self.rows), answer.revoked) & yielding)
        positions = np.arange(len(self.rows), dtype=np.int32)
        done = reconcile(self.rows, positions, yielding, may_go, wanted)
        gone = keys_of(done.old)[len(done.new) :]
        self._put(done.old_load_id, [done.new, done.insert], other, other.load_id)
        if self.dataset != "daily_bars":
            self.barred |= dict.fromkeys(gone.tolist(), other.rank)
        for key in keys_of(wanted).tolist():
            self.barred.pop(key, None)
        kept_from: Int64s = keys[~allowed]
        return kept_from

    def withdraw(self, chosen: Bools, by: int) -> None:
        """Take rows out by a load."""
        self._leave(np.flatnonzero(chosen), by)

    def give_way(self, keys: Int64s, to: Standing, by: Callable[[int], int]) -> None:
        """Put what another standing has of some keys in the place of what is here.

        Args:
            keys: int64, unique.
            to: the other one.
            by: the load by which a provider's word comes into force; of -1, by which one goes.
        """
        mine = np.flatnonzero(np.isin(keys_of(self.rows), keys))
        theirs = np.flatnonzero(np.isin(keys_of(to.rows), keys))
        coming = to.rows.take(theirs)
        compared = difference(self.rows.take(mine), coming)
        is_here = compared.replaced >= 0
        same = np.zeros(len(theirs), dtype=bool)
        same[is_here] = ~compared.changed[is_here]
        same[is_here] &= self.provider_id[mine[compared.replaced[is_here]]] == to.provider_id[theirs[is_here]]
        gone = keys_of(self.rows)[mine[compared.gone]]
        self._leave(np.flatnonzero(np.isin(keys_of(self.rows), gone)), by(-1))
        for provider in np.unique(to.provider_id[theirs[~same]]).tolist():
            own = ~same & (to.provider_id[theirs] == provider)
            rows = coming.take(own)
            self._leave(np.flatnonzero(np.isin(keys_of(self.rows), keys_of(rows))), by(provider))
            self._come(rows, by(provider), provider, int(to.rank[theirs[own]][0]))
        for key in keys.tolist():
            self.barred.pop(key, None)
            if key in to.barred:
                self.barred[key] = to.barred[key]

    def known(self) -> Known[Any]:
        """Return what is and was known."""
        order = np.argsort(keys_of(self.rows), kind="stable")
        none = (self.rows.take(slice(0)), _NONE, _NONE)
        rows, load_id, by = zip(none, *self.past, strict=True)
        return Known(
            self.rows.take(order),
            self.load_id[order],
            type(self.rows).concat(rows),
            np.concatenate(load_id).astype(np.int32),
            np.concatenate(by).astype(np.int32),
        )

    def _put(self, old: Int32s, new: Sequence[Any], other: StoredLoad, by: int) -> None:
        self._leave(old, by)
        for rows in new:
            self._come(rows, by, other.provider_id, other.rank)

    def _leave(self, positions: Any, by: int) -> None:  # noqa: ANN401  # of numpy
        if not len(positions):
            return
        superseded = np.full(len(positions), by, dtype=np.int32)
        self.past.append((self.rows.take(positions), self.load_id[positions], superseded))
        stays = np.ones(len(self.rows), dtype=bool)
        stays[positions] = False
        self.rows = self.rows.take(stays)
        self.load_id, self.provider_id = self.load_id[stays], self.provider_id[stays]
        self.rank = self.rank[stays]

    def _come(self, rows: Any, load_id: int, provider_id: int, rank: int) -> None:  # noqa: ANN401  # any data set's
        count = len(rows)
        self.rows = type(self.rows).concat([self.rows, rows])
        self.load_id = np.append(self.load_id, np.full(count, load_id, dtype=np.int32))
        self.provider_id = np.append(self.provider_id, np.full(count, provider_id, dtype=np.int16))
        self.rank = np.append(self.rank, np.full(count, rank, dtype=np.int16))


def _passed_over(load: PayloadLoad, answer: Answer, other: StoredLoad) -> bool:
    """Return whether a list withdrew nothing of what it lacked: it was cut short, or its bars in doubt."""
    payload, listed = answer.lines.judged.payload, answer.lines.judged.parsed.listed
    dates = (listed.first, listed.last) if listed else (payload.first_session, payload.last_session)
    if other.withdrawn or dates[0] is None or dates[1] is None:
        return False
    if left_bars_in_doubt(load.connection, other.archive_key):
        return True
    table, _ = TABLES[other.dataset]
    keys, provider_id = keys_known(load.connection, table, (dates[0], dates[1]), other.load_id - 1)
    lacked = ~np.isin(keys, answer.lines.key) & (provider_id == other.provider_id)
    return int(lacked.sum()) > max(FEW, MOST_WITHDRAWN * len(keys))


class Histories:
    """The history of some keys of a data set, made anew from the archive."""

    def __init__(
        self, load: PayloadLoad, dataset: str, keys: Int64s, loads: Sequence[ToldLoad], stored: Known[Any]
    ) -> None:
        """Take what there is.

        Args:
            load: within the transaction; reads the archive.
            dataset: ``daily_bars``, ``splits`` or ``dividends``.
            keys: int64, ascending, unique; see `pack`.
            loads: all loads that may concern them, in their order.
            stored: what is stored of the keys, wherever it lies.
        """
        self._load, self._dataset, self._keys, self._stored = load, dataset, keys, stored
        self.loads = [other for other in loads if other.dataset == dataset or other.takes_back]
        self.answers: dict[int, Answer] = {}
        self.kept_from: dict[int, Int64s] = {}

    def known(self) -> Known[Any]:
        """Return what is and was known of the keys.

        Raises:
            ArchiveError: a payload is missing or damaged.
        """
        standing, done = Standing(self._load, self._dataset), set()
        for other in self.loads:
            if other.takes_back:
                if other.archive_key not in done:
                    done.add(other.archive_key)
                    self._undo(standing, other.archive_key)
            elif (answer := self._answer(other)) is not None:
                self.kept_from[other.load_id] = standing.tell(answer, other)
        return standing.known()

    def _answer(self, other: ToldLoad) -> Answer | None:
        if other.load_id not in self.answers:
            answer = answer_of(self._load, self._dataset, self._keys, other)
            if answer is None:
                return None
            self.answers[other.load_id] = answer
        return self.answers[other.load_id]

    def _undo(self, standing: Standing, archive_key: str) -> None:
        """Do what an undo did: by the loads that it consists of."""
        own = [each for each in self.loads if each.archive_key == archive_key]
        ids = {each.provider_id: each.load_id for each in reversed(own) if each.dataset == self._dataset}
        main = own[0].load_id
        by_main = ids.get(own[0].provider_id, main)
        targets = [each for each in self.loads if each.taken_back_by == main]
        if not targets:
            self._remove(standing, [each.load_id for each in own], by_main)
            return
        target_ids = [each.load_id for each in targets] + self._with_words_of_others(main)
        affected = keys_of(standing.rows)[np.isin(standing.load_id, target_ids)]
        here = keys_of(standing.rows)
        withdrawn = [
            keys_of(rows)[np.isin(by, target_ids)]
            for rows, _, by in standing.past
            if np.isin(by, target_ids).any()
        ]
        lost = np.unique(np.concatenate([affected[:0], *withdrawn]))
        keys = np.union1d(affected, lost[~np.isin(lost, here)])
        standing.give_way(keys, self._without(main), lambda provider: ids.get(provider, by_main))

    def _with_words_of_others(self, main: int) -> list[int]:
        """Return the loads whose rows may be other loads' words before an undo: see `undone`."""
        back = [each for each in self.loads if each.taken_back_by is not None and each.taken_back_by < main]
        by = {each.taken_back_by for each in back}
        keys = {each.archive_key for each in self.loads if each.load_id in by}
        return [each.load_id for each in (*back, *(own for own in self.loads if own.archive_key in keys))]

    def _without(self, main: int) -> Standing:
        """Return what held before an undo, had the loads that were taken back by then never been."""
        standing = Standing(self._load, self._dataset)
        removals = {ids[0]: ids for ids in removals_of(self.loads)}
        for other in self.loads:
            if other.load_id >= main:
                break
            if other.load_id in removals:
                self._remove(standing, removals[other.load_id], other.load_id)
            was_back = other.taken_back_by is not None and other.taken_back_by <= main
            if not other.takes_back and not was_back and (answer := self._answer(other)) is not None:
                standing.tell(answer, other)
        return standing

    def _remove(self, standing: Standing, ids: Sequence[int], by: int) -> None:
        """Do what a removal did, by the loads that it consists of."""
        standing.withdraw(removed(standing.rows, standing.load_id, self._stored, ids), by)
