"""Applies against what AWS answers, not an emulator: RDS's parameters, an account of the first day."""

from __future__ import annotations

import json
import math
import re
import sys

import pytest
from workshop import BATCH_LAYER, ROOTS, STAND_IN

sys.path.insert(0, str(STAND_IN))
import quotas

pytestmark = pytest.mark.aws


@pytest.fixture
def account(terraform, monkeypatch):
    """Set what the stand-in for the provider knows of the account."""
    return lambda **settings: [
        monkeypatch.setitem(terraform.environment, f"STAND_IN_{name}", value)
        for name, value in settings.items()
    ]


@pytest.fixture
def applied(terraform, artefacts):
    """Apply a root once; return what Terraform said, or what a second plan says. The state goes again."""
    folders = []

    def apply(root, *, ok=True, **more):
        folder = terraform.path(ROOTS[root])
        folders.append(folder)
        files = ["environments/dev.tfvars"] if root == "all" else []
        variables = artefacts | ({} if root == "all" else {"environment": "dev"})
        if root == "all":
            (folder / "more.tfvars.json").write_text(json.dumps(more))
            files.append("more.tfvars.json")
        terraform.plan(folder, variables | more, *files)
        said = terraform.run(folder, "apply", "-input=false", "test.tfplan", ok=ok)
        if not ok:
            return " ".join(said.replace("│", " ").split())
        return terraform.run(folder, "plan", "-input=false", *[f"-var-file={file}" for file in files])

    yield apply
    for folder in folders:
        for path in folder.glob("terraform.tfstate*"):
            path.unlink()


@pytest.mark.parametrize("defaults", ["", "track_io_timing=1"], ids=["off by default", "on by default"])
def test_the_second_plan_is_empty_whatever_rds_takes_for_a_default(applied, account, defaults):
    """RDS reports a parameter that has its own default as pending-reboot, whatever was asked for."""
    account(RDS_DEFAULTS=defaults)
    assert "No changes." in applied("database")


def test_a_new_account_refuses_to_reserve_concurrency(applied, account):
    account(ACCOUNT="new", LINKED_ROLES="batch,ecs,rds")
    said = applied("all", ok=False)
    assert "below its minimum value of [10]" in said


def test_a_new_account_takes_what_reserves_nothing(applied, account):
    account(ACCOUNT="new", LINKED_ROLES="batch,ecs,rds")
    assert "No changes." in applied("all", reserved_concurrency=-1)


def test_a_new_account_without_its_linked_roles_makes_no_compute_environment(applied, account):
    """``deploy.sh ENV bootstrap`` makes them."""
    account(ACCOUNT="new")
    said = applied("processing", ok=False)
    assert "Unable to assume the service linked role" in said


@pytest.fixture
def vcpus(settled):
    """How many vCPUs each job takes."""
    found = {}
    for address, job in settled["resources"].items():
        if ".aws_batch_job_definition.this[" in address:
            needs = json.loads(job["container_properties"])["resourceRequirements"]
            (found[job["name"].removeprefix("condvest-dev-")],) = [
                float(one["value"]) for one in needs if one["type"] == "VCPU"
            ]
    return found


def test_a_night_fits_into_the_vcpus_of_a_new_account(settled, vcpus):
    """The array, all of it at once, beside a publication; and the migration, on demand."""
    array = settled["resources"]["module.processing.aws_cloudwatch_event_target.loaded[0]"]
    size = array["batch_target"][0]["array_size"]
    lent = quotas.ACCOUNTS["new"]
    assert size * vcpus["resample"] + vcpus["publish"] <= lent[quotas.FARGATE_SPOT]
    assert max(vcpus.values()) <= lent[quotas.FARGATE]


def test_bootstrap_asks_for_the_vcpus_that_the_jobs_take(settled, vcpus):
    text = (BATCH_LAYER / "deploy/lib/account.sh").read_text()
    wanted = dict(re.findall(r'^  quota fargate (L-\w+) "[^"]+" (\d+) ', text, re.MULTILINE))
    array = settled["resources"]["module.processing.aws_cloudwatch_event_target.loaded[0]"]
    size = array["batch_target"][0]["array_size"]
    assert wanted == {
        quotas.FARGATE_SPOT: str(math.ceil(size * vcpus["resample"])),
        quotas.FARGATE: str(math.ceil(vcpus["migrate"])),
    }
