"""Verdicts: what rules said of running bars, held against the official bars of the same windows.

A firing gets its verdict when every session of its window is loaded for its instrument: ``confirmed`` if the
rule is true of the official bar, ``withdrawn`` if it is not, or if there is no such bar. Rules of the mode
``confirmed`` are evaluated here and nowhere else, so what they say never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.shared.core.windows import first_ordinals
from condvest.batch_layer.shared.models.bars import Bools, Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.speed_layer.core.alerts.evaluating import Evaluation
from condvest.speed_layer.core.alerts.firing import firing_at, has_bar
from condvest.speed_layer.core.alerts.references import References
from condvest.speed_layer.core.alerts.rules import Rule, needs_of
from condvest.speed_layer.services.alerts.alerting import Read, watched_by
from condvest.speed_layer.stores import events
from condvest.speed_layer.stores.events import Event, Pending
from condvest.speed_layer.stores.rules import active_rules, all_rules

NIGHTS = 10
"""Sessions that confirmed rules look back, so that a night that was missed is made good."""


@dataclass(frozen=True)
class Verdicts:
    """Gives verdicts.

    Attributes:
        database: where the events are.
        sessions: the calendar.
        read: reads what rules need.
    """

    database: Database
    sessions: Sessions
    read: Read

    def run(self) -> list[int]:
        """Give every verdict that can be given, and evaluate the confirmed rules; return the events' ids.

        Run it as often as you like: a firing has one verdict, and what there is to judge is read anew. One
        process at a time does it; another one waits.
        """
        with self.database.transaction(read_only=True) as connection:
            has_work = bool(all_rules(connection))
        if not has_work:
            return []
        with (
            self.database.locked(events.LOCK),  # before the transaction, which then sees all that came before
            self.database.transaction(snapshot=True) as connection,
        ):
            given = [*self._verdicts(connection), *self._confirmed(connection)]
            return events.write_events(connection, given)

    def _verdicts(self, connection: Connection) -> Iterable[Event]:
        rules = {rule.rule_id: rule for rule in all_rules(connection)}

        def bar(firing: Pending) -> tuple[int, int]:
            return rules[firing.rule_id].last_ordinal(firing.bar_window), firing.rule_id

        for (end, rule_id), group in groupby(sorted(events.pending(connection), key=bar), bar):
            if end <= self.sessions.last_ordinal:
                yield from self._judged(connection, rules[rule_id], end, list(group))

    def _judged(
        self, connection: Connection, rule: Rule, end: int, firings: Sequence[Pending]
    ) -> Iterable[Event]:
        """Yield the verdicts on firings of one rule and window."""
        references = self.read(connection, self.sessions, (end, end), needs_of([rule]), None)
        ids = np.array(sorted({firing.instrument_id for firing in firings}), dtype=np.int32)
        ids = ids[_is_official(references, rule, ids, end)]
        if not len(ids):
            return
        market = references.market(end, ids)
        evaluation = Evaluation(market)
        truth, is_there = evaluation.truth(rule.node), has_bar(market, rule)
        row_of = {instrument: row for row, instrument in enumerate(ids.tolist())}
        for firing in firings:
            row = row_of.get(firing.instrument_id)
            if row is None:
                continue
            at_close = firing_at(rule, evaluation, truth, row)
            reason = None if is_there[row] else "no official bar of this window"
            if reason is None and not truth.is_true[row] and not truth.is_false[row]:
                reason = "a value that the rule reads is unknown"
            yield Event(
                rule_id=rule.rule_id,
                instrument_id=firing.instrument_id,
                symbol=firing.symbol,
                bar_window=firing.bar_window,
                occurrence=firing.occurrence,
                ordinal=end,
                state="confirmed" if truth.is_true[row] else "withdrawn",
                margin=at_close.margin,
                bar_values=at_close.values,
                repaint=firing.repaint,
                reason=reason,
                fired_id=firing.event_id,
            )

    def _confirmed(self, connection: Connection) -> Iterable[Event]:
        rules = [rule for rule in active_rules(connection) if rule.mode == "confirmed"]
        if not rules:
            return
        created = events.created_on(connection)
        watched = watched_by(connection, rules)
        newest = self._newest(connection)
        for rule in rules:
            first = max(
                self.sessions.last_closed(created[rule.rule_id]) + (0 if rule.at_once else 1),
                newest - max(NIGHTS, rule.interval) + 1,
            )
            ends = [end for end in range(first, newest + 1) if rule.last_ordinal(rule.window(end)) == end]
            near = _Near.of(connection, rule, first, newest)
            for end in ends:
                for event in self._became_true(connection, rule, end, watched.get(rule.rule_id)):
                    if near.may_be(event):
                        yield event

    def _newest(self, connection: Connection) -> int:
        """Return the last session that is loaded in full for a provider."""
        query = "SELECT coalesce(max(ordinal), 0) FROM ledger WHERE status = 'complete'"
        row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def _became_true(
        self, connection: Connection, rule: Rule, end: int, watched: Int32s | None
    ) -> Iterable[Event]:
        """Yield the events of a confirmed rule on the bars that end with a session."""
        before = end - rule.interval
        references = self.read(connection, self.sessions, (before, end), needs_of([rule]), None)
        ids = references.ids if watched is None else watched[np.isin(watched, references.ids)]
        ids = ids[_is_official(references, rule, ids, end)]
        if not len(ids):
            return
        market = references.market(end, ids)
        evaluation = Evaluation(market)
        truth = evaluation.truth(rule.node)
        is_new = truth.is_true
        if rule.fires == "rise":
            is_new = is_new & ~Evaluation(references.market(before, ids)).truth(rule.node).is_true
        for row in np.flatnonzero(is_new & has_bar(market, rule)).tolist():
            at_close = firing_at(rule, evaluation, truth, row)
            yield Event(
                rule_id=rule.rule_id,
                instrument_id=at_close.instrument_id,
                symbol=references.symbols[at_close.instrument_id],
                bar_window=at_close.window,
                ordinal=end,
                state="confirmed",
                margin=at_close.margin,
                bar_values=at_close.values,
                repaint=rule.repaint,
            )


@dataclass(frozen=True)
class _Near:
    """What a rule said near some sessions, so that its cooldown is kept in either direction.

    A night that is made good comes after later ones: what it finds may lie before what was said already.
    """

    sessions: int
    said: set[tuple[int, int]]

    @classmethod
    def of(cls, connection: Connection, rule: Rule, first: int, last: int) -> Self:
        """Return what a rule said from a cooldown before the first session to a cooldown after the last."""
        span = 0 if rule.cooldown is None else rule.cooldown.count
        if not span:
            return cls(0, set())
        return cls(span, events.confirmed_near(connection, rule.rule_id, first - span, last + span))

    def may_be(self, event: Event) -> bool:
        """Return whether nothing was said of the instrument within the cooldown; remember what may be."""
        near = range(event.ordinal - self.sessions + 1, event.ordinal + self.sessions)
        if any((event.instrument_id, ordinal) in self.said for ordinal in near):
            return False
        self.said.add((event.instrument_id, event.ordinal))
        return True


def _is_official(references: References, rule: Rule, ids: Int32s, end: int) -> Bools:
    """Return, per instrument, whether every session of the rule's bar that ends with a session is loaded."""
    window = np.array([rule.window(end)], np.int32)
    first = np.full(len(ids), first_ordinals(window, rule.interval)[0], dtype=np.int32)
    return references.coverage.is_complete(ids, first, np.full(len(ids), end, dtype=np.int32))
