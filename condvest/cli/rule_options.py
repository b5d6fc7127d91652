"""The options of a rule, which adding one and trying one have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from condvest.cli.options import symbol_list
from condvest.speed_layer.core.alerts.rules import Cooldown, Fires, Mode, Once, Rule


@dataclass(frozen=True)
class RuleOptions:
    """What the options say of a rule."""

    mode: Mode
    fires: Fires
    once: Once
    cooldown: str | None
    rearm: str | None
    symbols: str | None

    def rule(self, name: str, expression: str, *, at_once: bool = False) -> Rule:
        """Return the rule.

        Raises:
            RuleError: its condition or its hysteresis does not parse.
            UsageError: a cooldown is none, or its parts do not fit together.
        """
        return Rule(
            0,
            name,
            expression,
            self.mode,
            self.fires,
            symbol_list(self.symbols),
            at_once,
            self.once,
            None if self.cooldown is None else Cooldown.parse(self.cooldown),
            self.rearm,
        ).checked()


def rule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a rule; it gets them as ``options``."""

    @wraps(command)
    def gathered(
        *arguments: Any,  # noqa: ANN401  # handed on
        mode: Mode,
        fires: Fires,
        once: Once,
        cooldown: str | None,
        rearm: str | None,
        symbols: str | None,
        **rest: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        options = RuleOptions(mode, fires, once, cooldown, rearm, symbols)
        return command(*arguments, options=options, **rest)

    made: Callable[..., Any] = gathered
    for option in (
        click.option(
            "--rearm",
            metavar="MARGIN|EXPRESSION",
            help="Rise again only once it is untrue by a margin (2%), or once this is true.",
        ),
        click.option("--cooldown", metavar="SPAN", help="Rest so long after a firing: 30m, 2h, 5 sessions."),
        click.option(
            "--once",
            type=click.Choice(("bar", "session", "minute")),
            default="bar",
            show_default=True,
            help="How often at most for a symbol: once a bar, a session, or a minute of the data's clock.",
        ),
        click.option(
            "--fires",
            type=click.Choice(("rise", "bar")),
            default="rise",
            show_default=True,
            help="When it becomes true, or the same afresh in each bar.",
        ),
        click.option(
            "--mode",
            type=click.Choice(("provisional", "confirmed")),
            default="provisional",
            show_default=True,
            help="On running bars with a verdict later, or on official bars only.",
        ),
        click.option("--symbols", help="Symbols to watch, comma-separated. Default: the whole market."),
    ):
        made = option(made)
    return made
