"""A whole synthetic stock market, made from a seed, and the truth about it.

The same arguments always make the same market. A session's bars are computed when they are asked for.
Truth is told in two ways: final (everything that will ever be corrected is), or as it stood at an
instant ``now``: what a vendor would have served then.

Instruments are numbered from 0; the number never changes, whatever names the instrument carries.
"""

from __future__ import annotations

import bisect
import datetime as dt
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from functools import cached_property

import numpy as np

from tests.support.emulators.kept import Kept
from tests.support.emulators.synthetic.noise import uniform
from tests.support.emulators.synthetic.prices import TICK, Dividends, Split, closes_of
from tests.support.emulators.synthetic.sessions import Schedule, new_york_date, utc64
from tests.support.emulators.synthetic.universe import Universe

LONGEST_DELAY = 5
"""A revision is published at most so many sessions after its session."""

_OPEN, _HIGH, _LOW, _SIZE, _FRACTION, _FLAT, _HALT, _REVISED, _KIND, _DELAY, _SPARSE = range(30, 41)
_RANGE = 1.2
_HALTED, _FRACTIONAL, _SINGLE_TRADE, _SPARSE_ROWS = 0.003, 0.1, 0.01, 0.005


class Revision(IntEnum):
    """What becomes of a bar after it was first served."""

    NONE = 0
    CORRECTED = 1  # served with wrong values first
    LATE = 2  # not served at first
    WITHDRAWN = 3  # served at first, then never again


@dataclass(frozen=True, eq=False)
class Rows:
    """Daily bars of one session (or of one instrument), as arrays.

    Attributes:
        instrument: int64.
        symbol: object, the ticker carried on that session.
        open, high, low, close: float64, at most four decimals (more when adjusted).
        volume: float64, shares, fractional at times.
        vwap: float64, NaN where the vendor gives none.
        trades: int64, -1 where the vendor gives none.
        otc: bool.
        session: datetime64[D].
    """

    instrument: np.ndarray
    symbol: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    vwap: np.ndarray
    trades: np.ndarray
    otc: np.ndarray
    session: np.ndarray

    def __len__(self) -> int:
        return len(self.instrument)

    def take(self, rows) -> Rows:
        """Return the rows chosen by a mask, by positions or by a slice."""
        return Rows(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def concat(cls, parts: list[Rows]) -> Rows:
        """Return the rows of all parts, one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def as_rest(self) -> Rows:
        """Return the rows as the REST service gives them: no trades where it gives no vwap."""
        return replace(self, trades=np.where(np.isnan(self.vwap), -1, self.trades))

    def as_file(self) -> Rows:
        """Return the rows as the flat files give them: no vwap at all."""
        return replace(self, vwap=np.full(len(self), np.nan))

    def as_lists(self) -> dict[str, list]:
        """Return the columns as lists for JSON: None for NaN, ISO dates."""
        columns = {field.name: getattr(self, field.name).tolist() for field in fields(self)}
        columns["vwap"] = [None if value != value else value for value in columns["vwap"]]  # noqa: PLR0124 NaN
        columns["session"] = [session.isoformat() for session in columns["session"]]
        return columns


class Market:
    """A synthetic market.

    Args:
        seed: the same seed makes the same market.
        instruments: how many are live at about any time; those that replace delisted ones come on top.
        first_session, last_session: the first and last date that it trades, both inclusive.
        revisions: the share of bars that are corrected, late or withdrawn.
    """

    def __init__(
        self,
        seed: int = 1,
        instruments: int = 200,
        first_session: dt.date = dt.date(2024, 1, 2),
        last_session: dt.date = dt.date(2024, 6, 28),
        revisions: float = 0.0005,
    ) -> None:
        self.seed = seed
        self.schedule = Schedule(first_session, last_session)
        self.count = self.schedule.count
        self.universe = Universe(seed, instruments, self.count)
        self.revisions = revisions
        self._tickers = Kept(most=16)

    def sessions(self) -> list[dt.date]:
        """Return the dates of the sessions, ascending."""
        return self.schedule.dates[: self.count].tolist()

    def bars(
        self, session: dt.date, now: dt.datetime | None = None, *, otc: bool = False, source: str = "rest"
    ) -> Rows:
        """Return a session's true bars, final or as served at ``now``; no rows for any other date.

        A session that had not closed at ``now`` has no bars. The order is the vendor's: none. By
        ``source`` "rest" some rows lack vwap and trades; "file" gives all trades and no vwap.
        """
        at = self.schedule.index(session)
        if at is None or (now is not None and self.schedule.closed_by(now) <= at):
            return self._rows(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), None)
        universe = self.universe
        live = (universe.list_at <= at) & (universe.end_at > at)
        if not otc:
            live &= ~universe.otc
        instrument = np.flatnonzero(live)
        instrument = instrument[np.random.default_rng([self.seed, 4, at]).permutation(len(instrument))]
        rows = self._rows(np.full(len(instrument), at), instrument, now)
        return rows.as_file() if source == "file" else rows.as_rest()

    def history(self, instrument: int, now: dt.datetime | None = None) -> Rows:
        """Return an instrument's true bars, ascending by session, final or as served at ``now``."""
        first, end = max(int(self.universe.list_at[instrument]), 0), int(self.universe.end_at[instrument])
        if now is not None:
            end = min(end, self.schedule.closed_by(now))
        at = np.arange(first, max(first, end))
        return self._rows(at, np.full(len(at), instrument), now).as_rest()

    def adjusted(self, rows: Rows, now: dt.datetime | None = None) -> Rows:
        """Return rows on the split basis of ``now``: prices and volume, four decimals, no dividends."""
        factor = np.ones(len(rows))
        last = self.count if now is None else self._ex_through(now)
        split_of = {}
        for split in self.splits:
            if split.ex < last:
                split_of.setdefault(split.instrument, []).append(split)
        at = np.searchsorted(self.schedule.dates, rows.session)
        for row in np.flatnonzero(np.isin(rows.instrument, list(split_of))):
            for split in split_of[int(rows.instrument[row])]:
                if split.ex > at[row]:
                    factor[row] *= split.split_from / split.split_to
        columns = {field.name: getattr(rows, field.name) for field in fields(rows)}
        for name in ("open", "high", "low", "close", "vwap"):
            columns[name] = np.round(columns[name] * factor, 4)
        columns["volume"] = np.round(columns["volume"] / factor, 6)
        return Rows(**columns)

    def version(self, session: dt.date, now: dt.datetime) -> int:
        """Return a number that grows whenever revisions of the session may have been published."""
        at = self.schedule.index(session)
        return -1 if at is None else min(self.schedule.closed_by(now) - at, LONGEST_DELAY + 1)

    def revisions_of(self, session: dt.date) -> list[dict]:
        """Return each revision of a session's bars: instrument, symbol, kind, when it is published."""
        at = self.schedule.index(session)
        if at is None:
            return []
        live = np.flatnonzero((self.universe.list_at <= at) & (self.universe.end_at > at))
        when = np.full(len(live), at)
        live = live[~self._halted(when, live)]
        when = np.full(len(live), at)
        kind, published = self._revision(when, live), self._published_at(when, live)
        tickers = self.tickers_at(at)
        return [
            {
                "instrument": int(live[row]),
                "symbol": tickers[live[row]],
                "kind": Revision(kind[row]).name.lower(),
                "published_at": f"{published[row]}Z",
            }
            for row in np.flatnonzero(kind)
        ]

    @cached_property
    def _made(self) -> tuple[np.ndarray, list[Split], Dividends]:
        return closes_of(self.seed, self.universe)

    @property
    def splits(self) -> list[Split]:
        """All splits, ascending by ex session."""
        return self._made[1]

    @property
    def dividends(self) -> Dividends:
        """All cash dividends, ascending by ex session."""
        return self._made[2]

    def date(self, at: int) -> dt.date:
        """Return the date of a session's number."""
        return self.schedule.dates[at].astype(dt.date)

    def tickers_at(self, at: int) -> np.ndarray:
        """Return the tickers carried on a session, one an instrument (object)."""
        passed = bisect.bisect_right(self.universe.renames, at, key=lambda rename: rename[1])
        return self._tickers.get((passed,), lambda: self.universe.tickers_at(at))

    def holder(self, ticker: str, date: dt.date) -> int | None:
        """Return the instrument that carries a ticker on a date, None if none does."""
        at = self.index_through(date)
        for instrument, since, until in self.universe.holders(ticker):
            if since <= at < until:
                return instrument
        return None

    def close_on(self, instrument: int, at: int) -> float:
        """Return the close of an instrument on a session's number, as traded, halted or not."""
        return float(self._made[0][at, instrument]) / TICK

    def index_through(self, date: dt.date) -> int:
        """Return the number of the last session on or before a date: -1 before the market's first."""
        last = int(np.searchsorted(self.schedule.dates[: self.count], np.datetime64(date), side="right"))
        return last - 1

    def _ex_through(self, now: dt.datetime) -> int:
        """Return how many of the market's sessions have begun at ``now``, in New York's dates."""
        return self.index_through(new_york_date(now)) + 1

    def _halted(self, at: np.ndarray, instrument: np.ndarray) -> np.ndarray:
        halted = uniform(self.seed, _HALT, at, instrument) < _HALTED
        for halted_one, since, until in self.universe.halt_plan:
            halted |= (instrument == halted_one) & (since <= at) & (at < until)
        return halted & ~self._is_edge(at, instrument)

    def _is_edge(self, at: np.ndarray, instrument: np.ndarray) -> np.ndarray:
        """Tell the first and last session of a life, on which every instrument trades."""
        return (self.universe.list_at[instrument] == at) | (self.universe.end_at[instrument] - 1 == at)

    def _revision(self, at: np.ndarray, instrument: np.ndarray) -> np.ndarray:
        """Return a Revision a row; some are certain, so that the smallest market shows each kind."""
        drawn = uniform(self.seed, _REVISED, at, instrument) < self.revisions
        kind = np.where(drawn, 1 + (uniform(self.seed, _KIND, at, instrument) * 3).astype(np.int64), 0)
        if self.revisions > 0:
            turn = (at // 7) % max(self.universe.cast, 1) == instrument
            for rest, revision in ((1, Revision.CORRECTED), (3, Revision.LATE), (5, Revision.WITHDRAWN)):
                kind = np.where(turn & (at % 7 == rest), int(revision), kind)
        return np.where(self._is_edge(at, instrument) & (kind > Revision.CORRECTED), 0, kind)

    def _published_at(self, at: np.ndarray, instrument: np.ndarray) -> np.ndarray:
        delay = 1 + (uniform(self.seed, _DELAY, at, instrument) * LONGEST_DELAY).astype(np.int64)
        return self.schedule.closes[at + delay]

    def _rows(self, at: np.ndarray, instrument: np.ndarray, now: dt.datetime | None) -> Rows:
        kept = ~self._halted(at, instrument)
        at, instrument = at[kept], instrument[kept]
        kind = self._revision(at, instrument)
        published = np.ones(len(at), dtype=bool)
        if now is not None and len(at):
            published = self._published_at(at, instrument) <= utc64(now)
        present = ~((kind == Revision.WITHDRAWN) & published | (kind == Revision.LATE) & ~published)
        wrong = ((kind == Revision.CORRECTED) & ~published)[present]
        return self._values(at[present], instrument[present], wrong)

    def _values(self, at: np.ndarray, instrument: np.ndarray, wrong: np.ndarray) -> Rows:
        """Return the bars of (session, instrument) pairs; where ``wrong``, as a vendor errs at first.

        The pairs are either of one session or of one instrument.
        """
        seed, universe = self.seed, self.universe
        closes = self._made[0][at, instrument].astype(np.int64)
        spread = universe.volatility[instrument] * _RANGE
        single = uniform(seed, _FLAT, at, instrument) < _SINGLE_TRADE
        spread = np.where(single, 0.0, spread)
        opens = np.maximum(1, np.rint(closes * np.exp(spread * (uniform(seed, _OPEN, at, instrument) - 0.5))))
        top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
        highs = np.ceil(top * (1 + spread * uniform(seed, _HIGH, at, instrument)))
        lows = np.maximum(1, np.floor(bottom * (1 - 0.5 * spread * uniform(seed, _LOW, at, instrument))))
        vwaps = (opens + highs + lows + closes) // 4
        size = universe.liquidity[instrument] + 2 * uniform(seed, _SIZE, at, instrument)
        volume = np.where(single, 1 + np.floor(size), np.floor(np.exp(size)) + 2)
        luck = uniform(seed, _FRACTION, at, instrument)
        volume += np.where(luck < _FRACTIONAL, np.round(luck / _FRACTIONAL, 4), 0.0)
        trades = np.where(single, 1, 1 + np.floor(volume / 90)).astype(np.int64)
        closes = np.where(wrong, opens, closes)
        volume = np.where(wrong, volume + 100, volume)
        sparse = uniform(seed, _SPARSE, at, instrument) < _SPARSE_ROWS
        return Rows(
            instrument=instrument.astype(np.int64),
            symbol=self._symbols(at, instrument),
            open=opens / TICK,
            high=highs / TICK,
            low=lows / TICK,
            close=closes / TICK,
            volume=np.round(volume, 4),
            vwap=np.where(sparse, np.nan, vwaps / TICK),
            trades=trades,
            otc=universe.otc[instrument],
            session=self.schedule.dates[at],
        )

    def _symbols(self, at: np.ndarray, instrument: np.ndarray) -> np.ndarray:
        if not len(at):
            return np.zeros(0, dtype=object)
        if (at == at[0]).all():
            return self.tickers_at(int(at[0]))[instrument]
        symbols = np.empty(len(at), dtype=object)  # one instrument through time
        for ticker, since, until in self.universe.spans(int(instrument[0])):
            symbols[(since <= at) & (at < until)] = ticker
        return symbols
