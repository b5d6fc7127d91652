"""The snapshot of the market as Massive writes it, from the session's trades.

``day`` has the prices of regular hours and the volume of the whole date; before an instrument's first
regular trade all of it is 0. All is cleared before 04:00 in New York.
"""

from __future__ import annotations

import datetime as dt

from tests.support.emulators.massive.folding import ZEROS, day_so_far, last_change
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york, new_york_date
from tests.support.emulators.synthetic.trades import SECOND, Day


def tickers(market: Market, now: dt.datetime, delay: dt.timedelta, day_of, updated: str) -> list[dict]:
    """Return the tickers of the snapshot at ``now``, whose data are ``delay`` older.

    Args:
        market: the market.
        now: the instant.
        delay: how late the data are.
        day_of: gives the trades of a session.
        updated: what ``updated`` says: when the ``answer`` was made, or when the row's last ``trade`` came.
    """
    through = now - delay
    session = _session(market, through)
    if session is None:
        return []
    day: Day = day_of(session)
    instant = int(through.timestamp() * SECOND)
    is_cleared = new_york_date(through) != session
    records = []
    for symbol, trades in day.trades.items():
        changed = instant if updated == "answer" else last_change(trades, instant)
        records.append(
            {
                "ticker": symbol,
                "todaysChange": 0,
                "day": dict(ZEROS) if is_cleared else day_so_far(trades, instant),
                "prevDay": dict(ZEROS),
                "updated": 0 if is_cleared else changed * 1000,
            }
        )
    return records


def _session(market: Market, through: dt.datetime) -> dt.date | None:
    """Return the session whose values stand there: of the date, from 04:00 on; before it the last one's."""
    date = new_york_date(through)
    while date >= market.sessions()[0]:
        if market.schedule.index(date) is not None and through >= new_york(date, 4):
            return date
        date -= dt.timedelta(days=1)
    return None
