"""The words of a rule, and where each stands; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from condvest.batch_layer.shared.errors import UsageError

LONGEST = 1000
"""Characters of a rule."""

MOST_TOKENS = 300
"""Words, numbers and signs of a rule."""

Kind = Literal["number", "word", "sign", "end"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?%?)|(?P<word>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign>>=|<=|[-+*/()<>,\[\]])|(?P<end>\Z))"
)


class RuleError(UsageError):
    """A rule that does not parse, or makes no sense.

    Attributes:
        rule: its text.
        column: where it stops making sense, from 1.
        problem: what was expected there, and what came.
    """

    def __init__(self, rule: str, column: int, problem: str) -> None:
        shown = "".join(character if character.isprintable() else " " for character in rule)
        super().__init__(f"column {column}: {problem}\n  {shown}\n  {' ' * (column - 1)}^")
        self.rule = rule
        self.column = column
        self.problem = problem


@dataclass(frozen=True)
class Token:
    """One word, number or sign, and the column at which it begins, from 1."""

    kind: Kind
    text: str
    column: int

    @property
    def shown(self) -> str:
        """The token in a message."""
        return "the end of the rule" if self.kind == "end" else repr(self.text)


def tokens_of(rule: str) -> list[Token]:
    """Return the tokens of a rule; the last one is its end.

    Raises:
        RuleError: it is too long, or has a character that no rule has.
    """
    if len(rule) > LONGEST:
        raise RuleError(rule[:60], 1, f"a rule has at most {LONGEST} characters, got {len(rule)}")
    tokens: list[Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(rule, position)
        if match is None:
            at = position + len(rule[position:]) - len(rule[position:].lstrip())
            raise RuleError(rule, at + 1, _unknown(rule[at]))
        kind: Kind = match.lastgroup  # type: ignore[assignment]  # the groups are the kinds
        tokens.append(Token(kind, match[kind], match.start(kind) + 1))
        position = match.end()
        if len(tokens) > MOST_TOKENS:
            raise RuleError(
                rule, tokens[-1].column, f"a rule has at most {MOST_TOKENS} words, numbers and signs"
            )
    return tokens


def _unknown(character: str) -> str:
    meant = {"=": "a comparison is >, >=, < or <=", "&": "write and", "|": "write or", "!": "write not"}
    hint = meant.get(character, "a rule has names, numbers, + - * / ( ) [ ] , and comparisons")
    return f"no rule has the character {character!r}; {hint}"
