"""A file that is not held in memory is read, archived and loaded as one that is."""

import gzip
import hashlib
import os
import threading
from dataclasses import replace

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive
from condvest.batch_layer.shared.clients.files import dividing, parse, read_payload
from condvest.batch_layer.shared.clients.files.unpacking import contents
from condvest.batch_layer.shared.clients.files.unpacking.contents import FileContent
from tests.support.payloads import FETCHED, bar, bars_payload, zstd_unpacked

SYMBOLS = [f"S{number}" for number in range(40)]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Take any file for a large one."""
    monkeypatch.setattr(contents, "IN_MEMORY", 100)
    monkeypatch.setattr(dividing, "ROWS_A_PORTION", 8)


@pytest.fixture
def whole(world):
    return bars_payload([bar(symbol, world.date(at)) for symbol in SYMBOLS for at in range(9)]).content


def written(folder, content, media):
    path = folder / f"bars.{media}"
    if media == "parquet":
        pq.write_table(pa_csv.read_csv(pa.BufferReader(content)), path)
    else:
        path.write_bytes(gzip.compress(content) if media == "csv.gz" else content)
    return path


@pytest.mark.parametrize("media", ["csv", "csv.gz", "parquet"])
def test_it_is_archived_and_loaded_as_it_stands(world, whole, tmp_path, media):
    path = written(tmp_path, whole, media)
    payload = read_payload(path, provider="file", dataset="daily_bars", now=FETCHED)
    assert isinstance(payload.content, FileContent)
    given = path.read_bytes()
    assert (payload.media, len(payload.content), payload.content[:]) == (media, len(given), given)
    assert payload.digest == hashlib.sha256(given).hexdigest()
    path.write_bytes(b"written over")
    archive = DirectoryArchive(tmp_path / "archive")
    loader = replace(world.loader(), archive=archive)
    assert loader.divide(payload) is not None
    assert loader.load(payload).inserted == len(SYMBOLS) * 9
    (key,) = archive.keys()
    kept = tmp_path / "archive" / key
    assert (
        kept.read_bytes()
        if media != "csv"
        else zstd_unpacked(kept.with_name(f"{kept.name}.zst").read_bytes())
    ) == given
    assert archive.read(key).content == given
    alone = parse(payload).rows
    assert alone.symbol.tolist() == parse(replace(payload, content=given)).rows.symbol.tolist()


def test_a_pipe_is_read_to_its_end(whole, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=pipe.write_bytes, args=(whole,))
    thread.start()
    payload = read_payload(pipe, provider="file", dataset="daily_bars", now=FETCHED)
    thread.join()
    assert isinstance(payload.content, FileContent)
    assert payload.content[:] == whole


@pytest.mark.parametrize(
    "at", [slice(None), slice(3, 10), slice(-5, None), slice(5, 2), slice(None, None, 3), 0, -1, 57]
)
def test_it_is_indexed_as_bytes_are(whole, tmp_path, at):
    with written(tmp_path, whole, "csv").open("rb") as file:
        content = contents.content_of(file, 1 << 20)
    assert content[at] == whole[at]
    with pytest.raises(IndexError):
        content[len(whole)]


def test_no_more_is_copied_than_is_read_of_a_file(whole, tmp_path):
    with written(tmp_path, whole * 500, "csv").open("rb") as file:
        content = contents.content_of(file, 1 << 20)
    assert 1 << 20 < len(content) <= 3 << 20
    assert len(whole) * 500 > 4 << 20
