"""Published files, read over HTTP by what reads Parquet."""

import hashlib

import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.support.serving import serving

LINES = [f"{symbol},2024-06-0{day},5,6,4,5,100" for symbol in "AB" for day in (3, 4, 5)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("published")


@pytest.fixture(scope="module")
def client(sample, place):
    sample.done("publish", "--to", place)
    with serving(sample, "--source", "published", "--from", place) as one:
        yield one


def files_of(client, name):
    return client.get(f"/v1/datasets/{name}").json()["files"]


def test_every_file_is_there_with_the_digest_that_is_told(client, place):
    found = client.get("/v1/datasets").json()
    assert found["version"] == client.get("/v1/bars?symbol=IBM").headers["condvest-version"]
    assert {"daily_bars", "bars_13", "splits", "dividends"} <= {one["name"] for one in found["datasets"]}
    for file in files_of(client, "splits") + files_of(client, "bars_34")[:2]:
        answer = client.get(file["url"])
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
        assert answer.content == (place / file["url"].removeprefix("/v1/datasets/")).read_bytes()
        assert "immutable" in answer.headers["cache-control"]


def test_polars_reads_the_whole_data_set_by_ranges(client, place):
    urls = [str(client.base_url).rstrip("/") + file["url"] for file in files_of(client, "bars_13")]
    told = pl.scan_parquet(urls).select(pl.len(), pl.col("volume").sum()).collect().row(0)
    tables = [pq.read_table(path) for path in sorted((place / "bars_13").iterdir())]
    assert told[0] == sum(map(len, tables))
    assert told[1] == pytest.approx(sum(sum(table["volume"].to_pylist()) for table in tables))


def test_parts_of_a_file(client):
    url = files_of(client, "daily_bars")[-1]["url"]
    whole = client.get(url)
    size = len(whole.content)
    head = client.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")
    assert head.headers["accept-ranges"] == "bytes"
    tail = client.get(url, headers={"Range": "bytes=-8"})
    assert (tail.status_code, tail.content) == (206, whole.content[-8:])
    assert tail.headers["content-range"] == f"bytes {size - 8}-{size - 1}/{size}"
    beyond = client.get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    tag = whole.headers["etag"]
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    other = client.get(url, headers={"Range": "bytes=0-3", "If-Range": '"sha256:0"'})
    assert (other.status_code, len(other.content)) == (200, size)


@pytest.mark.parametrize(
    "path",
    ["bars_14", "daily_bars/2024-0123456789abcdef.parquet", "daily_bars/..%2f..%2fmanifest.json",
     "..%2fmanifest.json", "manifests/00000001.json", "daily_bars/2024.parquet"],
)  # fmt: skip
def test_what_is_not_published_is_no_path(client, path):
    assert client.get(f"/v1/datasets/{path}").status_code == 404


def test_files_beside_the_database_and_nothing_published_is_said(fresh, prices):
    fresh.done("import", prices(*LINES))
    with serving(fresh) as client:
        answer = client.get("/v1/datasets")
        assert (answer.status_code, "run condvest publish" in answer.json()["detail"]) == (501, True)
        assert client.get("/v1/status").json()["daily_bars"] == len(LINES)
        fresh.done("publish")
        (daily,) = files_of(client, "daily_bars")
        assert daily["rows"] == len(LINES)
        first = client.get(daily["url"])
        fresh.done("import", prices(*LINES, "C,2024-06-05,5,6,4,5,100"))
        fresh.done("publish", "--keep", "0")
        assert first.status_code == 200
        assert client.get(daily["url"]).status_code == 404
