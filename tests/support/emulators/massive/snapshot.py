"""The snapshot of the market as Massive writes it, from the daily truth and a path that leads to it.

A path is one price a quarter of an hour: it begins at the true open, touches the true extremes and ends at
the true close. ``day`` has the prices of regular hours and the volume of the whole date; before an
instrument's first regular trade all of it is 0. All is cleared before 04:00 in New York.
"""

from __future__ import annotations

import datetime as dt
import random

from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york, new_york_date

QUARTER = dt.timedelta(minutes=15)
_ZEROS = dict.fromkeys(("o", "h", "l", "c", "v", "vw"), 0)
_BEFORE, _AFTER = 0.04, 0.03
"""Shares of a date's volume that are traded before the open and after the close."""


def tickers(market: Market, now: dt.datetime, delay: dt.timedelta) -> list[dict]:
    """Return the tickers of the snapshot at ``now``, whose data are ``delay`` older."""
    through = now - delay
    session = _session(market, through)
    if session is None:
        return []
    at = market.schedule.index(session)
    opens, closes = (
        times[at].astype(dt.datetime).replace(tzinfo=dt.UTC)
        for times in (market.schedule.opens, market.schedule.closes)
    )
    rows = market.bars(session, closes)
    is_cleared = new_york_date(through) != session
    records = []
    for row in range(len(rows)):
        symbol = rows.symbol[row]
        true = {name: float(getattr(rows, name)[row]) for name in ("open", "high", "low", "close", "volume")}
        day = _ZEROS if is_cleared else _day(path_of(symbol, session, true, opens, closes), true, through)
        records.append(
            {
                "ticker": symbol,
                "todaysChange": 0,
                "day": day,
                "prevDay": dict(_ZEROS),
                "updated": 0 if is_cleared else int(through.timestamp()) * 1_000_000_000,
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


def path_of(
    symbol: str, session: dt.date, true: dict, opens: dt.datetime, closes: dt.datetime
) -> list[tuple[dt.datetime, float]]:
    """Return (instant, price) of an instrument's trades in regular hours; always the same."""
    draw = random.Random(f"{symbol} {session}")
    count = int((closes - opens) / QUARTER) + 1
    first = draw.choice([0, 0, 0, draw.randrange(count // 2)])
    instants = [min(opens + QUARTER * number, closes) for number in range(first, count)]
    prices = [draw.uniform(true["low"], true["high"]) for _ in instants]
    low, high = draw.sample(range(1, len(prices) - 1), 2)
    prices[low], prices[high] = true["low"], true["high"]
    prices[0], prices[-1] = true["open"], true["close"]
    return list(zip(instants, prices, strict=True))


def _day(path: list[tuple[dt.datetime, float]], true: dict, through: dt.datetime) -> dict:
    """Return the daily bar so far, from the trades so far."""
    prices = [round(price, 4) for instant, price in path if instant <= through]
    if not prices:
        return dict(_ZEROS)
    traded = _BEFORE + (1 - _BEFORE - _AFTER) * len(prices) / len(path)
    volume = true["volume"] if through >= path[-1][0] + 4 * QUARTER else round(true["volume"] * traded)
    mean = round(sum(prices) / len(prices), 4)
    return {"o": prices[0], "h": max(prices), "l": min(prices), "c": prices[-1], "v": volume, "vw": mean}
