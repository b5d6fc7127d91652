"""What may be added to and compared with what; pure.

Prices, volumes and plain numbers are told apart by exponents: a price is (1, 0), a volume (0, 1), a product
of both (1, 1), a fraction (0, 0). A number that was written out takes the dimension of its neighbour.
"""

from __future__ import annotations

from condvest.speed_layer.core.alerts.language.nodes import (
    Arithmetic,
    Change,
    Comparison,
    Crossing,
    Field,
    Negative,
    Node,
    Reduced,
)
from condvest.speed_layer.core.alerts.language.reading import intervals_of

Dimension = tuple[int, int]

_NAMES: dict[Dimension, str] = {
    (0, 0): "a plain number",
    (1, 0): "a price",
    (0, 1): "a volume",
    (1, 1): "a turnover",
}


def check(node: Arithmetic | Comparison | Crossing) -> str | None:
    """Return what is wrong with a sum, a product, a comparison or a crossing, None if nothing is."""
    if isinstance(node, Arithmetic):
        return None if node.sign in "*/" else _apart(node, "add")
    intervals = intervals_of(node)
    if not intervals:
        return f"{node.text} reads no bar; compare a field, such as close(13)"
    if isinstance(node, Crossing) and len(intervals) > 1:
        return f"a crossing is of one interval, got {' and '.join(map(str, intervals))}"
    return _apart(node, "compare")


def _apart(node: Arithmetic | Comparison | Crossing, what: str) -> str | None:
    left, right = dimension_of(node.left), dimension_of(node.right)
    if left is None or right is None or left == right:
        return None
    return (
        f"cannot {what} {_named(left)} and {_named(right)}: {node.left.text} and {node.right.text}; "
        "bring both to one dimension, or compare with a number"
    )


def dimension_of(node: Node) -> Dimension | None:
    """Return the dimension of a number; None if it is made of written numbers alone."""
    match node:
        case Field(name) | Reduced(_, Field(name)):
            return (0, 1) if name == "volume" else (1, 0)
        case Change():
            return (0, 0)
        case Negative(of):
            return dimension_of(of)
        case Arithmetic(sign, left, right):
            return _of_two(sign, dimension_of(left), dimension_of(right))
    return None


def _of_two(sign: str, left: Dimension | None, right: Dimension | None) -> Dimension | None:
    if sign in "+-" or (left is None and right is None):
        return right if left is None else left
    power = 1 if sign == "*" else -1
    price, volume = left or (0, 0)
    more_price, more_volume = right or (0, 0)
    return price + power * more_price, volume + power * more_volume


def _named(dimension: Dimension) -> str:
    return _NAMES.get(dimension, "another product of prices and volumes")
