"""Whether a rule that is true of a running bar can become false before the bar is complete; pure, static.

While a bar grows its high only rises, its low only falls, its volume only rises, its open and the complete
bars before it stay, and its close and vwap go anywhere. From that follows which way each number can go, and
from the numbers which way each condition can go::

    high(13) > highest(high(13), 4)     rises above what stays      cannot vanish
    close(13) > highest(high(13), 4)    the close goes anywhere     may vanish
    not high(1) > 100                   true until it is false      may vanish
    volume(1) > 2 * average(volume(1), 8) and high(1) > 5           cannot vanish

A rule's own bar is that of its longest interval. A shorter bar ends before it, and another begins, so
whatever is read of a shorter interval goes anywhere. A vendor's correction is beyond any of this.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

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
)
from condvest.speed_layer.core.alerts.language.reading import intervals_of, shifted

Repaint = Literal["cannot vanish", "may vanish"]


class Way(Enum):
    """How a number goes, or a condition: not at all, only up (to true), only down, or any way."""

    STAYS = 0
    UP = 1
    DOWN = 2
    ANY = 3

    def __or__(self, other: Way) -> Way:
        """Return the way of what both move."""
        return Way(self.value | other.value)

    @property
    def reversed(self) -> Way:
        """The other way."""
        return {Way.UP: Way.DOWN, Way.DOWN: Way.UP}.get(self, self)


_OF_FIELDS = {"open": Way.STAYS, "high": Way.UP, "low": Way.DOWN, "volume": Way.UP}


def repaint_of(rule: Node) -> Repaint:
    """Return whether a rule that has become true can become false while its bar grows."""
    way = _condition(rule, intervals_of(rule)[-1])
    return "cannot vanish" if way in (Way.STAYS, Way.UP) else "may vanish"


def _condition(node: Node, own: int) -> Way:
    match node:
        case Comparison(relation, left, right):
            above = _number(left, own) | _number(right, own).reversed
            return above if relation in (">", ">=") else above.reversed
        case Crossing(is_upward, left, right):
            above = _number(left, own) | _number(right, own).reversed
            before = _number(shifted(left), own) | _number(shifted(right), own)
            return (above if is_upward else above.reversed) | (Way.ANY if before != Way.STAYS else Way.STAYS)
        case Not(of):
            return _condition(of, own).reversed
        case Joined(_, left, right):
            return _condition(left, own) | _condition(right, own)
    return Way.ANY


def _number(node: Node, own: int) -> Way:
    way = Way.ANY
    match node:
        case Number():
            way = Way.STAYS
        case Field(name, interval, back) if interval == own:
            way = Way.STAYS if back else _OF_FIELDS.get(name, Way.ANY)
        case Reduced(_, field) if field.interval == own:
            way = Way.STAYS
        case Change(interval, back) if interval == own and back:
            way = Way.STAYS
        case Negative(of):
            way = _number(of, own).reversed
        case Arithmetic(sign, left, right):
            way = _arithmetic(sign, left, right, own)
    return way


def _arithmetic(sign: str, left: Node, right: Node, own: int) -> Way:
    first, second = _number(left, own), _number(right, own)
    if sign == "+":
        return first | second
    if sign == "-":
        return first | second.reversed
    if first == second == Way.STAYS:
        return Way.STAYS
    if _is_positive(left) and _is_positive(right):
        return first | (second if sign == "*" else second.reversed)
    return Way.ANY


def _is_positive(node: Node) -> bool:
    """Return whether a number can be no other than above zero, or zero: prices and volumes are."""
    match node:
        case Number():
            return node.value >= 0
        case Field() | Reduced():
            return True
        case Arithmetic(sign, left, right):
            return sign != "-" and _is_positive(left) and _is_positive(right)
    return False
