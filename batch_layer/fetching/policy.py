"""What a night asks a provider for. Pure: the laptop's nightly run and the functions on AWS both ask by it.

The laptop knows what it holds from the ledger in the database; the functions, which have no database, from
the keys in the archive. Either way it comes here as dates.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

ACTIONS_OVERLAP = dt.timedelta(days=30)
"""Splits and dividends are asked for again from this long before the newest session, for late corrections."""

RENAMES_OVERLAP = dt.timedelta(days=14)
"""A night asks for the renames of instruments that are new, or have a new symbol, since so long before."""

LOOK_BACK = 10
"""A night on AWS also asks for what the archive lacks of so many newest sessions: nights that failed."""

WHOLE_AT_LEAST = 10
WHOLE_SHARE = 20
"""Each night a provider that answers by symbol is asked for the whole history of one symbol in WHOLE_SHARE,
of WHOLE_AT_LEAST at least, in turn: so a split that it had lost for a while is found, and the prices before
it are set right."""


def sessions_of_night(
    missing: Iterable[dt.date], newest: Sequence[dt.date], ask_again: int, *, first_held: dt.date | None
) -> list[dt.date]:
    """Return the sessions that a night asks for, ascending: the missing ones, and the newest again.

    For example, with 06-03 missing, the newest three 06-03, 06-04, 06-05 and two to be asked again:
    06-03, 06-04, 06-05.

    Args:
        missing: closed sessions that are not held as complete.
        newest: closed sessions that the provider covers, ascending.
        ask_again: how many of the newest are asked for although they are held, since vendors correct them.
        first_held: the first session held; older ones were never asked for. None if nothing is held.
    """
    again = newest[-ask_again:] if ask_again and first_held is not None else ()
    return sorted({*missing, *(session for session in again if first_held and session >= first_held)})


def sessions_on_aws(
    newest: Sequence[dt.date], is_archived: Callable[[dt.date], bool], ask_again: int
) -> list[dt.date]:
    """Return the sessions that a scheduled function asks for, newest first, for those count most.

    Args:
        newest: the newest closed sessions, ascending.
        is_archived: whether the archive holds an answer of a session; not called for those asked for anyway.
        ask_again: how many of the newest are asked for although they are archived; at least one is.
    """
    recent = newest[-LOOK_BACK:]
    again = recent[-max(ask_again, 1) :]
    return [session for session in reversed(recent) if session in again or not is_archived(session)]


def actions_since(first_held: dt.date | None, newest: dt.date | None, *, is_first: bool) -> dt.date | None:
    """Return from which ex-date on splits and dividends are asked for; None for all of them.

    Args:
        first_held: the first session held; None if nothing is held.
        newest: the last session held; None if nothing is held.
        is_first: whether none was ever loaded. A backfill that was stopped may have left bars without them.
    """
    return first_held if is_first or newest is None else newest - ACTIONS_OVERLAP


def renames_since(sessions: Sequence[dt.date]) -> dt.date | None:
    """Return since when an instrument counts as new for a night that asks for these sessions."""
    return min(sessions) - RENAMES_OVERLAP if sessions else None


def first_of_symbols(
    symbols: Sequence[str],
    first: dt.date,
    *,
    in_doubt: Mapping[str, dt.date],
    first_held: Mapping[str, dt.date],
    night: dt.date,
) -> dict[str, dt.date]:
    """Return the first session that each symbol is asked for.

    For example, of AAPL, MSFT and KIM, when AAPL's prices since 03-01 are in doubt and it is the turn of KIM,
    whose bars begin on 1991-11-22: ``{AAPL: 03-01, MSFT: 06-03, KIM: 1991-11-22}``.

    Args:
        symbols: the symbols to be asked about, in the order in which they are asked.
        first: the first session that the night asks for.
        in_doubt: the first session in doubt, by symbol.
        first_held: the first session held, by symbol.
        night: the date of the night; it says whose turn it is to be asked as a whole.
    """
    count = max(WHOLE_AT_LEAST, -(-len(symbols) // WHOLE_SHARE))
    turns = max(1, -(-len(symbols) // count))
    whole = {symbol for symbol in symbols if _number_of(symbol) % turns == night.toordinal() % turns}
    return {
        symbol: min(
            first,
            in_doubt.get(symbol, first),
            first_held.get(symbol, first) if symbol in whole else first,
        )
        for symbol in symbols
    }


def _number_of(symbol: str) -> int:
    """Return a number that is the same in every process, unlike Python's hash."""
    return int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:4], "big")
