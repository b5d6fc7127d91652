"""Publishing into a directory: the same answers as from the database, versions, increments, faults."""

import contextlib
import datetime as dt
import errno
import json
import os
import shutil
import threading
from pathlib import Path

import duckdb
import polars as pl
import psycopg
import pyarrow.parquet as pq
import pytest

import condvest
from batch_layer.database.postgres.connection import Database
from batch_layer.processing.publishing import part_files
from batch_layer.processing.publishing import publish as publishing
from batch_layer.processing.publishing.publish import publish
from batch_layer.shared.clients.publish_targets import directory
from batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from batch_layer.shared.errors import PublishedError, PublishedFormat, PublishedUnavailable, UsageError
from batch_layer.shared.published.versions import current_manifest, remove_unneeded
from batch_layer.shared.settings import INTERVALS, Settings
from serving_layer.queries.bars_table import read_bars_from
from serving_layer.queries.question import Question
from serving_layer.sources.published import PublishedSource
from tests.support.payloads import bar, split
from tests.support.publishing import Failing, from_database, from_files, published


@pytest.fixture
def place(tmp_path):
    return DirectoryTarget(tmp_path / "published")


@pytest.fixture(scope="module")
def sample_place(sample, tmp_path_factory):
    place = DirectoryTarget(tmp_path_factory.mktemp("published") / "here")
    published(sample, place)
    return place


@pytest.fixture
def market(world):
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


def held(place):
    root = Path(place.name)
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


class TestSameAnswers:
    @pytest.mark.parametrize("interval", [1, 2, *INTERVALS, 100])
    @pytest.mark.parametrize("adjust", ["none", "splits", "total"])
    @pytest.mark.parametrize("anchor", ["calendar", "listing"])
    def test_of_the_sample_in_every_way_to_ask(self, sample, sample_place, interval, adjust, anchor):
        for more in (
            {},
            {"include_open": True},
            {"symbols": ["IBM", "FB"]},
            {"symbols": ["AAPL"], "start": dt.date(2005, 2, 1), "end": dt.date(2005, 3, 31)},
            {"start": dt.date(2012, 12, 20), "end": dt.date(2013, 1, 10)},
            {"end": dt.date(1999, 1, 1)},
            {"symbols": []},
        ):
            asked = {"interval": interval, "adjust": adjust, "anchor": anchor} | more
            assert from_files(sample_place, **asked).equals(from_database(sample, **asked)), asked

    @pytest.mark.parametrize("interval", [1, 3, 7, 34])
    @pytest.mark.parametrize("adjust", ["none", "splits", "total"])
    def test_of_a_market_with_open_windows_and_unknown_values(self, market, place, interval, adjust):
        published(market, place)
        for include_open in (False, True):
            asked = {"interval": interval, "adjust": adjust, "include_open": include_open}
            table = from_files(place, **asked)
            assert len(table) > 10
            assert table.equals(from_database(market, **asked))

    @pytest.mark.parametrize("asked", [{}, {"symbols": ["B"]}, {"start": dt.date(2022, 3, 1)}])
    def test_of_files_with_many_row_groups(self, market, place, monkeypatch, asked):
        """As of a whole market, whose instruments lie in one group or in two, and open bars in some."""
        monkeypatch.setattr(part_files, "ROW_GROUP", 50)
        published(market, place)
        for interval in (1, 3):
            table = from_files(place, interval=interval, **asked)
            assert len(table) > 50
            assert table.equals(from_database(market, interval=interval, **asked))

    def test_by_the_python_interface(self, sample, sample_place):
        settings = Settings(home=Path("/nowhere"), published_at=sample_place.name)
        table = condvest.bars("IBM", 13, source="published", settings=settings)
        assert table.equals(from_database(sample, symbols=["IBM"], interval=13))
        assert len(table) == 250

    def test_an_unknown_symbol_is_said_with_what_is_near(self, sample_place):
        with pytest.raises(condvest.CondvestError, match="carries the symbol AAPLE; did you mean AAPL"):
            from_files(sample_place, symbols=["AAPLE"])

    def test_of_a_database_that_is_empty(self, world, place):
        summary = published(world, place)
        assert (summary.version, summary.rows["daily_bars"]) == (1, 0)
        assert len(from_files(place)) == 0

    def test_a_symbol_stands_for_who_carried_it_last(self, market, place):
        """B was renamed to Z in 2022, and A took the name B after a while."""
        ids = {symbol: market.instrument(symbol) for symbol in "AB"}
        market.looking.execute("DELETE FROM symbols WHERE symbol IN ('A', 'B')")
        for symbol, of, first, last in (
            ("B", "B", "-infinity", "2022-03-01"),
            ("Z", "B", "2022-03-02", "infinity"),
            ("A", "A", "-infinity", "2022-05-01"),
            ("B", "A", "2022-05-02", "infinity"),
        ):
            market.looking.execute(
                "INSERT INTO symbols (symbol, valid_from, valid_to, instrument_id) VALUES (%s, %s, %s, %s)",
                (symbol, first, last, ids[of]),
            )
        published(market, place)
        for symbol, closes in (("B", 10.0), ("A", 10.0), ("Z", 50.0)):
            table = from_files(place, symbols=[symbol], interval=1, adjust="none")
            assert table["close"][0].as_py() == closes
            assert table.equals(from_database(market, symbols=[symbol], interval=1, adjust="none"))


class TestWhatItCannotAnswer:
    def test_as_of_is_for_the_database(self, sample_place):
        settings = Settings(home=Path("/nowhere"), published_at=sample_place.name)
        with pytest.raises(UsageError, match="ask the database"):
            condvest.bars(source="published", as_of=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), settings=settings)

    def test_a_source_that_there_is_not(self):
        with pytest.raises(UsageError, match="database or published"):
            condvest.bars(source="file", settings=Settings(home=Path("/nowhere")))


class TestPlainReaders:
    def test_polars_finds_bars_as_traded_by_instrument_and_window(self, sample, sample_place):
        files = PublishedSource.open(sample_place).files("bars_13")
        names = pl.read_parquet(PublishedSource.open(sample_place).files("instruments"))
        frame = pl.read_parquet(files).join(names.select("instrument_id", "symbol"), on="instrument_id")
        ours = pl.from_arrow(from_database(sample, interval=13, adjust="none", include_open=True))
        columns = ["symbol", "window", "first_session", "last_session", "open", "close", "volume", "vwap"]
        assert frame.sort("symbol", "window").select(columns).equals(ours.select(columns))

    def test_the_factors_of_the_splits_adjust_them(self, sample, sample_place):
        """AAPL's two splits of the sample; the factor of the first holds both."""
        source = PublishedSource.open(sample_place)
        splits, daily, names = (source.files(name) for name in ("splits", "daily_bars", "instruments"))
        found = duckdb.sql(
            f"SELECT session, close * coalesce(price_factor, 1) AS close FROM read_parquet({daily}) AS bars "
            f"ASOF LEFT JOIN read_parquet({splits}) AS splits "
            "ON bars.instrument_id = splits.instrument_id AND session < ex_date "
            f"JOIN read_parquet({names}) AS names ON names.instrument_id = bars.instrument_id "
            "WHERE symbol = 'AAPL' ORDER BY session"
        ).fetchall()
        ours = from_database(sample, symbols=["AAPL"], interval=1)
        assert found == list(zip(ours["last_session"].to_pylist(), ours["close"].to_pylist(), strict=True))

    def test_files_are_sorted_and_say_so(self, sample_place):
        for file in PublishedSource.open(sample_place).files("daily_bars"):
            frame = pl.read_parquet(file)
            assert frame.equals(frame.sort("instrument_id", "ordinal"))
            assert {one.year for one in frame["session"]} == {int(Path(file).name[:4])}


class TestVersions:
    def test_nothing_new_is_no_new_version(self, market, place):
        published(market, place)
        before = held(place)
        summary = published(market, place)
        assert (summary.version, summary.is_new, summary.written, summary.removed) == (1, False, 0, 0)
        assert held(place) == before

    def test_a_correction_writes_the_files_of_its_year_alone(self, market, place):
        """Of 2022 daily bars and six intervals; what lies in 2021 and 2023 stays."""
        published(market, place)
        before = set(held(place))
        market.bars([quote("A", dt.date(2022, 6, 1), 99.0)])
        summary = published(market, place)
        new = set(held(place)) - before
        assert (summary.version, summary.written) == (2, 7)
        assert {path.split("-")[0] for path in new} == {
            "manifests/00000002.json",
            "daily_bars/2022",
            *(f"bars_{n}/2022" for n in INTERVALS),
        }
        assert from_files(place, interval=13).equals(from_database(market, interval=13))

    def test_a_later_split_rewrites_no_bars(self, market, place):
        """It lies in 2023 after the last bar; only the small file of the splits is new."""
        published(market, place)
        market.splits([split("B", dt.date(2023, 12, 1), 1, 2)])
        assert published(market, place).written == 1

    def test_another_name_rewrites_no_bars(self, market, place):
        published(market, place)
        market.looking.execute("UPDATE symbols SET symbol = 'AA' WHERE symbol = 'A'")
        assert published(market, place).written == 2
        assert from_files(place, symbols=["AA"]).equals(from_database(market, symbols=["AA"]))

    def test_who_reads_a_version_reads_it_on_until_it_is_too_old(self, market, place):
        published(market, place, keep=2)
        old = PublishedSource.open(place)
        first = publishing_read(old)
        for number in range(2):
            correct(market, number)
            published(market, place, keep=2)
        assert publishing_read(old).equals(first)
        correct(market, 2)
        published(market, place, keep=2)
        with pytest.raises(PublishedError, match=r"is gone, though version 1 names it.*Read again"):
            publishing_read(old)

    def test_without_keeping_only_the_current_files_are_there(self, market, place):
        published(market, place)
        correct(market, 0)
        published(market, place, keep=0)
        manifest = json.loads((Path(place.name) / "manifest.json").read_text())
        named = {file["path"] for files in manifest["files"].values() for file in files}
        assert set(held(place)) == named | {"manifest.json", "manifests/00000002.json"}

    def test_a_rehearsal_counts_and_writes_nothing(self, market, place):
        summary = published(market, place, rehearsal=True)
        assert summary.written_rows == sum(
            market.number(f"SELECT count(*) FROM {table}") for table in ("daily_bars", "bars")
        )
        assert not Path(place.name).exists()

    def test_portions_make_the_same_bytes(self, market, place, tmp_path, monkeypatch):
        """What is in memory at once changes nothing in the files."""
        published(market, place)
        monkeypatch.setattr(publishing, "ROWS_AT_ONCE", 1)
        other = DirectoryTarget(tmp_path / "other")
        published(market, other)
        assert held(other) == held(place)

    def test_the_manifest_tells_what_there_is(self, market, place):
        published(market, place)
        manifest = json.loads((Path(place.name) / "manifest.json").read_text())
        assert (manifest["format"], manifest["version"]) == (1, 1)
        assert manifest["sessions"] == {"first": "2021-11-01", "last": "2023-01-10"}
        assert manifest["schema"]["bars_13"]["last_session"] == "date32[day]"
        counts = {
            name: sum(file["rows"] for file in files)
            for name, files in manifest["files"].items()
            if "bars" in name
        }
        assert counts == {"daily_bars": 830} | {
            f"bars_{n}": market.number(f"SELECT count(*) FROM bars_{n}") for n in INTERVALS
        }

    def test_a_reader_sees_one_version_or_the_next(self, market, place):
        """While five versions are published one after the other, each reading is one of the six states."""
        published(market, place)
        states, seen, stop = [publishing_read(PublishedSource.open(place))], [], threading.Event()

        def keep_reading():
            while not stop.is_set():
                seen.append(publishing_read(PublishedSource.open(place)))

        reader = threading.Thread(target=keep_reading)
        reader.start()
        try:
            for number in range(5):
                correct(market, number)
                published(market, place)
                states.append(from_database(market, interval=3, adjust="none", include_open=True))
        finally:
            stop.set()
            reader.join()
        assert all(any(one.equals(state) for state in states) for one in seen)
        assert len({tuple(state["close"].to_pylist()) for state in states}) == 6
        assert seen

    def test_a_copy_of_the_current_files_alone_is_as_good(self, market, place):
        """What is copied is what manifest.json names: the manifest of the version lies beside it no more."""
        published(market, place)
        before = held(place)
        shutil.rmtree(Path(place.name) / "manifests")
        assert not published(market, place).is_new
        assert held(place) == before
        assert from_files(place, interval=13).equals(from_database(market, interval=13))

    def test_without_a_current_manifest_the_versions_go_on(self, market, place):
        """Who removed a damaged one, as the message says, has lost neither versions nor their files."""
        for number in range(3):
            market.bars([quote("A", dt.date(2022, 6, 1), 500.0 + number)])
            published(market, place)
        manifest = Path(place.name) / "manifest.json"
        manifest.unlink()
        done = published(market, place, keep=3)
        assert (done.version, done.written) == (4, 0)
        assert json.loads(manifest.read_text())["version"] == 4
        assert [path.name for path in sorted((manifest.parent / "manifests").iterdir())] == [
            f"{number:08}.json" for number in (1, 2, 3, 4)
        ]

    def test_an_older_manifest_that_is_damaged_is_as_good_as_gone(self, market, place):
        published(market, place)
        (Path(place.name) / "manifests" / "00000001.json").write_text('{"format": 1, "ver')
        market.bars([quote("A", dt.date(2022, 6, 1), 500.0)])
        assert published(market, place).version == 2
        assert not published(market, place).is_new
        assert from_files(place, interval=13).equals(from_database(market, interval=13))

    def test_who_was_overtaken_removes_nothing(self, market, place):
        """What is current now is none of this one's to judge."""
        published(market, place)
        stale = current_manifest(place)
        market.bars([quote("A", dt.date(2022, 6, 1), 500.0)])
        published(market, place)
        before = held(place)
        assert remove_unneeded(place, stale, keep=0) == 0
        assert held(place) == before

    def test_what_another_condvest_keeps_there_stays(self, market, place):
        published(market, place)
        kept = Path(place.name) / "manifests" / "00000000.json"
        kept.write_text('{"format": 0}')
        (Path(place.name) / "bars_3" / f"2001-{'0' * 16}.parquet").write_bytes(b"of that version")
        before = held(place)
        assert published(market, place).removed == 0
        assert held(place) == before
        (Path(place.name) / "manifest.json").unlink()
        kept.rename(kept.with_name("00000009.json"))
        with pytest.raises(PublishedFormat, match="has format 0"):
            published(market, place)

    def test_a_rehearsal_says_that_changes_wait(self, market, place):
        def rehearsed():
            opened = market.workspace
            return publish(opened.database, market.sessions, place, opened.now, rehearsal=True)

        published(market, place)
        assert rehearsed().changes_waiting == 0
        market.bars([quote("A", dt.date(2022, 6, 1), 500.0)])
        assert rehearsed().changes_waiting > 0

    def test_what_cannot_be_removed_is_said_with_what_is_current(self, market, place, monkeypatch):
        published(market, place)
        market.bars([quote("A", dt.date(2022, 6, 1), 500.0)])

        def refused(_path):
            raise PublishedError("it may not be removed")

        monkeypatch.setattr(place, "remove", refused)
        with pytest.raises(PublishedError, match=r"^version 2 is current, but .* it may not be removed$"):
            published(market, place, keep=0)
        assert from_files(place, interval=13).equals(from_database(market, interval=13))

    def test_a_version_that_was_switched_to_and_not_kept_is_kept_by_the_next_run(self, market, place):
        """Killed in between; what is new afterwards does not lose it."""
        published(market, place)
        market.bars([quote("A", dt.date(2022, 6, 1), 500.0)])

        class Killed(DirectoryTarget):
            def write(self, content, path):
                if path.startswith("manifests/"):
                    raise PublishedUnavailable("killed")
                super().write(content, path)

        with pytest.raises(PublishedUnavailable, match=r"^version 2 is current, but .*killed$"):
            published(market, Killed(Path(place.name)))
        second = PublishedSource.open(place)
        answer = read_bars_from(second, Question(interval=13))
        market.bars([quote("A", dt.date(2022, 6, 1), 600.0)])
        assert published(market, place).version == 3
        assert read_bars_from(second, Question(interval=13)).equals(answer)
        assert sorted(path for path in held(place) if path.startswith("manifests/")) == [
            f"manifests/{number:08}.json" for number in (1, 2, 3)
        ]


class TestTwoDatabases:
    """Another database has another identity; both have a calendar, and the other one no bars."""

    @pytest.fixture
    def other(self, server):
        with server.lent() as url, Database(url) as database:
            yield database

    def test_the_second_is_refused_and_told_what_to_do(self, market, place, other):
        published(market, place)
        before = held(place)
        for rehearsal in (True, False):
            with pytest.raises(PublishedError, match=r"from another database .*--to; .*--take-over") as told:
                publish(other, market.sessions, place, market.workspace.now, rehearsal=rehearsal)
            for url in (market.url, other.url):
                assert identity_of(url) in str(told.value)
        assert held(place) == before

    def test_it_takes_the_place_over_when_told_to_and_the_first_is_refused_then(self, market, place, other):
        published(market, place)
        summary = publish(other, market.sessions, place, market.workspace.now, take_over=True)
        assert (summary.version, summary.is_new, len(from_files(place))) == (2, True, 0)
        assert publish(other, market.sessions, place, market.workspace.now).is_new is False
        with pytest.raises(PublishedError, match="from another database"):
            published(market, place)

    def test_a_place_of_before_databases_were_named_is_everybodys(self, market, place):
        published(market, place)
        path = Path(place.name) / "manifest.json"
        told = json.loads(path.read_text())
        assert told.pop("database") == identity_of(market.url)
        path.write_text(json.dumps(told))
        assert published(market, place).version == 2
        assert json.loads(path.read_text())["database"] == identity_of(market.url)

    def test_two_that_begin_in_an_empty_place_at_once_do_not_switch_over_each_other(
        self, market, place, other
    ):
        """The other one publishes when the files of this one are in their places, not yet named."""

        class Overtaken(DirectoryTarget):
            @contextlib.contextmanager
            def building(self):
                with super().building() as folder:
                    yield folder
                publish(other, market.sessions, place, market.workspace.now)

        with pytest.raises(PublishedError, match=r"another publication in .*--to"):
            published(market, Overtaken(Path(place.name)))
        assert len(from_files(place)) == 0
        assert publish(other, market.sessions, place, market.workspace.now).is_new is False

    def test_who_comes_second_to_the_switch_leaves_what_the_first_kept(self, market, place, other):
        """The other one takes over in the last instant: both would be version 2."""
        published(market, place)
        market.bars([quote("A", dt.date(2022, 6, 1), 500.0)])

        class Overtaken(DirectoryTarget):
            def replace(self, *arguments):
                publish(other, market.sessions, place, market.workspace.now, take_over=True)
                return super().replace(*arguments)

        with pytest.raises(PublishedError, match="another publication in"):
            published(market, Overtaken(Path(place.name)))
        current = (Path(place.name) / "manifest.json").read_bytes()
        assert json.loads(current)["database"] == identity_of(other.url)
        assert (Path(place.name) / "manifests" / "00000002.json").read_bytes() == current


def identity_of(url):
    """Return the identifier of the server's data directory and the number of the database there."""
    with psycopg.connect(url) as connection:
        ((system,),) = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchall()
        ((number,),) = connection.execute(
            "SELECT oid::int8 FROM pg_database WHERE datname = %s", (connection.info.dbname,)
        ).fetchall()
    return f"{system}/{number}"


class TestFaults:
    def test_killed_at_any_moment_nothing_is_half_visible(self, market, place):
        """Whatever change is the last, a reader has one version or the next, and the next run mends."""
        published(market, place)
        old = from_files(place, interval=3, adjust="none")
        at = 0
        while True:
            correct(market, at)
            new = None
            try:
                published(market, Failing(place, at), keep=0)
            except PublishedUnavailable:
                at += 1
                new = from_database(market, interval=3, adjust="none")
                seen = from_files(place, interval=3, adjust="none")
                assert seen.equals(old) or seen.equals(new)
                published(market, place, keep=0)
                old = from_files(place, interval=3, adjust="none")
                assert old.equals(new)
                manifest = json.loads((Path(place.name) / "manifest.json").read_text())
                assert len(held(place)) == 2 + sum(map(len, manifest["files"].values()))
            else:
                break
        assert at > 10

    def test_what_a_killed_run_left_goes_and_what_is_not_ours_stays(self, market, place):
        root = Path(place.name)
        (root / ".building-dead").mkdir(parents=True)
        (root / ".building-dead" / "bars_3-2021").write_bytes(b"half")
        (root / ".part-dead").write_bytes(b"{")
        (root / "bars_3").mkdir()
        (root / "bars_3" / "2021-0123456789abcdef.parquet").write_bytes(b"never named")
        (root / "bars_3" / "mine.parquet").write_bytes(b"a user's")
        (root / "notes.txt").write_bytes(b"a user's")
        published(market, place)
        left = set(held(place))
        assert {"bars_3/mine.parquet", "notes.txt"} <= left
        assert not any("dead" in path or "0123456789abcdef" in path for path in left)

    def test_nothing_published_says_what_to_do(self, place):
        with pytest.raises(
            PublishedError, match=r"nothing is published in .*run condvest publish.*CONDVEST_PUBLISHED"
        ):
            PublishedSource.open(place)

    def test_a_moved_directory_is_read_where_it_is(self, market, place, tmp_path):
        published(market, place)
        expected = from_files(place)
        shutil.move(place.name, tmp_path / "elsewhere")
        assert from_files(DirectoryTarget(tmp_path / "elsewhere")).equals(expected)
        with pytest.raises(PublishedError, match="if it was moved"):
            from_files(place)
        assert published(market, DirectoryTarget(tmp_path / "elsewhere")).written == 0

    @pytest.mark.parametrize("act", [from_files, None])
    def test_another_format_is_neither_read_nor_overwritten(self, market, place, act):
        root = Path(place.name)
        root.mkdir()
        (root / "manifest.json").write_text('{"format": 2}')
        with pytest.raises(PublishedFormat, match=r"has format 2.*publish elsewhere"):
            published(market, place) if act is None else act(place)
        assert held(place) == {"manifest.json": b'{"format": 2}'}

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1, "version": 1}'])
    def test_a_damaged_manifest_is_said(self, place, text):
        root = Path(place.name)
        root.mkdir()
        (root / "manifest.json").write_text(text)
        with pytest.raises(PublishedError, match=r"manifest .* is damaged .*condvest publish"):
            PublishedSource.open(place)

    @pytest.mark.parametrize("damage", ["truncated", "flipped", "gone"])
    def test_a_damaged_file_is_named_and_made_anew(self, market, place, damage):
        published(market, place)
        path = max((Path(place.name) / "bars_3").glob("2022-*"))
        whole = path.read_bytes()
        opens = pq.ParquetFile(path).metadata.row_group(0).column(4)
        last = opens.dictionary_page_offset + opens.total_compressed_size - 1
        content = {
            "truncated": whole[:-100],
            "flipped": whole[:last] + bytes([whole[last] ^ 255]) + whole[last + 1 :],
        }
        path.unlink()
        if damage != "gone":
            path.write_bytes(content[damage])
        with pytest.raises(
            PublishedError, match=f"bars_3/{path.name} of the published data set .*condvest publish"
        ):
            from_files(place, interval=3)
        if damage == "flipped":
            path.unlink()  # as the message says
        published(market, place)
        assert path.read_bytes() == whole

    @pytest.mark.parametrize("error", [KeyError, IndexError, TypeError, AttributeError, ValueError, OSError])
    def test_whatever_a_damaged_file_leads_to_names_the_file(self, sample_place, error):
        """Its end, which no checksum covers, may say anything of it."""
        source = PublishedSource.open(sample_place)
        (file, *_) = source._files_of("bars_13")
        with (
            pytest.raises(PublishedError, match=f"{file.path} of .* cannot be read"),
            source._translated(file),
        ):
            raise error("what Arrow stumbled over")

    @pytest.mark.parametrize("name", ["ACCESS_DENIED", "REQUEST_EXPIRED", "INVALID_ACCESS_KEY_ID"])
    def test_what_s3_denies_is_not_asked_for_again(self, sample_place, name):
        """Without the right to list, S3 denies what is not there."""
        source = PublishedSource.open(sample_place)
        (file, *_) = source._files_of("bars_13")
        told = f"When reading information for key: AWS Error {name} during HeadObject operation"
        with pytest.raises(PublishedError, match="may not be read, or is gone"), source._translated(file):
            raise OSError(told)

    def test_a_data_set_that_there_is_not(self, sample_place):
        settings = Settings(home=Path("unused"), published_at=sample_place.name)
        with pytest.raises(UsageError, match="no data set 'bars_4': choose one of daily_bars, bars_3"):
            condvest.published_files("bars_4", settings=settings)
        assert len(condvest.published_files("symbols", settings=settings)) == 1

    @pytest.mark.parametrize(
        ("code", "told"),
        [
            (errno.ENOSPC, "the disk is full; free some space"),
            (errno.EROFS, "publish elsewhere with --to DIR"),
            (errno.EACCES, "publish elsewhere with --to DIR"),
            (errno.EIO, "Input/output error"),
        ],
    )
    @pytest.mark.parametrize("where", ["mkdtemp", "fsync"])
    def test_a_disk_that_refuses_leaves_what_was(self, market, place, monkeypatch, code, told, where):
        """Full, read-only, not ours, broken: at the beginning, or at the last moment of a file."""
        published(market, place)
        before = held(place)
        correct(market, 1)

        def refuse(*_arguments, **_options):
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patched:
            patched.setattr(directory.tempfile if where == "mkdtemp" else directory.os, where, refuse)
            with pytest.raises(PublishedError, match=told) as refused:
                published(market, place)
        assert place.name in str(refused.value)
        assert held(place) == before
        assert published(market, place).version == 2

    def test_two_at_once_do_it_one_after_the_other(self, market, place, url):
        """The second waits for the first and finds nothing new."""
        market.resample()
        found = []

        def run():
            with Database(url) as database:
                found.append(publishing.publish(database, market.sessions, place, market.workspace.now))

        runs = [threading.Thread(target=run) for _ in range(2)]
        for one in runs:
            one.start()
        for one in runs:
            one.join()
        assert sorted(summary.is_new for summary in found) == [False, True]
        assert {summary.version for summary in found} == {1}


def publishing_read(source):
    return read_bars_from(source, Question(interval=3, adjust="none", include_open=True))


def quote(symbol, session, close, **more):
    """Return a daily bar around a close."""
    return bar(symbol, session, open=close, high=close + 1, low=close - 1, close=close, **more)


def correct(world, number):
    """Alter the close of B's first sessions, each number to another value."""
    days = (dt.date(2021, 11, 1), dt.date(2021, 11, 2), dt.date(2021, 11, 3))
    world.bars([quote("B", day, 60.25 + number) for day in days])
    world.resample()
