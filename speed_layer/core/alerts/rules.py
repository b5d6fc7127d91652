"""A rule as it is kept, and when it fires; pure.

A rule fires for an instrument when it is true and was not at the evaluation before (``rise``), or was not
yet in this bar (``bar``); at most once a bar. What was true already when a rule was evaluated for the first
time does not fire, unless the rule asks for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np

from condvest.batch_layer.shared.core.windows import last_ordinals, windows_of
from condvest.batch_layer.shared.models.bars import Bools, Int32s
from condvest.speed_layer.core.alerts.nodes import Node, Series
from condvest.speed_layer.core.alerts.parsing import parse
from condvest.speed_layer.core.alerts.reading import interval_of, intervals_of, lookback_of
from condvest.speed_layer.core.alerts.repaint import Repaint, repaint_of

Mode = Literal["provisional", "confirmed"]
Fires = Literal["rise", "bar"]


@dataclass(frozen=True)
class Rule:
    """An alert rule.

    Attributes:
        rule_id: its number.
        name: what people call it.
        text: the condition.
        mode: ``provisional`` fires on running bars and gets a verdict when the bar is official; ``confirmed``
            fires on official bars only.
        fires: ``rise`` or ``bar``; see the module.
        symbols: of the instruments that it watches; all if None.
        at_once: whether what is true already at the first evaluation fires.
    """

    rule_id: int
    name: str
    text: str
    mode: Mode = "provisional"
    fires: Fires = "rise"
    symbols: tuple[str, ...] | None = None
    at_once: bool = False

    @cached_property
    def node(self) -> Node:
        """The parsed condition; raises RuleError."""
        return parse(self.text)

    @cached_property
    def interval(self) -> int:
        """Sessions of the rule's own bar: its longest interval."""
        return intervals_of(self.node)[-1]

    @cached_property
    def repaint(self) -> Repaint:
        """Whether what it says of a running bar may vanish."""
        return repaint_of(self.node)

    def window(self, ordinal: int) -> int:
        """Return the window of the rule's own bar that holds a session."""
        return int(windows_of(np.array([ordinal], np.int32), self.interval)[0])

    def last_ordinal(self, window: int) -> int:
        """Return the last session of a window of the rule's own bar."""
        return int(last_ordinals(np.array([window], np.int32), self.interval)[0])


Needs = dict[int, int]
"""Interval to how many complete bars before the running one are read."""


def needs_of(rules: list[Rule]) -> Needs:
    """Return what rules read."""
    needs: Needs = {}
    for rule in rules:
        for part in rule.node.walk():
            if isinstance(part, Series):
                # A crossing reads its parts one bar further back, too.
                needs[interval_of(part)] = max(needs.get(interval_of(part), 1), lookback_of(part) + 1)
    return needs


@dataclass(frozen=True, eq=False)
class Seen:
    """Of which instruments a rule was true when it was last evaluated of each.

    Attributes:
        window: of the rule's own bar, of the last evaluation.
        bits: bool by instrument id; ids beyond the end were false.
    """

    window: int
    bits: Bools

    @classmethod
    def of_bytes(cls, window: int, packed: bytes) -> Self:
        """Return what `packed` gave."""
        return cls(window, np.unpackbits(np.frombuffer(packed, np.uint8)).astype(np.bool_))

    def packed(self) -> bytes:
        """Return the bits, eight in a byte."""
        return np.packbits(self.bits).tobytes()


def fired(rule: Rule, window: int, before: Seen | None, ids: Int32s, is_true: Bools) -> tuple[Bools, Seen]:
    """Return, per instrument evaluated, whether the rule fires, and what has been seen by now.

    Example, a rule that fires on a rise; instrument 2 was true before, 3 is not evaluated this time::

        id       1      2      3                1: fires, for it was not true before
        before   False  True   True             2: true still
        now      True   True   (not traded)     3: stays as it was seen
    """
    size = max(int(ids[-1]) + 1 if len(ids) else 0, 0 if before is None else len(before.bits))
    bits = np.zeros(size, dtype=np.bool_)
    if before is not None and (rule.fires == "rise" or before.window == window):
        bits[: len(before.bits)] = before.bits
    at = _where(ids)
    is_first = before is None and not rule.at_once
    fires = np.zeros(len(ids), np.bool_) if is_first else is_true > bits[at]
    bits[at] = is_true
    return fires, Seen(window, bits)


def _where(ids: Int32s) -> Int32s | slice:
    """Return ascending ids as an index: a slice if none is missing between the first and the last."""
    if len(ids) and int(ids[-1]) - int(ids[0]) + 1 == len(ids):
        return slice(int(ids[0]), int(ids[-1]) + 1)
    return ids
