"""Tests of the AWS side: Terraform, deploy.sh, and what they need.

Those marked ``aws`` start Terraform, checkov or an emulator. What one needs beside Terraform is installed by
install_tools.sh, which the first that needs it runs.
"""

from __future__ import annotations

import fcntl
import json
import os

import pytest
import workshop
from desk import Desk


@pytest.fixture(scope="session")
def terraform(tmp_path_factory):
    """Real Terraform on a copy of the configuration, with the provider stand-in."""
    with workshop.forked("provider") as provider:
        yield workshop.Terraform(tmp_path_factory.mktemp("terraform"), provider)


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory):
    """Variables that name stand-ins for the built artefacts."""
    return workshop.stand_in_artefacts(tmp_path_factory.mktemp("artefacts"))


@pytest.fixture
def desk(tmp_path):
    """deploy.sh on a machine of stand-ins."""
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def settled(terraform, artefacts, tmp_path_factory):
    """The resources of dev after an apply, as rendered; its state, variables and second plan."""
    return _made_once(tmp_path_factory, "settled", lambda: _settled(terraform, artefacts))


def _settled(terraform, artefacts):
    folder = terraform.path(workshop.ROOTS["all"])
    terraform.plan(folder, artefacts, "environments/dev.tfvars")
    terraform.run(folder, "apply", "-input=false", "test.tfplan")
    state = json.loads(terraform.run(folder, "show", "-json"))
    stored = json.loads((folder / "terraform.tfstate").read_text())
    again = terraform.run(folder, "plan", "-input=false", "-var-file=environments/dev.tfvars")
    for path in folder.glob("terraform.tfstate*"):
        path.unlink()
    resources, queue = {}, [state["values"]["root_module"]]
    while queue:
        module = queue.pop()
        queue += module.get("child_modules", [])
        for one in module.get("resources", []):
            resources[one["address"]] = one["values"]
    return {"resources": resources, "state": stored, "variables": artefacts, "second plan": again}


@pytest.fixture(scope="session")
def plans(shown_plans):
    """The plan of each environment."""
    return {name: workshop.Plan(plan) for name, plan in shown_plans.items()}


@pytest.fixture(scope="session")
def shown_plans(terraform, artefacts, tmp_path_factory):
    """The plan of each environment, as Terraform shows it."""
    folder = terraform.path(workshop.ROOTS["all"])
    return _made_once(
        tmp_path_factory,
        "plans",
        lambda: {
            name: terraform.plan(folder, artefacts, f"environments/{name}.tfvars")
            for name in ("dev", "staging", "prod")
        },
    )


def _made_once(tmp_path_factory, name, make):
    """Return what ``make()`` returns, as JSON has it; one of the run's processes makes it for all of them."""
    of_run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        of_run = of_run.parent
    kept = of_run / f"{name}.json"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(make()))
    return json.loads(kept.read_text())
