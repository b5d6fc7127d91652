"""The versions of what is published: increments, readers meanwhile, and two databases on one target."""

import contextlib
import datetime as dt
import json
import shutil
import threading
from pathlib import Path

import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.processing.publishing import plan
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import PublishedError, PublishedFormat, PublishedUnavailable
from condvest.batch_layer.shared.postgres_url import PostgresUrl
from condvest.batch_layer.shared.published.versions import current_manifest, remove_unneeded
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.bars.bars_table import read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.payloads import split
from tests.support.publishing import (
    correct,
    files_of,
    from_database,
    from_files,
    published,
    publishing_read,
    quote,
)


class TestVersions:
    def test_nothing_new_is_no_new_version(self, year_turn, target):
        published(year_turn, target)
        before = files_of(target)
        summary = published(year_turn, target)
        assert (summary.version, summary.is_new, summary.written, summary.removed) == (1, False, 0, 0)
        assert files_of(target) == before

    def test_a_correction_writes_the_files_of_its_year_alone(self, year_turn, target):
        """Of 2022 daily bars, what they were, and six intervals, with two small ones; 2021 and 2023 stay."""
        published(year_turn, target)
        before = set(files_of(target))
        year_turn.bars([quote("A", dt.date(2022, 6, 1), 99.0)])
        summary = published(year_turn, target)
        new = set(files_of(target)) - before
        assert (summary.version, summary.written) == (2, 10)
        assert {path.split("-")[0] for path in new} == {
            "manifests/00000002.json",
            "daily_bars/2022",
            "daily_bar_revisions/2022",
            "loads/all",
            "coverage/all",
            *(f"bars_{n}/2022" for n in INTERVALS),
        }
        assert from_files(target, interval=13).equals(from_database(year_turn, interval=13))

    def test_a_later_split_rewrites_no_bars(self, year_turn, target):
        """It lies in 2023 after the last bar; only the small files of the splits and the loads are new."""
        published(year_turn, target)
        year_turn.splits([split("B", dt.date(2023, 12, 1), 1, 2)])
        assert published(year_turn, target).written == 2

    def test_another_name_rewrites_no_bars(self, year_turn, target):
        published(year_turn, target)
        year_turn.looking.execute("UPDATE symbols SET symbol = 'AA' WHERE symbol = 'A'")
        assert published(year_turn, target).written == 2
        assert from_files(target, symbols=["AA"]).equals(from_database(year_turn, symbols=["AA"]))

    def test_who_reads_a_version_reads_it_on_until_it_is_too_old(self, year_turn, target):
        published(year_turn, target, keep=2)
        old = PublishedSource.open(target)
        first = publishing_read(old)
        for number in range(2):
            correct(year_turn, number)
            published(year_turn, target, keep=2)
        assert publishing_read(old).equals(first)
        correct(year_turn, 2)
        published(year_turn, target, keep=2)
        with pytest.raises(PublishedError, match=r"is gone, though version 1 names it.*Read again"):
            publishing_read(old)

    def test_without_keeping_only_the_current_files_are_there(self, year_turn, target):
        published(year_turn, target)
        correct(year_turn, 0)
        published(year_turn, target, keep=0)
        named = {file.path for file in current_manifest(target).all_files()}
        assert set(files_of(target)) == named | {"manifest.json", "manifests/00000002.json"}

    def test_a_rehearsal_counts_and_writes_nothing(self, year_turn, target):
        summary = published(year_turn, target, rehearsal=True)
        assert summary.written_rows == sum(
            year_turn.number(f"SELECT count(*) FROM {table}") for table in ("daily_bars", "bars")
        )
        assert not Path(target.name).exists()

    def test_portions_make_the_same_bytes(self, year_turn, target, tmp_path, monkeypatch):
        """What is in memory at once changes nothing in the files."""
        published(year_turn, target)
        monkeypatch.setattr(plan, "ROWS_AT_ONCE", 1)
        other = DirectoryTarget(tmp_path / "other")
        published(year_turn, other)
        assert files_of(other) == files_of(target)

    def test_the_manifest_tells_what_there_is(self, year_turn, target):
        published(year_turn, target)
        manifest = json.loads((Path(target.name) / "manifest.json").read_text())
        assert (manifest["format"], manifest["version"]) == (1, 1)
        assert manifest["sessions"] == {"first": "2021-11-01", "last": "2023-01-10"}
        assert manifest["schema"]["bars_13"]["last_session"] == "date32[day]"
        counts = {
            name: sum(file["rows"] for file in files)
            for name, files in manifest["files"].items()
            if "bars" in name
        }
        assert counts == {"daily_bars": 830} | {
            f"bars_{n}": year_turn.number(f"SELECT count(*) FROM bars_{n}") for n in INTERVALS
        }

    def test_a_reader_sees_one_version_or_the_next(self, year_turn, target):
        """While five versions are published one after the other, each reading is one of the six states."""
        published(year_turn, target)
        states, seen, stop = [publishing_read(PublishedSource.open(target))], [], threading.Event()

        def keep_reading():
            while not stop.is_set():
                seen.append(publishing_read(PublishedSource.open(target)))

        reader = threading.Thread(target=keep_reading)
        reader.start()
        try:
            for number in range(5):
                correct(year_turn, number)
                published(year_turn, target)
                states.append(from_database(year_turn, interval=3, adjust="none", include_open=True))
        finally:
            stop.set()
            reader.join()
        assert all(any(one.equals(state) for state in states) for one in seen)
        assert len({tuple(state["close"].to_pylist()) for state in states}) == 6
        assert seen

    def test_a_copy_of_the_current_files_alone_is_as_good(self, year_turn, target):
        """What is copied is what manifest.json names: the manifest of the version lies beside it no more."""
        published(year_turn, target)
        before = files_of(target)
        shutil.rmtree(Path(target.name) / "manifests")
        assert not published(year_turn, target).is_new
        assert files_of(target) == before
        assert from_files(target, interval=13).equals(from_database(year_turn, interval=13))

    def test_without_a_current_manifest_the_versions_go_on(self, year_turn, target):
        """Who removed a damaged one, as the message says, has lost neither versions nor their files."""
        for number in range(3):
            year_turn.bars([quote("A", dt.date(2022, 6, 1), 500.0 + number)])
            published(year_turn, target)
        manifest = Path(target.name) / "manifest.json"
        manifest.unlink()
        done = published(year_turn, target, keep=3)
        assert (done.version, done.written) == (4, 0)
        assert json.loads(manifest.read_text())["version"] == 4
        assert [path.name for path in sorted((manifest.parent / "manifests").iterdir())] == [
            f"{number:08}.json" for number in (1, 2, 3, 4)
        ]

    def test_an_older_manifest_that_is_damaged_is_as_good_as_gone(self, year_turn, target):
        published(year_turn, target)
        (Path(target.name) / "manifests" / "00000001.json").write_text('{"format": 1, "ver')
        year_turn.bars([quote("A", dt.date(2022, 6, 1), 500.0)])
        assert published(year_turn, target).version == 2
        assert not published(year_turn, target).is_new
        assert from_files(target, interval=13).equals(from_database(year_turn, interval=13))

    def test_who_was_overtaken_removes_nothing(self, year_turn, target):
        """What is current now is none of this one's to judge."""
        published(year_turn, target)
        stale = current_manifest(target)
        year_turn.bars([quote("A", dt.date(2022, 6, 1), 500.0)])
        published(year_turn, target)
        before = files_of(target)
        assert remove_unneeded(target, stale, keep=0) == 0
        assert files_of(target) == before

    def test_what_another_condvest_keeps_there_stays(self, year_turn, target):
        published(year_turn, target)
        kept = Path(target.name) / "manifests" / "00000000.json"
        kept.write_text('{"format": 0}')
        (Path(target.name) / "bars_3" / f"2001-{'0' * 16}.parquet").write_bytes(b"of that version")
        before = files_of(target)
        assert published(year_turn, target).removed == 0
        assert files_of(target) == before
        (Path(target.name) / "manifest.json").unlink()
        kept.rename(kept.with_name("00000009.json"))
        with pytest.raises(PublishedFormat, match="has format 0"):
            published(year_turn, target)

    def test_a_rehearsal_says_that_changes_wait(self, year_turn, target):
        def rehearsed():
            opened = year_turn.workspace
            return publish(opened.database, year_turn.sessions, target, opened.now, rehearsal=True)

        published(year_turn, target)
        assert rehearsed().changes_waiting == 0
        year_turn.bars([quote("A", dt.date(2022, 6, 1), 500.0)])
        assert rehearsed().changes_waiting > 0

    def test_what_cannot_be_removed_is_said_with_what_is_current(self, year_turn, target, monkeypatch):
        published(year_turn, target)
        year_turn.bars([quote("A", dt.date(2022, 6, 1), 500.0)])

        def refused(_path):
            raise PublishedError("it may not be removed")

        monkeypatch.setattr(target, "remove", refused)
        with pytest.raises(PublishedError, match=r"^version 2 is current, but .* it may not be removed$"):
            published(year_turn, target, keep=0)
        assert from_files(target, interval=13).equals(from_database(year_turn, interval=13))

    def test_a_version_that_was_switched_to_and_not_kept_is_kept_by_the_next_run(self, year_turn, target):
        """Killed in between; what is new afterwards does not lose it."""
        published(year_turn, target)
        year_turn.bars([quote("A", dt.date(2022, 6, 1), 500.0)])

        class Killed(DirectoryTarget):
            def write(self, content, path):
                if path.startswith("manifests/"):
                    raise PublishedUnavailable("killed")
                super().write(content, path)

        with pytest.raises(PublishedUnavailable, match=r"^version 2 is current, but .*killed$"):
            published(year_turn, Killed(Path(target.name)))
        second = PublishedSource.open(target)
        answer = read_bars_from(second, Question(interval=13))
        year_turn.bars([quote("A", dt.date(2022, 6, 1), 600.0)])
        assert published(year_turn, target).version == 3
        assert read_bars_from(second, Question(interval=13)).equals(answer)
        assert sorted(path for path in files_of(target) if path.startswith("manifests/")) == [
            f"manifests/{number:08}.json" for number in (1, 2, 3)
        ]


class TestTwoDatabases:
    """Another database has another identity; both have a calendar, and the other one no bars."""

    @pytest.fixture
    def other(self, server):
        with server.lent() as url, Database(url) as database:
            yield database

    def test_the_second_is_refused_and_told_what_to_do(self, year_turn, target, other):
        published(year_turn, target)
        before = files_of(target)
        for rehearsal in (True, False):
            with pytest.raises(PublishedError, match=r"from another database .*--to; .*--take-over") as told:
                publish(
                    other,
                    year_turn.sessions,
                    target,
                    year_turn.workspace.now,
                    rehearsal=rehearsal,
                )
            for url in (year_turn.url, other.url):
                assert identity_of(url) in str(told.value)
        assert files_of(target) == before

    def test_it_takes_the_place_over_when_told_to_and_the_first_is_refused_then(
        self, year_turn, target, other
    ):
        published(year_turn, target)
        summary = publish(other, year_turn.sessions, target, year_turn.workspace.now, take_over=True)
        assert (summary.version, summary.is_new, len(from_files(target))) == (2, True, 0)
        assert publish(other, year_turn.sessions, target, year_turn.workspace.now).is_new is False
        with pytest.raises(PublishedError, match="from another database"):
            published(year_turn, target)

    def test_a_place_of_before_databases_were_named_is_everybodys(self, year_turn, target):
        published(year_turn, target)
        path = Path(target.name) / "manifest.json"
        told = json.loads(path.read_text())
        assert told.pop("database") == identity_of(year_turn.url)
        path.write_text(json.dumps(told))
        assert published(year_turn, target).version == 2
        assert json.loads(path.read_text())["database"] == identity_of(year_turn.url)

    def test_two_that_begin_in_an_empty_place_at_once_do_not_switch_over_each_other(
        self, year_turn, target, other
    ):
        """The other one publishes when the files of this one are in their places, not yet named."""

        class Overtaken(DirectoryTarget):
            @contextlib.contextmanager
            def building(self):
                with super().building() as folder:
                    yield folder
                publish(other, year_turn.sessions, target, year_turn.workspace.now)

        with pytest.raises(PublishedError, match=r"another publication in .*--to"):
            published(year_turn, Overtaken(Path(target.name)))
        assert len(from_files(target)) == 0
        assert publish(other, year_turn.sessions, target, year_turn.workspace.now).is_new is False

    def test_who_comes_second_to_the_switch_leaves_what_the_first_kept(self, year_turn, target, other):
        """The other one takes over in the last instant: both would be version 2."""
        published(year_turn, target)
        year_turn.bars([quote("A", dt.date(2022, 6, 1), 500.0)])

        class Overtaken(DirectoryTarget):
            def replace(self, *arguments):
                publish(other, year_turn.sessions, target, year_turn.workspace.now, take_over=True)
                return super().replace(*arguments)

        with pytest.raises(PublishedError, match="another publication in"):
            published(year_turn, Overtaken(Path(target.name)))
        current = (Path(target.name) / "manifest.json").read_bytes()
        assert json.loads(current)["database"] == identity_of(other.url)
        assert (Path(target.name) / "manifests" / "00000002.json").read_bytes() == current


def identity_of(url):
    """Return the identifier of the server's data directory and the number of the database there."""
    address = url if isinstance(url, PostgresUrl) else PostgresUrl.parse(url)
    with psycopg.connect(**address.parameters) as connection:
        ((system,),) = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchall()
        ((number,),) = connection.execute(
            "SELECT oid::int8 FROM pg_database WHERE datname = %s", (connection.info.dbname,)
        ).fetchall()
    return f"{system}/{number}"
