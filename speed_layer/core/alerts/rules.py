"""A rule as it is kept, and when it fires; pure.

A rule rises for an instrument when it is true and was not at the evaluation before (``rise``), or was not
yet in this bar (``bar``). With hysteresis it rises again only after its re-arm condition was true. What was
true already when a rule was evaluated for the first time does not rise, unless the rule asks for that. How
often a rule that rises may fire is in `condvest.speed_layer.core.alerts.firing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np

from condvest.batch_layer.shared.core.windows import last_ordinals, windows_of
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.bars import Bools, Int32s
from condvest.speed_layer.core.alerts.language.nodes import Node, Series
from condvest.speed_layer.core.alerts.language.parsing import parse
from condvest.speed_layer.core.alerts.language.reading import interval_of, intervals_of, lookback_of
from condvest.speed_layer.core.alerts.rearming import Rearm, parse_rearm
from condvest.speed_layer.core.alerts.repaint import Repaint, repaint_of

Mode = Literal["provisional", "confirmed"]
Fires = Literal["rise", "bar"]
Once = Literal["bar", "session", "minute"]

_COOLDOWN = re.compile(r"([0-9]{1,6}) ?(m|h|minutes?|hours?|sessions?)")
_LONGEST = {"minutes": 525_600, "sessions": 10_000}


@dataclass(frozen=True)
class Cooldown:
    """How long a rule that has fired for an instrument does not fire for it again.

    Attributes:
        count: at least 1.
        unit: ``minutes`` of the data's clock, nights included, or ``sessions``: 1 is the session itself.
    """

    count: int
    unit: Literal["minutes", "sessions"]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return a cooldown that was written ``30m``, ``2h``, ``30 minutes`` or ``5 sessions``.

        Raises:
            UsageError: it is none, or longer than a year of minutes or 10,000 sessions.
        """
        match = _COOLDOWN.fullmatch(text.strip())
        unit: Literal["minutes", "sessions"] = "minutes"
        count = 0
        if match is not None:
            unit = "sessions" if match[2].startswith("s") else "minutes"
            count = int(match[1]) * (60 if match[2].startswith("h") else 1)
        if not 1 <= count <= _LONGEST[unit]:
            raise UsageError(
                f"a cooldown is 30m, 2h or 5 sessions; up to {_LONGEST['minutes']:,} minutes or "
                f"{_LONGEST['sessions']:,} sessions; got {text!r}"
            )
        return cls(count, unit)

    @property
    def text(self) -> str:
        """The canonical text, which `parse` reads: ``30 minutes``."""
        return f"{self.count} {self.unit}"


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
        once: how often it may fire for an instrument: once in its own bar, in a session, or in a minute of
            the data's clock.
        cooldown: for how long it does not fire again for an instrument; None for no longer than ``once``
            says.
        rearm_text: hysteresis: a margin (``2%``) by which the rule has to be untrue, or a condition that has
            to be true, before it may rise again; None: it has to be untrue.
    """

    rule_id: int
    name: str
    text: str
    mode: Mode = "provisional"
    fires: Fires = "rise"
    symbols: tuple[str, ...] | None = None
    at_once: bool = False
    once: Once = "bar"
    cooldown: Cooldown | None = None
    rearm_text: str | None = None

    @cached_property
    def rearm(self) -> Rearm | None:
        """The parsed hysteresis; raises RuleError."""
        return None if self.rearm_text is None else parse_rearm(self.rearm_text, self.node)

    @property
    def rearm_canonical(self) -> str | None:
        """The canonical text of the hysteresis, from which it is read again; None for none."""
        if self.rearm_text is None:
            return None
        return self.rearm.text if isinstance(self.rearm, Node) else self.rearm_text.strip()

    def checked(self) -> Self:
        """Return the rule if it makes sense.

        Raises:
            RuleError: its condition or its hysteresis does not parse.
            UsageError: it is of the mode ``confirmed``, and asks for what only running bars have.
        """
        self.node, self.rearm  # noqa: B018  # parsed here
        if self.mode == "confirmed":
            said = "a confirmed rule is looked at once a bar, when the bar is official"
            if self.once != "bar":
                raise UsageError(f"{said}; it cannot fire once a {self.once}")
            if self.cooldown is not None and self.cooldown.unit == "minutes":
                raise UsageError(f"{said}; its cooldown is in sessions, got {self.cooldown.text}")
            if self.rearm_text is not None:
                raise UsageError(
                    f"{said}; it has no hysteresis. Write what the bars before were into its condition, "
                    "such as close(1) > 100 and lowest(close(1), 5) < 98"
                )
        return self

    def parts(self) -> Iterator[Node]:
        """Yield every part of the condition, and of the re-arm condition."""
        yield from self.node.walk()
        if isinstance(self.rearm, Node):
            yield from self.rearm.walk()

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
        for part in rule.parts():
            if isinstance(part, Series):
                # A crossing reads its parts one bar further back, too.
                needs[interval_of(part)] = max(needs.get(interval_of(part), 1), lookback_of(part) + 1)
    return needs


@dataclass(frozen=True, eq=False)
class Seen:
    """Of which instruments a rule was true when it was last evaluated of each, or has not re-armed since.

    Attributes:
        window: of the rule's own bar, of the last evaluation.
        bits: bool by instrument id: whether it cannot rise; ids beyond the end can.
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


def risen(
    rule: Rule, window: int, before: Seen | None, ids: Int32s, is_true: Bools, rearms: Bools | None = None
) -> tuple[Bools, Seen]:
    """Return, per instrument evaluated, whether the rule rises, and what has been seen by now.

    Args:
        rule: the rule.
        window: of its own bar.
        before: what was seen before; None if nothing was.
        ids: int32, ascending, the instruments evaluated.
        is_true: bool of each.
        rearms: bool of each, whether it may rise from here on if it is not true; None: whatever is not true.

    Example, a rule that rises when it was not true before; instrument 2 was true before, 3 is not evaluated
    this time, 4 was true and has not re-armed::

        id       1      2      3             4      1: rises, for it was not true before
        before   False  True   True          True   2: true still
        now      True   True   (not traded)  False  3: stays as it was seen
        rearms   False  False                False  4: stays as it was seen, for it is untrue by too little
        after    True   True   True          True
    """
    size = max(int(ids[-1]) + 1 if len(ids) else 0, 0 if before is None else len(before.bits))
    bits = np.zeros(size, dtype=np.bool_)
    if before is not None and (rule.fires == "rise" or before.window == window):
        bits[: len(before.bits)] = before.bits
    at = _where(ids)
    is_first = before is None and not rule.at_once
    rises = np.zeros(len(ids), np.bool_) if is_first else is_true > bits[at]
    bits[at] = is_true if rearms is None else is_true | (bits[at] & ~rearms)
    return rises, Seen(window, bits)


def _where(ids: Int32s) -> Int32s | slice:
    """Return ascending ids as an index: a slice if none is missing between the first and the last."""
    if len(ids) and int(ids[-1]) - int(ids[0]) + 1 == len(ids):
        return slice(int(ids[0]), int(ids[-1]) + 1)
    return ids
