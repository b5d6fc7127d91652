"""What has come of the portions of a large file so far, summed up over them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.database.stores.daily.first_daily_bars import FirstDailyBars
from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.database.stores.loading.ledger import write_ledger
from condvest.batch_layer.database.stores.loading.loads import amend_load, ranks_of_loads
from condvest.batch_layer.fetching import quality
from condvest.batch_layer.fetching.ledger import keep_complete, sessions_affected
from condvest.batch_layer.fetching.loading.bar_plan import IdentifiedBars, ProviderState
from condvest.batch_layer.fetching.loading.bars import (
    identify_bars,
    points_altered,
    reach_of_takeover,
    record_changes,
    spans_concerned,
    spelling_twins,
)
from condvest.batch_layer.fetching.loading.judged import first_refused
from condvest.batch_layer.fetching.loading.retelling.repeats import without_repeated_bars
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad, StoredRows
from condvest.batch_layer.fetching.reconcile import Reconciled
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import DailyBars, Int32s, Int64s, distinct_numbers
from condvest.batch_layer.shared.models.difference import keys_of
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.batch_layer.shared.models.loads import LedgerRows, LoadSummary
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans

Judge = Callable[[Payload, Parsed, Sessions], quality.Verdict]
"""Decides which rows of a portion may be loaded."""

_COUNTS = ("rows", "inserted", "changed", "unchanged", "outranked", "duplicates", "withdrawn")
_NONE = np.zeros(0, dtype=np.int32)
_BY_SESSION = ("rows", "passed", "inserted", "changed", "refused")


def judged_portions(load: PayloadLoad, judge: Judge) -> Generator[PayloadLoad]:
    """Yield the load of each portion, parsed and judged."""
    for parsed in load.parsed.portions or ():
        try:
            verdict = judge(load.payload, parsed, load.sessions)
        except InputError as error:
            raise InputError(f"{load.payload.name}: {error}") from error
        summary = replace(
            load.summary,
            rows=len(parsed.rows),
            duplicates=verdict.duplicates,
            refused=verdict.refused(),
            notices=parsed.notices,
        )
        yield replace(load, parsed=parsed, verdict=verdict, summary=summary)


@dataclass
class PortionSum:
    """What has come of the portions so far.

    Attributes:
        load: of the whole file.
        state: of its provider before the load.
        is_first: whether the daily bars are the first of the store.
        load_id: of the load, once a portion has brought anything new.
        tables: where the daily bars are stored, if they are the store's first.
        unrecorded: the positions of portions whose refused rows are not recorded yet.
    """

    load: PayloadLoad
    state: ProviderState
    is_first: bool
    load_id: int | None = None
    tables: FirstDailyBars | None = None
    unrecorded: list[int] = field(default_factory=list)
    portions: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    newly_refused: Counter[str] = field(default_factory=Counter)
    notices: dict[str, None] = field(default_factory=dict)
    first: tuple[int, str] = (sys.maxsize, "")
    made: list[Int32s] = field(default_factory=list)
    given: list[Int32s] = field(default_factory=list)
    altered: list[Spans] = field(default_factory=list)
    by_session: dict[str, Int64s] = field(init=False)

    def __post_init__(self) -> None:
        number = len(self.load.sessions.date)
        self.by_session = {name: np.zeros(number, dtype=np.int64) for name in _BY_SESSION}

    def store(self, portion: PayloadLoad) -> None:
        """Store what a portion brings."""
        [portion], [bars] = without_repeated_bars(*identify_bars([portion]))
        stored = self._stored(portion, bars)
        rows = portion.reconcile(stored, bars.bars)
        summary = portion.counted(rows)
        self._add(portion, bars, rows, summary)
        if self.load_id is None and (summary.altered or summary.newly_refused):
            self.load_id = self.load.record(self.summary())
        if self.load_id is None:
            self.unrecorded += [self.portions] if portion.verdict.reasons else []
        else:
            portion.record_refused(self.load_id)
            DAILY_BARS.supersede(portion.connection, rows.old, rows.old_load_id, rows.new, self.load_id)
            self._insert(portion, rows.insert, self.load_id)
        self.portions += 1

    def _insert(self, portion: PayloadLoad, rows: DailyBars, load_id: int) -> None:
        if self.is_first and self.tables is None:
            self.tables = FirstDailyBars(portion.connection, load_id)
        if self.tables is None:
            DAILY_BARS.insert(portion.connection, rows, load_id)
        else:
            self.tables.insert(rows)

    def recorded(self, judge: Judge) -> LoadSummary:
        """Record the load, if it brings news, with what it says of its sessions; return its summary."""
        if self.tables is not None:
            try:
                self.tables.finish()
            except InputError as error:
                raise InputError(f"{self.load.payload.name}: {error}") from error
        entries, affected = self._ledger()
        if self.load_id is None:
            summary = self.summary()
            if not (self.load.is_news(summary) or len(affected)):
                return summary
            self.load_id = self.load.record(summary)
        self._record_rest(judge)
        load, made = self.load, np.unique(np.concatenate([_NONE, *self.made]))
        self.notices |= dict.fromkeys(spelling_twins(load.connection, made))
        summary = self.summary()
        amend_load(load.connection, self.load_id, summary, is_dated=load.known_from is not None)
        write_ledger(load.connection, load.provider_id, self.load_id, entries)
        ids = np.unique(np.concatenate([_NONE, *self.given]))
        added = ids[~np.isin(ids, self.state.supplied)]
        reach = reach_of_takeover(load, np.setdiff1d(added, made), self.state, entries.ordinal)
        instruments.add_supplied(load.connection, load.provider_id, added, self.load_id)
        points = [spans.points() for spans in self.altered]
        single = [
            Spans.of_points(ids[kept], ordinals[kept])
            for ids, ordinals in points
            for kept in [~np.isin(ordinals, affected)]
        ]
        record_changes(load, affected, Spans.concat([reach, *single]))
        return summary

    def summary(self) -> LoadSummary:
        """Return the summary of the portions so far."""
        counts: dict[str, Any] = {name: self.counts[name] for name in _COUNTS}
        return replace(
            self.load.summary,
            **counts,
            refused=_in_order(self.refused),
            newly_refused=_in_order(self.newly_refused),
            sessions=int(np.count_nonzero(self.by_session["passed"])),
            notices=(*self.load.summary.notices, *self.notices),
            first_refused=self.first[1],
        )

    def _stored(self, portion: PayloadLoad, bars: IdentifiedBars) -> StoredRows[DailyBars]:
        """Return the stored bars that a portion may concern, those of this load not among them."""
        spans = spans_concerned([portion], [bars], self.state.supplied)
        rows, load_id = DAILY_BARS.read_with_load(portion.connection, spans)
        own = load_id == (self.load_id or 0)
        if own.any():
            # Symbols that an instrument carried one after the other are in different portions.
            if np.isin(keys_of(rows.take(own)), keys_of(bars.bars)).any():
                raise InputError(
                    f"{portion.payload.name}: two symbols are of one instrument in the same session; "
                    "expected one row a session, so leave out the symbol that it did not carry"
                )
            rows, load_id = rows.take(~own), load_id[~own]
        return StoredRows(rows, load_id, *ranks_of_loads(portion.connection, load_id))

    def _add(
        self, portion: PayloadLoad, bars: IdentifiedBars, rows: Reconciled[DailyBars], summary: LoadSummary
    ) -> None:
        self.counts += Counter({name: getattr(summary, name) for name in _COUNTS})
        self.refused += Counter(summary.refused)
        self.newly_refused += Counter(summary.newly_refused)
        if self.refused.total() > quality.MAX_REFUSED_ROWS:
            code = max(summary.refused, key=quality.NUMBER_OF.__getitem__)
            error = quality.too_many_refused(self.refused.total(), self.counts["rows"], code)
            raise InputError(f"{portion.payload.name}: {error}")
        self.notices |= dict.fromkeys(summary.notices)
        self.made.append(bars.made)
        self.given.append(distinct_numbers(bars.bars.instrument_id))
        if len(rows.insert) + len(rows.old):
            self.altered.append(points_altered(rows, bars.claimed[:0]))
        verdict = portion.verdict
        self.first = min(self.first, first_refused(portion.parsed, verdict))
        refused = np.array(sorted(verdict.reasons), dtype=np.int64)
        ordinals = (
            verdict.ordinal,
            bars.bars.ordinal,
            rows.insert.ordinal,
            rows.new.ordinal,
            verdict.ordinal[refused],
        )
        for name, ordinal in zip(_BY_SESSION, ordinals, strict=True):
            self._count(name, ordinal)

    def _count(self, name: str, ordinal: Int32s) -> None:
        counts, first = self.by_session[name], self.load.sessions.first_ordinal
        known = ordinal[(ordinal >= first) & (ordinal < first + len(counts))] - first
        counts += np.bincount(known, minlength=len(counts))

    def _ledger(self) -> tuple[LedgerRows, Int32s]:
        """Return the rows to enter in the ledger, and the ordinals at which bars may change by them alone."""
        claimed = np.flatnonzero(self.by_session["passed"])
        entries = LedgerRows(
            ordinal=(claimed + self.load.sessions.first_ordinal).astype(np.int32),
            complete=np.ones(len(claimed), dtype=bool),
            withdrawn=np.zeros(len(claimed), dtype=np.int32),
            **{name: counts[claimed].astype(np.int32) for name, counts in self.by_session.items()},
        )
        entries = keep_complete(entries, self.state.ledger)
        return entries, sessions_affected(entries, self.state.ledger)

    def _record_rest(self, judge: Judge) -> None:
        """Record the refused rows of the portions that came before the load was known to bring anything."""
        if self.load_id is None or not self.unrecorded:
            return
        for at, portion in enumerate(judged_portions(self.load, judge)):
            if at in self.unrecorded:
                portion.record_refused(self.load_id)
            if at == self.unrecorded[-1]:
                return


def _in_order(refused: Counter[str]) -> dict[str, int]:
    """Return counts by code, in the order of the rules."""
    return {code: refused[code] for code in sorted(refused, key=quality.NUMBER_OF.__getitem__)}
