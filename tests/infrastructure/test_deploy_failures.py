"""deploy.sh with stand-ins for what it calls: how it ends when something is missing, refused or broken."""

from __future__ import annotations

import re

import pytest
from desk import BUILDERS


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
    ("pattern", "answer", "arguments", "message"),
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
def test_what_is_not_there_is_said_before_anything_is_built(desk, pattern, answer, arguments, message):
    desk.rule(pattern, **answer)
    done = desk.deploy(*arguments)
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
    desk.serves()
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
    assert len(first) == 5  # two of three plans are applied, and the first of all was looked at
    assert first == [first[0]] * 5
    desk.deploy("dev", "all")
    assert plan_files(desk)[0] != first[0]
    assert not list((desk.layer.parent / "build").rglob("plan*"))


def test_a_job_that_does_not_start_is_not_waited_for_for_ever(desk):
    desk.rule("jobs[0].status --", out="RUNNABLE\n")
    done = desk.deploy("dev", "all", CONDVEST_JOB_POLLS="4")
    assert done.returncode == 1
    assert "is still RUNNABLE" in done.stderr
    assert "quota of vCPUs on Fargate" in done.stderr
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
        "put-bucket-encryption", "put-bucket-policy", "put-bucket-lifecycle-configuration",
        "put-bucket-tagging",
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


def test_a_queue_that_is_invalid_fails_the_smoke_check(desk):
    desk.rule("[state, status]", out="ENABLED\tINVALID\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "the queue condvest-dev-jobs is ENABLED\tINVALID" in done.stderr


def test_a_repository_that_aws_does_not_tell_of_is_not_taken_for_none(desk):
    desk.rule("describe-repositories", code=254, err="An error occurred (AccessDeniedException)")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert "cannot tell whether the repository condvest-dev/jobs is there" in done.stderr
    assert "plan" not in desk.steps()


@pytest.mark.parametrize(
    ("said", "what_to_do"),
    [
        ("CLIENT_ERROR - Unable to assume the service linked role.", "deploy.sh dev bootstrap makes it"),
        (
            "decreases account's UnreservedConcurrentExecution below its minimum value of [10].",
            "reserved_concurrency = -1",
        ),
        ("FreeTierRestrictionError: The specified backup retention period", "backup_days = 1"),
    ],
)
def test_what_aws_refuses_a_new_account_is_said_with_the_way_out(desk, said, what_to_do):
    desk.rule(" apply ", code=1, err=f"Error: {said}\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert what_to_do in done.stderr
    assert "run the same command again" in done.stderr
