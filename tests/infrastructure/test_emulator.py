"""Rung 6: the unmodified deploy.sh, real Terraform and the real AWS command line against an AWS emulator.

Stand-ins are the builders, Docker, and the provider, which creates in the emulator what deploy.sh asks about.
The state lies in the emulator's S3, with its lock file.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time

import pytest
from test_deploy_script import DIGEST, Desk
from workshop import environment, found, from_venv, lay_mirror

pytestmark = pytest.mark.aws

BUILDER = """#!/bin/sh
set -e
cd "$(dirname "$0")/../../.."
exec python3 build_stand_in.py NAME "$@"
"""

# Writes an empty zip and its manifest; --publish publishes it as a layer, as the real builder does.
BUILD = """
import hashlib, json, pathlib, subprocess, sys
name, publish = sys.argv[1], "--publish" in sys.argv
path = pathlib.Path("build/lambda", name + ".zip")
path.parent.mkdir(parents=True, exist_ok=True)
path.write_bytes(b"PK" + bytes([5, 6]) + bytes(18))
sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
path.with_suffix(".json").write_text(json.dumps({"path": str(path), "sha256": sha256}))
if publish:
    layer = ["--layer-name", "condvest-batch-dependencies", "--description", "sha256:" + sha256]
    publish = ["aws", "lambda", "publish-layer-version", "--zip-file", f"fileb://{path}"]
    subprocess.run([*publish, *layer], check=True)
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """An emulator on a free port of this machine, whose jobs succeed at once (no container is run)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("moto") / "log.txt").open("w")
    server = subprocess.Popen(
        [str(from_venv("emulator", "moto_server")), "-H", "127.0.0.1", "-p", str(port)],
        env=environment(),
        stdout=log,
        stderr=log,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        settings = json.dumps({"batch": {"use_docker": False}}).encode()
        for _ in range(100):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("POST", "/moto-api/config", body=settings)
                connection.getresponse().read()
                connection.close()
                break
            except OSError:
                time.sleep(0.1)  # it listens when it has imported everything
        yield url
    finally:
        server.terminate()
        server.wait()
        log.close()


@pytest.fixture(scope="module")
def machine(endpoint, tmp_path_factory):
    """A machine with the real terraform and aws, and stand-ins for Docker and the builders."""
    folder = tmp_path_factory.mktemp("machine")
    desk = Desk(folder)
    for program in ("terraform", "aws"):
        (desk.bin / program).unlink()
    (desk.bin / "terraform").symlink_to(
        found("terraform", "https://developer.hashicorp.com/terraform/install")
    )
    (desk.bin / "aws").write_text(f'#!/bin/sh\nexec "{from_venv("emulator", "python")}" -m awscli "$@"\n')
    (desk.bin / "aws").chmod(0o755)
    for script, name in (("build_layer.sh", "layer"), ("build_packages.sh", "packages")):
        path = desk.layer / "fetching" / "deployment_packages" / script
        path.write_text(BUILDER.replace("NAME", name))
    (desk.layer.parent / "build_stand_in.py").write_text(BUILD)
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        **{f"AWS_ENDPOINT_URL_{name}": endpoint for name in ("S3", "STS", "IAM", "SQS")},
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "TF_CLI_CONFIG_FILE": str(lay_mirror(folder)),
        "TF_CLI_ARGS_init": "-backend-config=use_path_style=true",
        "CONDVEST_AWS_ACCOUNT_ID": "123456789012",
        "HOME": str(folder),
    }

    class Machine:
        def deploy(self, *words, **more):
            done = desk.deploy(*words, **(settings | more))
            print(done.stderr[-6000:])
            return done

        def aws(self, *words):
            region = {"AWS_DEFAULT_REGION": "ca-west-1", "PATH": f"{desk.bin}:{os.environ['PATH']}"}
            done = subprocess.run(
                [str(desk.bin / "aws"), *words, "--output", "json"],
                env=environment(**(settings | region)),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout or "null")

        def allow_without_tls(self, bucket):
            """The emulator obeys the bucket's policy, and speaks no TLS."""
            self.aws("s3api", "delete-bucket-policy", "--bucket", bucket)

    return Machine()


def test_the_whole_life_of_an_environment(machine):
    """Bootstrap, all, all again, drift mended, one component beside it, its end, the end of all."""
    assert machine.deploy("dev", "bootstrap").returncode == 0
    assert machine.deploy("dev", "bootstrap").returncode == 0

    machine.allow_without_tls("condvest-terraform-state")

    first = machine.deploy("dev", "all")
    assert first.returncode == 0
    assert "SUCCEEDED" in first.stderr
    assert "function condvest-dev-archive-loader: ok" in first.stderr
    assert 'job_queue = "condvest-dev-jobs"' in first.stdout
    keys = [
        one["Key"]
        for one in machine.aws("s3api", "list-objects-v2", "--bucket", "condvest-terraform-state")["Contents"]
    ]
    assert keys == ["batch-layer/dev/terraform.tfstate"]

    second = machine.deploy("dev", "all")
    assert second.returncode == 0
    assert "nothing to change" in second.stderr
    layers = machine.aws("lambda", "list-layer-versions", "--layer-name", "condvest-batch-dependencies")
    assert len(layers["LayerVersions"]) == 1

    function = machine.aws(
        "lambda", "get-function-configuration", "--function-name", "condvest-dev-archive-loader"
    )
    assert [layer["Arn"] for layer in function["Layers"]] == [layers["LayerVersions"][0]["LayerVersionArn"]]
    job = machine.aws("batch", "describe-job-definitions", "--job-definition-name", "condvest-dev-resample")
    assert job["jobDefinitions"][0]["containerProperties"]["image"].endswith(f"condvest-dev/jobs@{DIGEST}")

    queue = machine.aws("sqs", "get-queue-url", "--queue-name", "condvest-dev-archive-loader-dead-letters")[
        "QueueUrl"
    ]
    machine.aws("sqs", "delete-queue", "--queue-url", queue)
    drift = machine.deploy("dev", "plan")
    assert drift.returncode == 0
    assert "1 to add" in drift.stderr
    assert machine.deploy("dev", "all").returncode == 0
    assert machine.aws("sqs", "get-queue-url", "--queue-name", "condvest-dev-archive-loader-dead-letters")

    assert machine.deploy("dev", "fetching").returncode == 0
    names = {one["FunctionName"] for one in machine.aws("lambda", "list-functions")["Functions"]}
    assert {"condvest-dev-archive-loader", "condvest-dev-fetching-archive-loader"} <= names
    assert machine.deploy("dev", "destroy", "fetching", "--yes").returncode == 0
    names = {one["FunctionName"] for one in machine.aws("lambda", "list-functions")["Functions"]}
    assert "condvest-dev-archive-loader" in names
    assert "condvest-dev-fetching-archive-loader" not in names
    assert "nothing to change" in machine.deploy("dev", "all").stderr

    assert machine.deploy("dev", "destroy", "--yes").returncode == 0
    assert machine.aws("lambda", "list-functions")["Functions"] == []
    assert machine.aws("rds", "describe-db-instances")["DBInstances"] == []
    assert "nothing to destroy" in machine.deploy("dev", "destroy", "--yes").stderr


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
