"""Publishing from a database that takes no writes, and from one that is behind what is published."""

import json
from pathlib import Path

import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.publish import publish_all
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import ChangesWaiting, PublishedError, UsageError
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from tests.support.exchange import NOW
from tests.support.publishing import from_database, from_files, published, quote


@pytest.fixture
def standby(world, tmp_path):
    """The world's database, in sessions that take no writes, as those of a hot standby."""
    world.bars([quote("A", world.date(at), 20.0 + at) for at in range(6)])
    url = f"{world.url}&options=-cdefault_transaction_read_only%3Don"
    with Database(url) as database:
        yield Workspace(Settings(home=tmp_path, database=DatabaseSettings(url=url)), database, NOW)


def test_it_is_published_as_it_is_and_no_run_is_recorded(world, standby, tmp_path):
    world.resample()
    place, runs = tmp_path / "here", world.number("SELECT count(*) FROM runs")
    assert publish_all(standby, place).is_new
    asked = {"interval": 3, "include_open": True}
    found = from_files(DirectoryTarget(place), **asked)
    assert found["close"].to_pylist() == [22.0, 25.0]
    assert found.equals(from_database(world, **asked))
    assert not publish_all(standby, place).is_new
    assert world.number("SELECT count(*) FROM runs") == runs


def test_what_waits_to_be_resampled_is_not_published(standby, tmp_path):
    """Nobody can resample there."""
    with pytest.raises(ChangesWaiting, match="on the primary server"):
        publish_all(standby, tmp_path / "here")
    assert not (tmp_path / "here" / "manifest.json").exists()


def test_nor_is_half_a_rebuild(world, standby, tmp_path):
    world.resample()
    world.ask("INSERT INTO runs (command) VALUES ('rebuild') RETURNING run_id")
    with pytest.raises(UsageError, match="run condvest rebuild again"):
        publish_all(standby, tmp_path / "here")


def test_a_database_that_is_behind_what_is_published_is_refused(world, tmp_path):
    """As a standby that lags, or a restored backup: later loads stay published, unless it takes over."""
    world.bars([quote("A", world.date(0), 20.0)])
    target = DirectoryTarget(tmp_path / "here")
    published(world, target)
    path = Path(target.name) / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"through_load": manifest["through_load"] + 1}))
    before = path.read_bytes()
    with pytest.raises(PublishedError, match=r"holds load 2, but the database knows no load after 1\."):
        published(world, target)
    assert path.read_bytes() == before
    published(replace_bar(world), target, take_over=True)
    assert json.loads(path.read_text())["version"] == 2


def replace_bar(world):
    """Correct the bar, so that there is something to publish; return the world."""
    with world.workspace.database.transaction() as connection:
        connection.execute("UPDATE daily_bars SET close = 20.5")
    return world
