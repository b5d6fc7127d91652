"""What a collector asks AWS for: copies of its journal in S3, and topics of SNS for what rules say."""

import json
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import ArchiveError, UsageError
from condvest.live.collecting import collecting
from condvest.live.replaying import replayed
from condvest.speed_layer.feeds.journal import Journal, Record, Recorder
from condvest.speed_layer.feeds.journal_copies import JournalCopies
from condvest.speed_layer.services.alerts.deliver import Deliverer
from condvest.speed_layer.webhooks.posting import Poster
from condvest.speed_layer.webhooks.topics import checked_topic
from tests.support.aws.emulated import BUCKET
from tests.support.emulators.massive import KEY
from tests.support.in_process import Program
from tests.support.worlds.alerted import Alerted, day
from tests.support.worlds.live_script import DAY, SESSION, Script

IMPATIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
COPIES = f"s3://{BUCKET}/live"


def copies(said=None, uri=COPIES):
    return JournalCopies.of(uri, aws.client("s3"), (said if said is not None else []).append)


def keys(s3):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def test_a_session_that_was_collected_elsewhere_is_replayed_from_the_bucket(world, s3):
    """Two runs on a machine that is gone: this one has the database and the bucket."""
    home = world.workspace.settings.home
    ordinal = world.sessions.ordinal(SESSION)
    row = {"open": 10, "high": 12, "low": 9, "close": 11, "volume": 500, "vwap": 10.5, "trades": 3}
    load = [{"symbol": "A", "session": world.date(ordinal - 1), **row}]
    world.bars(load, provider="massive", whole=(ordinal - 1, ordinal - 1))
    for at in ("10:00", "10:30"):
        job = Script([(at, {"A": DAY})]).job(world.workspace, home / "gone")
        replace(job, copies=copies()).run(once=True)
    assert [key.rpartition("/")[0] for key in keys(s3)] == [f"live/massive/{SESSION}"] * 2
    here = replace(world.workspace, settings=replace(world.workspace.settings, journal_at=COPIES))
    told = replayed(here, SESSION)
    assert (told["snapshots"], told["live_rows"], told["differing"]) == (2, 1, 0)


def test_a_file_is_copied_when_it_has_ended_and_never_again(s3, tmp_path):
    journal = Journal(tmp_path, "massive", SESSION)
    recorder = Recorder(journal, "run", on_ended=copies().keep)
    recorder.add(Record("snapshot", 1, b"first"))
    recorder.add(Record("frame", 2, b"more"))
    assert keys(s3) == []
    recorder.add(Record("snapshot", 3, b"second"))
    assert len(keys(s3)) == 1
    recorder.close()
    assert len(keys(s3)) == 2
    first = s3.get_object(Bucket=BUCKET, Key=keys(s3)[0])["Body"].read()
    other, earlier = sorted(journal.folder.iterdir(), reverse=True)
    copies().keep(journal, other.rename(earlier))
    assert s3.get_object(Bucket=BUCKET, Key=keys(s3)[0])["Body"].read() == first


def test_what_s3_does_not_take_waits_and_what_it_refuses_ends_the_run(s3, tmp_path):
    said = []
    kept = copies(said)
    journal = Journal(tmp_path, "massive", SESSION)
    recorder = Recorder(journal, "run", on_ended=kept.keep)
    recorder.add(Record("snapshot", 1, b"first"))
    kept.client, reached = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=IMPATIENT), s3
    recorder.add(Record("snapshot", 2, b"second"))
    assert "1 files of the journal wait to be copied" in said[0]
    kept.client = reached
    recorder.close()
    assert len(keys(s3)) == 2
    with pytest.raises(ArchiveError, match="there is no such bucket"):
        copies(uri="s3://no-such-bucket-anywhere/live").keep(journal, min(journal.folder.iterdir()))


@pytest.fixture
def condvest(url, tmp_path):
    return Program(url, tmp_path)


@pytest.fixture
def topic(s3):  # noqa: ARG001  # the emulator is empty by then
    """A topic, and what comes out of a queue that takes all of it."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    arn = sns.create_topic(Name="alerts")["TopicArn"]
    url = sqs.create_queue(QueueName="taker")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)

    def came():
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in got]

    return arn, came


def test_a_topic_gets_what_a_webhook_gets(world, topic):
    arn, came = topic
    alerted = Alerted(world, sessions_before=2)
    alerted.rule("close(1) > 10.2", name="up", webhooks=[(f"sns:{arn}", "")])
    alerted.collect(("10:00", {"A": day()}), ("10:01", {"A": day(close=10.5)}))
    with world.workspace.database.another() as database:
        assert Deliverer(database, Poster()).once().delivered == 1
    (message,) = came()
    body = json.loads(message["Message"])
    assert (body["type"], body["data"]["symbol"], body["data"]["rule"]) == ("alert.fired", "A", "up")
    told = {name: value["Value"] for name, value in message["MessageAttributes"].items()}
    number = body["data"]["event_id"]
    assert told == {"webhook-id": f"evt_{number}", "type": "alert.fired", "rule": "up", "symbol": "A"}
    assert message["Subject"] == "A fired: up"


def test_a_topic_that_is_gone_is_tried_again(world, topic):
    arn, came = topic
    alerted = Alerted(world, sessions_before=2)
    alerted.rule("close(1) > 10.2", webhooks=[(f"sns:{arn}-that-is-none", "")])
    alerted.collect(("10:00", {"A": day()}), ("10:01", {"A": day(close=10.5)}))
    said = []
    with world.workspace.database.another() as database:
        assert Deliverer(database, Poster(), say=said.append).once().failed == 1
    assert "cannot publish to" in said[0]
    assert "sent again in" in said[0]
    assert came() == []
    assert world.number("SELECT attempts FROM alert_deliveries") == 1


@pytest.mark.parametrize(
    "text", ["sns:", "sns:alerts", "sns:arn:aws:sqs:ca-west-1:123456789012:queue",
             "sns:arn:aws:sns:ca-west-1:123456789012:ordered.fifo"]
)  # fmt: skip
def test_what_names_no_standard_topic_is_refused(text):
    with pytest.raises(UsageError, match="the ARN of a standard topic"):
        checked_topic(text)


def test_a_rule_with_a_topic_has_no_secret(condvest):
    topic = "sns:arn:aws:sns:ca-west-1:123456789012:alerts"
    added = condvest("alerts", "add", "up", "close(1) > 10", "--webhook", topic, "--json")
    assert added.json["webhooks"] == []
    assert topic in condvest("alerts", "list", "--format", "csv").out
    refused = condvest("alerts", "add", "down", "close(1) < 10", "--webhook", "sns:alerts")
    assert (refused.code, "standard topic" in refused.err) == (2, True)


def test_the_key_comes_from_the_secret(world, s3):  # noqa: ARG001  # the emulator
    boto3.client("secretsmanager").create_secret(Name="key", SecretString=KEY)
    settings = replace(
        world.workspace.settings,
        massive=replace(world.workspace.settings.massive, secret="key"),  # noqa: S106  # its name
    )
    with collecting(replace(world.workspace, settings=settings), [].append) as job:
        assert job.feed.provider == "massive"
