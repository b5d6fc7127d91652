"""Publishing into a directory when something fails: kills, full disks, damaged files, two at once."""

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import condvest
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.processing.publishing import publish as publishing
from condvest.batch_layer.shared.clients.publish_targets import directory
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import (
    PublishedError,
    PublishedFormat,
    PublishedUnavailable,
    UsageError,
)
from condvest.batch_layer.shared.published.versions import current_manifest
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.publishing import (
    Failing,
    correct,
    files_of,
    from_database,
    from_files,
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
                assert len(files_of(target)) == 2 + len(current_manifest(target).all_files())
            else:
                break
        assert at > 10

    def test_what_a_killed_run_left_goes_and_what_is_not_ours_stays(self, year_turn, target):
        """Names alone make nothing ours: neither those of scratch nor those of files with a digest."""
        root = Path(target.name)
        whole = b"put there by a run that was killed before its switch"
        digest = hashlib.sha256(whole).hexdigest()[:16]
        left_by_us = {
            ".condvest-building-dead_123/bars_3-2021": b"half",
            ".condvest-part-dead_123": b"{",
            f"bars_3/2021-{digest}.parquet": whole,
        }
        a_users = {
            ".building-site/plan": b"a user's",
            ".condvest-building-site/plan": b"a user's",
            ".part-x": b"a user's",
            "bars_3/mine.parquet": b"a user's",
            "symbols/all-0123456789abcdef.parquet": b"a user's",
            "manifests/00000000.json": b"[]",
            "notes.txt": b"a user's",
        }
        for path, content in (left_by_us | a_users).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        os.utime(root / ".condvest-part-dead_123", (0, 0))
        published(year_turn, target)
        left = {path: content for path, content in files_of(target).items() if path in left_by_us | a_users}
        assert left == a_users

    def test_two_publications_in_one_place_leave_each_others_scratch_alone(self, target):
        with target.building() as first:
            (first / "bars").write_bytes(b"under way")
            with DirectoryTarget(Path(target.name)).building() as second:
                assert (first / "bars").read_bytes() == b"under way"
            assert not second.exists()
        assert not first.exists()

    @pytest.mark.parametrize("number", [errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP])
    def test_without_locks_scratch_stays_for_a_day(self, target, monkeypatch, number):
        """As on some network file systems, where nobody can tell whether its run lives."""

        def refuse(*_):
            raise OSError(number, os.strerror(number))

        root = Path(target.name)
        for name in ("new_1234", "dead_123"):
            (root / f".condvest-building-{name}").mkdir(parents=True)
        os.utime(root / ".condvest-building-dead_123", (0, 0))
        monkeypatch.setattr(fcntl, "flock", refuse)
        with target.building() as folder:
            assert {path.name for path in root.iterdir()} == {".condvest-building-new_1234", folder.name}

    @pytest.mark.parametrize("where", ["open", "flock"])
    def test_scratch_that_its_own_publication_removes_at_this_instant(self, target, monkeypatch, where):
        """Before it is opened, or once it is locked."""
        root = Path(target.name)
        ending = root / ".condvest-building-ending_1"
        ending.mkdir(parents=True)
        module = os if where == "open" else fcntl
        call, number = getattr(module, where), ending.stat().st_ino

        def late(what, *arguments, **how):
            is_it = what == ending if where == "open" else os.fstat(what).st_ino == number
            if is_it and ending.exists():
                ending.rmdir()
            return call(what, *arguments, **how)

        monkeypatch.setattr(module, where, late)
        with target.building() as folder:
            assert [path.name for path in root.iterdir()] == [folder.name]

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
        (root / "manifest.json").write_text('{"format": 3}')
        with pytest.raises(PublishedFormat, match=r"has format 3.*publish elsewhere"):
            published(year_turn, target) if act is None else act(target)
        assert files_of(target) == {"manifest.json": b'{"format": 3}'}

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
        published(year_turn, target, check=True)
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
        before = files_of(target)
        correct(year_turn, 1)

        def refuse(*_arguments, **_options):
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patched:
            patched.setattr(directory.tempfile if where == "mkdtemp" else directory.os, where, refuse)
            with pytest.raises(PublishedError, match=told) as refused:
                published(year_turn, target)
        assert target.name in str(refused.value)
        assert files_of(target) == before
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

    def test_a_row_before_the_calendar_is_named_and_goes_into_no_years_file(self, year_turn, target):
        """Published, it would have been counted to the calendar's last year."""
        year_turn.resample()
        with year_turn.workspace.database.transaction() as connection:
            connection.execute(
                'UPDATE closed_bars_3 SET "window" = -999999 '
                "WHERE ctid = (SELECT min(ctid) FROM closed_bars_3)"
            )
        with pytest.raises(PublishedError, match=r"bars_3: expected no row before 1926, .* got 1\. Nothing"):
            published(year_turn, target)
        assert not files_of(target)


@pytest.mark.root
def test_root_leaves_a_users_published_data_to_the_user(year_turn, tmp_path):
    """What root publishes into a user's directory once, the user's next publication can replace."""
    user = 4711
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", user, user)
    published(year_turn, DirectoryTarget(tmp_path / "home" / "published"))
    assert {path.stat().st_uid for path in (tmp_path / "home").rglob("*")} == {user}
