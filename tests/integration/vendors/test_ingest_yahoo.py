"""From Yahoo's wire to the bars: the symbols asked for, as traded, beside what the market really did."""

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pytest

from condvest.batch_layer.operations import nightly
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.yahoo import YahooProvider
from condvest.batch_layer.shared.settings import Settings
from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.yahoo import YahooEmulator
from tests.support.naive import database as naive_database
from tests.support.worlds.vendor_truth import after_close

D = dt.date
FIRST, LAST = D(2024, 1, 2), D(2024, 3, 28)
SYMBOLS = ("AAPL", "MSFT", "GE", "TR", "TOPS", "KIM", "BRK.B")
"""Splits of two and four for one, of eight into one, a stock dividend, two reverse splits, and none."""


@dataclass(frozen=True)
class AtYahoo(Workspace):
    """A workspace at an instant, whose Yahoo is the emulator at that instant; it waits for nothing."""

    emulator: YahooEmulator = field(kw_only=True)

    def _provider(self, provider, symbols, stack, *, from_files=False):  # noqa: ARG002  # as the base
        return YahooProvider(
            symbols or self.supplied_symbols("yahoo"),
            base_url=self.emulator.url,
            cache_dir=self.settings.home / "yahoo",
            start=FIRST,
            clock=lambda: self.now,
            sleep=lambda _: None,
        )


@pytest.fixture(scope="module")
def market():
    return Market(21, 40, FIRST, LAST, revisions=0)


@pytest.fixture
def night(database, tmp_path, market):
    """Do a night at an instant."""
    with YahooEmulator(market) as emulator:

        def one(now, *symbols, code=0):
            emulator.knobs.update({"now": now})
            workspace = AtYahoo(Settings(home=tmp_path), database, now, emulator=emulator)
            report = nightly.run(workspace, "yahoo", symbols, on_wait=pytest.fail)
            assert report.exit_code == code, report.failed
            return report

        one.emulator = emulator
        yield one


def stored(database, symbol):
    with database.transaction(read_only=True) as connection:
        return connection.execute(
            "SELECT session, open, high, low, close, volume FROM daily_bars JOIN sessions USING (ordinal) "
            "JOIN symbols USING (instrument_id) WHERE symbol = %s ORDER BY session",
            (symbol,),
        ).fetchall()


def insist_on_truth(database, market, now, symbols):
    """Yahoo tells single floats on today's basis, so a price as traded comes back to about seven digits."""
    for symbol in symbols:
        rows = market.history(market.holder(symbol, new_york(now)), now)
        bars = stored(database, symbol)
        assert [bar[0] for bar in bars] == rows.session.tolist(), symbol
        for place, name in enumerate(("open", "high", "low", "close"), start=1):
            ours = np.array([bar[place] for bar in bars])
            np.testing.assert_allclose(ours, getattr(rows, name), rtol=2e-4, err_msg=f"{symbol} {name}")
    with database.transaction(read_only=True) as connection:
        assert naive_database.differences(connection) == []


def new_york(now):
    return now.date()  # late in the evening, London's date is New York's


def test_a_first_night_stores_the_history_as_traded(night, database, market):
    now = after_close(LAST)
    night(now, *SYMBOLS)
    insist_on_truth(database, market, now, SYMBOLS)
    splits = {
        (one["symbol"], D.fromisoformat(one["ex_date"])): one["split_from"] / one["split_to"]
        for one in truth.splits(market, now)
        if one["symbol"] in SYMBOLS and one["ex_date"] <= LAST.isoformat()
    }
    with database.transaction(read_only=True) as connection:
        found = connection.execute(
            "SELECT symbol, ex_date, split_from / split_to FROM splits JOIN symbols USING (instrument_id)"
        ).fetchall()
    assert len(splits) >= 7
    assert {(symbol, ex_date): ratio for symbol, ex_date, ratio in found} == pytest.approx(splits)


def test_nights_through_splits_keep_what_was_traded(night, database, market):
    """Each split moves every price that Yahoo tells of the past, and none that is stored."""
    first, *nights = map(after_close, market.sessions()[12:])
    night(first, *SYMBOLS)
    before = {symbol: stored(database, symbol) for symbol in SYMBOLS}
    for now in nights[::4]:
        night(now)
    night(nights[-1])
    insist_on_truth(database, market, nights[-1], SYMBOLS)
    for symbol in SYMBOLS:
        kept = stored(database, symbol)[: len(before[symbol]) - 3]  # the last three are asked for again
        assert kept == before[symbol][:-3]


def test_a_new_symbol_gets_its_history_and_the_others_their_night(night, database, market):
    *_, before, last = market.sessions()
    night(after_close(before), "AAPL")
    night.emulator.log.clear()
    night(after_close(last), "AAPL", "KIM")
    assert night.emulator.calls["chart"] == 2
    insist_on_truth(database, market, after_close(last), ("AAPL", "KIM"))


def test_a_night_with_nothing_new_changes_nothing(night):
    now = after_close(LAST)
    night(now, "AAPL", "MSFT")
    report = night(now)
    assert [load.altered for load in report.loads] == [0] * len(report.loads)
    assert set(report.resampled.windows.values()) == {0}


def test_a_symbol_that_fails_is_a_failure_by_name_and_no_row(night, database, market):
    report = night(after_close(LAST), "AAPL", "NOSUCH", "KIM", code=1)
    assert list(report.failed) == ["NOSUCH"]
    insist_on_truth(database, market, after_close(LAST), ("AAPL", "KIM"))
    assert stored(database, "NOSUCH") == []
