"""What the tests of the database share beside the root's fixtures."""

import datetime as dt
import os
import shutil
import subprocess
import zlib

import pytest

from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.aws.lambdas import aws_endpoint, lambda_market, lambdas, s3, vendor
from tests.support.databases.embedded_processes import (
    ORDINARY,
    Client,
    clean_up,
    short_directory,
)
from tests.support.exchange import NOW
from tests.support.payloads import bar, split
from tests.support.publishing import published, quote
from tests.support.worlds.long_world import LongWorld

__all__ = ["aws_endpoint", "lambda_market", "lambdas", "s3", "vendor"]
"""Fixtures of the functions on AWS, for the files that call them."""


@pytest.fixture(scope="module")
def lasting_world(server, sessions, tmp_path_factory):
    """A `LongWorld` for all examples that Hypothesis draws in a module; each example empties it first."""
    home = tmp_path_factory.mktemp("home")
    with server.lent() as url, Database(url) as database:
        world = LongWorld(
            Workspace(Settings(home=home, database=DatabaseSettings(url=url)), database, NOW), sessions
        )
        yield world
        world.close()


@pytest.fixture
def target(tmp_path):
    """A directory to publish into, which is not there yet."""
    return DirectoryTarget(tmp_path / "published")


@pytest.fixture(scope="module")
def sample_target(sample, tmp_path_factory):
    """The directory into which the sample was published; to be read only."""
    target = DirectoryTarget(tmp_path_factory.mktemp("published") / "here")
    published(sample, target)
    return target


@pytest.fixture
def year_turn(world):
    """Bars over the turn of two years, with a split and a dividend, an unknown vwap, and an open window."""
    first = world.sessions.ordinal(dt.date(2021, 11, 1))
    rows = []
    for symbol, price in (("B", 50.0), ("A", 10.0), ("C", 3.0)):
        for at in range(0 if symbol != "C" else 70, 300):
            close = price + at % 7
            vwap = None if at % 11 == 0 else close
            rows.append(quote(symbol, world.date(first + at), close, vwap=vwap))
    world.bars(rows)
    world.splits([split("A", world.date(first + 150), 1, 3), split("C", world.date(first + 71), 10, 1)])
    world.dividends(
        [
            {"symbol": "B", "ex_date": world.date(first + 100), "cash_amount": 0.5},
            {"symbol": "A", "ex_date": world.date(first + 200), "cash_amount": 0.25},
        ]
    )
    return world


@pytest.fixture
def rows_of(any_world):
    """Return a function that gives the rows of symbols over sessions, by default A and B over five."""

    def rows(symbols="AB", sessions=range(5), version=0):
        return [bar(symbol, any_world.date(at), version) for at in sessions for symbol in symbols]

    return rows


@pytest.fixture(scope="module")
def made_home():
    """A home whose server was started once and stopped."""
    home = short_directory()
    with EmbeddedServer(home).lease():
        pass
    yield home
    shutil.rmtree(home)


@pytest.fixture
def home(made_home):
    """The same home for all, each time with no server on it, for to make one takes longest."""
    yield made_home
    clean_up(made_home)


@pytest.fixture
def new_home():
    """A home that is not yet made; whatever runs on it is stopped at the end."""
    directory = short_directory()
    yield directory / "home"
    clean_up(directory / "home")
    shutil.rmtree(directory)


@pytest.fixture
def clients(home, request):
    """Processes that use ``home`` and one table of this test: as many as are asked for."""
    started = []
    table = f"stored_{zlib.crc32(request.node.name.encode())}"

    def start(count):
        started.extend(Client(home, table=table) for _ in range(count))
        return started

    yield start
    for client in started:
        client.close()


@pytest.fixture
def living():
    """A process of the user that the server runs as: PostgreSQL would take it for an older server."""
    account = {"user": ORDINARY} if os.geteuid() == 0 else {}
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, **account) as process:
        yield process
        assert process.poll() is None  # nobody took it for a server and ended it
