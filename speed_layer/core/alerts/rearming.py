"""When a rule that was true may rise again: hysteresis; pure.

A value that moves around a level makes a rule true and untrue again and again. With a margin (``2%``) the
rule has to be untrue by so much before it may rise again, with a condition that has to be true. What is
unknown re-arms nothing::

    close(1) > 100, re-arms at 2%    100.5 rises; 99 does not re-arm; 101 does not rise; 98 re-arms; 101 rises
"""

from __future__ import annotations

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools
from condvest.speed_layer.core.alerts.evaluating import Evaluation
from condvest.speed_layer.core.alerts.language.nodes import Comparison, Crossing, Node, Number, Series
from condvest.speed_layer.core.alerts.language.parsing import parse
from condvest.speed_layer.core.alerts.language.tokens import RuleError, tokens_of

Rearm = Node | float
"""A condition, or a margin above 0 and below 1."""

_WANTED = "a margin such as 2%, or a condition such as close(13) < 98"


def parse_rearm(text: str, rule: Node) -> Rearm:
    """Return a condition, or a margin, that re-arms a rule.

    Raises:
        RuleError: it is neither; or a margin, of a rule that compares with zero, where no margin is a
            fraction of the level.
    """
    first, *rest = tokens_of(text)
    if first.kind == "end":
        raise RuleError(text, first.column, f"expected {_WANTED}, got nothing")
    if all(token.kind in ("number", "end") or token.text in "+-" for token in (first, *rest)):
        margin = Number(first.text).value if first.kind == "number" else -1.0
        if len(rest) > 1 or not 0 < margin < 1:
            raise RuleError(text, first.column, f"expected {_WANTED}, between 0 and 100%, got {text.strip()}")
        for part in rule.walk():
            if isinstance(part, Comparison | Crossing) and _is_zero(part.right):
                raise RuleError(
                    text,
                    first.column,
                    f"a margin is a fraction of what is compared with, and {part.text} compares with 0; "
                    f"name a condition instead, such as {_example(part)}",
                )
        return margin
    return parse(text)


def rearms(evaluation: Evaluation, rule: Node, rearm: Rearm) -> Bools:
    """Return, per instrument of a market, whether a rule that was true may rise again once it is untrue."""
    if isinstance(rearm, Node):
        return evaluation.truth(rearm).is_true
    margin = evaluation.truth(rule).margin
    with np.errstate(invalid="ignore"):
        untrue: Bools = np.isfinite(margin) & (margin <= -rearm)
    return untrue


def _is_zero(node: Node) -> bool:
    """Return whether a number reads no bar, and is made of zeros alone."""
    parts = list(node.walk())
    numbers = [part.value for part in parts if isinstance(part, Number)]
    return not any(numbers) and not any(isinstance(part, Series) for part in parts)


def _example(part: Comparison | Crossing) -> str:
    is_above = part.is_upward if isinstance(part, Crossing) else part.relation in (">", ">=")
    return f"{part.left.text} < -1%" if is_above else f"{part.left.text} > 1%"
