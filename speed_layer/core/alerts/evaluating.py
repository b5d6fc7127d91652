"""Whether rules are true, and by how much, of every instrument of a market at once; pure.

What is unknown makes a comparison neither true nor false, and a condition over it is true only if it is true
either way. The margin of a comparison is how far its left side is on the right side of the right one, as a
fraction of it: 0.02 is 2 % above, -0.01 is 1 % short. That of ``and`` is the smaller of both, that of ``or``
the larger, that of ``not`` the negative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Floats
from condvest.speed_layer.core.alerts.language.nodes import (
    Arithmetic,
    Change,
    Comparison,
    Crossing,
    Field,
    Joined,
    Negative,
    Node,
    Not,
    Number,
    Reduced,
    Series,
)
from condvest.speed_layer.core.alerts.language.reading import shifted
from condvest.speed_layer.core.alerts.market import Market


@dataclass(frozen=True, eq=False)
class Truth:
    """What a condition is, per instrument.

    Attributes:
        is_true, is_false: bool; neither where unknown.
        measure: computes the margin, which only those who fire need.
    """

    is_true: Bools
    is_false: Bools
    measure: Callable[[], Floats]

    @cached_property
    def margin(self) -> Floats:
        """The margin, float64, NaN where unknown."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return self.measure()


@dataclass(eq=False)
class Evaluation:
    """Evaluates rules on one market; what two rules share is computed once."""

    market: Market
    _numbers: dict[Node, Floats] = field(default_factory=dict)
    _truths: dict[Node, Truth] = field(default_factory=dict)

    def truth(self, node: Node) -> Truth:
        """Return what a condition is."""
        known = self._truths.get(node)  # one look: a hash of a node is one of all below it
        if known is None:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                known = self._truths[node] = self._condition(node)
        return known

    def values(self, rule: Node, row: int) -> dict[str, float | None]:
        """Return what a rule reads of one instrument, by its text; None if unknown, or beyond all numbers."""
        values = {part.text: float(self.number(part)[row]) for part in _read_by(rule)}
        return {text: value if np.isfinite(value) else None for text, value in values.items()}

    def number(self, node: Node) -> Floats:
        """Return a number per instrument; NaN where unknown."""
        known = self._numbers.get(node)
        if known is None:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                known = self._numbers[node] = self._number(node)
        return known

    def _condition(self, node: Node) -> Truth:
        match node:
            case Comparison(relation, left, right):
                return _compared(relation, self.number(left), self.number(right))
            case Crossing(is_upward, left, right):
                now, before = (">", "<=") if is_upward else ("<", ">=")
                return _both(
                    _compared(now, self.number(left), self.number(right)),
                    _compared(before, self.number(shifted(left)), self.number(shifted(right))),
                )
            case Not(of):
                inner = self.truth(of)
                return Truth(inner.is_false, inner.is_true, lambda: -inner.margin)
            case Joined(word, left, right):
                first, second = self.truth(left), self.truth(right)
                return _both(first, second) if word == "and" else _either(first, second)
        raise TypeError(node)

    def _number(self, node: Node) -> Floats:
        market = self.market
        match node:
            case Number():
                return np.broadcast_to(np.float64(node.value), len(market.ids))
            case Field(name, interval, back):
                return market.field(name, interval, back)
            case Reduced(function, of, bars, skipped):
                return market.past[of.interval].reduced(function, of.name, skipped, bars)
            case Change(interval, back):
                before = market.field("close", interval, back + 1)
                return market.field("close", interval, back) / before - 1.0
            case Negative(of):
                return -self.number(of)
            case Arithmetic(sign, left, right):
                return _finite(_SIGNS[sign](self.number(left), self.number(right)))
        raise TypeError(node)


_SIGNS = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


def _read_by(node: Node) -> Iterator[Node]:
    """Yield the parts that read bars, and not what those are made of."""
    if isinstance(node, Series):
        yield node
    else:
        for child in node.children():
            yield from _read_by(child)


def _finite(values: Floats) -> Floats:
    """Return values, NaN where a division by zero or an overflow left none."""
    return np.where(np.isfinite(values), values, np.nan)


def _compared(relation: str, left: Floats, right: Floats) -> Truth:
    is_true, is_false = _RELATIONS[relation]
    return Truth(
        is_true(left, right),
        is_false(left, right),
        lambda: (left - right if relation in (">", ">=") else right - left) / np.abs(right),
    )


_RELATIONS: dict[str, tuple[np.ufunc, np.ufunc]] = {
    ">": (np.greater, np.less_equal),
    ">=": (np.greater_equal, np.less),
    "<": (np.less, np.greater_equal),
    "<=": (np.less_equal, np.greater),
}
"""Relation to what is true and what is false of it; of NaN neither is."""


def _both(first: Truth, second: Truth) -> Truth:
    return Truth(
        first.is_true & second.is_true,
        first.is_false | second.is_false,
        lambda: np.fmin(first.margin, second.margin),
    )


def _either(first: Truth, second: Truth) -> Truth:
    return Truth(
        first.is_true | second.is_true,
        first.is_false & second.is_false,
        lambda: np.fmax(first.margin, second.margin),
    )
