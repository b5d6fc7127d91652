"""From a market to what rules say of it, as events; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Int32s
from condvest.speed_layer.core.alerts.evaluating import Evaluation, Truth
from condvest.speed_layer.core.alerts.market import Market
from condvest.speed_layer.core.alerts.rules import Rule, Seen, fired


@dataclass(frozen=True)
class Firing:
    """A rule that fired for an instrument.

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
        The firings, and by rule what it has been seen to be by now.
    """
    evaluation = Evaluation(market)
    firings: list[Firing] = []
    after: dict[int, Seen] = {}
    for rule in rules:
        truth, ids = evaluation.truth(rule.node), market.ids
        is_true, rows = truth.is_true, None
        if rule.rule_id in watched:
            rows = np.flatnonzero(np.isin(ids, watched[rule.rule_id]))
            is_true, ids = is_true[rows], ids[rows]
        window = rule.window(market.ordinal)
        fires, after[rule.rule_id] = fired(rule, window, seen.get(rule.rule_id), ids, is_true)
        at = np.flatnonzero(fires)
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
