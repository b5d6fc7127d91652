"""The jobs as AWS Batch runs them: shards at once, exit codes, SIGTERM; and failed events, sent again."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest

from condvest.batch_layer.processing.resample import resample
from tests.support.awaiting import wait_for
from tests.support.aws.emulated import configured, fresh_bucket
from tests.support.payloads import bar

BIN = Path(sys.executable).parent
EVENTS = Path(__file__).parents[2] / "events"


def job(*arguments, url, tmp_path, **environ):
    """Start a command as a job of AWS Batch."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_BATCH")}
    settings = {"CONDVEST_DATABASE_URL": url, "CONDVEST_HOME": str(tmp_path), "AWS_BATCH_JOB_ID": "job"}
    return subprocess.Popen(
        [BIN / "condvest", *arguments],
        env=kept | settings | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    _, told = process.communicate(timeout=60)
    return process.returncode, told


@pytest.fixture
def changed(world):
    """A market of 200 instruments over 40 sessions, loaded and not resampled."""
    world.bars([bar(f"S{number}", world.date(15_000 + n)) for number in range(200) for n in range(40)])
    return world


def test_four_shards_at_once_and_one_of_them_twice_end_like_one_process(changed, tmp_path):
    shards = [*range(4), 2]
    running = [
        job(
            "resample",
            url=changed.url,
            tmp_path=tmp_path,
            AWS_BATCH_JOB_ARRAY_INDEX=str(index),
            AWS_BATCH_JOB_ARRAY_SIZE="4",
        )
        for index in shards
    ]
    assert [ended(process)[0] for process in running] == [0] * 5
    assert changed.differences() == []
    assert changed.number("SELECT count(*) FROM changes") == 0
    assert resample(changed.workspace.database, changed.sessions, full=True).altered == 0


def test_a_shard_leaves_the_others_changes_for_them(changed, tmp_path):
    process = job("resample", "--shard", "1/4", url=changed.url, tmp_path=tmp_path)
    assert ended(process)[0] == 0
    left = {part for (part,) in changed.ask("SELECT DISTINCT partition FROM changes")}
    assert left == set(range(64)) - set(range(1, 64, 4))
    done = changed.number("SELECT count(DISTINCT instrument_id) FROM bars")
    assert done == changed.number("SELECT count(*) FROM instruments WHERE instrument_id % 4 = 1")


def test_a_reclaimed_job_ends_with_143_and_its_retry_finishes(changed, tmp_path):
    """The job waits for a table that is locked here; so SIGTERM comes in the middle of its transaction."""
    with changed.workspace.database.transaction() as connection:
        connection.execute("LOCK TABLE bars IN ACCESS EXCLUSIVE MODE")
        process = job("resample", url=changed.url, tmp_path=tmp_path)
        wait_for(lambda: changed.number("SELECT count(*) FROM pg_locks WHERE NOT granted"), process)
        process.send_signal(signal.SIGTERM)
        code, told = ended(process)
    assert code == 143
    assert "stopped" in told
    assert changed.number("SELECT count(*) FROM bars") == 0
    assert changed.number("SELECT count(*) FROM changes") > 0
    assert ended(job("resample", url=changed.url, tmp_path=tmp_path))[0] == 0
    assert changed.differences() == []


def test_a_connection_that_is_lost_ends_with_75(changed, tmp_path):
    with changed.workspace.database.transaction() as connection:
        connection.execute("LOCK TABLE bars IN ACCESS EXCLUSIVE MODE")
        process = job("resample", url=changed.url, tmp_path=tmp_path)
        wait_for(
            lambda: changed.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"), process
        )
        code, told = ended(process)
    assert (code, "cannot reach the database" in told) == (75, True)


@pytest.mark.parametrize(
    ("arguments", "environ", "code"),
    [
        (["resample"], {"CONDVEST_DATABASE_URL": "postgresql://x@127.0.0.1:9/none"}, 75),
        (["resample", "--shard", "4/4"], {}, 2),
        (["resample", "--shard", "0/5"], {}, 2),
        (["resample"], {"CONDVEST_DATABASE_IAM": "true"}, 2),
        (["resample"], {"CONDVEST_ARCHIVE": "ftp://x"}, 2),
        (["run", "--provider", "massive"], {"CONDVEST_MASSIVE_PLAN": "free"}, 2),
    ],
)
def test_what_batch_is_told(url, tmp_path, arguments, environ, code):
    assert ended(job(*arguments, **({"url": url, "tmp_path": tmp_path} | environ)))[0] == code


class Functions(http.server.BaseHTTPRequestHandler):
    """AWS Lambda, as far as it takes events; throttles those that say so."""

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        taken = "throttle" not in event
        if taken:
            kind = self.headers["X-Amz-Invocation-Type"]
            self.server.taken.append((self.path.split("/")[3].partition("%3Afunction%3A")[2], kind, event))
        body = b"" if taken else b'{"Type": "User", "message": "Rate exceeded"}'
        self.send_response(202 if taken else 429)
        if not taken:
            self.send_header("x-amzn-ErrorType", "TooManyRequestsException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def functions():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Functions)
    server.taken = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def queue(aws_endpoint, functions, monkeypatch):
    with configured(monkeypatch, aws_endpoint):
        fresh_bucket(aws_endpoint)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{functions.server_port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        sqs = boto3.client("sqs")
        yield sqs, sqs.create_queue(QueueName="dead-letters")["QueueUrl"]


def replay(url, *options):
    done = subprocess.run(
        [BIN / "condvest", "replay", url, *options], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def waiting(sqs, url):
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(got["Attributes"]["ApproximateNumberOfMessages"])


def test_events_that_failed_go_to_their_functions_again(queue, functions):
    sqs, url = queue
    failed = (EVENTS / "lambda_failure_destination.json").read_text()
    undelivered = (EVENTS / "s3_object_created.json").read_text()
    loader = "arn:aws:lambda:ca-west-1:123456789012:function:condvest-dev-archive-loader"
    sqs.send_message(QueueUrl=url, MessageBody=failed)
    target = {"TARGET_ARN": {"DataType": "String", "StringValue": loader}}
    sqs.send_message(QueueUrl=url, MessageBody=undelivered, MessageAttributes=target)
    code, told, _ = replay(url, "--json", "--dry-run")
    assert (code, functions.taken, waiting(sqs, url)) == (0, [], 2)
    assert {one["reason"] for one in json.loads(told)["events"]} == {
        "VendorUnavailable: the vendor is away",
        "not told",
    }
    code, _, told = replay(url)
    assert (code, waiting(sqs, url)) == (0, 0)
    assert "2 events sent again" in told
    assert sorted(functions.taken, key=str) == [
        ("condvest-dev-archive-loader", "Event", json.loads(undelivered)),
        ("condvest-dev-daily-ohlcv-fetcher%3A%24LATEST", "Event", json.loads(failed)["requestPayload"]),
    ]


def test_what_cannot_be_read_or_is_not_taken_stays(queue, functions):
    sqs, url = queue
    for body in (
        "no JSON",
        "{}",
        json.dumps({"requestPayload": {}, "requestContext": {"functionArn": "arn:x"}}),
    ):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    code, told, _ = replay(url, "--json")
    assert (code, len(json.loads(told)["unreadable"]), waiting(sqs, url)) == (1, 3, 3)
    sqs.purge_queue(QueueUrl=url)
    failed = json.loads((EVENTS / "lambda_failure_destination.json").read_text())
    failed["requestPayload"]["throttle"] = True
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(failed))
    code, _, told = replay(url)
    assert (code, waiting(sqs, url), functions.taken) == (1, 1, [])
    assert "cannot replay" in told
    assert "try again" in told  # it was throttled, which may pass
