"""One browser and two served databases for all tests of the page: the sample, and a market of odd things."""

import datetime as dt

import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.browser import chromium
from tests.support.exchange import NOW
from tests.support.payloads import bar, json_payload
from tests.support.serving import served
from tests.support.worlds.world import World

LONG = "LONG"
HOSTILE = "<svg/onload=alert(1)>"
NAME = '<script>alert("name")</script> & <b>Sons</b>'
SYMBOLS = 12_500


@pytest.fixture(scope="session")
def browser():
    """The browser; see `page`."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def sample_address(sample):
    """Where the sample is served."""
    with served(sample.workspace.settings) as address:
        yield address


@pytest.fixture(scope="session")
def market(server, sessions, tmp_path_factory):
    """A market of 12,500 symbols; one has 6,000 daily bars, one a hostile name, and one is delisted."""
    home = tmp_path_factory.mktemp("market")
    with server.lent() as url, Database(url) as database:
        settings = Settings(home=home, database=DatabaseSettings(url=url))
        world = World(Workspace(settings, database, NOW), sessions)
        fill(world)
        yield world
        world.close()


@pytest.fixture(scope="session")
def market_address(market):
    """Where that market is served."""
    with served(market.workspace.settings) as address:
        yield address


@pytest.fixture
def page(browser, sample_address):
    """The page of the sample, on a desk's screen, light, in UTC."""
    yield from fresh(browser, sample_address)


@pytest.fixture
def market_page(browser, market_address):
    """The page of the market of odd things."""
    yield from fresh(browser, market_address)


def fresh(browser, address):
    browser.address = address
    browser.look()
    browser.complaints()
    browser.requests()
    yield browser
    browser.driver.get(f"{address}/page/icon.svg")
    browser.run("localStorage.clear(); sessionStorage.clear()")


def fill(world):
    last = world.sessions.ordinal(dt.date(2024, 5, 31))
    dates = [world.date(ordinal).isoformat() for ordinal in range(last - 5999, last + 1)]
    long = [bar(LONG, date, vwap=None) for date in dates]
    world.bars([*long, bar("GONE", dates[-900])], name="first.csv")
    same = bar("S", dates[-1], volume=100)
    crowd = [{**same, "symbol": f"S{number:05}"} for number in range(SYMBOLS - 7)]
    odd = [bar(symbol, dates[-1], volume=100) for symbol in (HOSTILE, "a", "A", "A&B=C", "x'\"`\\")]
    world.bars([*crowd, *odd], name="crowd.csv")
    # A correction of one session; and a row of another that breaks a rule.
    world.bars([bar(LONG, dates[-100], version=1, vwap=None)], name="correction.csv")
    world.bars([bar(LONG, dates[-101], high=1, low=2, open=1, close=1)], name="refused.csv")
    listed = {"market": "stocks", "locale": "us", "type": "CS", "currency_name": "usd"}
    gone = {"active": False, "delisted_utc": "2021-06-01T00:00:00Z"}
    world.load(
        json_payload(
            "instruments",
            [
                {"ticker": HOSTILE, "name": NAME, "active": True, **listed},
                {"ticker": "GONE", "name": "Gone Inc.", **gone, **listed},
            ],
            whole=True,
        )
    )
