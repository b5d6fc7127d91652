"""Rung 6: the unmodified deploy.sh, real Terraform and the real AWS command line against an AWS emulator.

The artefacts are the real ones, built by the project's own builders and run here: the functions by AWS's
runtime client, the jobs as Batch would start them, PostgreSQL over TLS. Stand-ins are the provider, which
creates in the emulator what deploy.sh asks about; Docker, so an image is what build_container.sh laid into
its context, run by a Python of this machine and not in a container; and the events between the services,
which are matched with the deployed patterns here. The state lies in the emulator's S3, with its lock file.
They lie there as other tests may have built them: the builders see that nothing has changed since.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys

import httpx
import psycopg
import pytest
from event_patterns import job_event, matches
from live_session import TODAY, collect_the_session
from machine import Machine
from served_answers import ask_what_was_published
from workshop import STAND_IN, environment, forked

from tests.support.aws.emulated import SERVER
from tests.support.databases.rds import rds
from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.synthetic.market import Market
from tests.support.naive.database import differences

sys.path.insert(0, str(STAND_IN))
import batch
import functions
import quotas

pytestmark = pytest.mark.aws

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
SESSIONS = [f"2024-05-{session}" for session in (24, 28, 29, 30, 31)]
"""The five newest that have closed by then; 05-27 was Memorial Day."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """An emulator on a free port of this machine, whose jobs succeed at once (no container is run)."""
    with (tmp_path_factory.mktemp("moto") / "log.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, str(SERVER)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            settings = {"batch": {"use_docker": False}}
            httpx.post(f"{url}/moto-api/config", json=settings, timeout=30).raise_for_status()
            yield url
        finally:
            server.stdin.close()
            server.stdout.close()
            server.wait()


@pytest.fixture(scope="module")
def instance():
    """The database."""
    with rds() as made:
        yield made


@pytest.fixture(scope="module")
def machine(endpoint, instance, tmp_path_factory):
    with forked("aws") as aws, forked("provider") as provider:
        folder = tmp_path_factory.mktemp("machine")
        yield from served(Machine(folder, endpoint, instance, aws=aws, provider=provider), endpoint)


def served(machine, endpoint):
    with (
        batch.serving(machine.jobs) as jobs_url,
        functions.serving(endpoint, machine.invoke) as functions_url,
        quotas.serving("new") as machine.quotas,
    ):
        machine.settings |= {
            "AWS_ENDPOINT_URL_BATCH": jobs_url,
            "AWS_ENDPOINT_URL_LAMBDA": functions_url,
            "AWS_ENDPOINT_URL_SERVICE_QUOTAS": f"http://127.0.0.1:{machine.quotas.server_port}",
            # The emulator's account lends as many executions as a new one.
            "STAND_IN_LINKED_ROLES": "ecs,batch,rds",
        }
        yield machine


@pytest.fixture
def vendor():
    market = Market(
        seed=7, instruments=60, first_session=dt.date(2024, 5, 1), last_session=TODAY, revisions=0
    )
    with MassiveEmulator(market, now=NOW, delay=0.01) as running_vendor:
        yield running_vendor


def test_from_nothing_to_the_first_bars_and_to_nothing_again(machine, instance, vendor, tmp_path):
    """Bootstrap; no vCPUs yet; all; a night; a session. All again; drift; a component; the end."""
    without_vcpus(machine)
    machine.allow_without_tls("condvest-terraform-state")
    nothing_starts(machine)

    first = machine.deploy("dev", "all")
    assert first.returncode == 0
    assert "SUCCEEDED" in first.stderr
    assert "function condvest-dev-archive-loader: ok" in first.stderr
    assert 'loader: {"not_loaded": 0, "changed": 0' in first.stderr  # it logged in by IAM, over TLS
    assert 'job_queue = "condvest-dev-jobs"' in first.stdout
    kept = machine.keys("condvest-terraform-state")
    assert [key for key in kept if not key.startswith("releases/")] == ["batch-layer/dev/terraform.tfstate"]
    assert "releases/condvest-dev/current.json" in kept  # what a rollback goes back to
    _, migration = machine.jobs.jobs.values()
    assert (
        "users who may log in by IAM: condvest_loader, condvest_jobs, condvest_backfill"
        in migration["ends"][0][1]
    )
    # The layer, the functions, what serves, and the image; it was pushed before.
    assert first.stderr.count("nothing changed since it was built") == 4
    assert "function condvest-dev-serve: answers" in first.stderr
    scan = json.loads(machine.applied("aws_scheduler_schedule", "rescan")["target"][0]["input"])
    assert scan["ImageId"]["ImageDigest"] in first.stdout  # the image that is in use

    fetch_load_resample_and_publish(machine, instance, vendor, tmp_path)
    collect_the_session(machine, instance, vendor, SESSIONS[-1])
    ask_what_was_published(machine, instance, tmp_path / "serve", SESSIONS)

    second = machine.deploy("dev", "all")
    assert second.returncode == 0
    assert "nothing to change" in second.stderr
    assert second.stderr.count("nothing changed since it was built") == 4
    assert "the same release as before" in second.stderr
    layers = machine.aws("lambda", "list-layer-versions", "--layer-name", "condvest-batch-dependencies")
    assert len(layers["LayerVersions"]) == 1

    find_queue = ["sqs", "get-queue-url", "--queue-name", "condvest-dev-archive-loader-dead-letters"]
    machine.aws("sqs", "delete-queue", "--queue-url", machine.aws(*find_queue)["QueueUrl"])
    mended = machine.deploy("dev", "all")
    assert mended.returncode == 0
    assert "1 to add" in mended.stderr
    assert machine.aws(*find_queue)

    assert machine.deploy("dev", "database").returncode == 0
    assert databases(machine) == {"condvest-dev-db", "condvest-dev-database-db"}
    assert machine.deploy("dev", "destroy", "database", "--yes").returncode == 0
    assert databases(machine) == {"condvest-dev-db"}

    for bucket in ("condvest-dev-archive-123456789012", "condvest-dev-published-123456789012"):
        for key in machine.keys(bucket):
            machine.aws("s3api", "delete-object", "--bucket", bucket, "--key", key)
    assert machine.deploy("dev", "destroy", "--yes").returncode == 0
    assert machine.aws("lambda", "list-functions")["Functions"] == []
    assert databases(machine) == set()
    assert machine.aws("sns", "list-topics")["Topics"] == []
    assert machine.aws("batch", "describe-job-queues")["jobQueues"] == []
    assert machine.aws("s3api", "list-buckets", "--query", "Buckets[].Name") == ["condvest-terraform-state"]
    assert "nothing to destroy" in machine.deploy("dev", "destroy", "--yes").stderr


def without_vcpus(machine):
    """An account to which AWS lends nothing yet: bootstrap, once and again, says what is missing."""
    machine.quotas.account, machine.jobs.vcpus = "closed", 0
    for _ in range(2):
        done = machine.deploy("dev", "bootstrap")
        assert done.returncode == 0
        assert "the quota of vCPUs on Fargate is 0.0: ask AWS for more" in done.stderr
        assert "the quota of vCPUs on Fargate Spot is 0.0" in done.stderr


def nothing_starts(machine):
    """The migration waits for vCPUs; no function and no rule is there before it. Then AWS lends some."""
    done = machine.deploy("dev", "all", CONDVEST_JOB_POLLS="2")
    assert done.returncode == 1
    assert "is still RUNNABLE" in done.stderr
    assert "quota of vCPUs on Fargate" in done.stderr
    assert machine.aws("lambda", "list-functions")["Functions"] == []
    machine.quotas.account = "new"
    machine.jobs.vcpus = quotas.ACCOUNTS["new"][quotas.FARGATE]


def databases(machine):
    return {one["DBInstanceIdentifier"] for one in machine.aws("rds", "describe-db-instances")["DBInstances"]}


def fetch_load_resample_and_publish(machine, instance, vendor, folder):
    """What a night does: fetcher, S3, event, loader, its result, array of jobs, their end, publication."""
    secret = ["--secret-id", "condvest-dev/massive-api-key", "--secret-string", KEY]
    machine.aws("secretsmanager", "put-secret-value", *secret)
    more = {"CONDVEST_MASSIVE_BASE_URL": vendor.url}
    with machine.function("condvest-dev-daily-ohlcv-fetcher", folder, **more) as fetcher:
        kind, fetched = fetcher.call({"sessions": SESSIONS})
    assert kind == "answer", fetched
    assert (len(fetched["archived"]), fetched["left"]) == (5, [])

    bucket = "condvest-dev-archive-123456789012"
    events = [
        {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
        }
        for key in machine.keys(bucket)
    ]
    archived = json.loads(machine.applied("aws_cloudwatch_event_rule", "archived")["event_pattern"])
    passed = [event for event in events if matches(archived, event)]
    assert len(events) == 10  # of each session the payload and its description
    assert len(passed) == 5

    with machine.function("condvest-dev-archive-loader", folder) as loader:
        answers = [answer for _, answer in map(loader.call, passed)]
        assert [one["left"] for one in answers] == [[]] * 5, answers
        published(machine, resampled(machine, answers))
        kind, again = loader.call(passed[0])
    assert (kind, again["changed"], set(again["keys"].values())) == ("answer", 0, {"loaded already"})
    assert not starts_jobs(machine, again)

    with psycopg.connect(instance.local) as connection:
        assert connection.execute("SELECT count(*) FROM daily_bars").fetchone()[0] > 5 * 50
        stored = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE is_complete) FROM bars"
        ).fetchone()
        assert stored[0] > stored[1] > 50
        assert differences(connection) == []


def resampled(machine, answers):
    """Start the array as the rule's target says, once: the results come close together. Return the target."""
    assert all(starts_jobs(machine, one) for one in answers)
    target = machine.applied("aws_cloudwatch_event_target", "loaded")["batch_target"][0]
    number = machine.jobs.submit(
        {
            "jobName": target["job_name"],
            "jobDefinition": target["job_definition"],
            "arrayProperties": {"size": target["array_size"]},
        }
    )
    job = machine.jobs.jobs[number]
    assert len(job["ends"]) == 8
    assert job["status"] == "SUCCEEDED", job["ends"]
    return target


def published(machine, array):
    """Tell the deployed rule the ends of the array and its children; run its target, read what it wrote."""
    pattern = json.loads(machine.applied("aws_cloudwatch_event_rule", "resampled")["event_pattern"])
    told = [
        job_event(
            jobQueue=machine.applied("aws_batch_job_queue", "this")["arn"],
            jobDefinition=array["job_definition"],
            arrayProperties=properties,
        )
        for properties in (
            {"size": array["array_size"]},
            *({"index": index} for index in range(array["array_size"])),
        )
    ]
    assert [matches(pattern, event) for event in told] == [True] + [False] * 8
    target = machine.applied("aws_cloudwatch_event_target", "resampled")["batch_target"][0]
    number = machine.jobs.submit({"jobName": target["job_name"], "jobDefinition": target["job_definition"]})
    job = machine.jobs.jobs[number]
    assert job["status"] == "SUCCEEDED", job["ends"]

    bucket = "condvest-dev-published-123456789012"
    file = machine.folder / "manifest.json"
    machine.aws("s3api", "get-object", "--bucket", bucket, "--key", "published/manifest.json", str(file))
    manifest = json.loads(file.read_text())
    assert manifest["version"] == 1
    assert manifest["sessions"] == {"first": SESSIONS[0], "last": SESSIONS[-1]}
    data_sets = {**manifest["files"], **manifest["history"], **manifest["reports"]}
    named = {f"published/{one['path']}" for files in data_sets.values() for one in files}
    kept = {key for key in machine.keys(bucket) if not key.startswith("functions/")}
    assert named | {"published/manifest.json", "published/manifests/00000001.json"} == kept


def starts_jobs(machine, answer):
    """Tell whether the loader's result, as Lambda tells it to EventBridge, passes the deployed rule."""
    pattern = json.loads(machine.applied("aws_cloudwatch_event_rule", "loaded")["event_pattern"])
    arn = "arn:aws:lambda:ca-west-1:123456789012:function:condvest-dev-archive-loader:$LATEST"
    event = {
        "source": "lambda",
        "detail-type": "Lambda Function Invocation Result - Success",
        "detail": {"requestContext": {"functionArn": arn}, "responsePayload": answer},
    }
    return matches(pattern, event)


def test_the_wrong_account_reaches_nothing(machine):
    done = machine.deploy("staging", "all", CONDVEST_AWS_ACCOUNT_ID="999999999999")
    assert done.returncode == 1
    assert "belongs to 999999999999" in done.stderr


def test_a_bucket_that_is_not_there_is_said(machine):
    done = machine.deploy("staging", "init", CONDVEST_STATE_BUCKET="no-such-bucket-anywhere")
    assert done.returncode == 1
    assert "there is no bucket no-such-bucket-anywhere" in done.stderr


def test_a_state_that_somebody_holds_is_not_touched(machine, tmp_path):
    """A lock file of another deployment: the message says whose it is, and nothing is changed."""
    machine.deploy("staging", "bootstrap", CONDVEST_STATE_BUCKET="held-states")
    machine.allow_without_tls("held-states")
    lock = json.dumps(
        {"ID": "11111111-2222-3333-4444-555555555555", "Operation": "OperationTypeApply", "Who": "her@desk"}
    )
    body = tmp_path / "lock.json"
    body.write_text(lock)
    place = ["--bucket", "held-states", "--key", "batch-layer/staging/terraform.tfstate.tflock"]
    machine.aws("s3api", "put-object", *place, "--body", str(body))
    done = machine.deploy(
        "staging",
        "destroy",
        "--yes",
        CONDVEST_STATE_BUCKET="held-states",
        CONDVEST_LOCK_SECONDS="0",
    )
    assert done.returncode == 1
    assert "her@desk" in done.stderr
    assert "force-unlock" in done.stderr


def test_of_two_deployments_at_once_one_waits_or_ends(machine):
    """The second is told whose the state is; the first is not disturbed."""
    bucket = {"CONDVEST_STATE_BUCKET": "states-of-two"}
    machine.deploy("staging", "bootstrap", **bucket)
    machine.allow_without_tls("states-of-two")
    with machine.started("staging", "database", **bucket) as first:
        second = machine.deploy("staging", "database", CONDVEST_LOCK_SECONDS="0", **bucket)
        machine.pause.unlink()
        _, told = first.communicate()
    assert second.returncode == 1
    assert "somebody else is deploying" in second.stderr
    assert first.returncode == 0, told
    assert machine.deploy("staging", "destroy", "database", "--yes", **bucket).returncode == 0


def test_after_an_interrupted_apply_the_next_run_goes_on(machine):
    """Ctrl-C reaches everything that runs: what was made is in the state, nothing is made twice."""
    bucket = {"CONDVEST_STATE_BUCKET": "states-interrupted"}
    machine.deploy("staging", "bootstrap", **bucket)
    machine.allow_without_tls("states-interrupted")
    with machine.started("staging", "database", **bucket) as first:
        os.killpg(first.pid, signal.SIGINT)
        for line in first.stderr:
            if "Interrupt received" in line:
                break
        machine.pause.unlink()
        _, told = first.communicate()
    assert first.returncode == 130, told
    assert "run the same command again" in told
    assert machine.keys("states-interrupted") == ["batch-layer/staging/components/database/terraform.tfstate"]
    assert databases(machine) >= {"condvest-staging-database-db"}

    second = machine.deploy("staging", "database", **bucket)
    assert second.returncode == 0
    assert not re.search(r"Plan: 0 to add", second.stderr)
    assert "nothing to change" in machine.deploy("staging", "database", **bucket).stderr
    assert machine.deploy("staging", "destroy", "database", "--yes", **bucket).returncode == 0
