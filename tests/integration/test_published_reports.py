"""What is published beside the bars answers as the database does: instruments, coverage, refused, runs."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.published.manifest import CURRENT
from condvest.serving_layer.http.published_backend import PublishedBackend
from tests.support.asked import application
from tests.support.payloads import bar
from tests.support.publishing import published

PATHS = (
    "/v1/instruments",
    "/v1/instruments?search=a&limit=3",
    "/v1/instruments?active=true",
    "/v1/instruments?as_of=2000-01-01",
    "/v1/instruments?as_of=2099-01-01",
    "/v1/symbols",
    "/v1/symbols?symbol=AAPL&on=2010-01-04",
    "/v1/coverage",
    "/v1/coverage?by=session",
    "/v1/coverage?by=year&provider=sample",
    "/v1/coverage?provider=nobody",
    "/v1/refused",
    "/v1/refused?load_id=1",
    "/v1/runs",
    "/v1/runs?command=run",
)


@pytest.fixture(scope="module")
def both(sample, sample_target):
    settings = replace(sample.workspace.settings, published_at=sample_target.name)
    with application(settings) as database, application(settings, PublishedBackend) as files:
        yield database, files


def answered(app, path):
    """Return what an answer says but for the version it is of."""
    answer = app.get(path)
    content = answer.json()
    said = (content["rows"], content["count"]) if answer.status_code == 200 else content["detail"]
    return answer.status_code, said


@pytest.mark.parametrize("path", PATHS)
def test_the_answer_is_that_of_the_database(both, path):
    database, files = both
    status, said = answered(database, path)
    assert answered(files, path) == (status, said)
    if path in ("/v1/instruments", "/v1/symbols", "/v1/coverage"):
        assert said[1] > 3


@pytest.fixture
def nights(world, tmp_path):
    """A world with refused rows, a correction, and an instrument whose name changed; and its settings."""
    target = DirectoryTarget(tmp_path / "published")
    first = [bar(symbol, world.date(at)) for at in range(5) for symbol in "AB"]
    world.bars([*first, bar("C", world.date(2), high=1.0, low=2.0)])
    published(world, target)
    world.bars([bar("A", world.date(5)), bar("D", world.date(5), volume=-1.0)])
    return world, target, replace(world.workspace.settings, published_at=target.name)


def test_what_a_load_brings_alone_makes_a_version(nights):
    """Its refused rows, too; but not that a command ran."""
    world, target, settings = nights
    assert published(world, target).is_new
    with application(settings) as database, application(settings, PublishedBackend) as files:
        for path in ("/v1/refused", "/v1/coverage?by=session", "/v1/symbols", "/v1/instruments"):
            assert answered(files, path) == answered(database, path)
        assert answered(files, "/v1/refused")[1][1] > 1
    with world.workspace.database.transaction() as connection:
        connection.execute("INSERT INTO runs (command) VALUES ('status')")
    assert not published(world, target).is_new


def test_the_past_of_instruments_is_that_of_the_database(nights):
    world, target, settings = nights
    published(world, target)
    loaded_at = world.ask("SELECT loaded_at FROM loads ORDER BY load_id")
    with application(settings) as database, application(settings, PublishedBackend) as files:
        for (instant,) in loaded_at:
            for shift in (-1, 0, 1):
                at = (instant + dt.timedelta(microseconds=shift)).astimezone(dt.UTC)
                path = f"/v1/instruments?as_of={at.isoformat().replace('+00:00', 'Z')}"
                assert answered(files, path) == answered(database, path)


def test_an_earlier_publication_says_what_it_lacks_and_what_to_do(nights):
    """A manifest without these data sets, as earlier versions of Condvest wrote it."""
    world, target, settings = nights
    published(world, target)
    path = Path(target.name) / CURRENT
    manifest = json.loads(path.read_text())
    del manifest["reports"], manifest["reports_schema"]
    path.write_text(json.dumps(manifest))
    with application(settings, PublishedBackend) as files:
        for name in ("instruments", "coverage", "refused", "runs"):
            answer = files.get(f"/v1/{name}")
            assert answer.status_code == 501
            assert "run condvest publish" in answer.json()["detail"]
        assert files.get("/v1/bars?interval=1").status_code == 200
        assert files.get("/v1/symbols").status_code == 200
    assert published(world, target).is_new
    with application(settings, PublishedBackend) as files:
        assert files.get("/v1/refused").status_code == 200


def test_too_many_refused_rows_are_left_out(nights, monkeypatch):
    world, target, settings = nights
    monkeypatch.setattr("condvest.batch_layer.processing.publishing.small_tables.MOST_REFUSED", 10)
    published(world, target)
    with application(settings, PublishedBackend) as files:
        assert (files.get("/v1/refused").status_code, files.get("/v1/coverage").status_code) == (501, 200)
