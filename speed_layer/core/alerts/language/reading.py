"""Which bars a rule reads; pure."""

from __future__ import annotations

from condvest.speed_layer.core.alerts.language.nodes import (
    Arithmetic,
    Change,
    Field,
    Negative,
    Node,
    Reduced,
    Series,
)


def interval_of(node: Node) -> int:
    """Return the sessions of a node that reads bars."""
    if isinstance(node, Reduced):
        return node.field.interval
    if isinstance(node, Field | Change):
        return node.interval
    raise TypeError(node)


def intervals_of(node: Node) -> list[int]:
    """Return the intervals that a rule reads, ascending."""
    return sorted({interval_of(part) for part in node.walk() if isinstance(part, Series)})


def lookback_of(node: Node) -> int:
    """Return how many complete bars before the running one a node that reads bars needs."""
    if isinstance(node, Reduced):
        return node.bars + node.skipped
    if isinstance(node, Change):
        return node.back + 1
    return node.back if isinstance(node, Field) else 0


def shifted(node: Node) -> Node:
    """Return a number as it stood one bar earlier: its running bars are the last complete ones."""
    match node:
        case Field(name, interval, back):
            return Field(name, interval, back + 1)
        case Reduced(function, field, bars, skipped):
            return Reduced(function, field, bars, skipped + 1)
        case Change(interval, back):
            return Change(interval, back + 1)
        case Negative(of):
            return Negative(shifted(of))
        case Arithmetic(sign, left, right):
            return Arithmetic(sign, shifted(left), shifted(right))
    return node
