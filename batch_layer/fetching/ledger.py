"""Which sessions a load enters in the ledger, and what that means for bars. Pure."""

from __future__ import annotations

import bisect

import numpy as np

from condvest.batch_layer.fetching.quality import looks_partial
from condvest.batch_layer.fetching.quality.market import RECENT_SESSIONS
from condvest.batch_layer.shared.models.bars import Bools, Int32s
from condvest.batch_layer.shared.models.loads import LedgerRows

FAR = 252
"""Sessions more than about a year apart are not compared: the market grows."""


def complete_sessions(ordinal: Int32s, passed: Int32s, ledger: LedgerRows) -> Bools:
    """Return, for each session of a vendor's whole-market answer, whether it is there in full.

    It is compared with the complete sessions nearest to it, on either side: a backfill may go back in time.

    Args:
        ordinal: int32, ascending: the sessions asked for.
        passed: int32 a session, rows that passed.
        ledger: what the ledger holds of the provider before the load.
    """
    others = ledger.take(ledger.complete & ~np.isin(ledger.ordinal, ordinal))
    known = list(zip(others.ordinal.tolist(), others.passed.tolist(), strict=True))
    complete = np.zeros(len(ordinal), dtype=bool)
    for number, (session, count) in enumerate(zip(ordinal.tolist(), passed.tolist(), strict=True)):
        complete[number] = count > 0 and not looks_partial(count, _nearest(session, known))
        if complete[number]:
            bisect.insort(known, (session, count))
    return complete


def sessions_in_doubt(ledger: LedgerRows) -> Int32s:
    """Return the complete sessions (ascending) that look cut short beside those that were loaded later.

    The first few of a provider had nothing to be compared with.
    """
    complete = ledger.take(ledger.complete)
    known = list(zip(complete.ordinal.tolist(), complete.passed.tolist(), strict=True))
    in_doubt = [looks_partial(count, _nearest(session, known)) for session, count in known]
    doubted: Int32s = complete.ordinal[np.array(in_doubt, dtype=bool)]
    return doubted


def _nearest(session: int, known: list[tuple[int, int]]) -> list[int]:
    """Return the counts of the other sessions nearest to one, from pairs (session, count), ascending."""
    at = bisect.bisect_left(known, (session,))
    around = known[max(0, at - RECENT_SESSIONS) : at + RECENT_SESSIONS + 1]
    distances = sorted(
        (abs(other - session), other, count) for other, count in around if 0 < abs(other - session) <= FAR
    )
    return [count for _, _, count in distances[:RECENT_SESSIONS]]


def keep_complete(entries: LedgerRows, ledger: LedgerRows) -> LedgerRows:
    """Return the entries less those that would make a complete session partial.

    Nothing is withdrawn on the word of a partial answer, so what made the session complete is still there.
    """
    was_complete = np.isin(entries.ordinal, ledger.ordinal[ledger.complete])
    return entries.take(entries.complete | ~was_complete)


def entered(ledger: LedgerRows, entries: LedgerRows) -> LedgerRows:
    """Return what the ledger holds when the entries have been made in it."""
    others = ledger.take(~np.isin(ledger.ordinal, entries.ordinal))
    rows = LedgerRows.concat([others, entries])
    return rows.take(np.argsort(rows.ordinal, kind="stable"))


def sessions_affected(entries: LedgerRows, ledger: LedgerRows) -> Int32s:
    """Return the ordinals (ascending) at which a bar may change by what the ledger says, not by its rows.

    Those are the sessions that are new to the ledger or become complete, and all that come to lie at or
    before the last loaded session, which ends the split basis of open windows.
    """
    is_new = ~np.isin(entries.ordinal, ledger.ordinal)
    was_complete = np.isin(entries.ordinal, ledger.ordinal[ledger.complete])
    affected = entries.ordinal[is_new | (entries.complete & ~was_complete)]
    if len(ledger) and len(entries):
        passed_over = np.arange(ledger.ordinal[-1] + 1, entries.ordinal[-1] + 1, dtype=np.int32)
        affected = np.union1d(affected, passed_over)
    return affected.astype(np.int32)


def missing_sessions(ledger: LedgerRows, first: int, last: int) -> Int32s:
    """Return the ordinals from first to last (inclusive) that the ledger does not hold as complete."""
    wanted = np.arange(first, last + 1, dtype=np.int32)
    return wanted[~np.isin(wanted, ledger.ordinal[ledger.complete])]
