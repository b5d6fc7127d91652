"""deploy.sh with stand-ins: migrations before code, the way back, a new account, a night under way."""

from __future__ import annotations

import json

import pytest
from desk import DIGEST, LAYER, REPOSITORY

OTHER = "sha256:" + "fedcba9876543210" * 4


def prod(desk, *arguments, **more):
    return desk.deploy("prod", *arguments, "--yes", CONDVEST_AWS_ACCOUNT_ID="123456789012", **more)


def targets(call):
    return [word.partition("=")[2] for word in call.split() if word.startswith("-target=")]


def test_what_migrates_is_applied_before_the_code_that_needs_it(desk):
    """Network, database, the migration's own job and its queue; no function, no rule, no other job."""
    assert desk.deploy("dev", "all").returncode == 0
    plans = [targets(call) for call in desk.calls() if " plan " in call]
    assert plans == [
        [],
        [
            "module.shared",
            "module.database",
            "module.processing.aws_batch_job_queue.this",
            'module.processing.aws_batch_job_definition.this["migrate"]',
        ],
        [],
    ]
    (submitted,) = [call for call in desk.calls() if "submit-job" in call]
    assert "--job-queue condvest-dev-on-demand" in submitted  # it waits for no Spot capacity


def test_a_migration_that_fails_leaves_the_code_as_it_was(desk):
    desk.rule("jobs[0].status --", out="FAILED\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "functions and other jobs are as they were" in done.stderr
    assert desk.steps()[-3:] == ["plan", "apply", "migrate"]


def test_prod_keeps_a_snapshot_before_another_image_migrates(desk):
    desk.rule("output -raw container_image", out=f"{REPOSITORY}@{OTHER}")
    assert prod(desk, "all").returncode == 0
    steps = desk.steps()
    assert steps.index("snapshot") < steps.index("migrate")
    assert any("wait db-snapshot-available" in call for call in desk.calls())


def test_the_same_image_needs_no_snapshot_and_neither_does_dev(desk):
    desk.rule("output -raw container_image", out=f"{REPOSITORY}@{DIGEST}")
    assert prod(desk, "all").returncode == 0
    assert "snapshot" not in desk.steps()
    desk.rule("output -raw container_image", out=f"{REPOSITORY}@{OTHER}")
    assert desk.deploy("dev", "all").returncode == 0
    assert "snapshot" not in desk.steps()


def test_a_database_that_aws_does_not_tell_of_is_not_taken_for_none(desk):
    """It has its snapshot, or the deployment ends: here the second, for AWS refuses that too."""
    desk.rule("output -raw container_image", out=f"{REPOSITORY}@{OTHER}")
    desk.rule("DBInstanceStatus", code=254, err="An error occurred (Throttling)")
    desk.rule("create-db-snapshot", code=254, err="An error occurred (Throttling) again")
    done = prod(desk, "all")
    assert done.returncode == 1
    assert "the snapshot could not be taken" in done.stderr
    assert "migrate" not in desk.steps()


def test_where_there_is_no_database_yet_there_is_nothing_to_keep(desk):
    desk.rule("output -raw container_image", out=f"{REPOSITORY}@{OTHER}")
    desk.rule("DBInstanceStatus", code=254, err="An error occurred (DBInstanceNotFound)")
    prod(desk, "all")
    assert "migrate" in desk.steps()
    assert "snapshot" not in desk.steps()


@pytest.mark.parametrize("question", ["describe-job-queues", "list-jobs"])
def test_jobs_that_aws_does_not_tell_of_are_not_taken_for_none(desk, question):
    desk.rule(question, code=254, err="An error occurred (Throttling)")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "cannot tell whether jobs run: An error occurred (Throttling)" in done.stderr
    assert desk.steps() == []


def test_where_there_is_no_queue_yet_no_jobs_run(desk):
    desk.rule("length(jobQueues)", out="0\n")
    desk.rule("list-jobs", code=254, err="An error occurred (ClientException)")
    assert "cannot tell" not in desk.deploy("dev", "all").stderr


def test_a_snapshot_that_cannot_be_taken_changes_nothing(desk):
    desk.rule("output -raw container_image", out=f"{REPOSITORY}@{OTHER}")
    desk.rule("create-db-snapshot", code=254, err="SnapshotQuotaExceeded")
    done = prod(desk, "all")
    assert done.returncode == 1
    assert "SnapshotQuotaExceeded" in done.stderr
    assert "apply" not in desk.steps()


def test_of_the_snapshots_before_migrations_three_stay(desk):
    desk.rule("output -raw container_image", out=f"{REPOSITORY}@{OTHER}")
    desk.rule("describe-db-snapshots", out="newest\tsecond\tthird\tfourth\n")
    assert prod(desk, "all").returncode == 0
    deleted = [call.split()[-1] for call in desk.calls() if "delete-db-snapshot" in call]
    assert deleted == ["fourth"]


class TestRollback:
    def deployed(self, desk, image, content, **more):
        """Deploy a release of that image and function package."""
        desk.content = {"packages": content}
        desk.write_builder("fetching/deployment_packages/build_packages.sh", "packages")
        path = desk.layer / "processing/container_images/build_container.sh"
        path.write_text(f'#!/bin/sh\necho "build_container.sh $*" >>"$STUBS/calls.txt"\necho {image}\n')
        done = desk.deploy("dev", "all", **more)
        assert done.returncode == 0, done.stderr

    def release(self, desk, name):
        place = desk.folder / "s3/condvest-terraform-state/releases/condvest-dev"
        return json.loads((place / f"{name}.json").read_text()), (place / f"{name}.zip").read_text()

    def test_puts_back_what_was_deployed_before_and_forth_again(self, desk):
        self.deployed(desk, DIGEST, "older")
        self.deployed(desk, OTHER, "newer")
        told, package = self.release(desk, "current")
        assert (told["container_image"], package) == (f"{REPOSITORY}@{OTHER}", "newer")
        for image, content in ((DIGEST, "older"), (OTHER, "newer")):
            done = desk.deploy("dev", "rollback")
            assert done.returncode == 0, done.stderr
            assert [step for step in desk.steps() if step.startswith(("build", "push", "publish"))] == []
            passed = json.loads((desk.folder / "passed.json").read_text())
            assert passed["TF_VAR_container_image"] == f"{REPOSITORY}@{image}"
            assert json.loads(passed["TF_VAR_lambda_layer_arns"]) == [LAYER]
            assert passed["TF_VAR_layer_package"] == "null"
            told, package = self.release(desk, "current")
            assert (told["container_image"], package) == (f"{REPOSITORY}@{image}", content)

    def test_migrates_with_the_older_image_first(self, desk):
        """Which says whether it can live with the schema: if not, nothing has been changed."""
        self.deployed(desk, DIGEST, "older")
        self.deployed(desk, OTHER, "newer")
        desk.rule("jobs[0].status --", out="FAILED\n")
        done = desk.deploy("dev", "rollback")
        assert done.returncode == 1
        assert desk.steps() == ["init", "plan", "plan", "apply", "migrate"]
        assert self.release(desk, "current")[1] == "newer"

    def test_of_a_first_release_says_that_there_is_none(self, desk):
        self.deployed(desk, DIGEST, "only")
        done = desk.deploy("dev", "rollback")
        assert done.returncode == 1
        assert "there is no previous release of condvest-dev" in done.stderr
        assert desk.steps() == []

    def test_the_same_artefacts_again_are_the_same_release(self, desk):
        self.deployed(desk, DIGEST, "older")
        self.deployed(desk, OTHER, "newer")
        self.deployed(desk, OTHER, "newer")
        assert self.release(desk, "previous")[1] == "older"

    def test_a_package_that_was_changed_is_refused(self, desk):
        self.deployed(desk, DIGEST, "older")
        self.deployed(desk, OTHER, "newer")
        place = desk.folder / "s3/condvest-terraform-state/releases/condvest-dev/previous.zip"
        place.write_text("tampered with")
        done = desk.deploy("dev", "rollback")
        assert done.returncode == 1
        assert "its sha256 differs" in done.stderr
        assert desk.steps() == []

    def test_takes_no_target(self, desk):
        done = desk.deploy("dev", "rollback", "fetching")
        assert done.returncode == 2


def test_a_database_that_sleeps_is_woken_before_it_is_changed(desk):
    desk.rule("DBInstanceStatus", out="stopped\n")
    done = desk.deploy("dev", "all", CONDVEST_JOB_POLLS="2")
    assert done.returncode == 1  # the stand-in's never wakes
    assert "is still stopped, not available" in done.stderr
    assert desk.steps()[-1] == "wake"


@pytest.mark.parametrize(
    ("unreserved", "reserved", "refused"),
    [("10", "None", True), ("103", "None", True), ("104", "None", False), ("1000", "None", False),
     ("102", "1", False), ("100", "1", True)],
)  # fmt: skip
def test_an_account_with_a_small_quota_reserves_nothing(desk, unreserved, reserved, refused):
    """Four are wanted and 100 stay unreserved; what our three functions hold already counts as free."""
    desk.rule("get-account-settings", out=f"{unreserved}\n")
    desk.rule("get-function-concurrency", out=f"{reserved}\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 0, done.stderr
    plans = [call for call in desk.calls() if " plan " in call]
    assert all(("-var=reserved_concurrency=-1" in call) is refused for call in plans)
    assert ("nothing holds a fetcher to one copy" in done.stderr) is refused


def test_bootstrap_makes_the_roles_that_a_new_account_lacks(desk):
    desk.rule("rds.amazonaws.com", code=254, err="Service role name AWSServiceRoleForRDS has been taken")
    desk.rule("L-36FBB829", out="2.0\n")
    done = desk.deploy("dev", "bootstrap")
    assert done.returncode == 0, done.stderr
    made = [call.split()[-1] for call in desk.calls() if "create-service-linked-role" in call]
    assert made == ["ecs.amazonaws.com", "batch.amazonaws.com", "rds.amazonaws.com"]
    assert "the quota of vCPUs on Fargate Spot is 2.0" in done.stderr


def test_bootstrap_locks_the_provider_of_every_root_for_four_platforms(desk):
    """And pins the base image; a deployment without either says so."""
    warned = desk.deploy("dev", "all").stderr
    assert "has no .terraform.lock.hcl" in warned
    assert "is not pinned by digest" in warned
    assert desk.deploy("dev", "bootstrap").returncode == 0
    locks = [call for call in desk.calls() if " providers lock " in call]
    assert len(locks) == 6
    for call in locks:
        assert call.count("-platform=") == 4
    for root in (
        "infrastructure",
        "database/terraform",
        "fetching/terraform",
        "processing/terraform",
        "../serving_layer/terraform",
        "../speed_layer/terraform",
    ):
        (desk.layer / root / ".terraform.lock.hcl").touch()
    (desk.layer / "processing/container_images/base.txt").touch()
    done = desk.deploy("dev", "all")
    assert "no .terraform.lock.hcl" not in done.stderr
    assert "not pinned by digest" not in done.stderr
    (init,) = [call for call in desk.calls() if " init " in call]
    assert "-lockfile=readonly" in init
    desk.deploy("dev", "bootstrap")
    assert not any(" providers lock " in call for call in desk.calls())


@pytest.mark.parametrize(
    ("weekday", "hour", "refused"),
    [
        ("2", "1844", False),
        ("2", "1845", True),
        ("5", "2159", True),
        ("5", "2200", False),
        ("6", "2000", False),
    ],
)
def test_no_deployment_in_the_middle_of_a_night(desk, weekday, hour, refused):
    when = {"STUB_WEEKDAY": weekday, "STUB_HOUR": hour}
    done = desk.deploy("dev", "all", **when)
    assert (done.returncode == 1) is refused
    assert ("--now" in done.stderr) is refused
    assert (desk.steps() == []) is refused
    assert desk.deploy("dev", "all", "--now", **when).returncode == 0
    assert desk.deploy("staging", "all", **when).returncode == 0  # its schedules are off


def test_no_deployment_under_jobs_that_run(desk):
    desk.rule("--job-status RUNNING", out="3\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "3 jobs of condvest-dev are RUNNING" in done.stderr
    assert desk.steps() == []
    assert desk.deploy("dev", "all", "--now").returncode == 0


def test_a_loader_that_sleeps_is_called_until_it_answers(desk):
    """Lambda makes a function of a network inactive that nobody called for weeks; a call wakes it."""
    desk.rule("get-function-configuration", out="Inactive\tSuccessful\n")
    done = desk.deploy("staging", "all")
    assert done.returncode == 0, done.stderr
    assert "function condvest-staging-archive-loader: asleep" in done.stderr
    desk.rule("lambda invoke", code=254, err="ResourceConflictException: is currently in state Pending")
    done = desk.deploy("staging", "all", CONDVEST_LOADER_CALLS="3")
    assert done.returncode == 1
    assert "currently in state Pending" in done.stderr
    assert sum("lambda invoke" in call for call in desk.calls()) == 3


def test_a_loader_that_cannot_do_its_work_fails_the_check(desk):
    desk.rule("lambda invoke", out="Unhandled\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "the loader fails" in done.stderr
    assert "rollback" in done.stderr


def test_the_fetchers_alone_have_no_loader_to_call(desk):
    done = desk.deploy("dev", "fetching")
    assert done.returncode == 0, done.stderr
    assert not any("lambda invoke" in call or "aws rds" in call for call in desk.calls())


@pytest.mark.parametrize(("minutes", "warned"), [(10, True), (600, False)])
def test_credentials_that_end_before_the_work_does_are_a_warning(desk, minutes, warned):
    told = json.dumps({"Expiration": "2024-06-04T16:00:00+00:00"}) if minutes == 10 else "{}"
    desk.rule("export-credentials", out=told)
    assert ("the credentials expire in" in desk.deploy("dev", "all").stderr) is warned


def test_a_region_that_is_not_switched_on_is_named(desk):
    """AWS answers as for credentials that do not exist."""
    desk.rule(
        "get-caller-identity", code=255, err="An error occurred (InvalidClientTokenId) when calling ..."
    )
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "is ca-west-1 switched on" in done.stderr


def test_a_provider_that_cannot_be_locked_is_said_once_and_plainly(desk):
    """As Terraform words it where no registry answers; the file's absence is said at each deployment."""
    told = (
        "\nError: Could not retrieve providers for locking\n\nTerraform failed to fetch the requested "
        "providers for linux_amd64 in order to\ncalculate their checksums: could not connect to\n"
        "registry.terraform.io: no such host.\n\n"
    )
    desk.rule(" providers lock ", code=1, err=told)
    done = desk.deploy("dev", "bootstrap")
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if "could not be locked" in line]
    assert "Could not retrieve providers for locking Terraform failed to fetch" in line
    assert "no such host. Run bootstrap again where registry.terraform.io answers" in line
    (call,) = [call for call in desk.calls() if " providers lock " in call]
    assert " -no-color " in call
    assert "has no .terraform.lock.hcl" in desk.deploy("dev", "all").stderr


def test_what_terraform_says_into_a_log_has_no_colours(desk):
    desk.deploy("dev", "all")
    calls = [call for call in desk.calls() if call.startswith("terraform -chdir")]
    assert len(calls) > 5
    assert all(call.endswith(" -no-color") for call in calls)


@pytest.mark.parametrize("state", ["PENDING", "RUNNABLE", "SUBMITTED"])
def test_an_array_whose_children_run_is_a_job_that_runs(desk, state):
    """Batch lists the parent as PENDING until the last child has ended."""
    desk.rule(f"--job-status {state}", out="1\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert f"1 jobs of condvest-dev are {state}" in done.stderr
