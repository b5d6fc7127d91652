"""`condvest.watch`: a table when something was committed, none when nothing was."""

import threading

import pytest

import condvest
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.speed_layer.services.publishing import Publisher
from condvest.speed_layer.sinks.jetstream import JetStream
from tests.support.payloads import bar
from tests.support.worlds.live_script import DAY, END, SESSION, Script
from tests.support.worlds.nats_server import NatsServer


@pytest.fixture
def market(world):
    world.ordinal = world.number("SELECT ordinal FROM sessions WHERE session = %s", SESSION)
    rows = [bar(symbol, world.date(world.ordinal - back)) for symbol in ("A", "B") for back in (3, 2, 1)]
    world.bars(rows, provider="massive", whole=(world.ordinal - 3, world.ordinal - 1))
    world.resample()
    return world


def settings_of(world):
    workspace = world.workspace
    return Settings(
        home=workspace.settings.home, database=DatabaseSettings(url=workspace.settings.database.url)
    )


def test_each_tick_that_changes_something_is_a_table(market):
    """A collector runs beside; each table is awaited before its next tick."""
    seen, taken = [], threading.Semaphore(0)
    higher = {**DAY, "h": 14.0, "c": 13.0}
    steps = [
        ("10:00", {"A": DAY, "B": DAY}),
        ("10:01", {"A": DAY, "B": DAY}),
        ("10:02", {"A": higher, "B": DAY}),
    ]
    watching = condvest.watch("A", interval=5, settings=settings_of(market))
    assert next(watching).num_rows == 0

    def after(_):
        assert taken.acquire(timeout=60)

    def collect():
        script = Script([*steps, END])
        script.after = after
        script.job(market.workspace, market.workspace.settings.home / "live").run()

    collector = threading.Thread(target=collect)
    collector.start()
    for table in watching:
        seen += table.select(["symbol", "high", "close", "is_live"]).to_pylist()
        taken.release()
        if table["close"][0].as_py() == 13.0:
            break
    taken.release()
    collector.join(60)
    watching.close()
    assert [row["close"] for row in seen][-1] == 13.0
    assert {row["symbol"] for row in seen} == {"A"}
    assert all(row["is_live"] for row in seen)
    assert len({row["close"] for row in seen}) == 2


def test_a_nats_server_gives_the_live_rows(market, tmp_path):
    Script([("10:00", {"A": DAY, "B": DAY})]).job(
        market.workspace, market.workspace.settings.home / "live"
    ).run(once=True)
    with NatsServer(tmp_path / "nats") as server, JetStream(server.url) as sink:
        Publisher(market.workspace.database, sink).once()
        watching = condvest.watch(["A"], interval=1, source=server.url)
        table = next(watching)
        watching.close()
    assert table.select(["symbol", "open", "high", "low", "close", "volume"]).to_pylist() == [
        {"symbol": "A", "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 500.0}
    ]
    with pytest.raises(condvest.UsageError, match="interval=1"):
        next(condvest.watch("A", source="nats://127.0.0.1:1"))
    with pytest.raises(condvest.UsageError, match="choose database or nats"):
        next(condvest.watch("A", source="published"))
