"""A session at an emulated Massive, from the wire to the settlement: its own truth is the judge."""

import datetime as dt
from dataclasses import replace

import pytest

from condvest.batch_layer.shared.clients.massive import MassiveClient, Transport
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.errors import VendorRefused
from condvest.batch_layer.shared.utils.retry import Retry
from condvest.live.collecting import collecting
from condvest.live.judging import judge
from condvest.live.replaying import replayed
from condvest.speed_layer.feeds.polling import MassivePolling
from condvest.speed_layer.services.run import Job
from condvest.speed_layer.services.settle import settle_all
from tests.support.emulators.massive import KEY
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york
from tests.support.worlds.vendor_truth import Desk, after_close, serving

FIRST, SESSION = dt.date(2024, 5, 28), dt.date(2024, 6, 3)
FIELDS = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="module")
def market():
    return Market(3, 60, FIRST, SESSION, revisions=0)


@pytest.fixture
def desk(database, tmp_path, market):
    """The vendor, and a database that holds the sessions before."""
    with serving(market, dirt=False) as emulator:
        made = Desk(database, tmp_path, emulator)
        made.backfill(after_close(dt.date(2024, 5, 31)), start=FIRST)
        yield made


def collect(desk, start, *, minutes, **how):
    """Collect from an instant on, a snapshot every so many minutes; return how it ended."""
    emulator = desk.emulator
    workspace = desk.at(start)
    waits = emulator.waits
    limit = RateLimit(desk.home / "live-limit", Rate(90, 1.0), clock=waits, sleep=waits.sleep)
    retry = Retry(attempts=30, budget=1e9, sleep=waits.sleep)

    def sleep(_):
        emulator.knobs.now += dt.timedelta(minutes=minutes)

    with MassiveClient(Transport(emulator.url, KEY), limit, retry=retry, now=emulator.now) as client:
        feed = MassivePolling(client)
        job = Job(
            desk.database,
            workspace.sessions,
            feed,
            judge,
            desk.home / "live",
            lambda: emulator.knobs.now,
            sleep,
        )
        return job.run(**how)


def live_rows(desk):
    query = (
        f"SELECT symbol, {', '.join(FIELDS)} FROM live_daily_bars JOIN symbols USING (instrument_id) "
        f"WHERE '{SESSION}' BETWEEN valid_from AND valid_to"
    )
    return {row[0]: row[1:] for row in desk.rows(query)}


def true_rows(market):
    rows = market.bars(SESSION)
    columns = [getattr(rows, name).tolist() for name in FIELDS]
    return dict(zip(rows.symbol.tolist(), zip(*columns, strict=True), strict=True))


@pytest.mark.parametrize("plan", ["unlimited", "starter"])
def test_a_session_under_every_fault_of_the_wire_settles_equal_to_the_truth(desk, market, plan):
    """Three calls in ten fail in one of many ways; the starter plan's data are a quarter of an hour late."""
    desk.emulator.knobs.update({"plan": plan, "faults": 0.3})
    ending = collect(desk, new_york(SESSION, 8, 50), minutes=35)
    assert (ending.exit_code, ending.reason, ending.refused) == (0, "the session is over", 0)
    truth = true_rows(market)
    known = live_rows(desk)
    unresolved = {symbol for (symbol,) in desk.rows("SELECT symbol FROM live_unresolved")}
    assert known == {symbol: row for symbol, row in truth.items() if symbol not in unresolved}
    assert len(known) > 40
    assert replayed(desk.at(desk.emulator.now()), SESSION)["differing"] == 0
    desk.emulator.knobs.update({"plan": "unlimited", "faults": 0.0})
    desk.night(after_close(SESSION))
    (settled,) = settle_all(desk.database).values()
    assert (settled.compared, settled.only_live) == (len(known), 0)
    assert {one.field for one in settled.figures if one.equal == one.compared} >= set(FIELDS)
    assert live_rows(desk) == {}


def test_in_the_middle_of_the_session_a_row_is_what_was_traded_by_then(desk, market):
    """High and low are the extremes so far, never beyond the true ones; there is no bar before a trade."""
    collect(desk, new_york(SESSION, 9, 0), minutes=1, once=True)
    assert live_rows(desk) == {}
    collect(desk, new_york(SESSION, 12, 0), minutes=1, once=True)
    truth, known = true_rows(market), live_rows(desk)
    assert known
    for symbol, (open_, high, low, _, volume) in known.items():
        assert open_ == truth[symbol][0]
        assert truth[symbol][2] <= low <= high <= truth[symbol][1]
        assert volume < truth[symbol][4] or truth[symbol][4] < 10


def test_half_the_market_is_refused_by_what_the_last_session_had(desk):
    desk.emulator.knobs.update({"cut_short": {SESSION.isoformat(): 0.5}})
    ending = collect(desk, new_york(SESSION, 12, 0), minutes=1, once=True)
    assert (ending.exit_code, ending.taken, live_rows(desk)) == (3, 0, {})


def test_a_plan_without_snapshots_is_refused_in_the_vendors_words(desk):
    desk.emulator.knobs.update({"plan": "basic"})
    with pytest.raises(VendorRefused, match="not entitled"):
        collect(desk, new_york(SESSION, 12, 0), minutes=1, once=True)


def test_the_command_collects_by_the_settings_alone(desk):
    """The key, the base URL and the home of the settings; the journal lies below the home."""
    workspace = desk.at(new_york(SESSION, 12, 0))
    massive = replace(workspace.settings.massive, base_url=desk.emulator.url)
    workspace = replace(workspace, settings=replace(workspace.settings, massive=massive))
    said = []
    with collecting(workspace, said.append, now=desk.emulator.now) as job:
        ending = job.run(once=True)
    assert (ending.exit_code, ending.taken, said) == (0, 1, [])
    assert live_rows(desk)
    assert len(list((desk.home / "live" / "massive" / SESSION.isoformat()).iterdir())) == 1
