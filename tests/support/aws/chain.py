"""The whole chain of AWS on this machine: fetch, archive, event, load, event, jobs, bars.

The functions are the built zip and layer, run by AWS's runtime client; S3, EventBridge, SQS and Secrets
Manager an emulator, which sends the events itself; the vendor is emulated over HTTP; PostgreSQL is real; the
jobs are what the image holds, in the image if there is one.
"""

import json
import os
import subprocess
import time

import boto3

from tests.support.aws import artefacts
from tests.support.aws.emulated import ARCHIVE, BUCKET, PREFIX, credentials
from tests.support.aws.lambda_runtime import running
from tests.support.emulators.massive import KEY

HANDLERS = "condvest.batch_layer.fetching.lambda_functions"
SECRET = "condvest-dev/massive-api-key"  # noqa: S105  # its name
_CONDVEST = artefacts.ROOT / "batch_layer/processing/container_images/condvest"


class Wires:
    """What Terraform lays between the parts.

    S3's event goes to the loader by a rule of EventBridge, here with a queue behind it; the loader's result
    to the jobs if it says that something changed (the emulator has no destinations of functions, so that
    queue is filled here).
    """

    def __init__(self):
        self._sqs, events = boto3.client("sqs"), boto3.client("events")
        self._objects, self._starts = (
            self._sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("archived", "loaded")
        )
        queue = self._sqs.get_queue_attributes(QueueUrl=self._objects, AttributeNames=["QueueArn"])
        described = {"bucket": {"name": [BUCKET]}, "object": {"key": [{"wildcard": f"{PREFIX}/*Z-*.*.json"}]}}
        pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": described}
        events.put_rule(Name="archived", EventPattern=json.dumps(pattern))
        events.put_targets(
            Rule="archived", Targets=[{"Id": "loader", "Arn": queue["Attributes"]["QueueArn"]}]
        )
        boto3.client("s3").put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )

    def objects(self):
        """Return the events of what came into the archive since the last look."""
        return self._waiting(self._objects)

    def starts(self):
        """Return the loader's results since the last look that say that something changed."""
        return self._waiting(self._starts)

    def loaded(self, answer):
        """Send the loader's result on, as its destination and the rule behind it do."""
        if answer["changed"] > 0:
            self._sqs.send_message(QueueUrl=self._starts, MessageBody=json.dumps(answer))

    def _waiting(self, url):
        bodies = []
        while messages := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


class Processes:
    """Jobs as processes: the app of the image, run by an interpreter of the image's version."""

    def __init__(self, database_url, home):
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(artefacts.unpacked_app()),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home),
            "CONDVEST_HOME": str(home / "condvest"),
            "CONDVEST_DATABASE_URL": database_url,
        }

    def __call__(self, *arguments, **environ):
        """Run a job; return its exit code, what it printed and what it told."""
        done = subprocess.run(
            [artefacts.interpreter(), _CONDVEST, *arguments],
            env=self._environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


class Containers:
    """Jobs as containers, as AWS Batch runs them."""

    def __init__(self, docker, image, database_url):
        self._docker, self._image, self._url = docker, image, database_url

    def __call__(self, *arguments, **environ):
        return self._docker.run(self._image, *arguments, CONDVEST_DATABASE_URL=self._url, **environ)


class Chain:
    """The parts, put together.

    Attributes:
        keys: what the fetchers archived, in order.
        answers: what the loader answered to each event, in order.
        lines: the JSON lines of the jobs' logs.
    """

    def __init__(self, vendor_url, database_url, endpoint, root, *, jobs, tell):
        self._root, self._jobs, self._tell = root, jobs, tell
        self._environ = credentials() | {
            "AWS_ENDPOINT_URL": endpoint,
            "CONDVEST_ARCHIVE": ARCHIVE,
            "CONDVEST_PROVIDER": "massive",
            "CONDVEST_MASSIVE_SECRET": SECRET,
            "CONDVEST_MASSIVE_PLAN": "paid",
            "CONDVEST_MASSIVE_BASE_URL": vendor_url,
            "CONDVEST_DATABASE_URL": database_url,
            "POWERTOOLS_METRICS_NAMESPACE": "Condvest/local",
        }
        boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString=KEY)
        self._wires = Wires()
        self.keys, self.answers, self.lines = [], [], []

    def migrate(self):
        """Bring the database to the schema, by the job."""
        code, log = self._jobs("db", "migrate", AWS_BATCH_JOB_ID="local")
        assert code == 0, log
        self._tell(f"job migrate: {_message(log)}")

    def fetch(self, event):
        """Start both fetchers, as the schedules do."""
        for name in ("daily_meta_fetcher", "daily_ohlcv_fetcher"):
            began = time.monotonic()
            with self._function(name) as function:
                kind, answer = function.call(event)
                assert (kind, answer.get("left")) == ("answer", []), answer
                peak = function.peak_megabytes()
            self.keys += answer["archived"]
            spent = time.monotonic() - began
            self._tell(f"{name}: {len(answer['archived'])} answers archived, {spent:.1f} s, {peak:.0f} MB")

    def load(self):
        """Give the loader the events of S3, each as it came, and send its results on."""
        events = self._wires.objects()
        began = time.monotonic()
        with self._function("archive_loader") as function:
            for event in events:
                kind, answer = function.call(event)
                assert kind == "answer", answer
                self.answers.append(answer)
                self._wires.loaded(answer)
            peak = function.peak_megabytes()
        rows = sum(answer.get("inserted", 0) for answer in self.answers)
        spent = time.monotonic() - began
        self._tell(
            f"archive_loader: {len(events)} events, {rows:,} rows stored, {spent:.1f} s, {peak:.0f} MB"
        )

    def resample(self, shards):
        """Start the array that the loader's results ask for; return how many results did.

        Every such result starts one; the first does the work of all, so it alone is started here.
        """
        starts = self._wires.starts()
        for index in range(shards) if starts else ():
            began = time.monotonic()
            code, log = self._jobs(
                "resample",
                AWS_BATCH_JOB_ID=f"local:{index}",
                AWS_BATCH_JOB_ARRAY_INDEX=str(index),
                AWS_BATCH_JOB_ARRAY_SIZE=str(shards),
                CONDVEST_CORRELATION_ID=starts[0]["correlation_id"],
                POWERTOOLS_SERVICE_NAME="resample",
            )
            assert code == 0, log
            self.lines += [json.loads(line) for line in log.splitlines()]
            spent = time.monotonic() - began
            self._tell(f"job resample {index}/{shards}: {_message(log)}, {spent:.1f} s")
        return len(starts)

    def show(self, symbol, interval):
        """Tell the first bars of a symbol."""
        code, log = self._jobs("bars", symbol, "--interval", str(interval))
        assert code == 0, log
        for line in log.splitlines()[:12]:
            self._tell(line)

    def _function(self, name):
        package, layer = artefacts.built("function"), artefacts.built("layer")
        handler = f"{HANDLERS}.{name}.handler"
        return running(package, layer, handler, artefacts.runtime(), self._root, self._environ)


def _message(log):
    """Return the last message of a job's log."""
    return [line["message"] for line in map(json.loads, log.splitlines()) if "message" in line][-1]
