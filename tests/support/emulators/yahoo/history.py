"""A symbol's history as traded, and as Yahoo tells it: on the split basis of today.

Yahoo's prices are single-precision floats and its volumes whole shares, so what it tells of 113.36 is
113.36000061035156.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york_date


@dataclass(frozen=True, eq=False)
class History:
    """Daily bars of one symbol, as traded, ascending by session.

    Attributes:
        symbol: as Yahoo writes it (BRK-B).
        session: datetime64[D].
        open, high, low, close, volume: float64.
        splits: (ex date, split_from, split_to), ascending.
        dividends: (ex date, dollars as declared), ascending.
        kind: Yahoo's instrumentType.
        sector: as in Yahoo's profile.
    """

    symbol: str
    session: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    splits: tuple[tuple[dt.date, float, float], ...] = ()
    dividends: tuple[tuple[dt.date, float], ...] = ()
    kind: str = "EQUITY"
    sector: str = "Technology"

    def split_factor(self, through: dt.date) -> np.ndarray:
        """Return a session's price factor for the splits after it and on or before ``through``."""
        factor = np.ones(len(self.session))
        for ex_date, split_from, split_to in self.splits:
            if ex_date <= through:
                factor[self.session < np.datetime64(ex_date)] *= split_from / split_to
        return factor

    def adjusted_dividends(self, through: dt.date) -> list[tuple[dt.date, float]]:
        """Return the dividends through a date, on its split basis."""
        adjusted = []
        for ex_date, amount in self.dividends:
            if ex_date > through:
                continue
            later = [split for split in self.splits if ex_date < split[0] <= through]
            adjusted.append((ex_date, amount * float(np.prod([split[1] / split[2] for split in later]))))
        return adjusted

    def adjusted_close(self, close: np.ndarray, through: dt.date) -> np.ndarray:
        """Return split-adjusted closes brought down by the later dividends, each by 1 - amount / close."""
        factor = np.ones(len(close))
        for ex_date, amount in self.adjusted_dividends(through):
            before = self.session < np.datetime64(ex_date)
            if before.any():
                factor[before] *= 1 - amount / close[before][-1]
        return close * factor


def yahoo_symbol(ticker: str) -> str:
    """Return a ticker as Yahoo writes it: BRK.B is BRK-B, KIMpL is KIM-PL."""
    return ticker.replace(".", "-").replace("p", "-P")


def of_market(market: Market, symbol: str, now: dt.datetime) -> History | None:
    """Return the history of who carries a symbol at ``now``, its former names included; None if nobody."""
    today = new_york_date(now)
    at = market.index_through(today)
    universe = market.universe
    live = np.flatnonzero((universe.list_at <= at) & (universe.end_at > at))
    names = market.tickers_at(at)
    instrument = next((int(i) for i in live if yahoo_symbol(names[i]) == symbol.upper()), None)
    if instrument is None:
        return None
    rows = market.history(instrument, now)
    date = dt.date.fromisoformat
    splits = (action for action in truth.splits(market, now) if action["instrument"] == instrument)
    dividends = (action for action in truth.dividends(market, now) if action["instrument"] == instrument)
    return History(
        symbol=symbol.upper(),
        session=rows.session,
        open=rows.open,
        high=rows.high,
        low=rows.low,
        close=rows.close,
        volume=rows.volume,
        splits=tuple(
            (date(action["ex_date"]), action["split_from"], action["split_to"]) for action in splits
        ),
        dividends=tuple((date(action["ex_date"]), action["cash_amount"]) for action in dividends),
        kind="ETF" if universe.kind[instrument] == "ETF" else "EQUITY",
    )
