"""Trades folded as Massive folds them, trade by trade: the day so far, and the minutes as they are sent.

A naive second implementation: it knows nothing of the collector that it is to test.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass

from tests.support.emulators.synthetic.trades import (
    COUNTS,
    LATE_WINDOW,
    MINUTE,
    NEVER,
    OFFICIAL_OPEN,
    SECOND,
    SETS_DAY,
    SETS_MINUTE,
    UNIT,
    Day,
    Trade,
)

ZEROS = dict.fromkeys(("o", "h", "l", "c", "v", "vw"), 0)
LARGEST_LAG = 2 * SECOND
"""After its end a minute of the whole market has been sent within so long."""


def day_so_far(trades: list[Trade], instant: int) -> dict:
    """Return ``day`` of the snapshot at an instant: zeros before the first trade that sets a price of it."""
    known = [trade for trade in trades if trade.is_known(instant)]
    prices = [trade.price for trade in known if trade.condition in SETS_DAY]
    if not prices:
        return dict(ZEROS)
    units, vwap = _volume(known)
    return {
        "o": prices[0],
        "h": max(prices),
        "l": min(prices),
        "c": prices[-1],
        "v": units // UNIT,
        "dv": _decimal(units),
        "vw": vwap,
    }


def last_change(trades: list[Trade], instant: int) -> int:
    """Return when an instrument's row changed last, 0 if it has not."""
    changes = [trade.reported for trade in trades] + [
        trade.cancelled for trade in trades if trade.cancelled != NEVER
    ]
    return max((change for change in changes if change <= instant), default=0)


@dataclass(frozen=True)
class Sent:
    """A minute message, when it is sent, and of which minute it is; microseconds."""

    at: int
    start: int
    message: dict


def minutes_of(day: Day, seed: int = 0) -> list[Sent]:
    """Return all minute messages of a session as they are sent, first ones and those sent again."""
    sent = []
    for symbol, trades in day.trades.items():
        draw = random.Random(f"{symbol} {day.session} {seed}")
        sent += _of_symbol(symbol, trades, day, draw)
    return sorted(sent, key=lambda sent: (sent.at, sent.message["sym"]))


def _of_symbol(symbol: str, trades: list[Trade], day: Day, draw: random.Random) -> list[Sent]:
    by_minute = defaultdict(list)
    for trade in trades:
        if trade.condition in COUNTS:
            by_minute[trade.executed // MINUTE * MINUTE].append(trade)
    sent = []
    for start, own in by_minute.items():
        end = start + MINUTE
        # Whatever becomes known within the window is sent; what comes later never is.
        times = {end} | {_next_burst(trade.reported) for trade in own if trade.reported > end}
        times |= {_next_burst(trade.cancelled) for trade in own if trade.cancelled != NEVER}
        for time in sorted(times):
            known = [trade for trade in own if trade.is_known(time)]
            if time > end + LATE_WINDOW or not any(trade.condition in SETS_MINUTE for trade in known):
                continue
            at = time + draw.randrange(200_000, LARGEST_LAG)
            sent.append(Sent(at, start, _message(symbol, known, trades, start, time, day)))
    return sent


def _next_burst(instant: int) -> int:
    return (instant // MINUTE + 1) * MINUTE


def _message(symbol: str, known: list[Trade], trades: list[Trade], start: int, time: int, day: Day) -> dict:
    end = start + MINUTE
    prices = [trade.price for trade in known if trade.condition in SETS_MINUTE]
    so_far = [trade for trade in trades if trade.executed < end and trade.is_known(time)]
    opened = [trade.price for trade in trades if trade.condition == OFFICIAL_OPEN and trade.reported < end]
    units, vwap = _volume(known)
    day_units, day_vwap = _volume(so_far)
    message = {
        "ev": "AM",
        "sym": symbol,
        "v": units // UNIT,
        "av": day_units // UNIT,
        "op": opened[0] if opened else 0,
        "vw": vwap,
        "o": prices[0],
        "c": prices[-1],
        "h": max(prices),
        "l": min(prices),
        "a": day_vwap,
        "z": units // UNIT // len(known),
        "s": start // 1000,
        "e": end // 1000,
        "dv": _decimal(units),
        "dav": _decimal(day_units),
    }
    if not opened and start >= day.opens:
        del message["op"]  # absent or 0: both are seen
    return message


def _volume(trades: list[Trade]) -> tuple[int, float]:
    """Return units and vwap of trades."""
    counted = [trade for trade in trades if trade.condition in COUNTS]
    units = sum(trade.size for trade in counted)
    return units, round(sum(trade.price * trade.size for trade in counted) / units, 4) if units else 0.0


def _decimal(units: int) -> str:
    return f"{units // UNIT}.{units % UNIT:04}"
