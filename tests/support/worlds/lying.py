"""Nights at a Yahoo that lies for a while, and what was traded, told by the market itself."""

import datetime as dt
import random

from tests.support.emulators.synthetic import truth
from tests.support.emulators.yahoo.history import yahoo_symbol
from tests.support.emulators.yahoo.lies import DIVIDEND_LIES, OTHER_LIES, SPLIT_LIES, Lie

SPLIT_NIGHTS, OTHER_NIGHTS = 8, 3
"""A lie about a split or dividend lasts at most so many sessions, another one so many."""

UNSEEN = ("hidden", "moved")
"""While these are told, no answer shows that they are lies."""


def drawn_lies(market, seed, symbols, until):
    """Return lies about the splits and dividends of some symbols, and others; none is told from ``until`` on.

    At most one lie about splits is told of a symbol at a time.
    """
    chance = random.Random(seed)
    sessions = [session for session in market.sessions() if session < until]
    drawn = [
        *_about_splits(market, chance, symbols, sessions),
        *_about_dividends(market, chance, symbols, sessions),
        *(
            (kind, symbol, chance.randrange(len(sessions)), OTHER_NIGHTS, {})
            for symbol in symbols
            for kind in OTHER_LIES
            if chance.random() < 0.5
        ),
    ]
    lies = []
    for kind, symbol, first, nights, details in drawn:
        last = min(first + chance.randint(1, nights), len(sessions) - 1)
        if 0 <= first < last:
            lies.append(Lie(kind, yahoo_symbol(symbol), sessions[first], sessions[last], **details))
    return lies


def _about_splits(market, chance, symbols, sessions):
    free_from = {}
    for split in truth.splits(market):
        ex_date = dt.date.fromisoformat(split["ex_date"])
        symbol = now_called(market, split["instrument"])
        if symbol not in symbols or ex_date not in sessions or chance.random() < 0.2:
            continue
        kind = chance.choice(SPLIT_LIES)
        first = sessions.index(ex_date) + (chance.randint(0, 5) if kind in UNSEEN else 0)
        first -= kind == "too_soon"
        if first >= free_from.get(symbol, 0):
            free_from[symbol] = first + SPLIT_NIGHTS + 1
            ratio = split["split_to"] / split["split_from"]
            details = {"date": ex_date, "ratio": ratio, "part": chance.randint(1, 9)}
            yield kind, symbol, first, SPLIT_NIGHTS, details


def _about_dividends(market, chance, symbols, sessions):
    for paid in truth.dividends(market):
        ex_date = dt.date.fromisoformat(paid["ex_date"])
        symbol = now_called(market, paid["instrument"])
        if symbol in symbols and ex_date in sessions and chance.random() < 0.6:
            first, kind = sessions.index(ex_date), chance.choice(DIVIDEND_LIES)
            if kind == "phantom":
                ex_date = sessions[max(0, first - chance.randint(3, 9))]
            yield kind, symbol, first, SPLIT_NIGHTS, {"date": ex_date}


def now_called(market, instrument):
    """Return the last name of an instrument."""
    *_, (name, _, _) = market.universe.spans(instrument)
    return name


class Traded:
    """What was traded of who carries a symbol in the end, by session, and its splits and dividends."""

    def __init__(self, market, symbol, now):
        today = now.date()
        instrument = market.holder(symbol, market.sessions()[-1])
        rows = market.history(instrument, now)
        columns = (rows.open, rows.high, rows.low, rows.close, rows.volume)
        values = zip(*(column.tolist() for column in columns), strict=True)
        self.bars = dict(zip(rows.session.tolist(), values, strict=True))
        date = dt.date.fromisoformat
        self.splits = {
            date(action["ex_date"]): action["split_to"] / action["split_from"]
            for action in truth.splits(market, now)
            if action["instrument"] == instrument and date(action["ex_date"]) <= today
        }
        self.dividends = {
            date(action["ex_date"]): action["cash_amount"]
            for action in truth.dividends(market, now)
            if action["instrument"] == instrument and date(action["ex_date"]) <= today
        }


class Stored:
    """What a database holds of a symbol's present carrier."""

    def __init__(self, connection, symbol):
        carrier = "(SELECT instrument_id FROM symbols WHERE symbol = %s ORDER BY valid_to DESC LIMIT 1)"
        bars = connection.execute(
            "SELECT session, open, high, low, close, volume FROM daily_bars JOIN sessions USING (ordinal) "
            f"WHERE instrument_id = {carrier}",
            (symbol,),
        )
        self.bars = {session: tuple(values) for session, *values in bars.fetchall()}
        self.splits = dict(
            connection.execute(
                f"SELECT ex_date, split_to / split_from FROM splits WHERE instrument_id = {carrier}",
                (symbol,),
            ).fetchall()
        )
        self.dividends = dict(
            connection.execute(
                f"SELECT ex_date, cash_amount FROM dividends WHERE instrument_id = {carrier}", (symbol,)
            ).fetchall()
        )


def wrong_prices(stored, traded):
    """Return the sessions whose stored prices are not those traded: Yahoo's digits allow for 2 in 10,000."""
    return {
        session: (bar, traded.bars.get(session))
        for session, bar in stored.bars.items()
        if session not in traded.bars
        or any(
            abs(ours / theirs - 1) > 2e-4
            for ours, theirs in zip(bar[:4], traded.bars[session][:4], strict=True)
        )
    }


def differences(stored, traded):
    """Return in words what a database holds wrong, lacks, or holds beyond the truth."""
    wrong = [
        f"{session}: {ours} for {theirs}" for session, (ours, theirs) in wrong_prices(stored, traded).items()
    ]
    wrong += [f"{session}: no bar" for session in traded.bars.keys() - stored.bars.keys()]
    for what in ("splits", "dividends"):
        ours, theirs = getattr(stored, what), getattr(traded, what)
        wrong += [
            f"{what} {date}: {ours.get(date)} for {theirs.get(date)}"
            for date in sorted(ours.keys() | theirs.keys())
            if date not in ours or date not in theirs or abs(ours[date] / theirs[date] - 1) > 2e-4
        ]
    return wrong
