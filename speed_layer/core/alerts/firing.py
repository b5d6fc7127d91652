"""From a market to what rules say of it, and how often a rule may say it; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Int32s
from condvest.speed_layer.core.alerts.evaluating import Evaluation, Truth
from condvest.speed_layer.core.alerts.market import Market
from condvest.speed_layer.core.alerts.rearming import rearms
from condvest.speed_layer.core.alerts.rules import Rule, Seen, risen
from condvest.speed_layer.core.phases import SECOND

MINUTE = 60 * SECOND


@dataclass(frozen=True)
class Moment:
    """When a rule fired, or would, by the data's clock.

    Attributes:
        window: of the rule's own bar.
        ordinal: the session.
        at: microseconds since 1970-01-01 UTC through which the instrument's data were known.
    """

    window: int
    ordinal: int
    at: int


def occurrence_of(rule: Rule, now: Moment) -> int:
    """Return which of the times it is, within its bar, at which a rule may fire: each at most once.

    0 of a rule that may fire once a bar; the session's ordinal, or the minutes since 1970-01-01 UTC.
    """
    return {"bar": 0, "session": now.ordinal, "minute": now.at // MINUTE}[rule.once]


def may_fire(rule: Rule, last: Moment | None, now: Moment) -> bool:
    """Return whether a rule that rises for an instrument fires, by when it last fired for it.

    A rise that may not fire is passed over: it counts as seen. Data that are older than those of the last
    firing are within its cooldown::

        once a session, cooldown 30 minutes; it fired at 15:50 in session 7
        16:05 in session 7: no, once a session     09:35 in session 8: yes, 17 hours later
    """
    if last is None:
        return True
    if (last.window, occurrence_of(rule, last)) == (now.window, occurrence_of(rule, now)):
        return False
    if rule.cooldown is None:
        return True
    if rule.cooldown.unit == "sessions":
        return now.ordinal - last.ordinal >= rule.cooldown.count
    return now.at - last.at >= rule.cooldown.count * MINUTE


@dataclass(frozen=True)
class Firing:
    """A rule that rose for an instrument.

    Attributes:
        row: of the instrument in the market.
        margin: by how much the rule is true, as a fraction; None if that cannot be said.
        values: what it read, by text.
    """

    rule: Rule
    instrument_id: int
    row: int
    window: int
    margin: float | None
    values: dict[str, float | None]


def fire(
    rules: Sequence[Rule],
    market: Market,
    watched: Mapping[int, Int32s],
    seen: Mapping[int, Seen],
) -> tuple[list[Firing], dict[int, Seen]]:
    """Evaluate rules on a market.

    Args:
        rules: the rules.
        market: the market.
        watched: by rule the instruments that it watches, ascending; of a rule that is not there, all.
        seen: by rule what it was seen to be before.

    Returns:
        What rose, whether or not it may fire again yet, and by rule what it has been seen to be by now.
    """
    evaluation = Evaluation(market)
    firings: list[Firing] = []
    after: dict[int, Seen] = {}
    for rule in rules:
        truth, ids = evaluation.truth(rule.node), market.ids
        is_true, rows = truth.is_true, None
        rearmed = None if rule.rearm is None else rearms(evaluation, rule.node, rule.rearm)
        if rule.rule_id in watched:
            rows = np.flatnonzero(np.isin(ids, watched[rule.rule_id]))
            is_true, ids = is_true[rows], ids[rows]
            rearmed = None if rearmed is None else rearmed[rows]
        window = rule.window(market.ordinal)
        rises, after[rule.rule_id] = risen(rule, window, seen.get(rule.rule_id), ids, is_true, rearmed)
        at = np.flatnonzero(rises)
        firings += [
            firing_at(rule, evaluation, truth, row) for row in (at if rows is None else rows[at]).tolist()
        ]
    return firings, after


def firing_at(rule: Rule, evaluation: Evaluation, truth: Truth, row: int) -> Firing:
    """Return what a rule says of one instrument of a market."""
    market = evaluation.market
    margin = float(truth.margin[row])
    return Firing(
        rule,
        int(market.ids[row]),
        row,
        rule.window(market.ordinal),
        margin if np.isfinite(margin) else None,
        evaluation.values(rule.node, row),
    )


def has_bar(market: Market, rule: Rule) -> Bools:
    """Return, per instrument, whether the rule's own bar holds a session of it."""
    there: Bools = market.row[rule.interval] >= 0
    return there
