"""The archive in a directory: what file systems and their owners make of it."""

import datetime as dt
import errno
import os
import shutil
import stat

import pytest

from condvest.batch_layer.shared.clients.archive import directory
from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.errors import ArchiveError
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.utils.ownership import give
from tests.support.databases.embedded_processes import short_directory

USER = 4711


def payload(content=b"symbol\n", second=0):
    return Payload(
        provider="file",
        dataset="daily_bars",
        content=content,
        media="csv",
        first_session=dt.date(2024, 6, 3),
        last_session=dt.date(2024, 6, 5),
        fetched_at=dt.datetime(2024, 6, 6, 12, 0, second, tzinfo=dt.UTC),
        is_whole=False,
        name="prices.csv",
    )


def files_of(root):
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("number", ["EPERM", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"])
def test_a_file_system_without_hard_links_keeps_payloads(tmp_path, monkeypatch, number):
    """As FAT and mounted buckets answer; nothing is overwritten there either."""
    code = getattr(errno, number)

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(directory.os, "link", refuse)
    archive = DirectoryArchive(tmp_path)
    key = archive.keep(payload())
    assert archive.read(key).content == b"symbol\n"
    assert files_of(tmp_path) == [key.rpartition("/")[2] + ".json", key.rpartition("/")[2] + ".zst"]
    before = (tmp_path / f"{key}.zst").stat().st_ino
    assert archive.keep(payload(), again=True) == key
    assert (tmp_path / f"{key}.zst").stat().st_ino == before
    assert len(files_of(tmp_path)) == 2
    assert list(archive.keys()) == [key]


def test_a_link_that_fails_for_another_reason_is_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(directory.os, "link", refuse)
    with pytest.raises(ArchiveError, match="no room on its disk"):
        DirectoryArchive(tmp_path).keep(payload())
    assert files_of(tmp_path) == []


@pytest.mark.parametrize("number", ["EINVAL", "EOPNOTSUPP", "ENOSYS"])
def test_a_file_system_whose_folders_cannot_be_synced_keeps_and_publishes(tmp_path, monkeypatch, number):
    """As shares of Windows answer, on which the mount says which mode each file has."""
    code, sync = getattr(errno, number), os.fsync

    def sync_files(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        sync(handle)

    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fsync", sync_files)
    monkeypatch.setattr(os, "chmod", refuse)
    archive, target = DirectoryArchive(tmp_path / "archive"), DirectoryTarget(tmp_path / "published")
    assert archive.read(archive.keep(payload())).content == b"symbol\n"
    with target.building() as folder:
        (folder / "part").write_bytes(b"bars")
        target.put(folder / "part", "bars_5/2024.parquet")
    assert target.replace(None, b"{}", "manifest.json")
    assert (target.read("bars_5/2024.parquet"), target.read("manifest.json")) == (b"bars", b"{}")


def as_user(act):
    """Run in a child that is a user without rights of root's; return what it raised, or None."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(USER)
            os.setuid(USER)
            act()
            said = ""
        except BaseException as error:  # noqa: BLE001  # all is told to the parent
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read() or None


@pytest.fixture
def users_home():
    """A home of a user, which the user can reach."""
    around = short_directory()
    home = around / "home"
    home.mkdir(mode=0o755)
    os.chown(home, USER, USER)
    yield home
    shutil.rmtree(around)


@pytest.mark.root
def test_root_leaves_a_users_archive_to_the_user(users_home):
    """What root keeps there once is the user's; so the user can go on in the same folders."""
    archive = DirectoryArchive(users_home / "archive")
    archive.keep(payload())
    assert {path.stat().st_uid for path in users_home.rglob("*")} == {USER}
    assert as_user(lambda: archive.keep(payload(b"symbol\nA\n", second=1))) is None
    assert len(list(archive.keys())) == 2


@pytest.mark.root
def test_root_leaves_a_users_rate_limit_to_the_user(users_home):
    with RateLimit(users_home / "limits" / "massive", Rate(5, 60))._state():
        pass
    assert {path.stat().st_uid for path in users_home.rglob("*")} == {USER}


@pytest.mark.root
def test_root_gives_away_no_file_of_its_own_that_a_user_linked(users_home):
    """Another name of a file of root's, laid where a scratch file was, stays root's."""
    victim = users_home.parent / "victim"
    victim.write_text("root's")
    (users_home / "built").hardlink_to(victim)
    with (users_home / "built").open() as file:
        give(file.fileno(), users_home)
    assert victim.stat().st_uid == 0


@pytest.mark.root
@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_folder_that_may_not_be_used_is_named_with_what_to_do(users_home, mode):
    archive = DirectoryArchive(users_home / "archive")
    key = archive.keep(payload())
    folder = (users_home / "archive" / key).parent
    folder.chmod(mode)
    said = as_user(lambda: archive.keep(payload(b"symbol\nA\n", second=1)))
    assert said.startswith("ArchiveError: cannot keep prices.csv in the archive")
    assert str(folder) in said
    assert "set CONDVEST_ARCHIVE to another directory" in said


@pytest.mark.root
def test_no_folder_that_cannot_be_read_is_passed_over(users_home):
    """A rebuild of a part of the archive would look like a whole one."""
    archive = DirectoryArchive(users_home / "archive")
    key = archive.keep(payload())
    (users_home / "archive" / key).parent.chmod(0)
    assert as_user(lambda: list(archive.keys())).startswith("ArchiveError: cannot read the archive")
    assert as_user(lambda: archive.read(key)).startswith(f"ArchiveError: cannot read {key}")
