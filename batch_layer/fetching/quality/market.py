"""Judge a whole market's session, and symbols beside one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

RECENT_SESSIONS = 20
"""A session is compared with the last 20 complete ones: a month, in which a market hardly changes size."""

LEAST_SESSIONS = 5
"""With fewer to compare with, nothing is said."""

LEAST_ROWS = 20
"""Below 20 rows a session one company more or less is a large share, so nothing is said."""

LEAST_SHARE = 0.8
"""Listings come and go by a few in a thousand a month; a fifth gone is an answer cut short."""


def looks_partial(rows: int, recent: Sequence[int]) -> bool:
    """Tell whether a whole market's session was cut short.

    It was if its ``rows`` are fewer than LEAST_SHARE of the median of the last RECENT_SESSIONS complete
    sessions. False where fewer than LEAST_SESSIONS are known or the median is below LEAST_ROWS.

    Args:
        rows: how many daily bars the session has.
        recent: the numbers of daily bars of complete sessions before it, ascending by session.
    """
    compared = recent[-RECENT_SESSIONS:]
    if len(compared) < LEAST_SESSIONS:
        return False
    median = float(np.median(compared))
    return median >= LEAST_ROWS and rows < LEAST_SHARE * median


def spelling_twins(symbols: Iterable[str], known: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """Return the symbols that differ from another by case or separator only, each with those others, sorted.

    ``KIMpL`` and ``KIMPL``, or ``BRK.B``, ``BRK/B`` and ``BRK-B``. Tickers are case-sensitive, and which
    spelling a file means is not guessed, so this is a notice and refuses nothing.

    Args:
        symbols: the symbols to look at.
        known: further symbols that they may be twins of.
    """
    looked_at = set(symbols)
    spellings = defaultdict(set)
    for symbol in looked_at.union(known):
        spellings[_without_spelling(symbol)].add(symbol)
    return {
        symbol: tuple(sorted(spellings[_without_spelling(symbol)] - {symbol}))
        for symbol in sorted(looked_at)
        if len(spellings[_without_spelling(symbol)]) > 1
    }


def _without_spelling(symbol: str) -> str:
    return symbol.upper().translate(_SEPARATORS)


_SEPARATORS = str.maketrans("/-", "..")
