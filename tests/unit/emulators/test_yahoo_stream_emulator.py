"""The emulated stream of Yahoo: yfinance's own client works against it."""

import datetime as dt
import json
import threading

import pytest
import websockets.exceptions
from websockets.sync.client import connect
from yfinance import WebSocket

from tests.support.emulators.probe import ask
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york
from tests.support.emulators.synthetic.trades import SETS_DAY, day_of
from tests.support.emulators.yahoo import YahooEmulator
from tests.support.emulators.yahoo.running import single, spelt, symbol_in
from tests.support.emulators.yahoo.server import CRUMB
from tests.support.emulators.yahoo.stream import YahooFault, YahooStreamEmulator

SESSION = dt.date(2024, 6, 3)


@pytest.fixture(scope="module")
def market():
    return Market(3, 60, dt.date(2024, 5, 28), SESSION, revisions=0)


@pytest.fixture(scope="module")
def symbols(market):
    trades = day_of(market, SESSION).trades
    return [spelt(name) for name in sorted(trades, key=lambda name: -len(trades[name]))][:3]


@pytest.fixture
def stream(market, symbols):
    with (
        YahooEmulator(market, now=new_york(SESSION, 9, 30)) as vendor,
        YahooStreamEmulator(vendor, symbols) as emulator,
    ):
        yield emulator


# yfinance 1.7.0 connects without a block, which websockets 17.1 and later call out of date.
@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")
def test_the_vendors_own_client_reads_what_was_traded(market, stream, symbols):
    """It gets the messages that the server says it has sent, each with the price of a trade."""
    got, has_all, wanted = [], threading.Event(), []

    def take(message):
        got.append(message)
        if len(got) == (wanted or [-1])[0]:
            has_all.set()

    client = WebSocket(stream.url, verbose=False)
    client.subscribe(symbols)
    listener = threading.Thread(target=client.listen, args=(take,), daemon=True)
    listener.start()
    port = client._ws.local_address[1]
    for _ in range(20):
        sent = stream.advance(60, port)["frames"]
    wanted.append(sent)
    assert sent >= 20
    assert len(got) == sent or has_all.wait(20)
    client.close()
    listener.join(20)
    trades = {spelt(name): own for name, own in day_of(market, SESSION).trades.items()}
    for message in got:
        if message["market_hours"] == 1:
            prices = {single(trade.price) for trade in trades[message["id"]] if trade.condition in SETS_DAY}
            assert message["price"] == pytest.approx(min(prices, key=lambda own: abs(own - message["price"])))
    assert {"day_volume", "day_high", "open_price"} & set().union(*got)
    assert not all("day_high" in message for message in got)


def test_the_quotes_are_of_the_session_before_until_the_first_trade(stream, symbols):
    query = f"/v7/finance/quote?symbols={symbols[0]}&crumb={CRUMB}"

    def asked(hour, minute):
        stream.vendor.knobs.update({"now": new_york(SESSION, hour, minute)})
        quote = json.loads(ask(stream.vendor.url, query).body)["quoteResponse"]["result"][0]
        date = dt.datetime.fromtimestamp(quote["regularMarketTime"], dt.UTC).date()
        return date, quote["marketState"], quote["regularMarketDayHigh"]

    before, running, after = asked(8, 0), asked(15, 0), asked(17, 0)
    assert (before[0] < SESSION, before[1]) == (True, "PRE")
    assert running[:2] == (SESSION, "REGULAR")
    assert after[:2] == (SESSION, "POST")
    trades = day_of(stream.vendor.market, SESSION).trades
    ticker = symbol_in(day_of(stream.vendor.market, SESSION), symbols[0])
    highest = max(
        trade.price for trade in trades[ticker] if trade.condition in SETS_DAY and trade.cancelled > 2**61
    )
    assert after[2] == single(highest)


@pytest.mark.parametrize("fault", list(YahooFault), ids=lambda fault: fault.name)
def test_each_fault_is_as_it_says(stream, symbols, fault):
    stream.next_faults = [fault]
    if fault is YahooFault.UPGRADE_REFUSED:
        with pytest.raises(websockets.exceptions.InvalidStatus, match="429"):
            connect(stream.url)
        return
    with connect(stream.url) as client:
        client.send(json.dumps({"subscribe": symbols}))
        port = client.local_address[1]
        sent = [stream.advance(60, port)["frames"] for _ in range(6)]
        assert stream.by_fault[fault] == 1
        if fault in (YahooFault.CLOSED, YahooFault.DROPPED):
            for _ in range(sent[-1]):
                client.recv(timeout=20)
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                client.recv(timeout=20)
            return
        frames = [client.recv(timeout=20) for _ in range(sent[-1])]
    if fault is YahooFault.SILENCE:
        assert frames == []
        assert stream.lost
    else:
        assert frames
