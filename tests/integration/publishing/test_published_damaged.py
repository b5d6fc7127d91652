"""Published files whose bytes changed on the disk: nobody reads or publishes upon them without a word."""

import json
import random
from pathlib import Path

import pytest

from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.published.versions import current_manifest
from tests.support.in_process import Program
from tests.support.payloads import bar
from tests.support.publishing import correct, from_files, published

WHOLE = {"interval": 3, "adjust": "none", "include_open": True}


@pytest.fixture
def file(year_turn, target):
    """A file of bars that is published."""
    published(year_turn, target)
    return max((Path(target.name) / "bars_3").glob("2022-*"))


def flipped(path, at):
    """Change one bit of a file; return what it held."""
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
    return whole


def footer_begins(path):
    """Return where the footer of a Parquet file begins, by the four bytes that say its length."""
    whole = path.read_bytes()
    return len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")


def without_footers(target, *more):
    """Take the footers out of the manifest, and what else is named."""
    path = Path(target.name) / "manifest.json"
    document = json.loads(path.read_text())
    for name in ("footers", *more):
        del document[name]
    path.write_text(json.dumps(document))


EARLIER = ("states", "calendar", "unchecked")
"""What else the manifest of an earlier version did not name."""


def of_published(condvest):
    """Return what verify finds of published files; the bars of these tests are in no archive."""
    findings = condvest.done("verify", "--json", code=1).json["findings"]
    return [finding for finding in findings if finding["what"] == "published"]


def test_no_bit_of_a_footer_hides_a_row(file, target):
    chosen = random.Random(1)
    end = file.stat().st_size
    places = {*chosen.sample(range(footer_begins(file), end), 120), *range(end - 8, end)}
    for at in places:
        whole = flipped(file, at)
        with pytest.raises(PublishedError, match=rf"bars_3/{file.name} .*condvest publish --check"):
            from_files(target, **WHOLE)
        file.write_bytes(whole)
    assert len(from_files(target, **WHOLE)) > 0


@pytest.mark.parametrize("at", [4, 100, -9, -1])
def test_a_check_writes_a_damaged_file_anew_and_says_so(year_turn, file, target, at):
    before = from_files(target, **WHOLE)
    whole = flipped(file, at % file.stat().st_size)
    summary = published(year_turn, target, check=True)
    assert (summary.version, summary.is_new, summary.written) == (1, False, 1)
    ((path, damage),) = summary.damaged.items()
    assert path == f"bars_3/{file.name}"
    assert "has the SHA-256" in damage
    assert file.read_bytes() == whole
    assert from_files(target, **WHOLE).equals(before)
    assert published(year_turn, target, check=True).damaged == {}


def test_a_file_that_is_missing_or_cut_off_is_written_anew_at_once(year_turn, file, target):
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert published(year_turn, target).written == 1
    file.unlink()
    assert published(year_turn, target).written == 1
    assert file.read_bytes() == whole


def test_a_damaged_small_file_is_written_anew_too(year_turn, file, target):
    (splits,) = (file.parents[1] / "splits").iterdir()
    whole = flipped(splits, 10)
    assert list(published(year_turn, target).damaged) == [f"splits/{splits.name}"]
    assert splits.read_bytes() == whole


def test_a_damaged_file_beside_rows_that_changed_is_written_anew_in_the_next_version(year_turn, file, target):
    whole = flipped(file, 100)
    correct(year_turn, 1)  # of 2021
    summary = published(year_turn, target, check=True)
    assert list(summary.damaged) == [f"bars_3/{file.name}"]
    assert summary.is_new
    assert file.read_bytes() == whole


def test_what_an_earlier_version_published_is_read_and_gets_its_footers(year_turn, file, target):
    before = from_files(target, **WHOLE)
    without_footers(target, *EARLIER)
    assert from_files(target, **WHOLE).equals(before)
    summary = published(year_turn, target)
    assert (summary.version, summary.is_new, summary.written) == (2, True, 0)
    manifest = current_manifest(target)
    assert manifest.footers.keys() == {file.path for file in manifest.all_files()}
    flipped(file, file.stat().st_size - 20)
    with pytest.raises(PublishedError, match="footer"):
        from_files(target, **WHOLE)


@pytest.mark.parametrize("more", [(), EARLIER])
def test_no_damaged_footer_is_given_a_digest(year_turn, file, target, more):
    """Where a manifest names none, each file is looked at before its footer is named."""
    before = from_files(target, **WHOLE)
    without_footers(target, *more)
    whole = flipped(file, file.stat().st_size - 20)
    summary = published(year_turn, target)
    assert list(summary.damaged) == [f"bars_3/{file.name}"]
    assert file.read_bytes() == whole
    assert from_files(target, **WHOLE).equals(before)


@pytest.mark.parametrize("more", [(), EARLIER])
@pytest.mark.usefixtures("year_turn")
def test_verify_says_which_footers_cannot_be_checked_until_they_are_published_anew(
    url, tmp_path, target, more
):
    condvest = Program(url, tmp_path)
    condvest.done("publish")
    files = len(current_manifest(target).all_files())
    without_footers(target, *more)
    (finding,) = of_published(condvest)
    assert finding["where"] == "manifest.json"
    assert f"of the footers of {files} files" in finding["problem"]
    assert "run condvest publish" in finding["problem"]
    condvest.done("publish")
    assert of_published(condvest) == []


def test_verify_names_damaged_files_of_every_version_and_what_to_do(url, tmp_path, year_turn):
    condvest = Program(url, tmp_path)
    condvest.done("publish")
    (old,) = (condvest.home / "published" / "bars_3").glob("2021-*")
    correct(year_turn, 1)
    condvest.done("publish")
    current = max((condvest.home / "published" / "bars_3").glob("2022-*"))
    flipped(current, 50)
    flipped(old, 50)
    found = {finding["where"]: finding["problem"] for finding in of_published(condvest)}
    assert found.keys() == {f"bars_3/{old.name}", f"bars_3/{current.name}"}
    assert found[f"bars_3/{old.name}"].endswith("only version 1 needs it, which is no longer current")
    assert found[f"bars_3/{current.name}"].endswith("run condvest publish --check, it writes the file anew")
    said = condvest.done("publish", "--check").err
    assert f"warning: bars_3/{current.name} has the SHA-256" in said
    assert "1 of its files were missing or damaged, and are written anew" in said
    assert condvest.done("publish", "--check").err.endswith("nothing new, version 2 stays\n")
    current.unlink()
    findings = condvest.done("verify", "--json", code=1).json["findings"]
    assert any(
        "No such file" in one["problem"] for one in findings if one["where"] == f"bars_3/{current.name}"
    )


def test_a_manifest_that_cannot_be_read_is_named_by_verify(url, tmp_path, world):
    condvest = Program(url, tmp_path)
    world.archive = world.workspace.archive
    world.bars([bar("A", world.date(3))])
    world.resample()
    (condvest.home / "published").mkdir()
    (condvest.home / "published" / "manifest.json").write_text("[")
    (finding,) = condvest.done("verify", "--json", code=1).json["findings"]
    assert (finding["what"], finding["where"]) == ("published", "manifest.json")
    assert "remove manifest.json there" in finding["problem"]
