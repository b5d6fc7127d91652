"""Nights and a backfill at a Yahoo that lies for a while end in what was traded, and lie to nobody."""

import datetime as dt

import pytest

from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.operations import nightly
from condvest.batch_layer.shared.settings import Settings
from tests.integration.vendors.test_ingest_yahoo import FIRST, AtYahoo
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.yahoo.history import yahoo_symbol
from tests.support.emulators.yahoo.lies import LyingYahoo
from tests.support.naive import database as naive_database
from tests.support.worlds.lying import UNSEEN, Stored, Traded, differences, drawn_lies, wrong_prices
from tests.support.worlds.vendor_truth import after_close

D = dt.date
LAST = D(2024, 4, 30)
HONEST = 12
"""So many of the last nights no lie is told any more."""
SYMBOLS = ("AAPL", "MSFT", "GE", "TR", "TOPS", "KIM", "BRK.B", "METV", "BINI")


class AtLyingYahoo(AtYahoo):
    """The same with the calendar of the market as it is stored."""

    def extended_sessions(self):
        with self.database.transaction(read_only=True) as connection:
            return read_sessions(connection)


def play(database, home, market, seed, first_night, step):
    """Do nights at a lying Yahoo; return in words what was wrong on the way and at the end."""
    sessions, found = market.sessions(), []
    symbols = [symbol for symbol in SYMBOLS if market.holder(symbol, sessions[-1]) is not None]
    lies = drawn_lies(market, seed, symbols, sessions[-HONEST])
    with LyingYahoo(market, lies=lies) as emulator:
        for session in [*sessions[first_night:-HONEST:step], *sessions[-HONEST:]]:
            now = after_close(session)
            emulator.knobs.update({"now": now})
            workspace = AtLyingYahoo(Settings(home=home), database, now, emulator=emulator)
            nightly.run(workspace, "yahoo", symbols, on_wait=pytest.fail)
            with database.transaction(read_only=True) as connection:
                for symbol in symbols:
                    wrong = wrong_prices(Stored(connection, symbol), Traded(market, symbol, now))
                    if wrong and not was_told(lies, symbol, UNSEEN, session):
                        told = emulator.lies_now(yahoo_symbol(symbol))
                        found.append((session, symbol, list(wrong.items())[:3], told))
    with database.transaction(read_only=True) as connection:
        for symbol in symbols:
            stored, traded = Stored(connection, symbol), Traded(market, symbol, now)
            found += [(symbol, one) for one in differences(stored, traded)]
        found += naive_database.differences(connection)
    assert lies
    return found


def was_told(lies, symbol, kinds, session):
    """Return whether a lie of the kinds was told of a symbol through a session."""
    return any(
        lie.symbol == yahoo_symbol(symbol) and lie.kind in kinds and lie.since <= session for lie in lies
    )


@pytest.mark.parametrize(
    ("seed", "first_night", "step"),
    [(1, 12, 2), *(pytest.param(seed, 12, 1, marks=pytest.mark.long) for seed in range(2, 43))],
)
def test_nights_at_a_lying_yahoo_end_in_the_truth(database, tmp_path, seed, first_night, step):
    """No night stores a price that was not traded, but where no answer shows the lie."""
    assert play(database, tmp_path, Market(seed, 40, FIRST, LAST, revisions=0), seed, first_night, step) == []
