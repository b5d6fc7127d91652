"""The archive in S3 does as the one in a directory does: both run the same tests."""

import datetime as dt
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive
from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from condvest.batch_layer.shared.errors import ArchiveError, ArchiveUnavailable, SettingsError
from tests.support.aws.emulated import ARCHIVE, BUCKET
from tests.support.payloads import FETCHED, bars_payload

SESSION = dt.date(2024, 5, 31)
LATER = FETCHED + dt.timedelta(hours=1)


@pytest.fixture(params=["directory", "s3"])
def archive(request, tmp_path):
    if request.param == "directory":
        return DirectoryArchive(tmp_path)
    request.getfixturevalue("s3")
    return S3Archive.of(ARCHIVE, aws.client("s3"))


def payload(content=b"symbol,session\nA,2024-05-31\n", fetched_at=FETCHED, session=SESSION):
    return replace(bars_payload([], asked=(session, session), fetched_at=fetched_at), content=content)


def test_what_is_kept_comes_back_as_it_was(archive):
    whole = payload(content=bytes(range(256)) * 5000)
    key = archive.keep(whole)
    assert key == f"file/daily_bars/2024-05-31/20240603T120000.000000Z-{whole.digest[:16]}.csv"
    assert archive.read(key) == whole


def test_the_same_bytes_again_are_not_kept_again(archive):
    key = archive.keep(payload())
    assert archive.keep(payload(fetched_at=LATER)) == key
    assert list(archive.keys()) == [key]


def test_bytes_that_return_after_others_are_kept_again(archive):
    """A, B, A: the archive must say that A holds, or a rebuild would end with B."""
    times = [FETCHED + dt.timedelta(hours=hour) for hour in range(3)]
    kept = [
        archive.keep(payload(content, when)) for content, when in zip((b"a", b"b", b"a"), times, strict=True)
    ]
    assert len(set(kept)) == 3
    assert list(archive.keys()) == kept


def test_again_keeps_the_same_bytes_once_more(archive):
    first = archive.keep(payload())
    second = archive.keep(payload(fetched_at=LATER), again=True)
    assert list(archive.keys()) == [first, second]


def test_keys_come_in_the_order_of_the_fetches_not_of_the_sessions(archive):
    newer_session_first = archive.keep(payload(b"x", FETCHED, SESSION))
    older_session_later = archive.keep(payload(b"y", LATER, SESSION - dt.timedelta(days=1)))
    assert list(archive.keys()) == [newer_session_first, older_session_later]


def test_nothing_is_ever_overwritten(archive):
    """The same key is kept by two at once; whoever comes second finds it there and leaves it."""
    one = payload()
    key = archive.keep(one)
    assert archive.keep(one, again=True) == key
    assert archive.read(key) == one


def test_an_archive_with_nothing_in_it_has_no_keys(archive):
    assert list(archive.keys()) == []


def test_what_is_not_there_is_said_by_its_key(archive):
    with pytest.raises(ArchiveError, match="file/daily_bars/gone"):
        archive.read("file/daily_bars/gone.csv")


def test_a_payload_without_its_description_does_not_count(s3, archive):
    """A writer that died between the two leaves bytes that nobody sees; the next one keeps them anew."""
    if isinstance(archive, DirectoryArchive):
        return
    one = payload()
    key = archive.keep(one)
    s3.delete_object(Bucket=BUCKET, Key=f"archive/{key}.json")
    assert list(archive.keys()) == []
    assert archive.keep(one) == key
    assert archive.read(key) == one


def test_bytes_damaged_in_the_bucket_are_found_out(s3):
    archive = S3Archive.of(ARCHIVE, s3)
    key = archive.keep(payload())
    s3.put_object(Bucket=BUCKET, Key=f"archive/{key}.zst", Body=b"truncat")
    with pytest.raises(ArchiveError, match=r"is damaged .*restore it from a backup"):
        archive.read(key)


def test_more_keys_than_one_answer_lists(s3):
    s3.meta.events.register(
        "before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=3)
    )
    archive = S3Archive.of(ARCHIVE, s3)
    times = [FETCHED + dt.timedelta(minutes=minute) for minute in range(5)]
    kept = [archive.keep(payload(str(when).encode(), when)) for when in times]
    assert list(archive.keys()) == kept


def test_a_foreign_object_under_the_prefix_is_no_key(s3):
    for name in ("archive/readme.json", "archive/a/b.json", "archive/a/b/c/d/e.json", "other/a/b/c/d.json"):
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"{}")
    assert list(S3Archive.of(ARCHIVE, s3).keys()) == []


def test_objects_are_told_from_what_they_complete(s3):
    archive = S3Archive.of(ARCHIVE, s3)
    for media in ("csv", "csv.gz", "json", "json-seq"):
        key = f"a/b/c/20240603T120000.000000Z-0123456789abcdef.{media}"
        assert archive.key_of_object(f"archive/{key}.json") == key
        assert archive.key_of_object(f"archive/{key}") is None
    with pytest.raises(ArchiveError, match="does not lie in the archive"):
        archive.key_of_object("elsewhere/a/b/c/d.csv.json")


def test_a_payload_of_json_is_not_taken_for_a_description(archive):
    key = archive.keep(replace(payload(b"{}"), media="json"))
    assert list(archive.keys()) == [key]
    assert archive.keep(replace(payload(b"{}", LATER), media="json")) == key


def test_a_bucket_that_is_not_there_is_named(s3):
    with pytest.raises(ArchiveError, match=r"s3://no-such-bucket/.*no such bucket"):
        S3Archive.of("s3://no-such-bucket/x", s3).keep(payload())


@pytest.mark.usefixtures("s3")
def test_an_endpoint_that_does_not_answer_may_answer_later():
    nobody = boto3.client(
        "s3", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1})
    )
    with pytest.raises(ArchiveUnavailable, match="try again"):
        S3Archive.of(ARCHIVE, nobody).keep(payload())


@pytest.mark.parametrize("uri", ["http://bucket/x", "s3://", "s3:///x", "s3://bucket/x?y=1"])
def test_what_is_no_place_in_s3_is_refused(uri):
    with pytest.raises(SettingsError, match="s3://bucket/prefix"):
        S3Archive.of(uri, None)
