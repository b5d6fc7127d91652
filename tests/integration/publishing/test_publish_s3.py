"""Publishing into a bucket: the same data set as in a directory, and nothing half-visible when S3 fails."""

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from condvest.batch_layer.shared.clients.publish_targets import target_at
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.clients.publish_targets.s3 import S3Target
from condvest.batch_layer.shared.errors import PublishedError, PublishedUnavailable, SettingsError
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.aws.emulated import BUCKET
from tests.support.payloads import bar
from tests.support.publishing import from_database, from_files, published

WHERE = f"s3://{BUCKET}/some/where"


@pytest.fixture
def filled_world(world):
    correct(world, 0)
    return world


def correct(world, number):
    world.bars([bar(symbol, world.date(at), number) for symbol in "AB" for at in range(100)])
    world.resample()


def keys(s3):
    return {one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())}


def test_it_is_the_same_as_in_a_directory(s3, filled_world, tmp_path):
    place, folder = target_at(WHERE), DirectoryTarget(tmp_path / "published")
    published(filled_world, place)
    published(filled_world, folder)
    assert place.sizes() == folder.sizes()
    assert keys(s3) == {f"some/where/{name}" for name in (*place.sizes(), "manifest.json")}
    for asked in ({"interval": 13}, {"interval": 1, "symbols": ["B"]}, {"interval": 5, "adjust": "total"}):
        assert from_files(place, **asked).equals(from_database(filled_world, **asked))


def test_a_reader_gets_addresses_in_the_bucket(s3, filled_world):
    place = target_at(WHERE)
    published(filled_world, place)
    for file in PublishedSource.open(place).files("bars_3"):
        assert file.startswith(f"{WHERE}/bars_3/19")
        assert file.removeprefix(f"s3://{BUCKET}/") in keys(s3)


def test_versions_and_what_nobody_needs_go_as_in_a_directory(s3, filled_world):
    place = target_at(WHERE)
    s3.put_object(Bucket=BUCKET, Key="some/where/notes.txt", Body=b"a user's")
    s3.put_object(Bucket=BUCKET, Key="some/where/bars_3/1962-0123456789abcdef.parquet", Body=b"left")
    published(filled_world, place, keep=0)
    correct(filled_world, 1)
    summary = published(filled_world, place, keep=0)
    assert (summary.version, summary.is_new) == (2, True)
    assert keys(s3) == {f"some/where/{name}" for name in (*place.sizes(), "manifest.json", "notes.txt")}
    assert len([name for name in place.sizes() if name.startswith("manifests/")]) == 1


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("at", [0, 3, 9, 10, 11])
def test_s3_that_fails_half_way_shows_nothing_half(filled_world, at):
    """At the first of nine files, in their midst, at the switch, at what is kept of it, at a removal."""
    place = target_at(WHERE)
    published(filled_world, place, keep=0)
    old = from_files(place, interval=3, adjust="none", include_open=True)
    correct(filled_world, 1)
    new = from_database(filled_world, interval=3, adjust="none", include_open=True)
    with pytest.raises(PublishedUnavailable, match=f"{WHERE}.*try again"):
        published(filled_world, S3Target.of(WHERE, flaky(at)), keep=0)
    assert from_files(place, interval=3, adjust="none", include_open=True).equals(new if at >= 10 else old)
    published(filled_world, place, keep=0)
    assert from_files(place, interval=3, adjust="none", include_open=True).equals(new)
    assert len(place.sizes()) == 1 + len(PublishedSource.open(place).manifest.all_files())


def flaky(changes):
    """Return a client whose changes are answered by 503 after so many."""
    client = impatient()
    left = iter(range(changes))

    def answer(request, **_):
        if request.method in ("PUT", "DELETE") and next(left, None) is None:
            return AWSResponse(request.url, 503, {}, Raw(b"<Error><Code>SlowDown</Code></Error>"))
        return None

    client.meta.events.register("before-send.s3", answer)
    return client


def impatient():
    """Return a client that asks once."""
    return boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))


class Raw:
    """The body of an answer."""

    def __init__(self, content):
        self._content = content

    def stream(self, **_):
        yield self._content


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_named(filled_world):
    with pytest.raises(PublishedError, match=r"s3://no-such-bucket.*no such bucket; check --to"):
        published(filled_world, target_at("s3://no-such-bucket/x"))


@pytest.mark.usefixtures("s3")
def test_nobody_answers(filled_world, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(PublishedUnavailable, match=r"s3://.*try again"):
        published(filled_world, S3Target.of(WHERE, impatient()))


def test_a_file_that_is_gone_or_damaged_is_named(s3, filled_world):
    place = target_at(WHERE)
    published(filled_world, place)
    source = PublishedSource.open(place)
    key = source.files("bars_3")[0].removeprefix(f"s3://{BUCKET}/")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"half")
    with pytest.raises(PublishedError, match=r"bars_3/.*cannot be read.*condvest publish"):
        from_files(place, interval=3)
    s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(PublishedError, match=r"bars_3/.*is gone"):
        from_files(place, interval=3)
    published(filled_world, place)
    assert from_files(place, interval=3).equals(from_database(filled_world, interval=3))


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("where", ["s3://", "s3://bucket/x?y=1"])
def test_what_is_no_bucket_is_refused(where):
    with pytest.raises(SettingsError, match="s3://bucket/prefix"):
        target_at(where)
