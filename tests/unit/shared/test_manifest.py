"""A manifest that somebody damaged, or made, is refused in words and leads nowhere else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from condvest.batch_layer.shared.clients.publish_targets import target_at
from condvest.batch_layer.shared.errors import PublishedError, PublishedFormat, SettingsError
from condvest.batch_layer.shared.published.manifest import Manifest

FILE = {
    "path": "bars_3/2021-0123456789abcdef.parquet",
    "part": "2021",
    "sha256": "0123456789abcdef" * 4,
    "bytes": 10,
    "rows": 1,
}
WHOLE = {
    "format": 1,
    "version": 7,
    "published_at": "2024-01-01T00:00:00+00:00",
    "database": "1.2",
    "schema_version": 8,
    "sessions": {"first": None, "last": None},
    "loaded_through": {"1": 15_000},
    "schema": {},
    "files": {"bars_3": [FILE]},
}


def read(content):
    return Manifest.from_json(content if isinstance(content, bytes) else json.dumps(content).encode(), "here")


MONTH = {"path": "bars_3/2021-07-0123456789abcdef.parquet", "part": "2021-07"}
BY_MONTH = WHOLE | {"format": 2, "months_from": 2021, "files": {"bars_3": [FILE | MONTH]}}


def test_a_whole_one_is_read():
    assert read(WHOLE).files["bars_3"][0].path == FILE["path"]
    assert read(WHOLE).months_from is None


def test_one_with_months_is_read_and_has_a_format_of_its_own():
    manifest = read(BY_MONTH)
    assert (manifest.months_from, manifest.files["bars_3"][0].part) == (2021, "2021-07")
    assert json.loads(manifest.to_json())["format"] == 2
    assert json.loads(read(WHOLE).to_json())["format"] == 1
    assert not manifest.says_the_same(replace(manifest, months_from=None))


def test_one_of_a_later_version_is_refused_with_what_to_do():
    with pytest.raises(PublishedFormat, match="format 3, and this version of Condvest reads formats 1 and 2"):
        read(WHOLE | {"format": 3})


DAMAGED = {
    "a version beyond all numbers": json.dumps(WHOLE).replace('"version": 7', '"version": 1e999').encode(),
    "an ordinal beyond all numbers": json.dumps(WHOLE).replace("15000", "1e999").encode(),
    "nested deeper than anybody reads": b"[" * 100_000 + b"]" * 100_000,
    "a version of 5,000 digits": json.dumps(WHOLE).replace(": 7", ": " + "7" * 5000).encode(),
    "bytes that are no text": b"\xff\xfe{}",
    "a version that is no number": WHOLE | {"version": True},
    "no sessions": {name: value for name, value in WHOLE.items() if name != "sessions"},
    "an instant without a zone": WHOLE | {"published_at": "2024-01-01"},
    "a part that is no year": WHOLE | {"files": {"bars_3": [FILE | {"part": "abc"}]}},
    "a file of another month": BY_MONTH | {"files": {"bars_3": [FILE | MONTH | {"part": "2021-06"}]}},
    "a month that is called a year": BY_MONTH | {"files": {"bars_3": [FILE | MONTH | {"part": "2021"}]}},
    "months from no year": BY_MONTH | {"months_from": "2021"},
    "months from year 20": BY_MONTH | {"months_from": 20},
    "a size that is no number": WHOLE | {"files": {"bars_3": [FILE | {"bytes": "10"}]}},
    "fewer rows than none": WHOLE | {"files": {"bars_3": [FILE | {"rows": -1}]}},
    "a file elsewhere": WHOLE
    | {"files": {"bars_3": [FILE | {"path": "../bars_3/2021-0123456789abcdef.parquet"}]}},
    "a file of another data set": WHOLE | {"files": {"bars_5": [FILE]}},
    "a file that is a word": WHOLE | {"files": {"bars_3": ["2021"]}},
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_one_is_said_with_what_to_do(content):
    with pytest.raises(PublishedError, match=r"here is damaged .*remove manifest\.json there and run"):
        read(content)


def test_a_directory_whose_path_is_no_text_is_refused():
    """Arrow takes paths in UTF-8 only, and would end in a traceback."""
    with pytest.raises(SettingsError, match=r"cannot be in '/data/\\udcff'.*not UTF-8.*--to"):
        target_at(Path("/data/\udcff"))
