"""Who is listed when, under which names: the instruments of a synthetic market.

A market has ``slots`` that hold about one live instrument each. Where one delists, another company lists
in the slot after a while, at times under the ticker of a company gone before. Sessions are counted from
the market's first one; an instrument listed before it has a negative ``list_at``.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from tests.support.emulators.synthetic.cast import CAST, Role

KINDS = np.array(["CS", "ETF", "ADRC", "PFD", "WARRANT", "FUND"], dtype=object)
EXCHANGES = np.array(["XNAS", "XNYS", "ARCX", "XASE", "BATS"], dtype=object)
SECTORS = (
    ("3571", "ELECTRONIC COMPUTERS"),
    ("7372", "SERVICES-PREPACKAGED SOFTWARE"),
    ("2834", "PHARMACEUTICAL PREPARATIONS"),
    ("6022", "STATE COMMERCIAL BANKS"),
    ("1311", "CRUDE PETROLEUM & NATURAL GAS"),
    ("4911", "ELECTRIC SERVICES"),
)
_YEAR = 252
_DELISTED_A_YEAR = 0.04
_RENAMED_A_YEAR = 0.01
_SPLIT_A_YEAR = 0.03
_REUSED = 0.15
_PAYERS = 0.3
_OTC = 0.02


class Universe:
    """Instruments as arrays, one place an instrument; the cast stands first.

    Attributes:
        list_at, end_at: int32, first session and the one after the last.
        ticker: object, the first ticker.
        renames: (instrument, session, old ticker, new ticker), ascending by session.
        split_plan: (instrument, session, split_from, split_to), the ratio None where the price decides.
        halt_plan: (instrument, from session, to session).
        start_price, volatility, liquidity: float64.
        pays, otc, has_figi, has_cik: bool.
        kind, exchange: object; sector: int, a place in SECTORS.
        shares: int64, shares outstanding.
    """

    def __init__(self, seed: int, slots: int, sessions: int) -> None:
        rng = np.random.default_rng([seed, 1])
        roles = CAST[:slots]
        crowd_list, crowd_end = _lives(rng, slots - len(roles), sessions)
        self.sessions = sessions
        self.cast = len(roles)
        self.list_at = np.concatenate([_cast_sessions(roles, "begins", sessions), crowd_list]).astype(
            np.int32
        )
        self.end_at = np.concatenate([_cast_sessions(roles, "ends", sessions), crowd_end]).astype(np.int32)
        before = self.list_at == 0
        self.list_at[before] = -rng.integers(20, 5000, before.sum())
        self._draw_columns(rng, roles)
        self._name(rng, roles)
        self._plan(rng, roles)

    def __len__(self) -> int:
        return len(self.list_at)

    def list_date(self, instrument: int, dates) -> dt.date:
        """Return the first session's date, before the market's first session by counting weekdays."""
        at = int(self.list_at[instrument])
        day = dates[at] if at >= 0 else np.busday_offset(dates[0], at, roll="forward")
        return day.astype(dt.date)

    def spans(self, instrument: int) -> list[tuple[str, int, int]]:
        """Return (ticker, from session, to session exclusive) for each name it carried, ascending."""
        names, since = [], int(self.list_at[instrument])
        ticker = self.ticker[instrument]
        for _, at, _, new in self._renames_of.get(instrument, ()):
            names.append((ticker, since, at))
            ticker, since = new, at
        return [*names, (ticker, since, int(self.end_at[instrument]))]

    def tickers_at(self, session: int):
        """Return each instrument's ticker (object) on a session, whether it is listed then or not."""
        tickers = self.ticker.copy()
        for instrument, at, _, new in self.renames:
            if at > session:
                break
            tickers[instrument] = new
        return tickers

    def holders(self, ticker: str) -> list[tuple[int, int, int]]:
        """Return (instrument, from session, to session exclusive) of each that carried a ticker."""
        return self._holders.get(ticker, [])

    def _draw_columns(self, rng, roles: tuple[Role, ...]) -> None:
        size, cast = len(self), self.cast
        self.start_price = np.clip(np.exp(rng.normal(3.2, 1.1, size)), 1.0, 900.0)
        self.volatility = rng.uniform(0.006, 0.035, size)
        self.liquidity = rng.normal(11.0, 2.2, size)
        self.pays = rng.random(size) < _PAYERS
        self.otc = rng.random(size) < _OTC
        alive = self.end_at == self.sessions
        self.has_figi = rng.random(size) > np.where(alive, 0.15, 0.5)
        self.has_cik = rng.random(size) > 0.1
        self.kind = KINDS[rng.choice(len(KINDS), size, p=[0.5, 0.28, 0.06, 0.07, 0.05, 0.04])]
        self.exchange = EXCHANGES[rng.integers(0, len(EXCHANGES), size)]
        self.sector = rng.integers(0, len(SECTORS), size)
        self.shares = rng.integers(1_000_000, 5_000_000_000, size)
        for instrument, role in enumerate(roles):
            self.start_price[instrument] = role.price
            self.pays[instrument], self.has_figi[instrument], self.kind[instrument] = (
                role.pays,
                role.has_figi,
                role.kind,
            )
        self.otc[:cast] = False
        self.has_cik[:cast] = True
        self.liquidity[:cast] = 14.0

    def _name(self, rng, roles: tuple[Role, ...]) -> None:
        taken = {role.ticker for role in CAST} | {new for role in CAST for _, new in role.renames}
        fresh = _fresh_tickers(rng, 2 * len(self), taken)
        crowd = [next(fresh) for _ in range(len(self) - self.cast)]
        self.ticker = np.array([role.ticker for role in roles] + crowd, dtype=object)
        odd = np.flatnonzero(self.kind == "PFD")
        odd = odd[odd >= self.cast]
        self.ticker[odd] = [f"{ticker[:3]}p{ticker[3]}" for ticker in self.ticker[odd]]
        self._reuse(rng)
        renames = [
            (number, _at(when, self.sessions), new)
            for number, role in enumerate(roles)
            for when, new in role.renames
        ]
        renames += [(int(i), int(at), next(fresh)) for i, at in self._events(rng, _RENAMED_A_YEAR)]
        self.renames = []
        current = dict(enumerate(self.ticker))
        for instrument, at, new in sorted(renames, key=lambda rename: (rename[1], rename[0])):
            self.renames.append((instrument, at, current[instrument], new))
            current[instrument] = new
        self._renames_of: dict[int, list] = {}
        for rename in self.renames:
            self._renames_of.setdefault(rename[0], []).append(rename)
        self._holders: dict[str, list[tuple[int, int, int]]] = {}
        for instrument in range(len(self)):
            for ticker, since, until in self.spans(instrument):
                self._holders.setdefault(ticker, []).append((instrument, since, until))

    def _reuse(self, rng) -> None:
        """Give some later companies the ticker of a company delisted at least five sessions before."""
        gone = [int(i) for i in np.argsort(self.end_at, kind="stable") if i >= self.cast]
        later = np.flatnonzero((self.list_at > 0) & (np.arange(len(self)) >= self.cast))
        for instrument in later[rng.random(len(later)) < _REUSED]:
            old = next((i for i in gone if self.end_at[i] + 5 <= self.list_at[instrument]), None)
            if old is not None:
                gone.remove(old)
                self.ticker[instrument] = self.ticker[old]

    def _plan(self, rng, roles: tuple[Role, ...]) -> None:
        plan = {
            (number, _at(when, self.sessions)): (split_from, split_to)
            for number, role in enumerate(roles)
            for when, split_from, split_to in role.splits
        }
        plan |= {(int(i), int(at)): None for i, at in self._events(rng, _SPLIT_A_YEAR)}
        self.split_plan = [
            (i, at, ratio) for (i, at), ratio in sorted(plan.items(), key=lambda e: e[0][::-1])
        ]
        self.halt_plan = [
            (number, _at(role.halted[0], self.sessions), _at(role.halted[1], self.sessions))
            for number, role in enumerate(roles)
            if role.halted
        ]
        halts = self._events(rng, 0.005)
        self.halt_plan += [(int(i), int(at), int(at) + int(rng.integers(2, 15))) for i, at in halts]

    def _events(self, rng, yearly: float):
        """Return (instrument, session) pairs of the crowd, one an instrument, inside its life."""
        chosen = np.flatnonzero(rng.random(len(self)) < yearly * self.sessions / _YEAR)
        chosen = chosen[chosen >= self.cast]
        first = np.maximum(self.list_at[chosen], 0) + 3
        room = self.end_at[chosen] - 3 - first
        chosen, first, room = chosen[room > 0], first[room > 0], room[room > 0]
        return list(zip(chosen, first + rng.integers(0, room), strict=True)) if len(chosen) else []


def _at(when: float, sessions: int) -> int:
    return min(sessions, round(when * sessions))


def _cast_sessions(roles: tuple[Role, ...], name: str, sessions: int):
    return np.array([_at(getattr(role, name), sessions) for role in roles], dtype=np.int32)


def _lives(rng, slots: int, sessions: int):
    """Return first and end sessions of the crowd: one life a slot, or two where the first delists."""
    first_end = np.ceil(rng.exponential(_YEAR / _DELISTED_A_YEAR, slots)).astype(np.int64) + 5
    second_at = first_end + rng.integers(0, 30, slots)
    second = second_at[(second_at < sessions - 5) & (first_end < sessions)]
    starts = np.concatenate([np.zeros(slots, dtype=np.int64), second])
    ends = np.concatenate([np.minimum(first_end, sessions), np.full(len(second), sessions)])
    return starts, ends


def _fresh_tickers(rng, count: int, taken: set[str]):
    """Yield distinct tickers of four letters that nobody has taken."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if count + len(taken) > len(letters) ** 4:
        raise ValueError(f"{count} instruments need more tickers than four letters give")
    for number in rng.permutation(len(letters) ** 4)[: count + len(taken)].tolist():
        rest, word = number, ""
        for _ in range(4):
            rest, letter = divmod(rest, 26)
            word += letters[letter]
        if word not in taken:
            yield word
