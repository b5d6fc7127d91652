"""The trades of a session, which come to the market's daily bars: one truth for stream and snapshot.

Every instrument with a daily bar has an opening and a closing auction (16:00:00 and a bit), regular trades
that touch the extremes, odd lots and trades before the open and after the close, which add volume and set no
price of the day, prints of the official open and close, which add nothing, late reports up to 14:59 after
the trade and some later ones, and trades that are cancelled. The sizes come to the day's volume exactly, for
they are whole numbers of ten-thousandths of a share.

Some instruments that have no daily bar trade nevertheless: before the open only, or in odd lots only.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york

SECOND = 1_000_000
MINUTE = 60 * SECOND
UNIT = 10_000
"""Units in a share."""

NEVER = 2**62

# Conditions of the consolidated tape that matter here, by the vendor's numbers.
REGULAR, FORM_T, CLOSING, OFFICIAL_CLOSE, OFFICIAL_OPEN, ODD_LOT = 0, 12, 8, 15, 16, 37
SETS_DAY = frozenset({REGULAR, CLOSING})
SETS_MINUTE = frozenset({REGULAR, CLOSING, FORM_T})
"""Form T sets prices of the minutes before the open and after the close, never of the day."""
COUNTS = frozenset({REGULAR, CLOSING, FORM_T, ODD_LOT})

LATE_WINDOW = 15 * MINUTE
"""A minute is sent again for a trade reported within it; a later one is in the day alone."""


@dataclass(frozen=True)
class Trade:
    """A trade; instants in microseconds since 1970-01-01 UTC, size in UNITs of a share."""

    executed: int
    reported: int
    price: float
    size: int
    condition: int = REGULAR
    cancelled: int = NEVER

    def is_known(self, instant: int) -> bool:
        return self.reported <= instant < self.cancelled


@dataclass(frozen=True)
class Day:
    """A session's trades, by symbol, and its hours in microseconds."""

    session: dt.date
    opens: int
    closes: int
    trades: dict[str, list[Trade]]


def day_of(market: Market, session: dt.date) -> Day:
    """Return the trades of a session; always the same."""
    at = market.schedule.index(session)
    opens, closes = (
        int(times[at].astype("int64")) * SECOND for times in (market.schedule.opens, market.schedule.closes)
    )
    first = int(new_york(session, 4).timestamp()) * SECOND
    rows = market.bars(session, market.schedule.closes[at].astype(dt.datetime).replace(tzinfo=dt.UTC))
    trades = {}
    for row, symbol in enumerate(rows.symbol.tolist()):
        bar = [float(getattr(rows, name)[row]) for name in ("open", "high", "low", "close", "volume")]
        trades[symbol] = _trades_of(random.Random(f"{symbol} {session}"), bar, first, opens, closes)
    idle = sorted(set(market.tickers_at(at).tolist()) - set(trades))
    for number, symbol in enumerate(idle[:4]):
        draw = random.Random(f"{symbol} {session}")
        if number % 2:
            trades[symbol] = [_extended(draw, first, opens, 10.0) for _ in range(3)]
        else:
            instants = [draw.randrange(opens, closes) for _ in range(3)]
            trades[symbol] = [Trade(instant, instant, 10.0, 3 * UNIT, ODD_LOT) for instant in instants]
    return Day(session, opens, closes, trades)


def _trades_of(draw: random.Random, bar: list[float], first: int, opens: int, closes: int) -> list[Trade]:
    open_, high, low, close, volume = bar
    units = round(volume * UNIT)
    if units < 40 * UNIT or open_ == high == low == close:
        return [Trade(opens + draw.randrange(MINUTE), opens + MINUTE, open_, units)]
    count = draw.choice([4, 60, 260, 500])
    prices = [open_, *(round(draw.uniform(low, high), 4) for _ in range(count)), close]
    top, bottom = draw.sample(range(1, count + 1), 2)
    prices[top], prices[bottom] = high, low
    begins = opens if draw.random() < 0.8 else draw.randrange(opens, (opens + closes) // 2)
    instants = [
        begins + draw.randrange(SECOND),
        *sorted(draw.randrange(begins, closes) for _ in range(count)),
    ]
    instants = [*sorted(instants), closes + draw.randrange(SECOND)]
    trades = [
        _reported(draw, instant, price, CLOSING if instant >= closes else REGULAR)
        for instant, price in zip(instants, prices, strict=True)
    ]
    trades[0] = Trade(instants[0], instants[0], open_, 0)
    trades += [_extended(draw, first, opens, open_) for _ in range(draw.randrange(6))]
    trades += [
        _extended(draw, closes + MINUTE, closes + 3600 * SECOND, close) for _ in range(draw.randrange(4))
    ]
    odd = [draw.randrange(begins, closes) for _ in range(draw.randrange(6))]
    trades += [Trade(instant, instant, round(high * 1.5, 4), 0, ODD_LOT) for instant in odd]
    sized = _sized(draw, trades, units)
    sized.append(Trade(opens + 2 * SECOND, opens + 2 * SECOND, open_, 5 * UNIT, OFFICIAL_OPEN))
    sized.append(Trade(closes + 2 * SECOND, closes + 2 * SECOND, close, 5 * UNIT, OFFICIAL_CLOSE))
    if draw.random() < 0.3:
        sized.append(_busted(draw, begins, closes, high))
    return sorted(sized, key=lambda trade: trade.executed)


def _reported(draw: random.Random, executed: int, price: float, condition: int) -> Trade:
    """Return a trade; one in fifty is reported late, and of these one in five too late for its minute."""
    delay = draw.randrange(SECOND // 2)
    if draw.random() < 0.02:
        longest = LATE_WINDOW - SECOND
        delay = draw.randrange(10 * SECOND, longest) if draw.random() < 0.8 else LATE_WINDOW + 5 * MINUTE
    return Trade(executed, executed + delay, price, 0, condition)


def _extended(draw: random.Random, since: int, until: int, price: float) -> Trade:
    instant = draw.randrange(since, until)
    return Trade(instant, instant, round(price * draw.uniform(0.9, 1.1), 4), 2 * UNIT, FORM_T)


def _busted(draw: random.Random, begins: int, closes: int, high: float) -> Trade:
    """Return a trade above the day's high that is cancelled within minutes: nothing of it remains."""
    executed = draw.randrange(begins, closes)
    cancelled = executed + draw.randrange(90 * SECOND, 10 * MINUTE)
    return Trade(executed, executed + 1, round(high * 1.02, 4), 100 * UNIT, REGULAR, cancelled)


def _sized(draw: random.Random, trades: list[Trade], units: int) -> list[Trade]:
    """Return the trades with sizes that come to so many units, each of at least one."""
    cuts = sorted(draw.sample(range(1, units), len(trades) - 1))
    sizes = [after - before for before, after in zip([0, *cuts], [*cuts, units], strict=True)]
    return [
        Trade(trade.executed, trade.reported, trade.price, size, trade.condition)
        for trade, size in zip(trades, sizes, strict=True)
    ]
