"""The archive in a directory: names that stay within it, and names that are on the disk."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from condvest.batch_layer.shared.clients.archive import key_of
from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive
from condvest.batch_layer.shared.errors import ArchiveError, UsageError
from tests.support.payloads import BARS, bars_payload, csv_of, zstd_unpacked

PAYLOAD = bars_payload([])


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../../x",
        "/etc/x",
        "vendor/eod",
        "a\\b",
        "A",
        "a b",
        "-a",
        "a\x1b[2J",
        "a\n",
        "é",
        "a" * 33,
    ],
)
def test_a_name_that_is_no_folder_of_its_own_is_refused_and_nothing_is_written(tmp_path, name):
    payload = replace(PAYLOAD, provider=name)
    with pytest.raises(UsageError, match="expected 1 to 32 of a-z"):
        key_of(payload)
    with pytest.raises(UsageError):
        DirectoryArchive(tmp_path / "archive").keep(payload)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "massive", "my-vendor", "x.y_z", "0", "a" * 32])
def test_a_plain_name_is_kept_and_found_again(tmp_path, name):
    archive = DirectoryArchive(tmp_path)
    key = archive.keep(replace(PAYLOAD, provider=name))
    assert list(archive.keys()) == [key]
    assert archive.read(key).provider == name


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_what_is_kept_is_its_owners_alone(tmp_path, mask):
    """Whatever the umask; a folder that is there keeps its mode, so that a group may share an archive."""
    root = tmp_path / "archive"
    root.mkdir()
    root.chmod(0o2770)
    before = os.umask(mask)
    try:
        key = DirectoryArchive(root).keep(PAYLOAD)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_dir()} == {0o700}
    assert {(root / name).stat().st_mode & 0o777 for name in (f"{key}.zst", f"{key}.json")} == {0o600}
    assert root.stat().st_mode & 0o7777 == 0o2770


def test_every_new_name_is_synced_after_it_is_given(tmp_path, monkeypatch):
    """A power cut takes names that their folder was not synced for: of the files, and of new folders."""
    synced = []

    def fsync(handle):
        place = str(Path(f"/proc/self/fd/{handle}").readlink())
        if os.path.isdir(place):  # noqa: PTH112
            synced.append((place, sorted(os.listdir(place))))  # noqa: PTH208
        real(handle)

    real = os.fsync
    monkeypatch.setattr(os, "fsync", fsync)
    root = tmp_path / "home" / "archive"
    key = DirectoryArchive(root).keep(PAYLOAD)
    folder = (root / key).parent
    last = dict(synced)
    for place in (tmp_path, root.parent, root, folder.parent.parent, folder.parent, folder):
        names = sorted(one for one in os.listdir(place) if not one.startswith(".part-"))  # noqa: PTH208
        assert [one for one in last[str(place)] if not one.startswith(".part-")] == names
    assert csv_of(BARS, []) == zstd_unpacked((root / f"{key}.zst").read_bytes())


@pytest.mark.parametrize(
    "damage",
    [
        (b'"file"', b'"sample"'),
        (b'"daily_bars"', b'"splits"'),
        (b'"csv"', b'"parquet"'),
        (b'"is_whole": false', b'"is_whole": true'),
        (b'"name": "', b'"name": "x'),
        (b"+00:00", b""),
        (b'"provider": "file"', b'"provider": null'),
        (b'"provider"', b'"provide"'),
        (b'"dataset"', b'"datasett"'),
        (b'"is_whole": false', b'"is_whole": 0'),
        (b'"media": "csv",', b""),
        (b'"name"', b'"nam"'),
    ],
)
def test_a_description_that_was_changed_is_refused(tmp_path, damage):
    archive = DirectoryArchive(tmp_path)
    key = archive.keep(PAYLOAD)
    path = tmp_path / f"{key}.json"
    content = path.read_bytes()
    assert content != content.replace(*damage)
    path.write_bytes(content.replace(*damage))
    with pytest.raises(ArchiveError, match="description"):
        archive.read(key)
