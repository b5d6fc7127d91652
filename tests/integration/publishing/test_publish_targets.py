"""Replacing a small file where somebody else may do the same, in a directory and on S3."""

import threading

import boto3
import pytest

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.clients.publish_targets.s3 import S3Target
from tests.support.aws.emulated import BUCKET, configured, fresh_bucket

PATH = "manifest.json"


@pytest.fixture(params=["directory", "s3"])
def place(request, tmp_path, monkeypatch):
    if request.param == "directory":
        yield DirectoryTarget(tmp_path)
    else:
        aws_endpoint = request.getfixturevalue("aws_endpoint")
        with configured(monkeypatch, aws_endpoint):
            fresh_bucket(aws_endpoint)
            yield S3Target.of(f"s3://{BUCKET}/some/where", boto3.client("s3"))


def test_what_is_as_it_was_seen_is_replaced(place):
    assert place.replace(None, b"first", PATH)
    assert place.replace(b"first", b"second", PATH)
    assert place.read(PATH) == b"second"


@pytest.mark.parametrize("seen", [None, b"first", b""])
def test_what_has_changed_meanwhile_stays(place, seen):
    place.write(b"somebody else's", PATH)
    assert not place.replace(seen, b"ours", PATH)
    assert place.read(PATH) == b"somebody else's"


def test_what_is_gone_meanwhile_is_not_made_anew(place):
    assert not place.replace(b"first", b"ours", PATH)
    assert place.read(PATH) is None


def test_of_many_who_saw_the_same_one_replaces_it(tmp_path):
    """In a directory: all of them come at once, twenty times."""
    seen, threads = None, 4
    together = threading.Barrier(threads)
    for turn in range(20):
        done = {}

        def attempt(who, seen=seen, turn=turn, done=done):
            content = f"{turn} {who}".encode()
            together.wait()
            if DirectoryTarget(tmp_path).replace(seen, content, PATH):
                done[who] = content

        attempts = [threading.Thread(target=attempt, args=(who,)) for who in range(threads)]
        for one in attempts:
            one.start()
        for one in attempts:
            one.join()
        (seen,) = done.values()
        assert DirectoryTarget(tmp_path).read(PATH) == seen


@pytest.mark.parametrize("seen", [None, b"first"])
@pytest.mark.parametrize(("theirs", "replaced"), [(b"theirs", False), (b"ours", True)])
def test_on_s3_what_comes_between_looking_and_writing_wins(aws_endpoint, monkeypatch, seen, theirs, replaced):
    """If it is what was to be written, it was: an answer was lost, and the client asked again."""
    with configured(monkeypatch, aws_endpoint):
        other = fresh_bucket(aws_endpoint)
        key = {"Bucket": BUCKET, "Key": PATH}
        if seen is not None:
            other.put_object(**key, Body=seen)
        client = boto3.client("s3")

        def come_between(**_):
            other.put_object(**key, Body=theirs)

        client.meta.events.register("before-call.s3.PutObject", come_between)
        assert S3Target.of(f"s3://{BUCKET}", client).replace(seen, b"ours", PATH) is replaced
        assert other.get_object(**key)["Body"].read() == theirs
