"""deploy.sh with stand-ins for terraform, aws, docker and the builders: what it calls, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest
from workshop import BATCH_LAYER, environment, found

# Writes its call to the log, then does as the first rule says whose pattern is in it: {code, out, err}.
STUB = f"""#!{sys.executable} -IS
import json, os, sys
call = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
box = os.environ["STUBS"]
with open(os.path.join(box, "calls.txt"), "a") as log:
    log.write(call + os.linesep)
with open(os.path.join(box, "runtime.txt"), "w") as told:
    told.write(os.environ.get("TF_VAR_runtime", ""))
for rule in json.load(open(os.path.join(box, "rules.json"))):
    if rule["pattern"] in call:
        sys.stderr.write(rule.get("err", ""))
        sys.stdout.write(rule.get("out", ""))
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
]

BUILDERS = {
    "fetching/deployment_packages/build_layer.sh": "layer",
    "fetching/deployment_packages/build_packages.sh": "packages",
    "processing/container_images/build_container.sh": None,
}


class Desk:
    """A copy of deploy.sh on a machine where only stand-ins are installed."""

    def __init__(self, folder):
        self.folder = folder
        self.layer = folder / "a folder with blanks" / "batch_layer"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.layer.mkdir(parents=True)
        shutil.copy(BATCH_LAYER / "deploy.sh", self.layer)
        shutil.copytree(BATCH_LAYER / "deploy", self.layer / "deploy")
        for part in ("infrastructure", "fetching/terraform", "processing/terraform", "database/terraform"):
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
        for program in ("dirname", "basename", "date", "find", "sleep", "env", "sh"):
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
            built = json.dumps({"path": f"build/lambda/{manifest}.zip", "sha256": "ab" * 32})
            lines += [f"mkdir -p '{target}'", f"echo '{built}' >'{target}/{manifest}.json'"]
        lines += [f"echo {DIGEST}"]
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o755)

    def rule(self, pattern, **answer):
        """Answer calls with this pattern so, before every other rule."""
        self.rules.insert(0, {"pattern": pattern, **answer})

    def settings(self, more):
        (self.folder / "rules.json").write_text(json.dumps(self.rules))
        (self.folder / "calls.txt").write_text("")
        defaults = {"PATH": str(self.bin), "STUBS": str(self.folder), "CONDVEST_POLL_SECONDS": "0"}
        return environment(**(defaults | more))

    def deploy(self, *words, **more):
        """Run deploy.sh with no terminal; return code, output and errors."""
        return subprocess.run(
            [str(self.layer / "deploy.sh"), *words],
            env=self.settings(more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )

    def deploy_in_terminal(self, answers, *words, **more):
        """Run deploy.sh in a terminal where somebody types the answers."""
        ours, theirs = pty.openpty()
        os.write(ours, "".join(f"{one}\n" for one in answers).encode())
        try:
            return subprocess.run(
                [str(self.layer / "deploy.sh"), *words],
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
            " --push ": "push image",
            "build_container.sh": "build image",
            " init ": "init",
            " plan ": "plan",
            " apply ": "apply",
            "submit-job": "migrate",
            "create-bucket": "create bucket",
        }
        found_steps = []
        for call in self.calls():
            step = next((name for pattern, name in names.items() if pattern in call + " "), None)
            found_steps += [step] if step else []
        return found_steps


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_all_runs_every_step_in_order(desk):
    done = desk.deploy("dev", "all")
    assert done.returncode == 0, done.stderr
    assert desk.steps() == [
        "build layer", "build packages", "push image", "init", "plan", "apply", "migrate",
    ]  # fmt: skip
    assert 'job_queue = "condvest-dev-jobs"' in done.stdout
    assert "aws lambda invoke" in done.stderr


def test_a_component_touches_its_own_root_and_state_only(desk):
    """`dev fetching` builds no image and runs in its own root, under its own key, with no variables file."""
    done = desk.deploy("dev", "fetching")
    assert done.returncode == 0, done.stderr
    assert desk.steps() == ["build layer", "build packages", "init", "plan", "apply"]
    terraform_calls = [call for call in desk.calls() if call.startswith("terraform -chdir")]
    assert all(f"-chdir={desk.layer}/fetching/terraform " in call for call in terraform_calls)
    init = next(call for call in terraform_calls if " init " in call)
    assert "key=batch-layer/components/fetching/terraform.tfstate" in init
    assert not any("-var-file" in call for call in terraform_calls)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["prod", "all"], "batch-layer/terraform.tfstate"),
        (["dev", "all"], "batch-layer/dev/terraform.tfstate"),
        (["staging", "all"], "batch-layer/staging/terraform.tfstate"),
        (["dev", "database"], "batch-layer/components/database/terraform.tfstate"),
        (["prod", "processing"], "batch-layer/prod/components/processing/terraform.tfstate"),
    ],
)
def test_no_two_deployments_share_a_state(desk, words, key):
    done = desk.deploy(*words, "--yes", CONDVEST_AWS_ACCOUNT_ID="123456789012")
    assert done.returncode == 0, done.stderr
    inits = [call for call in desk.calls() if " init " in call]
    assert len(inits) == 1
    assert f"-backend-config=key={key} " in inits[0]
    assert "-backend-config=use_lockfile=true" in inits[0]


def test_the_architecture_of_the_settings_is_built(desk):
    """What Terraform is told, the builders are told; a commented line is no setting."""
    desk.deploy("dev", "build", "fetching")
    assert [call.split(" --out ")[0] for call in desk.calls() if "--arch" in call] == [
        "build_layer.sh --arch x86_64 --python 3.13",
        "build_packages.sh --arch x86_64 --python 3.13",
    ]
    variables = desk.layer / "infrastructure" / "environments" / "dev.tfvars"
    before = variables.read_text()
    for runtime in (
        '{\n  architecture = "arm64"\n}',
        '{ architecture = "arm64" }',
        '{ name = "python3.12", architecture = "arm64" }',
        '{ architecture = "arm64" }\ntags = { name = "python3.12", architecture = "x86_64" }',
    ):
        variables.write_text(f"{before}runtime = {runtime}\n")
        desk.deploy("dev", "build", "fetching")
        python = "3.12" if runtime.startswith("{ name") else "3.13"
        assert desk.calls()[-2].startswith(f"build_layer.sh --arch arm64 --python {python} ")


def test_a_runtime_that_both_files_set_in_part_is_built_and_deployed_as_one(desk):
    """Terraform would take the one of the environment's file, whole; what is built is of both."""
    common = desk.layer / "infrastructure" / "terraform.tfvars"
    common.write_text(common.read_text() + 'runtime = { name = "python3.12" }\n')
    variables = desk.layer / "infrastructure" / "environments" / "dev.tfvars"
    variables.write_text(
        variables.read_text() + '# runtime = { name = "python3.11" }\nruntime = { architecture = "arm64" }\n'
    )
    assert desk.deploy("dev", "all").returncode == 0
    assert "build_layer.sh --arch arm64 --python 3.12 " in "\n".join(desk.calls())
    (plan,) = [call for call in desk.calls() if " plan " in call]
    assert '-var=runtime={"name":"python3.12","architecture":"arm64"}' in plan


def test_a_component_runs_on_what_its_artefacts_are_built_for(desk):
    """Its root reads no variables file."""
    common = desk.layer / "infrastructure" / "terraform.tfvars"
    common.write_text(common.read_text() + 'runtime = { architecture = "arm64" }\n')
    assert desk.deploy("dev", "fetching").returncode == 0
    told = json.loads((desk.folder / "runtime.txt").read_text())
    assert told == {"name": "python3.13", "architecture": "arm64"}


def test_a_published_layer_is_used_again(desk):
    desk.deploy("dev", "all")
    assert "publish layer" not in desk.steps()


def test_a_new_layer_is_published_once(desk):
    """AWS lists no such layer before, and after publishing there is still none: that is said."""
    desk.rule("list-layer-versions", out="None\n")
    done = desk.deploy("dev", "layer")
    assert desk.steps() == ["build layer", "publish layer"]
    assert done.returncode == 1
    assert "AWS does not list it" in done.stderr


def test_layer_prints_the_line_for_terraform_tfvars(desk):
    done = desk.deploy("dev", "layer")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f'lambda_layer_arns = ["{LAYER}"]\n'


def test_the_repository_is_made_before_the_first_image(desk):
    """With no repository, that resource alone is applied first; then it must be there."""
    desk.rule("describe-repositories", code=254)
    done = desk.deploy("dev", "processing")
    targeted = [call for call in desk.calls() if "-target=module.processing.aws_ecr_repository.this" in call]
    assert len(targeted) == 1
    assert desk.steps() == ["build image", "init", "plan", "apply"]
    assert done.returncode == 1


def test_nothing_is_applied_when_nothing_changed(desk):
    desk.rule(" plan ", code=0, out="No changes.\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 0, done.stderr
    assert "apply" not in desk.steps()
    assert "nothing to change" in done.stderr


def test_dry_run_calls_nothing(desk):
    done = desk.deploy("prod", "all", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert desk.calls() == ["terraform version"]
    assert "would apply the plan" in done.stderr


def test_plan_changes_nothing(desk):
    done = desk.deploy("dev", "plan")
    assert done.returncode == 0, done.stderr
    assert desk.steps() == ["build layer", "build packages", "build image", "init", "plan"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no environment was given"),
        (["dev"], "no command was given"),
        (["qa", "all"], "unknown environment qa"),
        (["dev", "everything"], "unknown command or component everything"),
        (["dev", "plan", "serving"], "unknown target serving"),
        (["dev", "plan", "all", "all"], "one word too many"),
        (["dev", "all", "--force"], "unknown option --force"),
        (["dev", "logs", "--since", "soon"], "--since takes a number of minutes"),
    ],
)
def test_a_wrong_call_ends_with_two(desk, words, message):
    done = desk.deploy(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert desk.calls() == []


@pytest.mark.parametrize("program", ["terraform", "aws", "docker", "python3"])
def test_a_missing_tool_is_named_before_anything_happens(desk, program):
    (desk.bin / program).unlink()
    if program == "python3":  # the stand-ins need one; a machine without it has no stand-in that runs
        desk.install("terraform", "#!/bin/sh\necho 'Terraform v1.11.4'\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert f"error: {program} is not installed" in done.stderr
    assert desk.steps() == []


@pytest.mark.parametrize(("version", "code"), [("1.4.7", 1), ("1.5.0", 0), ("1.13.1", 0), ("2.0.0", 0)])
def test_an_old_terraform_is_refused(desk, version, code):
    desk.rule("terraform version", out=f"Terraform v{version}\n")
    done = desk.deploy("dev", "database")
    assert done.returncode == code, done.stderr
    assert ("is 1.4.7, not 1.5.0 or later" in done.stderr) is (code == 1)


def test_an_early_terraform_warns_that_it_cannot_lock(desk):
    desk.rule("terraform version", out="Terraform v1.9.8\n")
    done = desk.deploy("dev", "database")
    assert "cannot lock the state" in done.stderr
    assert not any("use_lockfile" in call for call in desk.calls())


@pytest.mark.parametrize(
    ("pattern", "answer", "words", "message"),
    [
        (
            "get-caller-identity",
            {"code": 255, "err": "Unable to locate credentials"},
            ["dev", "all"],
            "aws configure",
        ),
        (
            "head-bucket",
            {"code": 255, "err": "An error occurred (404)"},
            ["dev", "all"],
            "deploy.sh dev bootstrap",
        ),
        (
            "head-bucket",
            {"code": 255, "err": "An error occurred (403)"},
            ["dev", "all"],
            "belongs to another account",
        ),
        (
            "head-bucket",
            {"code": 255, "err": "An error occurred (301) ... Moved Permanently"},
            ["dev", "all"],
            "lies in another region than ca-west-1",
        ),
        ("docker info", {"code": 1}, ["dev", "all"], "docker does not answer"),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_built(desk, pattern, answer, words, message):
    desk.rule(pattern, **answer)
    done = desk.deploy(*words)
    assert done.returncode == 1
    assert message in done.stderr
    assert desk.steps() == []


def test_the_wrong_account_is_refused(desk):
    done = desk.deploy("dev", "all", CONDVEST_AWS_ACCOUNT_ID="999999999999")
    assert done.returncode == 1
    assert "account 123456789012, and dev belongs to 999999999999" in done.stderr
    assert desk.steps() == []


def test_prod_without_a_named_account_is_refused(desk):
    done = desk.deploy("prod", "all", "--yes")
    assert done.returncode == 1
    assert "no account is named for prod" in done.stderr
    assert desk.steps() == []


def test_prod_asks_and_goes_on_when_typed(desk):
    done = desk.deploy_in_terminal(["prod", "prod"], "prod", "all", CONDVEST_AWS_ACCOUNT_ID="123456789012")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Type prod to go on") == 2  # before anything, and after the plan was shown
    assert "apply" in desk.steps()


def test_prod_does_nothing_when_something_else_is_typed(desk):
    done = desk.deploy_in_terminal(["yes"], "prod", "all", CONDVEST_AWS_ACCOUNT_ID="123456789012")
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert desk.steps() == []


def test_prod_without_anybody_is_refused(desk):
    done = desk.deploy("prod", "all", CONDVEST_AWS_ACCOUNT_ID="123456789012")
    assert done.returncode == 1
    assert "nobody is there to confirm" in done.stderr


def test_continuous_integration_answers_yes(desk):
    done = desk.deploy("prod", "all", CI="true", CONDVEST_AWS_ACCOUNT_ID="123456789012")
    assert done.returncode == 0, done.stderr


def test_destroy_refuses_a_protected_database(desk):
    desk.rule("DeletionProtection", out="True\n")
    done = desk.deploy("prod", "destroy", "--yes", CONDVEST_AWS_ACCOUNT_ID="123456789012")
    assert done.returncode == 1
    assert "protected from deletion: nothing was changed" in done.stderr
    assert desk.steps() == []


def test_destroy_does_not_guess_when_aws_does_not_answer(desk):
    desk.rule("DeletionProtection", code=255, err="Could not connect to the endpoint")
    done = desk.deploy("dev", "destroy", "--yes")
    assert done.returncode == 1
    assert "cannot tell whether" in done.stderr
    assert desk.steps() == []


def test_a_half_destroyed_environment_can_be_destroyed(desk):
    """The database is gone, nothing was ever built here: the rest goes."""
    desk.rule("DeletionProtection", code=254, err="DBInstanceNotFound")
    done = desk.deploy("dev", "destroy", "--yes")
    assert done.returncode == 0, done.stderr
    assert desk.steps() == ["init", "plan", "apply"]
    assert any(" plan " in call and " -destroy " in call for call in desk.calls())


@pytest.mark.parametrize("script", sorted(BUILDERS))
def test_a_failed_build_deploys_nothing(desk, script):
    (desk.layer / script).write_text("#!/bin/sh\necho 'no space left on device' >&2\nexit 3\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "no space left on device" in done.stderr
    assert f"{script.rsplit('/', 1)[1]} failed (above): nothing was deployed" in done.stderr
    assert "init" not in desk.steps()


def test_a_held_lock_says_who_and_what_to_do(desk):
    lock = "Error: Error acquiring the state lock\n  Who: somebody@elsewhere\n"
    desk.rule(" plan ", code=1, err=lock)
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "somebody@elsewhere" in done.stderr
    assert "force-unlock" in done.stderr
    assert "apply" not in desk.steps()


def test_a_failed_apply_goes_on_at_the_next_run(desk):
    desk.rule(" apply ", code=1, err="Error: creating RDS: throttled\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "run the same command again" in done.stderr
    assert "migrate" not in desk.steps()
    desk.rules.pop(0)
    assert desk.deploy("dev", "all").returncode == 0


def test_a_state_that_could_not_be_saved_is_saved_first(desk):
    """To run again would make everything twice."""
    told = "Error: Failed to save state\n  ... has been written to the file errored.tfstate\n"
    desk.rule(" apply ", code=1, err=told)
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "state push errored.tfstate" in done.stderr
    assert "run the same command again" not in done.stderr


def plan_files(desk):
    """The names of the plans that were written and applied."""
    return [re.findall(r"plan\.\d+", call) for call in desk.calls() if "-out=" in call or " apply " in call]


def test_plans_of_two_runs_lie_apart_and_none_stays(desk):
    desk.deploy("dev", "all")
    first = plan_files(desk)
    assert first == [first[0]] * 2
    desk.deploy("dev", "all")
    assert plan_files(desk)[0] != first[0]
    assert not list((desk.layer.parent / "build").rglob("plan*"))


def test_a_job_that_does_not_start_is_not_waited_for_for_ever(desk):
    desk.rule("jobs[0].status --", out="RUNNABLE\n")
    done = desk.deploy("dev", "all", CONDVEST_JOB_POLLS="4")
    assert done.returncode == 1
    assert "is still RUNNABLE" in done.stderr
    assert 'capacity = "FARGATE"' in done.stderr
    assert sum("jobs[0].status --" in call for call in desk.calls()) == 4


def test_a_job_of_which_aws_does_not_tell_is_asked_about_again(desk):
    desk.rule("jobs[0].status --", code=255, err="throttled\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "does not tell how job" in done.stderr
    assert sum("jobs[0].status --" in call for call in desk.calls()) == 3


def test_alarms_that_nobody_would_hear_are_a_warning(desk):
    assert "nobody is told of alarms" in desk.deploy("dev", "all").stderr
    variables = desk.layer / "infrastructure" / "environments" / "dev.tfvars"
    text = variables.read_text()
    variables.write_text(text.replace("alert_emails       = []", 'alert_emails       = ["a@example.com"]'))
    assert "nobody is told of alarms" not in desk.deploy("dev", "all").stderr


def test_a_failed_migration_shows_its_last_lines(desk):
    desk.rule("jobs[0].status --", out="FAILED\n")
    desk.rule("jobs[0].statusReason", out="Essential container in task exited\n")
    desk.rule("logStreamName", out="migrate/default/1\n")
    desk.rule("get-log-events", out="the database waits for a migration\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "the database waits for a migration" in done.stderr
    assert "Essential container in task exited" in done.stderr


def test_a_function_that_does_not_start_fails_the_smoke_check(desk):
    desk.rule("get-function-configuration", out="Failed\tFailed\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "the function condvest-dev-daily-ohlcv-fetcher is Failed" in done.stderr


def test_a_name_too_long_for_aws_is_refused(desk):
    variables = desk.layer / "infrastructure" / "terraform.tfvars"
    variables.write_text(re.sub(r'"condvest"', '"a-project-name-too-long"', variables.read_text()))
    done = desk.deploy("dev", "processing")
    assert done.returncode == 1
    assert "longer than 28 characters" in done.stderr


def test_bootstrap_makes_a_private_versioned_bucket(desk):
    desk.rule("head-bucket", code=254)
    done = desk.deploy("dev", "bootstrap", CONDVEST_STATE_BUCKET="states", CONDVEST_STATE_REGION="us-east-1")
    assert done.returncode == 0, done.stderr
    calls = [call for call in desk.calls() if call.startswith("aws s3api")]
    assert [call.split()[2] for call in calls] == [
        "head-bucket", "create-bucket", "put-bucket-versioning", "put-public-access-block",
        "put-bucket-encryption", "put-bucket-policy", "put-bucket-tagging",
    ]  # fmt: skip
    assert not any("LocationConstraint" in call for call in calls)  # us-east-1 takes none


def test_bootstrap_can_be_run_again(desk):
    desk.deploy("dev", "bootstrap")
    assert "create bucket" not in desk.steps()


def test_status_and_logs_answer_for_what_is_not_there(desk):
    desk.rule("aws rds", code=254)
    done = desk.deploy("dev", "status")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^database: +not there$", done.stdout, re.MULTILINE)
    assert desk.deploy("dev", "logs", "--since", "5").returncode == 0
