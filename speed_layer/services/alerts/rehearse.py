"""A rule against history: what it would have fired, and what would have become of it; nothing is stored.

History has no ticks: a session's running bar is looked at once, as its close left it. So what fired and
vanished within one session is not in it, and what is there is the least that would have been withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.speed_layer.core.alerts.evaluating import Evaluation
from condvest.speed_layer.core.alerts.firing import Firing, Moment, fire, has_bar, may_fire
from condvest.speed_layer.core.alerts.references import References
from condvest.speed_layer.core.alerts.rules import Rule, Seen, needs_of
from condvest.speed_layer.core.phases import Hours
from condvest.speed_layer.services.alerts.alerting import Read


@dataclass(frozen=True)
class Rehearsed:
    """A firing of history and its verdict.

    Attributes:
        symbol: of the instrument.
        ordinal: the session at whose close it fired; ``end`` the last session of its window.
        margin, at_close: by how much the rule was true then, and at the end; None where that is unknown.
        stood: whether it was true at the end; None if the end has not come.
    """

    symbol: str
    ordinal: int
    end: int
    margin: float | None
    at_close: float | None
    stood: bool | None


def rehearse(
    database: Database, sessions: Sessions, read: Read, rule: Rule, first: int, last: int
) -> list[Rehearsed]:
    """Return what a rule would have fired in some sessions, by session and symbol.

    Args:
        database: where history is.
        sessions: the calendar.
        read: reads what rules need.
        rule: the rule.
        first: the first session.
        last: the last session; of one that is not loaded, nothing fires.

    Raises:
        UsageError: no session has been loaded between the two.
        UnknownSymbol: no instrument carries or carried a symbol of the rule.
    """
    # What is true at the first look does not fire: so the first look is at the bar before.
    begin = max(first - (rule.interval if rule.mode == "confirmed" else 1), sessions.first_ordinal)
    with database.transaction(snapshot=True, read_only=True) as connection:
        references = read(connection, sessions, (begin, last), needs_of([rule]), rule.symbols)
    loaded = np.unique(references.daily.ordinal)
    loaded = loaded[(loaded >= begin) & (loaded <= last)]
    if not (loaded >= first).any():
        raise UsageError(f"no session is loaded from {sessions.session(first)} to {sessions.session(last)}")
    fired = list(_fired(references, rule, {each: _moment(sessions, each) for each in loaded.tolist()}, first))
    return list(_judged(references, rule, fired, int(loaded[-1])))


def _moment(sessions: Sessions, ordinal: int) -> int:
    """Return when a session is looked at: at its close, in microseconds since 1970-01-01 UTC."""
    return Hours.of(sessions, ordinal).closes_at


def _fired(
    references: References, rule: Rule, closes: Mapping[int, int], first: int
) -> Iterator[tuple[int, Firing]]:
    """Yield the firings with their sessions; the session before the first only sets off."""
    seen: dict[int, Seen] = {}
    last: dict[int, Moment] = {}
    ends_only = rule.mode == "confirmed"
    for ordinal, closes_at in closes.items():
        if ends_only and rule.last_ordinal(rule.window(ordinal)) != ordinal:
            continue
        daily = references.daily
        ids = daily.instrument_id[daily.ordinal == ordinal]
        firings, after = fire([rule], references.market(ordinal, ids), {}, seen)
        seen |= after
        for firing in firings:
            now = Moment(firing.window, ordinal, closes_at)
            if ordinal >= first and may_fire(rule, last.get(firing.instrument_id), now):
                last[firing.instrument_id] = now
                yield ordinal, firing


def _judged(
    references: References, rule: Rule, fired: list[tuple[int, Firing]], newest: int
) -> Iterator[Rehearsed]:
    at_end: dict[int, dict[int, tuple[bool, float]]] = {}
    for end in sorted({rule.last_ordinal(firing.window) for _, firing in fired}):
        if end <= newest:
            ids = sorted({each.instrument_id for _, each in fired if rule.last_ordinal(each.window) == end})
            market = references.market(end, np.array(ids, dtype=np.int32))
            truth = Evaluation(market).truth(rule.node)
            stood = (truth.is_true & has_bar(market, rule)).tolist()
            at_end[end] = dict(zip(ids, zip(stood, truth.margin.tolist(), strict=True), strict=True))
    for ordinal, firing in fired:
        end = rule.last_ordinal(firing.window)
        stood_by = at_end.get(end, {}).get(firing.instrument_id)
        known = stood_by is not None and np.isfinite(stood_by[1])
        yield Rehearsed(
            references.symbols[firing.instrument_id],
            ordinal,
            end,
            firing.margin,
            stood_by[1] if stood_by is not None and known else None,
            None if stood_by is None else stood_by[0],
        )
