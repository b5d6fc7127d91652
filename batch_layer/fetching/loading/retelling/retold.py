"""Give rows that name their symbol as of today to whom they are of, when somebody carried another symbol.

A list of today's names had a split of META in 2021 while FB was said to have become META; then that is taken
back. The split is of whoever is META now, and FB never had it. No stored row says under which symbol it came.
The archive does: so the answers are read again that may have given such rows, and what all loads together say
of the keys concerned takes the place of what is stored under them, with all that was known of them before:

    ==========================  ===================================  =====================================
    split of 2021-06-01         while FB became META: one series     taken back: FB's series, and META's
    ==========================  ===================================  =====================================
    load 5, today: META 1 to 2  stored, load 5                       META: stored, load 5
    load 6, date: FB 1 to 3     in its place, load 6                 FB: stored, load 6
    as of load 5                1 to 2                               META: 1 to 2
    ==========================  ===================================  =====================================

So the rows are what they would be had it been known from the beginning who carried what: the same as after a
rebuild from an archive that says so first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from condvest.batch_layer.database.stores.daily.retold import Known
from condvest.batch_layer.database.stores.identity import ownership
from condvest.batch_layer.database.stores.identity.carriers import carriers_beside
from condvest.batch_layer.database.stores.identity.instruments import identify
from condvest.batch_layer.database.stores.identity.ownership import Moved
from condvest.batch_layer.database.stores.identity.symbols import read_spans
from condvest.batch_layer.database.stores.loading import told_loads
from condvest.batch_layer.database.stores.loading.told_loads import ToldLoad
from condvest.batch_layer.fetching.loading.retelling.answers import TABLES
from condvest.batch_layer.fetching.loading.retelling.reach import dates_of_keys, may_concern, reaches
from condvest.batch_layer.fetching.loading.retelling.told_anew import told_anew
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.core.names.names_of_today import (
    AWAITED,
    NOBODY,
    Carriage,
    Change,
    Naming,
    Resettled,
)
from condvest.batch_layer.shared.models.bars import Int64s
from condvest.batch_layer.shared.models.difference import keys_of, pack
from condvest.batch_layer.shared.models.instruments.provider_kinds import may_name, symbols_meant


def give_to_owners(load: PayloadLoad, moved: Moved) -> None:
    """Give rows to whom they are of, after a change of who carried which symbol.

    Args:
        load: within the transaction of the change.
        moved: the change; what it moved by the dates alone lies where it moved it.

    Raises:
        ArchiveError: a payload that is needed is missing or damaged; nothing may be stored then.
    """
    if load.is_rehearsal or (moved.change is None and not any(moved.in_the_way.values())):
        return
    change = moved.change or Change(Carriage.of({}), Carriage.of({}))
    every: Sequence[ToldLoad] = told_loads.told_loads(load.connection)
    settling = _Settling(load, every, change)
    for dataset in TABLES:
        settling.settle(dataset, moved.in_the_way.get(dataset, ()))
    gone = ownership.forget_emptied(load.connection, moved.may_go)
    if settling.change is not change or gone:  # bars of nobody have made instruments
        after = settling.change.after.without(gone)
        give_to_owners(load, replace(moved, change=Change(change.after, after), in_the_way={}, may_go=()))


def give_to_made(load: PayloadLoad, last_before: int) -> None:
    """Give rows to the instruments that a load's bars have made: those with an id above ``last_before``."""
    if load.is_rehearsal:
        return
    beside = carriers_beside(load.connection, last_before)
    before = {instrument_id: spans for instrument_id, spans in beside.items() if instrument_id <= last_before}
    if before:
        give_to_owners(load, Moved(change=Change(Carriage.of(before), Carriage.of(beside))))


@dataclass(frozen=True)
class _Row:
    """A row of an answer that changes hands."""

    symbol: str
    date: dt.date
    number: int
    lies_with: int
    owner: int


class _Settling:
    """One change being carried through the data sets."""

    def __init__(self, load: PayloadLoad, loads: Sequence[ToldLoad], change: Change) -> None:
        self._load, self._loads = load, loads
        self.change = change

    def settle(self, dataset: str, in_the_way: Sequence[Known[Any]]) -> None:
        """Give the rows of a data set to whom they are of."""
        rows = self._with_owners(dataset, self._rows(dataset))
        removed = [np.union1d(keys_of(known.rows), keys_of(known.past)) for known in in_the_way]
        keys = np.unique(np.concatenate([_keys(rows), *removed]))
        if len(keys):
            told_anew(
                self._load,
                dataset,
                keys,
                self._concerning(dataset, keys),
                in_the_way=in_the_way,
                losers=np.unique(
                    np.array([row.lies_with for row in rows if row.lies_with > NOBODY], dtype=np.int32)
                ),
                homeless={(row.symbol, row.date) for row in rows if row.owner in (NOBODY, AWAITED)},
            )

    def _rows(self, dataset: str) -> list[_Row]:
        """Return the rows of answers in names of today that change hands."""
        rows: list[_Row] = []
        by_naming: dict[Naming, dict[str, list[Resettled]]] = {}
        for other in self._loads:
            if other.dataset != dataset or other.takes_back:
                continue
            naming = Naming.of(other.provider, other.archive_key, other.fetched_at, dataset)
            if naming not in by_naming:
                by_naming[naming] = self._resettled(naming)
            wanted = {
                symbol: parts
                for symbol, parts in by_naming[naming].items()
                if may_name(other.provider, other.name, (symbol,))
                and any(reaches(other.archive_key, dataset, part.first, part.last) for part in parts)
            }
            if wanted and self._is_of_today(other):
                rows += self._rows_of(other, wanted)
        return rows

    def _resettled(self, naming: Naming) -> dict[str, list[Resettled]]:
        parts = {symbol: self.change.resettled(symbol, naming) for symbol in self.change.symbols}
        return {symbol: of_symbol for symbol, of_symbol in parts.items() if of_symbol}

    def _is_of_today(self, other: ToldLoad) -> bool:
        meant = symbols_meant(other.provider, other.dataset, other.archive_key)
        return (meant or self._load.archive.options(other.archive_key).symbols_mean) == "today"

    def _rows_of(self, other: ToldLoad, wanted: Mapping[str, Sequence[Resettled]]) -> list[_Row]:
        judged = self._load.read(other.archive_key).table(other.dataset)
        if judged is None:
            return []
        given, verdict = judged.parsed.rows, judged.verdict
        named = np.array([symbol in wanted for symbol in given.symbol.tolist()], dtype=bool)
        at = np.flatnonzero(named & verdict.passed)
        dates = given.dates()[at]
        numbers = verdict.ordinal[at] if other.dataset == "daily_bars" else dates.astype(np.int32)
        listed = zip(given.symbol[at].tolist(), dates.tolist(), numbers.tolist(), strict=True)
        return [
            _Row(symbol, date, number, part.lies_with, part.owner)
            for symbol, date, number in listed
            for part in wanted[symbol]
            if part.first <= date <= part.last
        ]

    def _with_owners(self, dataset: str, rows: list[_Row]) -> list[_Row]:
        """Return the rows with owners for bars of nobody: they make their instruments."""
        lost = [row for row in rows if row.owner == NOBODY]
        if dataset != "daily_bars" or not lost:
            return rows
        symbols = np.array([row.symbol for row in lost], dtype=object)
        ids, _ = identify(
            self._load.connection, symbols, np.array([row.date for row in lost], "datetime64[D]")
        )
        after = Carriage.of(read_spans(self._load.connection))
        self.change = replace(self.change, after=after)
        owned = [replace(row, owner=owner) for row, owner in zip(lost, ids.tolist(), strict=True)]
        return [row for row in rows if row.owner != NOBODY] + owned

    def _concerning(self, dataset: str, keys: Int64s) -> list[ToldLoad]:
        """Return the loads that may say something of the keys."""
        dates = dates_of_keys(self._load, dataset, keys)
        ids = set((keys >> 32).tolist())
        carriages = (self.change.before, self.change.after)
        symbols = {
            span.symbol for carriage in carriages for each in ids for span in carriage.spans.get(each, ())
        }
        return [
            other
            for other in self._loads
            if other.takes_back
            or (
                other.dataset == dataset
                and may_concern(other.archive_key, dataset, dates)
                and may_name(other.provider, other.name, symbols)
            )
        ]


def _keys(rows: Sequence[_Row]) -> Int64s:
    """Return the keys under which the rows lie, and those under which they should."""
    ids = np.array([[row.lies_with, row.owner] for row in rows], dtype=np.int64).reshape(-1, 2)
    numbers = np.array([row.number for row in rows], dtype=np.int64)
    keys = np.concatenate([pack(ids[:, side], numbers) for side in (0, 1)])
    named: Int64s = keys[np.concatenate([ids[:, 0], ids[:, 1]]) > NOBODY]
    return named
