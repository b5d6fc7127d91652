"""One symbol of many whose answer cannot be read costs itself only, and is asked for again."""

import datetime as dt

import pytest

from condvest.batch_layer.operations import nightly
from condvest.batch_layer.shared.settings import Settings
from tests.integration.vendors.test_lying_yahoo import AtLyingYahoo
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.yahoo.history import yahoo_symbol
from tests.support.emulators.yahoo.lies import Lie, LyingYahoo
from tests.support.worlds.vendor_truth import after_close

FIRST, LAST = dt.date(2024, 3, 25), dt.date(2024, 3, 28)


def with_bars(database):
    with database.transaction(read_only=True) as connection:
        rows = connection.execute(
            "SELECT DISTINCT symbol FROM symbols JOIN daily_bars USING (instrument_id)"
        ).fetchall()
    return {symbol for (symbol,) in rows}


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.long)])
def test_the_others_are_stored_and_the_night_ends_with_1_and_the_symbol(database, tmp_path, count):
    market = Market(3, 600, FIRST, LAST, revisions=0)
    traded = market.bars(LAST, after_close(LAST)).symbol.tolist()
    symbols = sorted(name for name in traded if name.isalpha() and name.isupper())[:count]
    assert len(symbols) == count
    bad = symbols[count // 2]
    lie = Lie("garbage", yahoo_symbol(bad), LAST, LAST + dt.timedelta(1))
    with LyingYahoo(market, lies=[lie]) as emulator:

        def night(*asked):
            now = after_close(LAST)
            emulator.knobs.update({"now": now})
            workspace = AtLyingYahoo(Settings(home=tmp_path), database, now, emulator=emulator)
            return nightly.run(workspace, "yahoo", asked, on_wait=pytest.fail)

        report = night(*symbols)
        assert (report.exit_code, list(report.failed)) == (1, [bad])
        assert with_bars(database) == set(symbols) - {bad}
        assert report.resampled.inserted > 0
        emulator.lies = ()
        assert night(bad).exit_code == 0
        assert with_bars(database) == set(symbols)
