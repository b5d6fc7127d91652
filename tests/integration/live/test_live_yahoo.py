"""A session over Yahoo's emulated stream, from the wire to stored rows: the trades are the judge."""

import datetime as dt

import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared.clients.yahoo.client import YahooClient
from condvest.batch_layer.shared.errors import UsageError
from condvest.live.judging import judge
from condvest.live.replaying import minutes, replayed
from condvest.speed_layer.feeds.yahoo.yahoo_quotes import YahooQuotes
from condvest.speed_layer.feeds.yahoo.yahoo_stream import YahooStream
from condvest.speed_layer.services.run import Job
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york
from tests.support.emulators.synthetic.trades import SECOND, SETS_DAY, day_of
from tests.support.emulators.yahoo import YahooEmulator
from tests.support.emulators.yahoo.running import running, spelt
from tests.support.emulators.yahoo.stream import YahooFault, YahooStreamEmulator
from tests.support.worlds.streaming import QUICK, Lockstep, live_rows
from tests.support.worlds.vendor_truth import Desk, after_close, serving

FIRST, BEFORE, SESSION = dt.date(2024, 5, 28), dt.date(2024, 5, 31), dt.date(2024, 6, 3)
LIVE = "live_runs, live_daily_bars, live_unresolved, live_refused, live_gaps"


def clock(hour, minute=0):
    return new_york(SESSION, hour, minute)


@pytest.fixture(scope="module")
def loaded(server, tmp_path_factory):
    """A database that holds the sessions before, and Yahoo over the same market."""
    market = Market(3, 60, FIRST, SESSION, revisions=0)
    with (
        serving(market, dirt=False) as emulator,
        YahooEmulator(market, now=clock(9)) as yahoo,
        server.lent() as url,
        Database(url) as database,
    ):
        made = Desk(database, tmp_path_factory.mktemp("desk"), emulator)
        made.backfill(after_close(BEFORE), start=FIRST)
        made.yahoo = yahoo
        made.trades = day_of(market, SESSION).trades
        busy = sorted(made.trades, key=lambda name: -len(made.trades[name]))
        known = {symbol for (symbol,) in made.rows("SELECT symbol FROM symbols")}
        made.symbols = [symbol for symbol in busy if symbol in known][:5]
        yield made


@pytest.fixture
def desk(loaded):
    with loaded.database.transaction() as connection:
        connection.execute(f"TRUNCATE {LIVE}")
    loaded.yahoo.knobs.update({"now": clock(9), "faults": 0.0, "next_faults": []})
    return loaded


@pytest.fixture
def stream(desk):
    with YahooStreamEmulator(desk.yahoo, [spelt(symbol) for symbol in desk.symbols]) as emulator:
        yield emulator


def collecting(desk, stream, start, *, until=None, said=None, during=None, **how):
    """Collect from an instant on; return how it ended, None if it was stopped."""
    desk.yahoo.knobs.update({"now": start})
    lockstep = Lockstep(YahooStream(stream.url, desk.symbols, QUICK), stream, start)
    workspace = desk.at(start)
    client = YahooClient(desk.yahoo.url, desk.home / "yahoo")

    def wait(inbox, seconds):
        if until is not None and lockstep.now >= until:
            raise KeyboardInterrupt
        if during is not None:
            during(lockstep.now)
        lockstep.wait(inbox, seconds)

    job = Job(
        desk.database,
        workspace.sessions,
        YahooQuotes(client, desk.symbols, lambda: round(lockstep.now.timestamp() * SECOND)),
        judge,
        desk.home / "live",
        lambda: lockstep.now,
        lambda seconds: lockstep.wait(None, seconds),
        (lambda _: None) if said is None else said.append,
        lockstep,
        wait,
    )
    try:
        return job.run(**how)
    except KeyboardInterrupt:
        return None


def truth(desk, instant):
    """Return what was traded by an instant, by symbol: open, high, low, close, whole shares."""
    so_far = {name: running(desk.trades[name], int(instant.timestamp() * SECOND)) for name in desk.symbols}
    return {name: (now.open, now.high, now.low, now.price, now.volume) for name, now in so_far.items() if now}


def agrees(desk):
    return replayed(desk.at(desk.yahoo.now()), SESSION)["differing"] == 0


def test_a_session_settles_equal_to_the_truth(desk, stream):
    """Prices come in single precision and with fields missing, and are those of the trades all the same."""
    collecting(desk, stream, clock(9, 25), until=clock(9, 50))
    opened = live_rows(desk, SESSION)
    assert set(opened) == set(truth(desk, clock(9, 50)))
    for symbol, (_, high, low, close, _) in opened.items():
        traded = {trade.price for trade in desk.trades[symbol] if trade.condition in SETS_DAY}
        assert {high, low, close} <= traded
    ending = collecting(desk, stream, clock(15, 55))
    assert (ending.exit_code, ending.reason) == (0, "the session is over")
    assert live_rows(desk, SESSION) == truth(desk, clock(20))
    assert desk.rows("SELECT DISTINCT phase FROM live_daily_bars") == [("settled",)]
    assert desk.rows("SELECT provider, feed FROM live_runs") == [("yahoo", "stream")] * 2
    assert agrees(desk)
    with pytest.raises(UsageError, match="has no minute bars"):
        minutes(desk.at(desk.yahoo.now()), SESSION)


WORDS = {
    YahooFault.UPGRADE_REFUSED: "refused with HTTP 429",
    YahooFault.SILENCE: "nothing comes over the stream",
    YahooFault.CLOSED: "closed with 1000",
    YahooFault.DROPPED: "closed with 1006",
    YahooFault.BROKEN_BASE64: "cannot be read",
    YahooFault.BROKEN_PROTOBUF: "cannot be read",
    YahooFault.NO_JSON: "cannot be read",
}
"""Of the others nothing is said: what comes twice or in another order comes to the same."""


@pytest.mark.parametrize("fault", list(YahooFault), ids=lambda fault: fault.name)
def test_each_fault_is_lived_through(desk, stream, fault):
    stream.next_faults, said = [fault], []
    collecting(desk, stream, clock(11), until=clock(11, 20), said=said)
    assert stream.by_fault[fault] == 1
    assert WORDS.get(fault, "") in " ".join(said)
    assert bool(said) is (fault in WORDS)
    gaps = desk.rows(
        "SELECT extract(epoch FROM gap_from) * 1000000, extract(epoch FROM coalesce(gap_to, 'infinity')) "
        "* 1000000 FROM live_gaps"
    )
    assert bool(gaps) is (fault in WORDS)
    lost = [at // SECOND * SECOND for at in stream.lost]  # quotes count whole seconds
    assert [at for at in lost if not any(start <= at <= end for start, end in gaps)] == []
    assert agrees(desk)
    collecting(desk, stream, clock(11, 25), once=True)
    known = live_rows(desk, SESSION)
    assert known == truth(desk, clock(11, 25))


def test_quotes_that_do_not_come_are_a_gap_and_what_lacks_a_symbol_is_refused(desk, stream):
    """429 from the open on; then an answer without one of the symbols."""
    said = []

    def turn(now):
        desk.yahoo.knobs.faults = 1.0 if clock(11, 2) <= now < clock(11, 8) else 0.0

    desk.yahoo.knobs.update({"fault_names": ("RATE_LIMITED",)})
    collecting(desk, stream, clock(11), until=clock(11, 1), said=said)
    stream.next_faults = [YahooFault.UPGRADE_REFUSED] * 6
    collecting(desk, stream, clock(11, 1), until=clock(11, 12), said=said, during=turn)
    desk.yahoo.knobs.faults = 0.0
    assert any("Yahoo" in words for words in said)
    assert desk.rows("SELECT count(*) FROM live_gaps WHERE healed_at IS NULL") == [(0,)]
    assert desk.rows("SELECT count(*) FROM live_gaps")[0][0] >= 1
    assert agrees(desk)


def test_trades_before_the_open_make_no_bar(desk, stream):
    collecting(desk, stream, clock(8), until=clock(9, 20))
    assert live_rows(desk, SESSION) == {}
    assert desk.rows("SELECT count(*) FROM live_refused") == [(0,)]
