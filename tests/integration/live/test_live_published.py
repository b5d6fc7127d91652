"""The session under way beside a published data set: read there as from the database, to the bit."""

import datetime as dt
from dataclasses import replace

import httpx
import numpy as np
import pytest

import condvest
from condvest.batch_layer.database.stores.daily.live import read_live
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import PublishedError, PublishedFormat
from condvest.batch_layer.shared.published import live as format_
from condvest.batch_layer.shared.published.live import LIVE, from_parquet, to_parquet
from condvest.batch_layer.shared.published.owner import DataDirectory
from condvest.serving_layer.http.backends.backend import PublishedBackend
from condvest.serving_layer.queries.bars.bars_table import read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources import published as published_source
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sources.published_live import with_live
from condvest.speed_layer.services.live_publication import EVERY, LivePublication
from tests.support.naive import live as naive_live
from tests.support.payloads import bar, dividend, split
from tests.support.publishing import Failing, from_database, published
from tests.support.serving import served
from tests.support.worlds.live_script import DAY, END, Script

THROUGH = dt.datetime(1962, 2, 1, 17, 30, 0, 250_000, tzinfo=dt.UTC)
PRICES = {"open": 100.0, "high": 104.5, "low": 0.1 + 0.2, "close": 1e2 / 3, "volume": 10 / 3, "vwap": 101.0}
QUESTIONS = [
    {"interval": interval, "adjust": adjust, "anchor": anchor, "include_open": include_open}
    for interval in (1, 3, 5, 13, 4)
    for adjust, anchor, include_open in (
        ("splits", "calendar", False),
        ("none", "calendar", True),
        ("total", "listing", False),
    )
]


@pytest.fixture
def target(tmp_path):
    return DirectoryTarget(tmp_path / "published")


@pytest.fixture
def market(world):
    """Three instruments over sessions 0 to 9; a split and a dividend fall on session 10, which is live."""
    rows = [bar(symbol, world.date(at)) for symbol in ("A", "B", "C") for at in range(10)]
    world.bars(rows, provider="massive", whole=(0, 9))
    world.splits([split("A", world.date(10), 1, 2)], provider="massive")
    world.dividends([dividend("B", world.date(10), 0.5)], provider="massive")
    world.resample()
    return world


def put(world, symbol, ordinal=10, through=THROUGH, **values):
    row = {**PRICES, "instrument_id": world.instrument(symbol), "ordinal": ordinal, **values}
    naive_live.put_live(world.looking, [row], through)


def publication(world, target, **how):
    return LivePublication(world.workspace.database, target, world.sessions, **how)


def from_live_files(target, **asked):
    return read_bars_from(
        with_live(PublishedSource.open(target))[0], Question(**{"include_live": True, **asked})
    )


def agree(world, target):
    """Hold every question's answer against the database's; return the live ones of single sessions."""
    rows = 0
    for question in QUESTIONS:
        for symbols in (None, ["A"], ["C", "B"]):
            asked = {**question, "symbols": symbols}
            wanted = from_database(world, include_live=True, **asked)
            assert from_live_files(target, **asked).equals(wanted), asked
            rows += wanted.num_rows
    assert rows > 100
    return [row for row in from_live_files(target, interval=1).to_pylist() if row["is_live"]]


def test_every_answer_is_the_databases_to_the_bit(market, target):
    """An unknown open and vwap, fractions of a share, microseconds; an instrument without a live row."""
    published(market, target)
    put(market, "A")
    put(market, "B", open=None, vwap=None, through=THROUGH - dt.timedelta(minutes=1))
    publication(market, target).write()
    live = agree(market, target)
    assert [(row["symbol"], row["open"], row["vwap"]) for row in live] == [
        ("A", 100.0, 101.0),
        ("B", None, None),
    ]
    assert live[0]["data_through"] == THROUGH


def test_portions_hold_the_live_rows_of_their_own_instruments(market, target, monkeypatch):
    published(market, target)
    put(market, "A")
    put(market, "C")
    publication(market, target).write()
    monkeypatch.setattr(published_source, "PORTION", 1)
    assert [row["symbol"] for row in agree(market, target)] == ["A", "C"]


def test_an_official_bar_takes_the_live_ones_place_with_the_version_that_publishes_it(market, target):
    """Whether the collector has written since or not; a file of one instrument completes no session."""
    published(market, target)
    put(market, "A")
    put(market, "B")
    publication(market, target).write()
    market.bars([bar("A", market.date(10))], provider="file")
    published(market, target)
    assert [row["symbol"] for row in agree(market, target)] == ["B"]
    market.bars([bar("A", market.date(10))], provider="massive", whole=(10, 10), name="whole.csv")
    published(market, target)
    assert agree(market, target) == []
    market.looking.execute("DELETE FROM live_daily_bars")
    publication(market, target).write()
    assert agree(market, target) == []


def test_where_nobody_collects_nothing_is_live(market, target):
    published(market, target)
    assert agree(market, target) == []
    settings = replace(market.workspace.settings, published_at=target.name)
    table = condvest.bars("A", include_live=True, source="published", settings=settings)
    assert not any(table["is_live"].to_pylist())


def test_rows_of_another_database_or_calendar_are_refused(market, target):
    """Their numbers mean other instruments, and other sessions."""
    version = published(market, target)
    put(market, "A")
    publication(market, target).write()
    assert version.version == 1
    with market.workspace.database.transaction() as connection:
        live = read_live(connection)
    content = target.read(LIVE)
    owner = from_parquet(content, "here").database
    target.write(to_parquet(live, market.sessions, "another/1"), LIVE)
    with pytest.raises(PublishedError, match="is of the database another/1"):
        from_live_files(target)
    moved = replace(market.sessions, date=market.sessions.date + np.timedelta64(1, "D"))
    target.write(to_parquet(live, moved, owner), LIVE)
    with pytest.raises(PublishedError, match=r"another session of the calendar .* condvest publish"):
        from_live_files(target)
    target.write(content, LIVE)
    assert from_live_files(target).num_rows


def test_a_collector_publishes_beside_no_other_databases_data_set(market, target, tmp_path):
    published(market, target)
    copy = DataDirectory(number=1, holds_target=False)
    published(market, DirectoryTarget(tmp_path / "theirs"), directory=replace(copy, number=2))
    with pytest.raises(PublishedError, match="the home that this one is a copy of"):
        publication(market, DirectoryTarget(tmp_path / "theirs"), directory=copy).write()


@pytest.mark.parametrize("spoil", [lambda content: content[:-9], lambda _: b"", lambda _: b"PAR1PAR1PAR1"])
def test_a_damaged_file_is_said_to_be_one(market, target, spoil):
    published(market, target)
    put(market, "A")
    publication(market, target).write()
    target.write(spoil(target.read(LIVE)), LIVE)
    with pytest.raises(PublishedError, match=r"live\.parquet in .* is damaged"):
        from_live_files(target)


def test_another_format_is_refused(market, target, monkeypatch):
    published(market, target)
    monkeypatch.setattr(format_, "FORMAT", "2")
    publication(market, target).write()
    monkeypatch.undo()
    with pytest.raises(PublishedFormat, match="has format '2'"):
        from_live_files(target)


def test_it_is_written_once_a_minute_and_again_where_the_target_does_not_answer(market, target):
    published(market, target)
    put(market, "A", close=1.0)
    said = []
    failing = Failing(target, 1)
    writer = publication(market, failing, say=said.append)
    writer.tick(1_000_000)
    assert writer.through == round(THROUGH.timestamp() * 1_000_000)
    put(market, "A", close=2.0)
    writer.tick(1_000_000 + EVERY - 1)
    assert from_live_files(target, interval=1, symbols=["A"])["close"][-1].as_py() == 1.0
    writer.tick(1_000_000 + EVERY)
    assert "the test has taken the place away" in said[0]
    assert "live.parquet is as it was" in said[0]
    failing._left = 9
    writer.tick(1_000_000 + 2 * EVERY)
    assert from_live_files(target, interval=1, symbols=["A"])["close"][-1].as_py() == 2.0


def test_a_publication_leaves_the_live_rows_alone(market, target):
    published(market, target)
    put(market, "A")
    publication(market, target).write()
    market.bars([bar("B", market.date(10))], provider="massive", name="more.csv")
    assert published(market, target, keep=0).version == 2
    assert target.read(LIVE) is not None


def test_over_http_a_tick_is_another_state_of_an_answer_about_now_alone(market, target):
    published(market, target)
    put(market, "A", close=3.0)
    publication(market, target).write()
    settings = replace(market.workspace.settings, published_at=target.name)
    with (
        served(settings, kind=PublishedBackend) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        asked = {"symbol": "A", "interval": 1, "format": "json"}
        stored, first = client.get("/v1/bars", params=asked), client.get("/v1/bars", params=asked | LIVELY)
        assert first.json()["rows"][-1]["close"] == 3.0
        assert first.json()["version"].startswith(stored.json()["version"])
        has = {"If-None-Match": first.headers["ETag"]}
        assert client.get("/v1/bars", params=asked | LIVELY, headers=has).status_code == 304
        put(market, "A", close=4.0)
        publication(market, target).write()
        second = client.get("/v1/bars", params=asked | LIVELY, headers=has)
        assert (second.status_code, second.json()["rows"][-1]["close"]) == (200, 4.0)
        has = {"If-None-Match": stored.headers["ETag"]}
        assert client.get("/v1/bars", params=asked, headers=has).status_code == 304
        page = client.get("/v1/bars", params=LIVELY | {"interval": 1, "limit": 5}).json()
        following = client.get(page["next"])
        assert (following.status_code, len(following.json()["rows"])) == (200, 5)
        put(market, "A", close=2.0)
        publication(market, target).write()
        assert client.get(page["next"]).status_code == 200  # it was made then, and is kept
        assert client.get(following.json()["next"]).status_code == 410  # nobody keeps the rows it is of
        refused = client.get("/v1/bars", params=asked | LIVELY | {"version": stored.json()["version"]})
        assert (refused.status_code, "has no session under way" in refused.json()["detail"]) == (400, True)


LIVELY = {"live": "true"}


def test_a_collector_publishes_what_it_stores_and_says_how_old_it_is(world, target):
    """At each look and at the end; the age is that of what readers get."""
    script = Script([("10:00", {"A": DAY}), ("10:01", {"A": {**DAY, "c": 11.25}}), END])
    ordinal = world.sessions.ordinal(script.session)
    before = [bar("A", world.date(ordinal - 1))]
    world.bars(before, provider="massive", whole=(ordinal - 1, ordinal - 1))
    published(world, target)
    measured = []
    script.delay = dt.timedelta(minutes=15)
    job = replace(
        script.job(world.workspace, world.workspace.settings.home / "live"),
        publication=publication(world, target),
        measure=measured.append,
    )
    assert job.run().exit_code == 0
    assert measured[0] == {"LiveDataAgeSeconds": 900.0}
    assert [row["close"] for row in from_live_files(target, interval=1).to_pylist()][-1] == 11.25


@pytest.mark.parametrize(
    ("hours", "at", "says"),
    [
        ("regular", "16:49", "took one snapshot"),
        ("regular", "16:51", "is over"),
        ("extended", "16:51", "took one"),
    ],
)
def test_regular_hours_end_fifty_minutes_after_the_close(world, hours, at, says):
    script = Script([(at, {"A": DAY}), END])
    job = script.job(world.workspace, world.workspace.settings.home / "live")
    assert says in job.run(once=True, hours=hours).reason


def test_on_an_early_close_they_end_earlier(world):
    """2024-11-29 closed at 13:00."""
    for at, says in (("13:49", "took one"), ("13:51", "is over")):
        script = Script([(at, {"A": DAY}), END], session=dt.date(2024, 11, 29))
        job = script.job(world.workspace, world.workspace.settings.home / "live")
        assert says in job.run(once=True, hours="regular").reason


def test_a_watch_that_finds_a_collector_measures_its_data(world):
    """It may hang, and measure nothing."""
    measured = []
    script = Script([("10:00", {"A": DAY}), ("10:20", {"A": DAY})])
    other = Script([("10:30", {})])

    def look(_):
        watch = replace(
            other.job(world.workspace, world.workspace.settings.home / "live"), measure=measured.append
        )
        assert "another" in watch.run().reason
        raise KeyboardInterrupt

    script.after = look
    with pytest.raises(KeyboardInterrupt):
        script.job(world.workspace, world.workspace.settings.home / "live").run()
    assert measured == [{"LiveDataAgeSeconds": 1800.0}]
