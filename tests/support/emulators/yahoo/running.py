"""The day under way as Yahoo's quotes tell it, from the session's trades.

A naive second implementation: it knows nothing of the collector that it is to test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.support.emulators.synthetic.trades import COUNTS, SECOND, SETS_DAY, UNIT, Day, Trade


@dataclass(frozen=True)
class Running:
    """A symbol's regular session so far; ``at`` is the instant of its last trade."""

    at: int
    open: float
    high: float
    low: float
    price: float
    volume: int


def running(trades: list[Trade], instant: int) -> Running | None:
    """Return what is known at an instant; None before the first regular trade."""
    known = [trade for trade in trades if trade.is_known(instant)]
    regular = [trade for trade in known if trade.condition in SETS_DAY]
    if not regular:
        return None
    prices = [trade.price for trade in regular]
    units = sum(trade.size for trade in known if trade.condition in COUNTS)
    return Running(regular[-1].executed, prices[0], max(prices), min(prices), prices[-1], units // UNIT)


def quote(symbol: str, day: Day | None, instant: int, before: dict) -> dict:
    """Return the quote of a symbol: of the day under way, or of the session before."""
    now = running(day.trades[symbol_in(day, symbol)], instant) if day else None
    values = before
    if now is not None:
        values = {
            "regularMarketTime": now.at // SECOND,
            "regularMarketOpen": single(now.open),
            "regularMarketDayHigh": single(now.high),
            "regularMarketDayLow": single(now.low),
            "regularMarketPrice": single(now.price),
            "regularMarketVolume": now.volume,
        }
    state = "CLOSED" if day is None else _state(day, instant)
    return {"symbol": symbol, "marketState": state, "exchangeDataDelayedBy": 0, "priceHint": 2, **values}


def _state(day: Day, instant: int) -> str:
    if instant < day.opens:
        return "PRE"
    return "REGULAR" if instant < day.closes + SECOND else "POST"


def symbol_in(day: Day, symbol: str) -> str | None:
    """Return the ticker that Yahoo spells so; None if it does not trade on the day."""
    return next((name for name in day.trades if spelt(name) == symbol), None)


def spelt(ticker: str) -> str:
    """Return a ticker as Yahoo writes it."""
    return ticker.replace(".", "-").replace("p", "-P")


def single(value: float) -> float:
    """Return a number in single precision."""
    return float(np.float32(value))
