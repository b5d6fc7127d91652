"""One Condvest kept from another, by way of Massive's paths: the market's truth is what both hold."""

import datetime as dt
from dataclasses import dataclass, field

import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.emulators.synthetic import universe
from tests.support.emulators.synthetic.market import Market
from tests.support.serving import served
from tests.support.worlds.vendor_truth import Clock, Desk, after_close, disagreements, serving, unconnected

FIRST, LAST = dt.date(2024, 1, 16), dt.date(2024, 2, 29)


@dataclass
class Mirrored:
    """A server in the vendor's place: its data are what they are, whatever the instant."""

    url: str
    waits: Clock = field(default_factory=Clock)
    knobs: dict = field(default_factory=dict)


@pytest.fixture
def two(server, database, url, tmp_path, monkeypatch):
    """The desk that is kept from the vendor, and the one that is kept from that desk's server."""
    monkeypatch.setattr(universe, "_RENAMED_A_YEAR", 1.0)
    monkeypatch.setattr(universe, "_DELISTED_A_YEAR", 0.5)
    monkeypatch.setattr(universe, "_SPLIT_A_YEAR", 0.5)
    market = Market(31, 40, FIRST, LAST, revisions=0.003)
    settings = Settings(home=tmp_path / "one", database=DatabaseSettings(url=url))
    with (
        serving(market, dirt=False) as vendor,
        served(settings) as address,
        server.lent() as second,
        Database(second) as other,
    ):
        yield Desk(database, tmp_path / "one", vendor, 7), Desk(other, tmp_path / "two", Mirrored(address), 7)


def test_a_backfill_and_nights_at_another_condvest_store_the_truth(two):
    first, second = two
    market = first.emulator.market
    instants = [after_close(session) for session in market.sessions()[-3:]]
    for now in instants:
        for desk in two:
            if now is instants[0]:
                desk.backfill(now)
            assert not desk.night(now).failed
        unknowable = unconnected(market, now)
        for desk in two:
            assert disagreements(desk, market, now, FIRST, unknowable=unknowable) == []
    assert second.wrong_bars() == []
    of_all = "SELECT count(*), count(DISTINCT instrument_id) FROM daily_bars"
    assert second.rows(of_all) == first.rows(of_all)
