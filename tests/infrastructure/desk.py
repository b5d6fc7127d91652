"""deploy.sh on a machine where terraform, aws, docker and the builders are stand-ins that note calls."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys

from workshop import BATCH_LAYER, environment, found

# Writes its call to the log, then does as the first rule says whose pattern is in it: {code, out, err}.
STUB = f"""#!{sys.executable} -IS
import json, os, sys
call = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
box = os.environ["STUBS"]
with open(os.path.join(box, "calls.txt"), "a") as log:
    log.write(call + os.linesep)
if os.environ.get("TF_VAR_runtime"):
    with open(os.path.join(box, "passed.json"), "w") as told:
        json.dump({{name: os.environ[name] for name in os.environ if name.startswith("TF_VAR_")}}, told)
arguments = sys.argv[1:]
if arguments[:2] == ["s3", "cp"]:
    import shutil
    names = [one for one in arguments[2:] if one.startswith("s3://") or os.sep in one and one != os.sep]
    places = [os.path.join(box, "s3", name[5:]) if name.startswith("s3://") else name for name in names]
    if not os.path.exists(places[0]):
        sys.stderr.write("404 Not Found: " + names[0])
        sys.exit(1)
    os.makedirs(os.path.dirname(places[1]), exist_ok=True)
    shutil.copy(*places)
for rule in json.load(open(os.path.join(box, "rules.json"))):
    if rule["pattern"] in call:
        sys.stderr.write(rule.get("err", ""))
        sys.stdout.write(rule.get("out", ""))
        if rule.get("write"):
            open(next(one for one in reversed(arguments) if one.endswith(".json")), "w").write(rule["write"])
        sys.exit(rule.get("code", 0))
"""

DIGEST = "sha256:" + "0123456789abcdef" * 4
REPOSITORY = "123456789012.dkr.ecr.ca-west-1.amazonaws.com/condvest-dev/jobs"
LAYER = "arn:aws:lambda:ca-west-1:123456789012:layer:condvest-batch-dependencies:3"

USUAL = [
    {"pattern": "terraform version", "out": "Terraform v1.11.4\non linux_amd64\n"},
    {"pattern": " plan ", "code": 2, "out": "Plan: 3 to add\n"},
    {"pattern": " output", "out": 'job_queue = "condvest-dev-jobs"\n'},
    {"pattern": "get-caller-identity", "out": "123456789012\n"},
    {"pattern": "list-layer-versions", "out": LAYER + "\n"},
    {"pattern": "describe-repositories", "out": REPOSITORY + "\n"},
    {"pattern": "submit-job", "out": "11111111-2222-3333-4444-555555555555\n"},
    {"pattern": "jobs[0].status --", "out": "SUCCEEDED\n"},
    {"pattern": "DBInstanceStatus", "out": "available\n"},
    {"pattern": "DeletionProtection", "out": "False\n"},
    {"pattern": "get-function-configuration", "out": "Active\tSuccessful\n"},
    {"pattern": "describe-job-queues", "out": "ENABLED\tVALID\n"},
    {"pattern": "get-account-settings", "out": "1000\n"},
    {"pattern": "get-function-concurrency", "out": "None\n"},
    {"pattern": "list-jobs", "out": "0\n"},
    {"pattern": "lambda invoke", "out": "None\n", "write": '{"statusCode": 200}'},
    {"pattern": "service-quotas", "out": "1000.0\n"},
]

# Noon of a Tuesday in New York; %Y... is what a snapshot is named by.
DATE = """#!/bin/sh
case "$*" in
  *%u*) echo "${STUB_WEEKDAY:-2}" ;;
  *%Z*) echo EST ;;
  *%H%M) echo "${STUB_HOUR:-1200}" ;;
  *%H:%M*) echo "a time" ;;
  *) echo "${STUB_INSTANT:-20240604160000}" ;;
esac
"""

BUILDERS = {
    "fetching/deployment_packages/build_layer.sh": "layer",
    "fetching/deployment_packages/build_packages.sh": "packages",
    "processing/container_images/build_container.sh": None,
    "../serving_layer/deployment_packages/build_package.sh": "serving",
}


class Desk:
    """A copy of deploy.sh on a machine where only stand-ins are installed."""

    def __init__(self, folder):
        self.folder = folder
        self.content = {}
        self.layer = folder / "a folder with blanks" / "batch_layer"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.layer.mkdir(parents=True)
        shutil.copy(BATCH_LAYER / "deploy.sh", self.layer)
        shutil.copytree(BATCH_LAYER / "deploy", self.layer / "deploy")
        for part in (
            "infrastructure",
            "fetching/terraform",
            "processing/terraform",
            "database/terraform",
            "../serving_layer/terraform",
            "../speed_layer/terraform",
        ):
            shutil.copytree(
                BATCH_LAYER / part,
                self.layer / part,
                ignore=lambda _folder, names: [name for name in names if name.startswith(".terraform")],
            )
        for program in ("terraform", "aws", "docker"):
            self.install(program, STUB)
        for program in ("bash", "sed", "awk", "head", "tail", "tee", "cat", "grep", "mkdir", "rm"):
            (self.bin / program).symlink_to(found(program, "part of every system"))
        (self.bin / "python3").symlink_to(sys.executable)
        self.install("date", DATE)
        for program in ("dirname", "basename", "find", "sleep", "env", "sh", "tr"):
            (self.bin / program).symlink_to(found(program, "part of every system"))
        for script, manifest in BUILDERS.items():
            self.write_builder(script, manifest)
        self.rules = list(USUAL)
        self.answers = {}

    def install(self, program, text):
        path = self.bin / program
        path.write_text(text)
        path.chmod(0o755)

    def write_builder(self, script, manifest):
        path = self.layer / script
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ["#!/bin/sh", "set -e", f'echo "{path.name} $*" | sed "s/ $//" >>"$STUBS/calls.txt"']
        if manifest:
            target = self.layer.parent / "build" / "lambda"
            content = self.content.get(manifest, manifest)
            digest = hashlib.sha256(content.encode()).hexdigest()
            built = json.dumps({"path": f"build/lambda/{manifest}.zip", "sha256": digest})
            lines += [f"mkdir -p '{target}'", f"echo '{built}' >'{target}/{manifest}.json'"]
            lines += [f"printf %s '{content}' >'{target}/{manifest}.zip'"]
        lines += [f"echo {DIGEST}"]
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o755)

    def serves(self, access="iam"):
        """Let dev serve what it publishes."""
        variables = self.layer / "infrastructure" / "environments" / "dev.tfvars"
        variables.write_text(f'{variables.read_text()}serving_access = "{access}"\n')

    def collects(self):
        """Let dev collect the session under way, for which its database is awake from Monday to Saturday."""
        variables = self.layer / "infrastructure" / "environments" / "dev.tfvars"
        sleeps = re.compile(r"^database_hours = \{.*?^\}\n", re.MULTILINE | re.DOTALL)
        text = sleeps.sub("", variables.read_text())
        hours = '{ start = "cron(0 9 ? * MON *)", stop = "cron(0 9 ? * SAT *)" }'
        variables.write_text(f"{text}live = true\ndatabase_hours = {hours}\n")

    def rule(self, pattern, **answer):
        """Answer calls with this pattern so, before every other rule."""
        self.rules.insert(0, {"pattern": pattern, **answer})

    def settings(self, more):
        (self.folder / "rules.json").write_text(json.dumps(self.rules))
        (self.folder / "calls.txt").write_text("")
        defaults = {"PATH": str(self.bin), "STUBS": str(self.folder), "CONDVEST_POLL_SECONDS": "0"}
        return environment(**(defaults | more))

    def deploy(self, *arguments, **more):
        """Run deploy.sh with no terminal; return code, output and errors."""
        return subprocess.run(
            [str(self.layer / "deploy.sh"), *arguments],
            env=self.settings(more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )

    def deploy_in_terminal(self, answers, *arguments, **more):
        """Run deploy.sh in a terminal where somebody types the answers."""
        ours, theirs = pty.openpty()
        os.write(ours, "".join(f"{one}\n" for one in answers).encode())
        try:
            return subprocess.run(
                [str(self.layer / "deploy.sh"), *arguments],
                env=self.settings(more),
                stdin=theirs,
                capture_output=True,
                text=True,
                cwd="/",
                check=False,
            )
        finally:
            os.close(ours)
            os.close(theirs)

    def calls(self):
        return (self.folder / "calls.txt").read_text().splitlines()

    def steps(self):
        """The calls that change something, short."""
        names = {
            "build_layer.sh --publish": "publish layer",
            "build_layer.sh": "build layer",
            "build_packages.sh": "build packages",
            "build_package.sh": "build serving",
            " --push ": "push image",
            "build_container.sh": "build image",
            " init ": "init",
            " plan ": "plan",
            " apply ": "apply",
            "create-db-snapshot": "snapshot",
            "start-db-instance": "wake",
            "submit-job": "migrate",
            "create-bucket": "create bucket",
        }
        found_steps = []
        for call in self.calls():
            step = next((name for pattern, name in names.items() if pattern in call + " "), None)
            found_steps += [step] if step else []
        return found_steps
