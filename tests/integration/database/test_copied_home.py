"""A home that was copied: both may be used, and only one of them publishes in one place."""

import json
import shutil
from pathlib import Path

import pytest

from condvest.batch_layer.shared.published.owner import DataDirectory, owner_named
from tests.support.in_process import Program
from tests.support.payloads import BARS, bar, csv_of

SESSIONS = ("2024-06-03", "2024-06-04", "2024-06-05")


@pytest.fixture
def home(tmp_path):
    """An embedded database of three bars, which published where no home is, and in its own home."""
    condvest = Program(None, tmp_path / "home")
    imported(condvest, tmp_path / "first.csv", "ACME")
    condvest.done("publish", "--to", tmp_path / "place")
    condvest.done("publish")
    condvest.done("db", "down", "--now")
    yield condvest
    condvest.done("db", "down", "--now")


def imported(condvest, path, symbol):
    path.write_bytes(csv_of(BARS, [bar(symbol, session) for session in SESSIONS]))
    condvest.done("import", path)


def test_a_copy_never_publishes_over_its_original(home, tmp_path):
    """Each has loaded something else since; each goes on with what it published in its own home."""
    place = tmp_path / "place"
    shutil.copytree(home.home, tmp_path / "copy", copy_function=shutil.copy2)
    copy = Program(None, tmp_path / "copy")
    try:
        imported(copy, tmp_path / "second.csv", "COPY")
        for where in (place, home.home / "published"):
            said = copy.done("publish", "--to", where, code=1).err
            assert "the home that this one is a copy of" in said
            assert "condvest publish --take-over" in said
        imported(home, tmp_path / "third.csv", "ORIG")
        assert "version 2" in home.done("publish", "--to", place).err
        assert "version 2" in copy.done("publish").err
        copy.done("publish", "--to", place, "--take-over")
        assert "the home that this one is a copy of" in home.done("publish", "--to", place, code=1).err
    finally:
        copy.done("db", "down", "--now")


def test_a_home_that_was_moved_goes_on_where_it_published(home, tmp_path):
    moved = Program(None, home.home.rename(tmp_path / "moved"))
    try:
        before = json.loads((tmp_path / "place" / "manifest.json").read_text())["database"]
        assert "nothing new" in moved.done("publish", "--to", tmp_path / "place").err
        assert DataDirectory.of(moved.home, tmp_path / "place").number == int(before.rpartition("/")[2])
    finally:
        moved.done("db", "down", "--now")


IN_ITS_HOME, ELSEWHERE = DataDirectory(7, holds_target=True), DataDirectory(7, holds_target=False)


@pytest.mark.parametrize(
    ("directory", "before", "named"),
    [
        (None, "", "1/2"),
        (None, "1/2", "1/2"),
        (None, "1/2/9", "1/2/9"),
        (None, "1/3", None),
        (None, "1/3/9", None),
        (ELSEWHERE, "", "1/2/7"),
        (ELSEWHERE, "1/2", "1/2/7"),
        (ELSEWHERE, "1/2/7", "1/2/7"),
        (ELSEWHERE, "1/2/9", None),
        (ELSEWHERE, "1/3/7", None),
        (IN_ITS_HOME, "1/2/9", "1/2/7"),
        (IN_ITS_HOME, "1/3/7", None),
        (IN_ITS_HOME, "4/2", None),
    ],
)
def test_who_may_publish_where_another_did(directory, before, named):
    assert owner_named("1/2", directory, before) == named


def test_a_place_lies_in_a_home_whatever_the_path_to_it(tmp_path):
    data = tmp_path / "home" / "postgres" / "data"
    data.mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert DataDirectory.of(tmp_path / "home", tmp_path / "link" / "published").holds_target
    assert not DataDirectory.of(tmp_path / "home", tmp_path / "home2").holds_target
    assert not DataDirectory.of(tmp_path / "home", "s3://bucket/home").holds_target
    assert DataDirectory.of(Path(tmp_path / "link"), "").number == data.stat().st_ino
