"""From a rule's text to its parts; pure. Nothing is evaluated, and a rule is refused where it stops parsing.

::

    rule       = all { "or" all }                    all        = denied { "and" denied }
    denied     = "not" denied | condition
    condition  = number relation number | crossing | "(" rule ")"
    crossing   = ("crosses_above" | "crosses_below") "(" number "," number ")"
    number     = product { ("+" | "-") product }     product    = signed { ("*" | "/") signed }
    signed     = "-" signed | atom
    atom       = NUMBER | NUMBER "%" | series [ "[" BACK "]" ] | "(" number ")"
    series     = field "(" INTERVAL ")" | "change" "(" INTERVAL ")"
               | ("highest" | "lowest" | "average") "(" field "(" INTERVAL ")" "," BARS ")"
    field      = "open" | "high" | "low" | "close" | "volume" | "vwap"
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from typing import TypeGuard, cast, get_args

from condvest.speed_layer.core.alerts.language.cursor import MOST_BARS, Cursor
from condvest.speed_layer.core.alerts.language.dimensions import check
from condvest.speed_layer.core.alerts.language.nodes import (
    Arithmetic,
    Change,
    Comparison,
    Crossing,
    Field,
    FieldName,
    Joined,
    Negative,
    Node,
    Not,
    Number,
    Over,
    Reduced,
    Relation,
    Sign,
)
from condvest.speed_layer.core.alerts.language.reading import lookback_of
from condvest.speed_layer.core.alerts.language.tokens import Token

_CONDITIONS = (Comparison, Crossing, Not, Joined)
Part = Callable[[], Node]
_FUNCTIONS = (*get_args(FieldName), "change", *get_args(Over), "crosses_above", "crosses_below")

_EXAMPLES = {
    "change": "change(1)",
    "highest": "highest(high(13), 4)",
    "lowest": "lowest(low(13), 4)",
    "average": "average(volume(5), 8)",
    "crosses_above": "crosses_above(close(1), average(close(1), 21))",
    "crosses_below": "crosses_below(close(1), average(close(1), 21))",
}


def parse(rule: str) -> Node:
    """Return the parts of a rule: a condition.

    Raises:
        RuleError: it does not parse, names an unknown field, function or interval, compares what cannot be
            compared, or reads no bar; the message says where, what came and what would parse.
    """
    parser = _Parser(rule)
    node = parser.rule()
    parser.end()
    return node


class _Parser(Cursor):
    def rule(self) -> Node:
        return self._condition(self.next, self._any())

    def end(self) -> None:
        if self.next.kind != "end":
            self.fail(self.next, f"expected and, or or the end of the rule, got {self.next.shown}")

    def _any(self) -> Node:
        """Parse a rule, or a number where the caller may want one."""
        return self._joined("or", lambda: self._joined("and", self._denied))

    def _joined(self, word: str, part: Part) -> Node:
        first = self.next
        node = part()
        while self.next.kind == "word" and self.next.text.lower() == word:
            self._condition(first, node)
            self.take()
            token = self.next
            right = self._condition(token, part())
            node = Joined("and" if word == "and" else "or", node, right)
        return node

    def _denied(self) -> Node:
        if self.next.kind == "word" and self.next.text.lower() == "not":
            self.take()
            token = self.next
            with self.deeper(token):
                return Not(self._condition(token, self._denied()))
        return self._compared()

    def _compared(self) -> Node:
        first = self.next
        left = self._sum()
        token = self.next
        if not _is_relation(token.text):
            return left
        self._number(first, left)
        self.take()
        begins = self.next
        right = self._number(begins, self._sum())
        node = Comparison(token.text, left, right)
        self._check(token, node)
        if _is_relation(self.next.text):
            self.fail(self.next, "a comparison has two sides; join two comparisons by and")
        return node

    def _sum(self) -> Node:
        return self._chain("+-", lambda: self._chain("*/", self._signed))

    def _chain(self, signs: str, part: Part) -> Node:
        first = self.next
        node = part()
        while self.next.kind == "sign" and self.next.text in signs:
            self._number(first, node)
            token = self.take()
            begins = self.next
            right = self._number(begins, part())
            node = Arithmetic(cast("Sign", token.text), node, right)
            self._check(token, node)
        return node

    def _signed(self) -> Node:
        token = self.next
        if token.text != "-":
            return self._atom()
        self.take()
        begins = self.next
        with self.deeper(token):
            return Negative(self._number(begins, self._signed()))

    def _atom(self) -> Node:
        token = self.next
        if token.kind == "number":
            self.take()
            if not math.isfinite(Number(token.text).value):
                self.fail(token, f"expected a number, got {token.shown}, which is too large")
            return Number(token.text)
        if token.text == "(":
            self.take()
            with self.deeper(token):
                node = self._any()
            self.expect(")", "close the parenthesis")
            return node
        if token.kind == "word":
            return self._called()
        return self.fail(token, f"expected a number, a field such as close(13), or (, got {token.shown}")

    def _called(self) -> Node:
        token = self.next
        name = token.text
        if name not in _FUNCTIONS:
            near = difflib.get_close_matches(name.lower(), _FUNCTIONS, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(_FUNCTIONS)}"
            self.fail(token, f"unknown name {name!r}; {hint}")
        self.take()
        self.expect("(", f"for example {_EXAMPLES.get(name, f'{name}(13)')}")
        if name.startswith("crosses_"):
            return self._crossing(token)
        node: Node
        if name in get_args(Over):
            field = self._field()
            self.expect(",", f"{name} takes a field and a number of bars: {_EXAMPLES[name]}")
            node = Reduced(cast("Over", name), field, self.count("bars", 1))
        else:
            interval = self.interval()
            node = Change(interval) if name == "change" else Field(cast("FieldName", name), interval)
        self.expect(")", f"for example {_EXAMPLES.get(name, f'{name}(13)')}")
        return self._back(token, node)

    def _field(self) -> Field:
        token = self.next
        if token.text not in get_args(FieldName):
            self.fail(token, f"expected a field such as high(13), got {token.shown}")
        self.take()
        self.expect("(", f"for example {token.text}(13)")
        interval = self.interval()
        self.expect(")", f"for example {token.text}({interval})")
        return Field(cast("FieldName", token.text), interval)

    def _crossing(self, token: Token) -> Node:
        begins = self.next
        left = self._number(begins, self._sum())
        self.expect(",", f"{token.text} takes two numbers: {_EXAMPLES[token.text]}")
        begins = self.next
        right = self._number(begins, self._sum())
        self.expect(")", f"for example {_EXAMPLES[token.text]}")
        node = Crossing(token.text == "crosses_above", left, right)
        self._check(token, node)
        for part in node.walk():
            if lookback_of(part) >= MOST_BARS:
                self.fail(token, f"{part.text} as it stood a bar ago needs more than {MOST_BARS} bars")
        return node

    def _back(self, token: Token, node: Node) -> Node:
        if self.next.text != "[":
            return node
        self.take()
        back = self.count("bars back", 1)
        self.expect("]", f"for example {node.text}[1]")
        match node:
            case Field(name, interval):
                node = Field(name, interval, back)
            case Change(interval):
                node = Change(interval, back)
            case Reduced(function, field, bars):
                node = Reduced(function, field, bars, back)
        if lookback_of(node) > MOST_BARS:
            self.fail(token, f"{node.text} needs more than {MOST_BARS} bars before the running one")
        return node

    def _condition(self, token: Token, node: Node) -> Node:
        if not isinstance(node, _CONDITIONS):
            self.fail(
                self.next if self.next.kind != "end" else token,
                f"{node.text} is a number, not a condition; compare it: {node.text} > 100",
            )
        return node

    def _number(self, token: Token, node: Node) -> Node:
        if isinstance(node, _CONDITIONS):
            self.fail(token, f"{node.text} is a condition, where a number is needed")
        return node

    def _check(self, token: Token, node: Arithmetic | Comparison | Crossing) -> None:
        problem = check(node)
        if problem is not None:
            self.fail(token, problem)


def _is_relation(text: str) -> TypeGuard[Relation]:
    return text in get_args(Relation)
