"""The parts of a rule, and their canonical text; pure.

`parse` of a rule's `text` gives the same parts again: a rule is stored as its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

FieldName = Literal["open", "high", "low", "close", "volume", "vwap"]
Over = Literal["highest", "lowest", "average"]
Sign = Literal["+", "-", "*", "/"]
Relation = Literal[">", ">=", "<", "<="]

_OR, _AND, _NOT, _COMPARED, _SUM, _PRODUCT, _SIGNED, _ATOM = range(8)


class Node:
    """A part of a rule."""

    rank = _ATOM
    """How strongly it binds: a part of a lower rank stands in parentheses."""

    def children(self) -> Iterator[Node]:
        """Yield the parts directly below."""
        for field in fields(self):  # type: ignore[arg-type]  # every kind of node is a dataclass
            value = getattr(self, field.name)
            if isinstance(value, Node):
                yield value

    def walk(self) -> Iterator[Node]:
        """Yield the node and everything below it."""
        yield self
        for child in self.children():
            yield from child.walk()

    @property
    def text(self) -> str:
        """The canonical text."""
        raise NotImplementedError


@dataclass(frozen=True)
class Number(Node):
    """A number as it was written; ``5%`` is 0.05."""

    written: str

    @property
    def value(self) -> float:
        """What it stands for."""
        if self.written.endswith("%"):
            return float(self.written[:-1]) / 100
        return float(self.written)

    @property
    def text(self) -> str:
        """The canonical text."""
        return self.written


@dataclass(frozen=True)
class Field(Node):
    """A field of the running bar of ``interval`` sessions, or of the ``back``-th complete one before.

    Example: ``close(13)`` is the close of the running bar of 13 sessions, ``close(13)[1]`` that of the one
        before.
    """

    name: FieldName
    interval: int
    back: int = 0

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"{self.name}({self.interval})" + (f"[{self.back}]" if self.back else "")


@dataclass(frozen=True)
class Reduced(Node):
    """The highest, lowest or average of a field over the ``bars`` complete bars before the running one.

    ``skipped`` of the newest are left out: the level as it stood so many bars ago.
    """

    function: Over
    field: Field
    bars: int
    skipped: int = 0

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"{self.function}({self.field.text}, {self.bars})" + (
            f"[{self.skipped}]" if self.skipped else ""
        )


@dataclass(frozen=True)
class Change(Node):
    """The close against the close of the bar before, as a fraction: ``change(1) > 5%``."""

    interval: int
    back: int = 0

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"change({self.interval})" + (f"[{self.back}]" if self.back else "")


@dataclass(frozen=True)
class Negative(Node):
    """A number with its sign changed."""

    of: Node
    rank = _SIGNED

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"-{_within(self.of, _SIGNED)}"


@dataclass(frozen=True)
class Arithmetic(Node):
    """Two numbers by a sign."""

    sign: Sign
    left: Node
    right: Node

    @property
    def rank(self) -> int:  # type: ignore[override]  # that of its sign
        """How strongly it binds."""
        return _SUM if self.sign in "+-" else _PRODUCT

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"{_within(self.left, self.rank)} {self.sign} {_within(self.right, self.rank + 1)}"


@dataclass(frozen=True)
class Comparison(Node):
    """Whether a number is above or below another."""

    relation: Relation
    left: Node
    right: Node
    rank = _COMPARED

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"{_within(self.left, _SUM)} {self.relation} {_within(self.right, _SUM)}"


@dataclass(frozen=True)
class Crossing(Node):
    """Whether a number is above (below) another, and was not one bar ago; both of one interval."""

    is_upward: bool
    left: Node
    right: Node

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"crosses_{'above' if self.is_upward else 'below'}({self.left.text}, {self.right.text})"


@dataclass(frozen=True)
class Not(Node):
    """Whether a condition is false."""

    of: Node
    rank = _NOT

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"not {_within(self.of, _NOT)}"


@dataclass(frozen=True)
class Joined(Node):
    """Two conditions by ``and`` or ``or``."""

    word: Literal["and", "or"]
    left: Node
    right: Node

    @property
    def rank(self) -> int:  # type: ignore[override]  # that of its word
        """How strongly it binds."""
        return _AND if self.word == "and" else _OR

    @property
    def text(self) -> str:
        """The canonical text."""
        return f"{_within(self.left, self.rank)} {self.word} {_within(self.right, self.rank + 1)}"


Series = (Field, Reduced, Change)
"""Nodes that read bars."""


def _within(node: Node, rank: int) -> str:
    return node.text if node.rank >= rank else f"({node.text})"
