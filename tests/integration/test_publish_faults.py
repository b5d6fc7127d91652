"""Publishing into a directory when something fails: kills, full disks, damaged files, two at once."""

import errno
import json
import os
import shutil
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import condvest
from batch_layer.database.postgres.connection import Database
from batch_layer.processing.publishing import publish as publishing
from batch_layer.shared.clients.publish_targets import directory
from batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from batch_layer.shared.errors import PublishedError, PublishedFormat, PublishedUnavailable, UsageError
from batch_layer.shared.settings import Settings
from serving_layer.sources.published import PublishedSource
from tests.support.publishing import (
    Failing,
    correct,
    from_database,
    from_files,
    held,
    published,
)


class TestFaults:
    def test_killed_at_any_moment_nothing_is_half_visible(self, year_turn, target):
        """Whatever change is the last, a reader has one version or the next, and the next run mends."""
        published(year_turn, target)
        old = from_files(target, interval=3, adjust="none", include_open=True)
        at = 0
        while True:
            correct(year_turn, at)
            new = None
            try:
                published(year_turn, Failing(target, at), keep=0)
            except PublishedUnavailable:
                at += 1
                new = from_database(year_turn, interval=3, adjust="none", include_open=True)
                seen = from_files(target, interval=3, adjust="none", include_open=True)
                assert seen.equals(old) or seen.equals(new)
                published(year_turn, target, keep=0)
                old = from_files(target, interval=3, adjust="none", include_open=True)
                assert old.equals(new)
                manifest = json.loads((Path(target.name) / "manifest.json").read_text())
                assert len(held(target)) == 2 + sum(map(len, manifest["files"].values()))
            else:
                break
        assert at > 10

    def test_what_a_killed_run_left_goes_and_what_is_not_ours_stays(self, year_turn, target):
        root = Path(target.name)
        (root / ".building-dead").mkdir(parents=True)
        (root / ".building-dead" / "bars_3-2021").write_bytes(b"half")
        (root / ".part-dead").write_bytes(b"{")
        (root / "bars_3").mkdir()
        (root / "bars_3" / "2021-0123456789abcdef.parquet").write_bytes(b"never named")
        (root / "bars_3" / "mine.parquet").write_bytes(b"a user's")
        (root / "notes.txt").write_bytes(b"a user's")
        published(year_turn, target)
        left = set(held(target))
        assert {"bars_3/mine.parquet", "notes.txt"} <= left
        assert not any("dead" in path or "0123456789abcdef" in path for path in left)

    def test_nothing_published_says_what_to_do(self, target):
        with pytest.raises(
            PublishedError, match=r"nothing is published in .*run condvest publish.*CONDVEST_PUBLISHED"
        ):
            PublishedSource.open(target)

    def test_a_moved_directory_is_read_where_it_is(self, year_turn, target, tmp_path):
        published(year_turn, target)
        expected = from_files(target)
        shutil.move(target.name, tmp_path / "elsewhere")
        assert from_files(DirectoryTarget(tmp_path / "elsewhere")).equals(expected)
        with pytest.raises(PublishedError, match="if it was moved"):
            from_files(target)
        assert published(year_turn, DirectoryTarget(tmp_path / "elsewhere")).written == 0

    @pytest.mark.parametrize("act", [from_files, None])
    def test_another_format_is_neither_read_nor_overwritten(self, year_turn, target, act):
        root = Path(target.name)
        root.mkdir()
        (root / "manifest.json").write_text('{"format": 2}')
        with pytest.raises(PublishedFormat, match=r"has format 2.*publish elsewhere"):
            published(year_turn, target) if act is None else act(target)
        assert held(target) == {"manifest.json": b'{"format": 2}'}

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1, "version": 1}'])
    def test_a_damaged_manifest_is_said(self, target, text):
        root = Path(target.name)
        root.mkdir()
        (root / "manifest.json").write_text(text)
        with pytest.raises(PublishedError, match=r"manifest .* is damaged .*condvest publish"):
            PublishedSource.open(target)

    @pytest.mark.parametrize("damage", ["truncated", "flipped", "gone"])
    def test_a_damaged_file_is_named_and_made_anew(self, year_turn, target, damage):
        published(year_turn, target)
        path = max((Path(target.name) / "bars_3").glob("2022-*"))
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
            from_files(target, interval=3)
        if damage == "flipped":
            path.unlink()  # as the message says
        published(year_turn, target)
        assert path.read_bytes() == whole

    @pytest.mark.parametrize("error", [KeyError, IndexError, TypeError, AttributeError, ValueError, OSError])
    def test_whatever_a_damaged_file_leads_to_names_the_file(self, sample_target, error):
        """Its end, which no checksum covers, may say anything of it."""
        source = PublishedSource.open(sample_target)
        (file, *_) = source._files_of("bars_13")
        with (
            pytest.raises(PublishedError, match=f"{file.path} of .* cannot be read"),
            source._translated(file),
        ):
            raise error("what Arrow stumbled over")

    @pytest.mark.parametrize("name", ["ACCESS_DENIED", "REQUEST_EXPIRED", "INVALID_ACCESS_KEY_ID"])
    def test_what_s3_denies_is_not_asked_for_again(self, sample_target, name):
        """Without the right to list, S3 denies what is not there."""
        source = PublishedSource.open(sample_target)
        (file, *_) = source._files_of("bars_13")
        told = f"When reading information for key: AWS Error {name} during HeadObject operation"
        with pytest.raises(PublishedError, match="may not be read, or is gone"), source._translated(file):
            raise OSError(told)

    def test_a_data_set_that_there_is_not(self, sample_target):
        settings = Settings(home=Path("unused"), published_at=sample_target.name)
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
    def test_a_disk_that_refuses_leaves_what_was(self, year_turn, target, monkeypatch, code, told, where):
        """Full, read-only, not ours, broken: at the beginning, or at the last moment of a file."""
        published(year_turn, target)
        before = held(target)
        correct(year_turn, 1)

        def refuse(*_arguments, **_options):
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patched:
            patched.setattr(directory.tempfile if where == "mkdtemp" else directory.os, where, refuse)
            with pytest.raises(PublishedError, match=told) as refused:
                published(year_turn, target)
        assert target.name in str(refused.value)
        assert held(target) == before
        assert published(year_turn, target).version == 2

    def test_two_at_once_do_it_one_after_the_other(self, year_turn, target, url):
        """The second waits for the first and finds nothing new."""
        year_turn.resample()
        found = []

        def run():
            with Database(url) as database:
                found.append(
                    publishing.publish(database, year_turn.sessions, target, year_turn.workspace.now)
                )

        runs = [threading.Thread(target=run) for _ in range(2)]
        for one in runs:
            one.start()
        for one in runs:
            one.join()
        assert sorted(summary.is_new for summary in found) == [False, True]
        assert {summary.version for summary in found} == {1}
