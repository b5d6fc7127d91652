"""A place among the tokens of a rule, and the steps from it that the parser takes; pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Never

from condvest.batch_layer.shared.settings import INTERVALS
from condvest.speed_layer.core.alerts.language.tokens import RuleError, Token, tokens_of

ALLOWED = (1, *INTERVALS)
"""The intervals that a rule may name, in sessions."""

MOST_BARS = 100
"""Complete bars that a rule may look back."""

_DEEPEST = 50
"""Parentheses and signs within one another."""


class Cursor:
    """Reads the tokens of a rule from the first to the last; each of its methods may raise RuleError."""

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._tokens = tokens_of(rule)
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    def interval(self) -> int:
        """Take an interval."""
        token = self.next
        if not token.text.isdecimal() or int(token.text) not in ALLOWED:
            allowed = ", ".join(map(str, ALLOWED))
            self.fail(token, f"expected an interval in sessions ({allowed}), got {token.shown}")
        return int(self.take().text)

    def count(self, what: str, least: int) -> int:
        """Take a whole number."""
        token = self.next
        if not token.text.isdecimal() or not least <= int(token.text) <= MOST_BARS:
            self.fail(token, f"expected a number of {what} from {least} to {MOST_BARS}, got {token.shown}")
        return int(self.take().text)

    @contextmanager
    def deeper(self, token: Token) -> Iterator[None]:
        """Go one level deeper while the block runs."""
        self._depth += 1
        if self._depth > _DEEPEST:
            self.fail(token, f"a rule has at most {_DEEPEST} levels of parentheses and signs")
        yield
        self._depth -= 1

    def take(self) -> Token:
        """Take a token."""
        self._at += 1
        return self._tokens[self._at - 1]

    def expect(self, sign: str, hint: str) -> None:
        """Take a sign that has to come here."""
        if self.next.text != sign:
            self.fail(self.next, f"expected {sign!r}, got {self.next.shown}; {hint}")
        self.take()

    def fail(self, token: Token, problem: str) -> Never:
        """Refuse the rule."""
        raise RuleError(self._rule, token.column, problem)
