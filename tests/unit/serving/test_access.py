"""Keys of clients."""

import datetime as dt
import os
import stat

import pytest

from condvest.batch_layer.shared.errors import SettingsError, UsageError
from condvest.serving_layer.access import Keys, named

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)


@pytest.fixture
def keys(tmp_path):
    return Keys.of_home(tmp_path)


def test_a_key_is_known_by_its_name_until_it_is_removed(keys):
    first, second = keys.add("desk", NOW), keys.add("lab", NOW)
    assert named(keys.read(), first, NOW.date()) == "desk"
    assert named(keys.read(), second, NOW.date()) == "lab"
    assert named(keys.read(), first[:-1], NOW.date()) is None
    keys.remove("desk")
    assert named(keys.read(), first, NOW.date()) is None


def test_a_key_is_good_on_its_last_day_and_not_after(keys):
    key = keys.add("desk", NOW, dt.date(2026, 12, 31))
    assert named(keys.read(), key, dt.date(2026, 12, 31)) == "desk"
    assert named(keys.read(), key, dt.date(2027, 1, 1)) is None


def test_the_file_holds_no_key_and_is_its_owners_alone(keys, tmp_path):
    key = keys.add("desk", NOW)
    path = tmp_path / "serving/keys.json"
    assert key not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_name_is_given_once(keys):
    keys.add("desk", NOW)
    with pytest.raises(UsageError, match="already"):
        keys.add("desk", NOW)
    with pytest.raises(UsageError, match="no key is named 'lab'; there are: desk"):
        keys.remove("lab")


def test_a_damaged_file_is_said(keys, tmp_path):
    keys.add("desk", NOW)
    (tmp_path / "serving/keys.json").write_text("[1]")
    with pytest.raises(SettingsError, match="cannot be read"):
        keys.read()


def test_a_link_that_lies_in_the_folder_is_not_followed(keys, tmp_path):
    """Neither for the scratch nor for the file itself."""
    folder = tmp_path / "serving"
    folder.mkdir()
    (tmp_path / "else").write_text("{}")
    for name in ("keys.part", "keys.json"):
        (folder / name).symlink_to(tmp_path / "else")
    keys.add("desk", NOW)
    assert (tmp_path / "else").read_text() == "{}"
    assert not (folder / "keys.json").is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == ["keys.json", "keys.part"]


if os.geteuid() == 0:

    def test_what_root_writes_in_a_users_home_is_the_users(tmp_path):
        user = 4711
        home = tmp_path / "home"
        home.mkdir()
        os.chown(home, user, user)
        Keys.of_home(home).add("desk", NOW)
        assert {path.stat().st_uid for path in home.rglob("*")} == {user}
        assert {path.name for path in home.rglob("*")} == {"serving", "keys.json"}


def test_a_wrong_key_takes_the_comparisons_of_a_right_one(keys, monkeypatch):
    """Counted, not timed: each key is compared, by its digest and in constant time, whichever was given."""
    given = [keys.add(name, NOW) for name in ("first", "second", "last")]
    compared = []

    def counted(stored, digest):
        compared.append((len(stored), len(digest)))
        return stored == digest

    monkeypatch.setattr("condvest.serving_layer.access.hmac.compare_digest", counted)
    for text in (*given, "", "cv_", "x" * 10_000, given[0][:-1]):
        compared.clear()
        named(keys.read(), text, NOW.date())
        assert compared == [(64, 64)] * 3
