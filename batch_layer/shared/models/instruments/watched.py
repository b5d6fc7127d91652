"""What is said of the symbols that a provider is asked about one by one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Watched:
    """A symbol of which a person, or the provider's refusal, has said whether it is asked about.

    Attributes:
        symbol: the symbol.
        state: ``watched``, ``left_out`` or ``set_aside``.
        since: since when, aware.
        refusals: how often the provider has refused it in a row.
        next_ask: when one that is set aside is asked about again; None otherwise.
        note: what the provider said of it; "" otherwise.
    """

    symbol: str
    state: str
    since: dt.datetime
    refusals: int
    next_ask: dt.date | None
    note: str
