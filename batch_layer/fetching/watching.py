"""Which symbols a night asks a provider about that answers by symbol. Pure.

Those that it has supplied, and those that a person added; less those that a person left out, and those that
it has nothing of any more: they are set aside, and asked about seldom.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from condvest.batch_layer.shared.models.instruments.watched import Watched

LONGEST_ASIDE = 32
"""Days at most until a symbol that is set aside is asked about again: 1 at first, then 2, 4, 8 and so on."""

MOST_SET_ASIDE = 0.1
"""Companies are delisted one by one: a night that refuses more than a tenth of them sets none aside."""

FEW = 3
"""So many may be set aside in a night whatever their share."""


@dataclass(frozen=True)
class NightlySymbols:
    """Whom a night asks about.

    Attributes:
        usual: the symbols of every night, ascending.
        whole: those whose whole history is asked for, ascending: they are new, or were set aside for a while.
    """

    usual: list[str]
    whole: list[str]


def symbols_of_night(
    supplied: Collection[str], watched: Mapping[str, Watched], today: dt.date
) -> NightlySymbols:
    """Return whom a night asks about if nobody names symbols.

    For example, Yahoo has supplied A, B and C; D was added, B left out, and C set aside until 06-10. On 06-03
    it is asked about A as every night, and about the whole of D; from 06-10 on of C, too.
    """
    usual = [symbol for symbol in supplied if symbol not in watched or watched[symbol].state == "watched"]
    added = [
        each.symbol for each in watched.values() if each.state == "watched" and each.symbol not in supplied
    ]
    due = [
        each.symbol
        for each in watched.values()
        if each.state == "set_aside" and each.next_ask is not None and each.next_ask <= today
    ]
    return NightlySymbols(sorted(usual), sorted({*added, *due}))


def set_aside(
    refused: Mapping[str, str],
    asked: Sequence[str],
    supplied: Collection[str],
    watched: Mapping[str, Watched],
    now: dt.datetime,
    today: dt.date,
) -> list[Watched]:
    """Return the symbols to be set aside after a night, in their order.

    Only those of which the provider has given bars: a new symbol that it does not know is misspelt. None if
    the provider refused too many to be believed.

    Args:
        refused: why, by symbol.
        asked: all symbols of the night.
        supplied: the symbols of which it has given bars.
        watched: what is said of symbols.
        now: the instant, aware.
        today: the date of the night.
    """
    gone = sorted(symbol for symbol in refused if symbol in supplied or _is_aside(watched, symbol))
    fresh = [symbol for symbol in gone if not _is_aside(watched, symbol)]
    if len(fresh) > max(FEW, MOST_SET_ASIDE * len(asked)):
        return []
    aside = []
    for symbol in gone:
        before = watched.get(symbol)
        refusals = 1 + (before.refusals if before is not None and before.state == "set_aside" else 0)
        since = before.since if before is not None and before.state == "set_aside" else now
        days = min(2 ** (refusals - 1), LONGEST_ASIDE)
        next_ask = today + dt.timedelta(days)
        aside.append(Watched(symbol, "set_aside", since, refusals, next_ask, refused[symbol]))
    return aside


def _is_aside(watched: Mapping[str, Watched], symbol: str) -> bool:
    return symbol in watched and watched[symbol].state == "set_aside"
