"""Market status as Massive writes it."""

from __future__ import annotations

import datetime as dt

import numpy as np

from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import NEW_YORK, new_york, new_york_date, utc64

_EXCHANGES = ("NYSE", "NASDAQ")
_EARLY_HOURS, _AFTER_HOURS = 4, 20


def market_status(market: Market, now: dt.datetime) -> dict:
    """Return the status at an instant."""
    schedule, today = market.schedule, new_york_date(now)
    index = int(np.searchsorted(schedule.dates, np.datetime64(today)))
    trades = index < len(schedule.dates) and schedule.dates[index] == np.datetime64(today)
    is_open = early = after = False
    if trades:
        instant = utc64(now)
        is_open = bool(schedule.opens[index] <= instant < schedule.closes[index])
        early = new_york(today, _EARLY_HOURS) <= now and bool(instant < schedule.opens[index])
        after = bool(instant >= schedule.closes[index]) and now < new_york(today, _AFTER_HOURS)
    extended = early or after
    word = "open" if is_open else "extended-hours" if extended else "closed"
    return {
        "afterHours": after,
        "currencies": {"crypto": "open", "fx": "open"},
        "earlyHours": early,
        "exchanges": {"nasdaq": word, "nyse": word, "otc": word},
        "indicesGroups": {"s_and_p": "open" if is_open else "closed"},
        "market": word,
        "serverTime": now.astimezone(NEW_YORK).isoformat(timespec="seconds"),
    }


def upcoming(market: Market, now: dt.datetime) -> list[dict]:
    """Return the holidays and early closes of the year after ``now``, a bare list."""
    schedule, today = market.schedule, new_york_date(now)
    until = today + dt.timedelta(days=365)
    days = [
        {"date": day.isoformat(), "name": name, "status": "closed"}
        for day, name in schedule.holidays(today, until)
    ]
    for index in np.flatnonzero(schedule.early):
        day = schedule.dates[index].astype(dt.date)
        if today < day <= until:
            hours = {"open": f"{schedule.opens[index]}.000Z", "close": f"{schedule.closes[index]}.000Z"}
            days.append({"date": day.isoformat(), "name": "Early Close", "status": "early-close"} | hours)
    return [
        {"exchange": exchange} | day
        for day in sorted(days, key=lambda day: day["date"])
        for exchange in _EXCHANGES
    ]
