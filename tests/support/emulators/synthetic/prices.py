"""Closing prices as traded, and the splits and dividends that move them.

Prices are whole ten-thousandths of a dollar (int32), so that what a server writes with four decimals and
what a test expects are the same number. A close is a random walk; on an ex-date it really jumps by
``split_from / split_to``, and falls by the dividend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.support.emulators.synthetic.noise import uniform
from tests.support.emulators.synthetic.universe import Universe

TICK = 10_000
_HIGHEST = 200_000.0
_QUARTER = 63
_BLOCK = 4096
_FORWARD = ((1, 2), (1, 3), (2, 3), (1, 4), (1, 10), (1, 20))
_REVERSE = ((10, 1), (20, 1), (5, 1), (3, 1), (50, 1))


@dataclass(frozen=True)
class Split:
    """A split of an instrument; ``ex`` is the session, ``announced`` how many calendar days before."""

    instrument: int
    ex: int
    split_from: float
    split_to: float
    announced: int

    @property
    def adjustment_type(self) -> str:
        """The vendor's word for it."""
        if self.split_from > self.split_to:
            return "reverse_split"
        return "stock_dividend" if self.split_to / self.split_from < 1.25 else "forward_split"


@dataclass(frozen=True)
class Dividends:
    """Cash dividends as arrays: instrument, ex session, amount in dollars (four decimals), drop factor."""

    instrument: np.ndarray
    ex: np.ndarray
    cash_amount: np.ndarray
    factor: np.ndarray


def closes_of(seed: int, universe: Universe) -> tuple[np.ndarray, list[Split], Dividends]:
    """Return closes (int32 ten-thousandths, sessions x instruments), the splits, the dividends."""
    yields, payer, ex = _dividend_plan(seed, universe)
    closes = np.empty((universe.sessions, len(universe)), dtype=np.int32)
    splits: list[Split] = []
    amounts, factors = np.zeros(len(ex)), np.ones(len(ex))
    market = np.random.default_rng([seed, 2]).normal(0.0002, 0.006, universe.sessions)
    for start in range(0, len(universe), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(universe)))
        walk = _walk(seed, universe, block, market)
        mine = np.flatnonzero((payer >= block.start) & (payer < block.stop))
        walk[ex[mine], payer[mine] - start] += np.log1p(-yields[mine])
        prices = np.exp(np.cumsum(walk, axis=0, dtype=np.float32, out=walk), out=walk)
        splits += _split(seed, universe, block, prices)
        np.clip(prices, 2 / TICK, _HIGHEST, out=prices)
        closes[:, block] = np.rint(prices.astype(np.float64) * TICK)
        before = closes[ex[mine] - 1, payer[mine]] / TICK
        amounts[mine] = np.round(before * yields[mine], 4)
        factors[mine] = 1.0 - amounts[mine] / before
    paid = amounts > 0
    order = np.lexsort((payer[paid], ex[paid]))
    dividends = Dividends(*(column[paid][order] for column in (payer, ex, amounts, factors)))
    return closes, sorted(splits, key=lambda split: (split.ex, split.instrument)), dividends


def _walk(seed: int, universe: Universe, block: slice, market: np.ndarray) -> np.ndarray:
    """Return log returns, with the log of the first price on each instrument's first session."""
    rng = np.random.default_rng([seed, 3, block.start])
    volatility = universe.volatility[block].astype(np.float32)
    walk = rng.standard_normal((universe.sessions, len(volatility)), dtype=np.float32)
    np.clip(walk, -4.0, 4.0, out=walk)
    walk *= volatility
    walk += market.astype(np.float32)[:, None]
    first = np.maximum(universe.list_at[block], 0)
    walk[np.arange(universe.sessions)[:, None] < first[None, :]] = 0.0
    listed = first < universe.sessions
    walk[first[listed], np.flatnonzero(listed)] = np.log(universe.start_price[block][listed])
    return walk


def _split(seed: int, universe: Universe, block: slice, prices: np.ndarray) -> list[Split]:
    """Apply the splits of a block to its prices, in place, and return them."""
    made = []
    for instrument, at, ratio in universe.split_plan:
        if not block.start <= instrument < block.stop or not 0 < at < universe.sessions:
            continue
        column = prices[:, instrument - block.start]
        luck = uniform(seed, 20, at, instrument)[0]
        split_from, split_to = ratio or _ratio(float(column[at - 1]), luck)
        column[at:] *= split_from / split_to
        made.append(Split(instrument, at, float(split_from), float(split_to), 7 + int(luck * 20)))
    return made


def _ratio(price: float, luck: float) -> tuple[float, float]:
    """Return split_from and split_to such as a board would choose at a price."""
    if price < 8.0:
        return _REVERSE[int(luck * len(_REVERSE))]
    if price < 25.0:
        return (1, 1.05)
    return _FORWARD[int(luck * len(_FORWARD))]


def _dividend_plan(seed: int, universe: Universe) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return yield, instrument and ex session of each quarterly dividend, inside the payer's life."""
    payers = np.flatnonzero(universe.pays)
    phase = (uniform(seed, 21, 0, payers) * _QUARTER).astype(np.int64)
    rounds = np.arange(universe.sessions // _QUARTER + 1)
    ex = (phase[:, None] + _QUARTER * rounds[None, :]).ravel()
    payer = np.repeat(payers, len(rounds))
    alive = (ex > np.maximum(universe.list_at[payer], 0)) & (ex < universe.end_at[payer])
    payer, ex = payer[alive], ex[alive]
    return 0.001 + 0.009 * uniform(seed, 22, ex, payer), payer, ex
