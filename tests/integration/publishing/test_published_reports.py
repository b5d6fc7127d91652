"""What is published beside the bars answers as the database does: instruments, coverage, refused, runs."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from condvest.batch_layer.processing.publishing.small_tables import STORED
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.published.manifest import CURRENT
from condvest.batch_layer.shared.published.tables import SCHEMAS
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
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
    "/v1/quality",
    "/v1/quality?symbol=AAPL",
    "/v1/quality?symbol=NONE",
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


def test_the_status_is_that_of_the_database(both):
    database, files = both
    status = files.get("/v1/status").json()
    assert status == database.get("/v1/status").json()
    assert status["last_run"]["summary"] is not None
    assert status["providers"][0]["complete"] > 3


def test_alerts_are_never_published(both):
    answer = both[1].get("/v1/alerts")
    assert answer.status_code == 501
    assert "never published" in answer.json()["detail"]


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


@pytest.mark.parametrize("later", [(), ("run --provider sample",), ("status", "rebuild")])
def test_an_unfinished_rebuild_is_said_as_by_the_database(nights, later):
    world, target, settings = nights
    with world.workspace.database.transaction() as connection:
        for command in ("run", "rebuild", *later):
            connection.execute(
                "INSERT INTO runs (command, finished_at, exit_code) VALUES (%s, clock_timestamp(), 1)",
                (command,),
            )
    published(world, target)
    with application(settings) as database, application(settings, PublishedBackend) as files:
        status = files.get("/v1/status").json()
        assert status == database.get("/v1/status").json()
    is_mixed = later == ("run --provider sample",)
    assert status["rebuild"]["to_do"].startswith("other commands" if is_mixed else "if it runs no more")
    assert status["refused"] > 1


def test_jumps_and_splits_are_flagged_as_by_the_database(world, tmp_path):
    """A split that the prices deny, and a missing one; in three instruments, of which two are asked for."""
    target = DirectoryTarget(tmp_path / "published")
    prices = {"A": [10.0] * 80, "B": [10.0] * 60 + [5.0] * 20, "C": [10.0] * 80}
    world.bars(
        bar(symbol, world.date(at), open=close, high=close, low=close, close=close)
        for symbol, closes in prices.items()
        for at, close in enumerate(closes)
    )
    world.splits(
        {"symbol": symbol, "ex_date": world.date(at), "split_from": 1.0, "split_to": 2.0}
        for symbol, at in (("A", 60), ("C", 70))
    )
    published(world, target)
    settings = replace(world.workspace.settings, published_at=target.name)
    with application(settings) as database, application(settings, PublishedBackend) as files:
        for path in ("/v1/quality", "/v1/quality?symbols=C,A"):
            status, said = answered(files, path)
            assert (status, said) == answered(database, path)
            flags = {(row["symbol"], row["flag"]) for row in said[0]}
            assert {("A", "split_denied"), ("C", "split_denied")} <= flags
            assert (("B", "split_missing") in flags) == ("symbols" not in path)


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
        assert files.get("/v1/status").status_code == 501
        assert files.get("/v1/quality").status_code == 200
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
        status = files.get("/v1/status").json()
    assert status["refused"] is None
    assert [each.partition(":")[0] for each in status["lacks"]] == ["refused"]


def test_runs_without_summaries_say_what_they_lack(nights, monkeypatch):
    """As earlier versions of Condvest published them."""
    world, target, settings = nights
    names = [name for name in SCHEMAS["runs"].names if name != "summary"]
    monkeypatch.setitem(SCHEMAS, "runs", pa.schema([SCHEMAS["runs"].field(name) for name in names]))
    monkeypatch.setitem(STORED, "runs", f"SELECT {', '.join(names)} FROM runs ORDER BY 1")
    with world.workspace.database.transaction() as connection:
        connection.execute(
            "INSERT INTO runs (command, finished_at, exit_code, summary) "
            "VALUES ('run', clock_timestamp(), 0, '{\"inserted\": 1}')"
        )
    world.bars([bar("A", world.date(6))])
    published(world, target)
    with application(settings) as database, application(settings, PublishedBackend) as files:
        status, wanted = files.get("/v1/status").json(), database.get("/v1/status").json()
        assert files.get("/v1/runs").json()["rows"] == database.get("/v1/runs").json()["rows"]
    assert "run condvest publish" in status.pop("lacks")[0]
    assert status["last_run"].pop("summary") is None
    assert wanted["last_run"].pop("summary") == {"inserted": 1}
    assert status == wanted
