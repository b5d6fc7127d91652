"""A backfill and nights at a Massive that lies for a while end in what was traded and paid."""

import datetime as dt
import random

import pytest

from tests.support.emulators.massive import actions
from tests.support.emulators.massive.lies import (
    ACTION_LIES,
    DIVIDEND_LIES,
    SESSION_LIES,
    Lie,
    LyingMassive,
)
from tests.support.emulators.synthetic.market import Market
from tests.support.worlds.vendor_truth import Clock, Desk, after_close, disagreements, unconnected

D = dt.date
FIRST, LAST = D(2024, 1, 2), D(2024, 2, 29)
HONEST = 3
"""So many of the last nights no lie is told any more; so many sessions are asked for again."""
SYMBOLS = ("AAPL", "MSFT", "GE", "KIM", "BRK.B")


def drawn_lies(market, seed):
    """Return lies about actions, of up to eight nights each, and about single rows of the newest session."""
    chance, sessions = random.Random(seed), market.sessions()
    now = after_close(sessions[-1])
    nights = sessions[:-HONEST]
    lies = [
        Lie(chance.choice(SESSION_LIES), date, date + dt.timedelta(1), symbol=chance.choice(SYMBOLS))
        for date in chance.sample(nights[1:], 8)
    ]
    listed = {
        "splits": (actions.splits(market, now, dirt=False), ACTION_LIES, "execution_date"),
        "dividends": (actions.dividends(market, now), DIVIDEND_LIES, "ex_dividend_date"),
    }
    for what, (records, kinds, name) in listed.items():
        due = [one for one in records if sessions[2] < dt.date.fromisoformat(one[name]) < nights[-2]]
        for record in chance.sample(due, min(len(due), 6)):
            first = next(place for place, date in enumerate(nights) if str(date) >= record[name])
            last = min(first + chance.randint(1, 8), len(nights) - 1)
            kind = chance.choice(kinds)
            wrong = sessions[first + (1 if kind == "moved" else -2)]
            lies.append(Lie(kind, nights[first], nights[last], what, record["id"], wrong))
    return lies


def play(database, home, seed, first_night, step):
    """Return in words what is wrong in the end, and the lies that were told."""
    market = Market(seed, 60, FIRST, LAST, revisions=0)
    sessions, clock = market.sessions(), Clock()
    lies = drawn_lies(market, seed)
    with LyingMassive(market, lies=lies, clock=clock, delay=0.01, plan="unlimited", dirt=False) as emulator:
        emulator.waits = clock
        desk = Desk(database, home, emulator, HONEST)
        first = after_close(sessions[first_night])
        desk.backfill(first, start=FIRST)
        nights = [*sessions[first_night:-HONEST:step], *sessions[-HONEST:]]
        for session in nights:
            report = desk.night(after_close(session))
            assert not report.failed
        now = after_close(sessions[-1])
        wrong = disagreements(desk, market, now, FIRST, unknowable=unconnected(market, now))
        return [*wrong, *desk.wrong_bars()], emulator.told_so_far


@pytest.mark.parametrize(
    ("seed", "first_night", "step"),
    [(1, 15, 2), *(pytest.param(seed, 8, 1, marks=pytest.mark.long) for seed in range(2, 42))],
)
def test_a_backfill_and_nights_at_a_lying_massive_end_in_the_truth(
    database, tmp_path, seed, first_night, step
):
    wrong, told = play(database, tmp_path, seed, first_night, step)
    assert wrong == []
    assert len({lie.kind for lie in told}) >= 3
