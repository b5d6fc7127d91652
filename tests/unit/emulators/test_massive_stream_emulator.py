"""The emulated stream: its trades are the market's, and the vendor's own client works against it."""

import asyncio
import datetime as dt
import threading

import pytest
from massive import WebSocketClient

from tests.support.emulators.massive import MassiveEmulator
from tests.support.emulators.massive.folding import day_so_far, minutes_of
from tests.support.emulators.massive.stream import StreamEmulator
from tests.support.emulators.massive.stream_faults import StreamFault
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import new_york
from tests.support.emulators.synthetic.trades import MINUTE, NEVER, UNIT, day_of

SESSION = dt.date(2024, 6, 3)
FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c"}


@pytest.fixture(scope="module")
def market():
    return Market(3, 60, dt.date(2024, 5, 28), SESSION, revisions=0)


@pytest.fixture
def vendor(market):
    with MassiveEmulator(market, plan="unlimited", now=new_york(SESSION, 11)) as emulator:
        yield emulator


def test_the_trades_of_a_session_come_to_its_daily_bars(market):
    day = day_of(market, SESSION)
    rows = market.bars(SESSION)
    for row, symbol in enumerate(rows.symbol.tolist()):
        folded = day_so_far(day.trades[symbol], NEVER - 1)
        assert {name: folded[key] for name, key in FIELDS.items()} == {
            name: getattr(rows, name)[row] for name in FIELDS
        }
        assert float(folded["dv"]) == rows.volume[row]
    others = set(day.trades) - set(rows.symbol.tolist())
    assert all(not day_so_far(day.trades[symbol], NEVER - 1)["c"] for symbol in others)


def test_a_minute_is_sent_when_it_has_ended_and_again_when_trades_of_it_become_known(market):
    day = day_of(market, SESSION)
    sent = minutes_of(day)
    assert all(message.at >= message.start + MINUTE for message in sent)
    assert all(message.at < message.start + 17 * MINUTE for message in sent)
    times = {}
    for message in sent:
        times.setdefault((message.message["sym"], message.start), []).append(message.message)
    again = [messages for messages in times.values() if len(messages) > 1]
    assert any(later["h"] < first["h"] for first, *_, later in again)  # a trade was cancelled
    assert any(later["v"] > first["v"] for first, *_, later in again)  # a trade came late


def test_an_early_close_is_the_calendars():
    market = Market(3, 20, dt.date(2023, 11, 20), dt.date(2023, 11, 24), revisions=0)
    day = day_of(market, dt.date(2023, 11, 24))
    assert day.closes - day.opens == 210 * MINUTE
    assert all(trade.size % 1 == 0 and UNIT for trades in day.trades.values() for trade in trades)


class Own:
    """The vendor's own client on a thread."""

    def __init__(self, stream, key):
        self.messages, self.error = [], None
        self._came = threading.Condition()
        self._client = WebSocketClient(
            key,
            feed=stream.url.removeprefix("ws://").removesuffix("/stocks"),
            market="stocks",
            secure=False,
            subscriptions=["AM.*"],
            max_reconnects=0,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            asyncio.run(self._client.connect(self._take))
        except Exception as error:  # noqa: BLE001  # the test looks at it
            self.error = error
        with self._came:
            self._came.notify_all()

    async def _take(self, messages):
        with self._came:
            self.messages += messages
            self._came.notify_all()

    def wait(self, done):
        with self._came:
            assert self._came.wait_for(done, timeout=60)

    def join(self):
        self._thread.join(60)
        assert not self._thread.is_alive()


def test_the_vendors_own_client_gets_every_minute(vendor):
    """As what it was sent, value by value; it ends without a word when it is closed with 1000."""
    with StreamEmulator(vendor) as stream:
        client = Own(stream, vendor.key)
        while not any(connected.topics for connected in stream.clients):
            stream.advance(0.0)
        burst = stream.next_instant(60)
        stream.advance(60)
        sent = [
            message.message
            for message in minutes_of(vendor.day(SESSION))
            if burst - dt.timedelta(seconds=2) <= dt.datetime.fromtimestamp(message.at / 1e6, dt.UTC) < burst
        ]
        client.wait(lambda: len(client.messages) >= len(sent))
        assert [(got.symbol, got.close, got.fractional_accumulated_volume) for got in client.messages] == [
            (message["sym"], message["c"], message["dav"]) for message in sent
        ]
        stream.next_faults = [StreamFault.CLOSED]
        stream._draw.choice = lambda _: 1000
        stream.advance(60)
        client.join()
        assert client.error is None


def test_the_vendors_own_client_says_that_a_key_is_refused(vendor):
    with StreamEmulator(vendor) as stream:
        client = Own(stream, "another")
        client.join()
    assert "authentication failed" in str(client.error)


def test_every_fault_has_a_name_and_a_sentence():
    assert len(StreamFault) == 25
    assert len({fault.value for fault in StreamFault}) == 25
