"""A strategy: a whole small market as a vendor's files tell it, with all that makes answers hard.

Listings and ends of them, halts of up to two sessions in five, splits and dividends on any date (weekends,
halts, before the first bar and after the last, several in one halt, both on one date), dividends as large as
twice the price, volumes of 0, and unknown vwaps and trades.
"""

import datetime as dt
import random
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.support.naive.state import State

RATIOS = ((1, 2), (2, 3), (10, 1), (1, 20), (42, 20), (3, 1))


@dataclass(frozen=True)
class Market:
    """What the files say.

    Attributes:
        bars: rows of daily bars.
        splits, dividends: rows of them; no instrument has two of a kind on one date.
    """

    bars: list = field(repr=False)
    splits: list
    dividends: list

    def state(self, sessions):
        """Return what the naive model answers from; the sessions of any bar count as loaded in full."""
        ids = {symbol: at for at, symbol in enumerate(self.names(), start=1)}

        def ordinal_of(date):
            later = (at for at, session in enumerate(sessions.date.tolist()) if session >= date)
            return next(later) + sessions.first_ordinal

        ordinals = {date: ordinal_of(date) for date in {row["session"] for row in self.bars}}
        kept = ("open", "high", "low", "close", "volume", "vwap", "trades")
        return State(
            daily=[
                {
                    "instrument_id": ids[row["symbol"]],
                    "ordinal": ordinals[row["session"]],
                    **{name: row[name] for name in kept},
                }
                for row in self.bars
            ],
            splits=[self._event(row, ids, ordinal_of) for row in self.splits],
            dividends=[self._event(row, ids, ordinal_of) for row in self.dividends],
            complete={(number, ordinal) for number in ids.values() for ordinal in ordinals.values()},
            last_loaded=dict.fromkeys(ids.values(), max(ordinals.values())),
            metadata=[],
        )

    def names(self):
        return sorted({row["symbol"] for row in self.bars})

    def _event(self, row, ids, ordinal_of):
        values = {name: value for name, value in row.items() if name not in ("symbol", "ex_date")}
        return {"instrument_id": ids[row["symbol"]], "ex_ordinal": ordinal_of(row["ex_date"]), **values}


@st.composite
def markets(draw, dates):
    """Draw a market of a few instruments over consecutive sessions (dates)."""
    bars, splits, dividends = [], [], []
    for number in range(draw(st.integers(1, 5))):
        # One seed an instrument: Hypothesis drops instruments, not single prices.
        chance = random.Random(draw(st.integers(0, 2**32 - 1)))
        symbol = f"Q{number}"
        own_splits, own_dividends = _actions(chance, dates)
        halt = _halt(chance, dates, own_splits, own_dividends)
        rows = [row for row in _bars(chance, symbol, dates, own_splits) if row["session"] not in halt]
        if not rows:
            continue
        bars += rows
        splits += [
            {"symbol": symbol, "ex_date": date, "split_from": ratio[0], "split_to": ratio[1]}
            for date, ratio in sorted(own_splits.items())
        ]
        dividends += [
            {"symbol": symbol, "ex_date": date, "cash_amount": cash}
            for date, cash in sorted(own_dividends.items())
        ]
    return Market(bars, splits, dividends)


def _actions(chance, dates):
    days = [dates[0] + dt.timedelta(day) for day in range((dates[-1] - dates[0]).days + 1)]
    splits = {chance.choice(days): chance.choice(RATIOS) for _ in range(chance.randrange(4))}
    dividends = {
        chance.choice(days): round(chance.choice([0.01, 0.2, 1, 200]) * chance.random() + 0.001, 4)
        for _ in range(chance.randrange(6))
    }
    if dividends and chance.random() < 0.4:
        splits[chance.choice(list(dividends))] = (1, 2)
    return splits, dividends


def _halt(chance, dates, splits, dividends):
    """Return the sessions of one long halt, and let actions fall into it, a dividend before a split."""
    first = chance.randrange(len(dates) - 12)
    halt = dates[first : first + chance.choice([0, 2, 6, 12])]
    for date in halt:
        if chance.random() < 0.3:
            dividends[date] = round(10 * chance.random() + 0.001, 4)
        if chance.random() < 0.3:
            splits[date] = chance.choice(RATIOS)
    return set(halt)


def _bars(chance, symbol, dates, splits):
    first = 0 if chance.random() < 0.5 else chance.randrange(len(dates) - 2)
    end = chance.randrange(first + 1, len(dates)) if chance.random() < 0.4 else len(dates)
    halted = chance.choice([0, 0.05, 0.4])
    price, before, rows = chance.choice([0.5, 10, 100, 3000]), None, []
    for date in dates[first:end]:
        if before is not None and chance.random() < halted:
            continue
        if before is not None:
            for ex_date, (old, new) in splits.items():
                price *= old / new if before < ex_date <= date else 1
        row = _bar(chance, price)
        rows.append({"symbol": symbol, "session": date, **row})
        price, before = row["close"], date
    return rows


def _bar(chance, price):
    begin, end = price * chance.uniform(0.98, 1.02), price * chance.uniform(0.97, 1.03)
    high, low = max(begin, end) * chance.uniform(1, 1.02), min(begin, end) * chance.uniform(0.98, 1)
    return {
        "open": begin,
        "high": high,
        "low": low,
        "close": end,
        "volume": float(chance.choice([0, 100, 12345, 5e6])),
        "vwap": None if chance.random() < 0.15 else (high + low) / 2,
        "trades": None if chance.random() < 0.1 else chance.randrange(999),
    }
