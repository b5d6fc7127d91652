"""deploy.sh with stand-ins for all that it calls: its steps, in their order, by its arguments."""

from __future__ import annotations

import json
import re

import pytest
from desk import LAYER


def test_all_runs_every_step_in_order(desk):
    done = desk.deploy("dev", "all")
    assert done.returncode == 0, done.stderr
    assert desk.steps() == [
        "build layer", "build packages", "push image", "init",
        "plan",  # all of it, to be looked at
        "plan", "apply", "migrate",  # what the migration needs
        "plan", "apply",  # the rest: functions, rules, the other jobs
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
    ("arguments", "key"),
    [
        (["prod", "all"], "batch-layer/terraform.tfstate"),
        (["dev", "all"], "batch-layer/dev/terraform.tfstate"),
        (["staging", "all"], "batch-layer/staging/terraform.tfstate"),
        (["dev", "database"], "batch-layer/components/database/terraform.tfstate"),
        (["prod", "processing"], "batch-layer/prod/components/processing/terraform.tfstate"),
        (["dev", "serving"], "batch-layer/components/serving/terraform.tfstate"),
        (["dev", "live"], "batch-layer/components/live/terraform.tfstate"),
    ],
)
def test_no_two_deployments_share_a_state(desk, arguments, key):
    done = desk.deploy(*arguments, "--yes", CONDVEST_AWS_ACCOUNT_ID="123456789012")
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
    plans = [call for call in desk.calls() if " plan " in call]
    assert all('-var=runtime={"name":"python3.12","architecture":"arm64"}' in plan for plan in plans)


def test_a_component_runs_on_what_its_artefacts_are_built_for(desk):
    """Its root reads no variables file."""
    common = desk.layer / "infrastructure" / "terraform.tfvars"
    common.write_text(common.read_text() + 'runtime = { architecture = "arm64" }\n')
    assert desk.deploy("dev", "fetching").returncode == 0
    told = json.loads((desk.folder / "passed.json").read_text())["TF_VAR_runtime"]
    assert json.loads(told) == {"name": "python3.13", "architecture": "arm64"}


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
    """It is applied first, with the rules on what a scan of the push finds; then it must be there."""
    desk.rule("describe-repositories", code=254, err="An error occurred (RepositoryNotFoundException)")
    done = desk.deploy("dev", "processing")
    targets = [re.findall(r"-target=(\S+)", call) for call in desk.calls()]
    rules = "module.processing.aws_cloudwatch_event_rule.scans"
    assert [one for one in targets if one] == [["module.processing.aws_ecr_repository.this", rules]]
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
    ("arguments", "message"),
    [
        ([], "no environment was given"),
        (["dev"], "no command was given"),
        (["qa", "all"], "unknown environment qa"),
        (["dev", "everything"], "unknown command or component everything"),
        (["dev", "plan", "streaming"], "unknown target streaming"),
        (["dev", "plan", "all", "all"], "one word too many"),
        (["dev", "all", "--force"], "unknown option --force"),
        (["dev", "logs", "--since", "soon"], "--since takes a number of minutes"),
    ],
)
def test_a_wrong_call_ends_with_two(desk, arguments, message):
    done = desk.deploy(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert desk.calls() == []
