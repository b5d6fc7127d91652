"""From the vendor to bars by what is shipped to AWS: zips, layer and app as they are built."""

import datetime as dt

import psycopg
import pytest

from tests.support.aws.chain import Chain, Processes
from tests.support.aws.emulated import configured, emulated_aws, fresh_bucket
from tests.support.emulators.massive import MassiveEmulator
from tests.support.emulators.synthetic.market import Market
from tests.support.exchange import NOW
from tests.support.naive.database import differences

FIRST, LAST = dt.date(2024, 5, 20), dt.date(2024, 5, 31)
SESSIONS = 9
"""From FIRST to LAST: ten weekdays but for Memorial Day, 05-27."""


@pytest.fixture
def market():
    return Market(seed=11, instruments=60, first_session=FIRST, last_session=LAST)


@pytest.fixture
def empty(other_server):
    url = other_server.empty_database()
    yield url
    other_server.drop(url)


def test_a_night_from_the_vendor_to_bars(market, empty, tmp_path, monkeypatch):
    """Nothing but the vendor's schedule is said to the chain: each further part is started by an event."""
    told = []
    with (
        emulated_aws() as endpoint,
        configured(monkeypatch, endpoint),
        MassiveEmulator(market, now=NOW, delay=0.01) as vendor,
    ):
        fresh_bucket(endpoint)
        jobs = Processes(empty, tmp_path)
        chain = Chain(vendor.url, empty, endpoint, tmp_path, jobs=jobs, tell=told.append)
        chain.migrate()
        night = {"start": FIRST.isoformat(), "end": LAST.isoformat(), "correlation_id": "night 7"}
        chain.fetch(night)
        chain.load()
        assert chain.resample(shards=4) >= SESSIONS
        chain.load()
        assert chain.resample(shards=4) == 0
        chain.show(str(market.bars(LAST, NOW, otc=False, source="rest").symbol[0]), 3)
    with psycopg.connect(empty) as connection:
        assert differences(connection) == []
        stored = connection.execute(
            "SELECT session, symbol, close FROM daily_bars JOIN sessions USING (ordinal) JOIN symbols "
            "ON symbols.instrument_id = daily_bars.instrument_id AND session BETWEEN valid_from AND valid_to"
        ).fetchall()
        bars = connection.execute("SELECT count(*) FROM bars").fetchone()[0]
    assert set(stored) == set(truth_of(market))
    assert bars > 0
    assert {answer["correlation_id"] for answer in chain.answers if answer["keys"]} == {"night 7"}
    assert {line["correlation_id"] for line in chain.lines} == {"night 7"}
    assert {line["shard"] for line in chain.lines if "_aws" in line} == {"0", "1", "2", "3"}
    assert sum(line["BarsInserted"] for line in chain.lines if "_aws" in line) == bars


def truth_of(market):
    """The closes of every session, as the vendor tells them at NOW."""
    for number in range((LAST - FIRST).days + 1):
        session = FIRST + dt.timedelta(days=number)
        if session.weekday() < 5 and session != dt.date(2024, 5, 27):
            rows = market.bars(session, NOW, otc=False, source="rest")
            for symbol, close in zip(rows.symbol.tolist(), rows.close.tolist(), strict=True):
                yield session, symbol, close
