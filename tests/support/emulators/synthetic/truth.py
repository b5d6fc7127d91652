"""The truth about a market besides its bars, as plain records that JSON can carry.

Each function takes ``now``: None for all that will ever be, or an instant for what could be known then.
A split or a dividend can be known from the date of its announcement on.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.noise import uniform
from tests.support.emulators.synthetic.sessions import new_york_date

_DECLARED = 23


def splits(market: Market, now: dt.datetime | None = None) -> list[dict]:
    """Return the splits, ascending by ex date: a 2-for-1 split has split_from 1 and split_to 2."""
    known = None if now is None else new_york_date(now)
    records = []
    for split in market.splits:
        ex_date = market.date(split.ex)
        if known is not None and ex_date - dt.timedelta(days=split.announced) > known:
            continue
        records.append(
            {
                "instrument": split.instrument,
                "symbol": market.tickers_at(split.ex)[split.instrument],
                "ex_date": ex_date.isoformat(),
                "split_from": split.split_from,
                "split_to": split.split_to,
                "adjustment_type": split.adjustment_type,
            }
        )
    return records


def dividends(market: Market, now: dt.datetime | None = None) -> list[dict]:
    """Return the cash dividends, ascending by ex date, amounts in dollars as declared."""
    known = None if now is None else np.datetime64(new_york_date(now))
    table = market.dividends
    ex_date = market.schedule.dates[table.ex]
    ahead = 10 + (uniform(market.seed, _DECLARED, table.ex, table.instrument) * 30).astype(np.int64)
    declared = ex_date - ahead.astype("timedelta64[D]")
    return [
        {
            "instrument": int(table.instrument[row]),
            "symbol": market.tickers_at(int(table.ex[row]))[table.instrument[row]],
            "ex_date": str(ex_date[row]),
            "declaration_date": str(declared[row]),
            "record_date": str(ex_date[row]),
            "pay_date": str(ex_date[row] + np.timedelta64(14, "D")),
            "cash_amount": float(table.cash_amount[row]),
            "factor": float(table.factor[row]),
        }
        for row in range(len(table.ex))
        if known is None or declared[row] <= known
    ]


def renames(market: Market, now: dt.datetime | None = None) -> list[dict]:
    """Return the renames, ascending: on ``date`` the instrument first trades as ``new``."""
    last = market.count if now is None else market._ex_through(now)
    return [
        {"instrument": instrument, "date": market.date(at).isoformat(), "old": old, "new": new}
        for instrument, at, old, new in market.universe.renames
        if at < last and at < market.universe.end_at[instrument]
    ]


def instruments(market: Market, now: dt.datetime | None = None) -> list[dict]:
    """Return every instrument listed so far, with its names and their dates.

    ``from`` is a name's first session; ``to`` its last session, None while it is carried. A
    ``delisted_date`` is the last session of the instrument, None while it is listed.
    """
    last = market.count if now is None else market._ex_through(now)
    universe = market.universe
    records = []
    for instrument in np.flatnonzero(universe.list_at < max(last, 1)).tolist():
        gone = int(universe.end_at[instrument]) < last
        names = [
            {
                "symbol": ticker,
                "from": _first(market, instrument, since).isoformat(),
                "to": market.date(until - 1).isoformat() if until < last else None,
            }
            for ticker, since, until in universe.spans(instrument)
            if since < last
        ]
        records.append(
            {
                "instrument": instrument,
                "names": names,
                "list_date": universe.list_date(instrument, market.schedule.dates).isoformat(),
                "delisted_date": names[-1]["to"] if gone else None,
                "composite_figi": composite_figi(market, instrument),
                "share_class_figi": share_class_figi(market, instrument),
                "cik": cik(market, instrument),
                "type": str(universe.kind[instrument]),
                "primary_exchange": str(universe.exchange[instrument]),
                "otc": bool(universe.otc[instrument]),
            }
        )
    return records


def composite_figi(market: Market, instrument: int) -> str | None:
    """Return the FIGI, None where the vendor lacks it."""
    return f"BBG{market.seed % 100:02d}{instrument:07d}" if market.universe.has_figi[instrument] else None


def share_class_figi(market: Market, instrument: int) -> str | None:
    """Return the share class FIGI, None where the vendor lacks it."""
    return f"BBG{market.seed % 100:02d}S{instrument:06d}" if market.universe.has_figi[instrument] else None


def cik(market: Market, instrument: int) -> str | None:
    """Return the registrant's number, ten digits, None where the vendor lacks it."""
    return f"{1_000_000 + instrument:010d}" if market.universe.has_cik[instrument] else None


def _first(market: Market, instrument: int, since: int) -> dt.date:
    return market.date(since) if since >= 0 else market.universe.list_date(instrument, market.schedule.dates)
