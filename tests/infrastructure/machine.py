"""A machine that deploys: the real terraform and aws, a checkout, and what was built of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys

from desk import Desk
from workshop import ROOT, STAND_IN, environment, found, lay_mirror

from tests.support.aws import artefacts
from tests.support.aws.lambda_runtime import running
from tests.support.databases.rds import ADMIN, PASSWORD

sys.path.insert(0, str(STAND_IN))
import batch  # it lies beside the stand-in of AWS

CLOCK = STAND_IN / "clock"
"""What sets the clock of a job, if it is told to; see sitecustomize.py there."""

LAMBDA = "build/lambda"
"""Where a checkout has what is shipped to Lambda."""


ACCESS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Machine:
    """A machine with the real terraform and aws, on which a checkout lies, and what was built of it.

    Attributes:
        jobs: what AWS Batch was asked to run.
    """

    def __init__(self, folder, endpoint, instance, *, aws, provider):
        """Lay it all out; ``aws`` and ``provider`` are the words that start these two."""
        self.folder = folder
        self.checkout = folder / "a folder with blanks"
        self.desk = Desk(folder)
        shutil.rmtree(self.checkout)
        for part in ("batch_layer", "condvest", "serving_layer", "speed_layer"):
            shutil.copytree(ROOT / part, self.checkout / part, symlinks=True, ignore=_not_in_a_checkout)
        shutil.copy(ROOT / "pyproject.toml", self.checkout)
        self.desk.serves()
        self.desk.collects()
        self.desk.install("aws", f'#!/bin/sh\nexec {shlex.join(aws)} "$0" "$@"\n')
        self.desk.install("docker", f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN / "docker.py"}" "$@"\n')
        (self.desk.bin / "terraform").unlink()
        (self.desk.bin / "terraform").symlink_to(
            found("terraform", "https://developer.hashicorp.com/terraform/install")
        )
        artefacts.need_runtime()
        self.python = artefacts.runtime()
        for part, place in (
            ("layer", LAMBDA),
            ("function", LAMBDA),
            ("serving", LAMBDA),
            ("image", "build/image"),
        ):
            self.lay(artefacts.built(part), self.checkout / place)
        self.images = folder / "images"
        self.pause = folder / "pause"
        self.here = {**ACCESS, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "ca-west-1"}
        self.jobs = batch.Batch(endpoint, self.container, self.here)
        self.settings = {
            **self.here,
            # Version 1 of the command line ignores the first for SQS.
            "AWS_ENDPOINT_URL_SQS": endpoint,
            "PATH": f"{self.desk.bin}:/usr/bin:/bin",
            "IMAGES": str(self.images),
            "TF_CLI_CONFIG_FILE": str(lay_mirror(folder, provider)),
            "TF_CLI_ARGS_init": "-backend-config=use_path_style=true",
            "TF_VAR_vendor": '{"plan": "paid"}',
            "CONDVEST_AWS_ACCOUNT_ID": "123456789012",
            "CONDVEST_LAMBDA_PYTHON": artefacts.interpreter(),
            "CONDVEST_RDS_BUNDLE": str(instance.authorities),
            "STAND_IN_DATABASE_URL": instance.url(ADMIN, password=PASSWORD),
        }

    def lay(self, built, place):
        """Lay a package where its builder puts it, with what describes it."""
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(built, place)
        (described,) = built.parent.glob("*.json")
        manifest = json.loads(described.read_text()) | {"path": str(place / built.name)}
        (place / described.name).write_text(json.dumps(manifest))

    def container(self, image):
        """Return the folder of a pushed image, with the program that its Dockerfile puts on the path."""
        place = self.images / image.rpartition("sha256:")[2]
        program = place / "bin" / "condvest"
        if not program.exists():
            program.parent.mkdir()
            path = f"{place / 'app'}:{CLOCK}"
            environ = f'PYTHONPATH="{path}" PYTHONDONTWRITEBYTECODE=1 CONDVEST_HOME="{place / "home"}"'
            program.write_text(f'#!/bin/sh\nexec env {environ} "{self.python}" "{place / "condvest"}" "$@"\n')
            program.chmod(0o755)
        return place

    def deploy(self, *arguments, **more):
        done = self.desk.deploy(*arguments, **(self.settings | more))
        print(done.stderr[-6000:])
        return done

    def started(self, *arguments, **more):
        """Start a deployment that stops while it creates the database, until ``pause`` is gone; return it."""
        self.pause.touch()
        environ = self.desk.settings(self.settings | {"STAND_IN_PAUSE": str(self.pause)} | more)
        process = subprocess.Popen(
            [str(self.checkout / "batch_layer" / "deploy.sh"), *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for line in process.stderr:
            if "aws_db_instance.this: Creating" in line:
                return process
        raise AssertionError("it ended before the database")

    def aws(self, *arguments):
        done = subprocess.run(
            [str(self.desk.bin / "aws"), *arguments, "--output", "json"],
            env=environment(**self.settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    def allow_without_tls(self, bucket):
        """The emulator obeys the bucket's policy, and speaks no TLS."""
        self.aws("s3api", "delete-bucket-policy", "--bucket", bucket)

    def keys(self, bucket):
        """Return the keys of all objects of a bucket."""
        told = self.aws("s3api", "list-objects-v2", "--bucket", bucket)
        return [one["Key"] for one in (told or {}).get("Contents", [])]

    def applied(self, kind, name, module=""):
        """Return what Terraform applied last, from the state in S3; the first of that name."""
        file = self.folder / "state.json"
        place = ["--bucket", "condvest-terraform-state", "--key", "batch-layer/dev/terraform.tfstate"]
        self.aws("s3api", "get-object", *place, str(file))
        for one in json.loads(file.read_text())["resources"]:
            is_there = one.get("module", "").startswith(f"module.{module}")
            if is_there and (one["type"], one["name"], one["mode"]) == (kind, name, "managed"):
                return one["instances"][0]["attributes"]
        raise AssertionError(f"{kind}.{name} was not applied")

    def listening(self, topic):
        """Let a queue take what comes to a topic; return its URL, and the topic."""
        url = self.aws("sqs", "create-queue", "--queue-name", "listening")["QueueUrl"]
        asked = ["--queue-url", url, "--attribute-names", "QueueArn"]
        queue = self.aws("sqs", "get-queue-attributes", *asked)["Attributes"]["QueueArn"]
        asked = ["--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", queue]
        self.aws("sns", "subscribe", *asked)
        return url, topic

    def came(self, queue):
        """Return the messages that came to a queue from a topic."""
        asked = ["--queue-url", queue, "--max-number-of-messages", "10"]
        return [
            json.loads(one["Body"]) for one in (self.aws("sqs", "receive-message", *asked) or {})["Messages"]
        ]

    def invoke(self, name, event):
        """Call a function once, as the command line does."""
        root = self.folder / ("invoked-to-serve" if name.endswith("-serve") else "invoked")
        root.mkdir(exist_ok=True)
        with self.function(name, root) as function:
            return function.call(event)

    def function(self, name, root, **more):
        """Run a function as it was deployed: its code, its layer if any, its handler, its variables."""
        told = self.aws("lambda", "get-function-configuration", "--function-name", name)
        serves = name.endswith("-serve")
        package = self.checkout / LAMBDA / ("serving.zip" if serves else "functions.zip")
        layer = None if serves else self.checkout / LAMBDA / "layer.zip"
        assert told["CodeSha256"] == _digest(package)
        if layer is not None:
            (used,) = told["Layers"]
            _, layer_name, number = used["Arn"].rsplit(":", 2)
            asked = ["--layer-name", layer_name, "--version-number", number]
            version = self.aws("lambda", "get-layer-version", *asked)
            assert version["Content"]["CodeSha256"] == _digest(layer)
        environ = {**told["Environment"]["Variables"], **self.here, "AWS_REGION": "ca-west-1", **more}
        return running(package, layer, told["Handler"], self.python, root, environ)


def _not_in_a_checkout(_folder, names):
    return [name for name in names if name in {"build", "__pycache__"} or name.startswith(".terraform")]


def _digest(path):
    return base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
