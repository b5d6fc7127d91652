"""Where the tools of these tests are, and how real Terraform is made to run without registry and AWS.

A missing tool fails where continuous integration runs (CI is set) and skips elsewhere, saying how to get it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.warm import warmed

ROOT = Path(__file__).resolve().parents[2]
BATCH_LAYER = ROOT / "batch_layer"
SERVING_LAYER = ROOT / "serving_layer"
SPEED_LAYER = ROOT / "speed_layer"
INFRASTRUCTURE = BATCH_LAYER / "infrastructure"
STAND_IN = Path(__file__).resolve().parent / "stand_in"
TOOLS = Path(os.environ.get("CONDVEST_AWS_TOOLS") or ROOT / "build" / "aws-tools")
SCHEMA = json.loads((STAND_IN / "schema.json").read_text())

ROOTS = {
    "all": INFRASTRUCTURE,
    "database": BATCH_LAYER / "database" / "terraform",
    "fetching": BATCH_LAYER / "fetching" / "terraform",
    "processing": BATCH_LAYER / "processing" / "terraform",
    "serving": SERVING_LAYER / "terraform",
    "live": SPEED_LAYER / "terraform",
}
LAYERS = (BATCH_LAYER, SERVING_LAYER, SPEED_LAYER)
FILES = sorted(path for layer in LAYERS for path in layer.rglob("*.tf"))
MODULES = {
    name: INFRASTRUCTURE / "modules" / name
    for name in ("shared", "database", "fetching", "processing", "serving", "live")
}


def found(program, how):
    """Return the path of a program, or fail (in CI) or skip, saying how to get it."""
    path = shutil.which(program)
    if path is None and program == "shellcheck":
        install(program)
        path = shutil.which(program)
    if path is None:
        missing(f"{program} is not installed: {how}")
    return path


def from_venv(venv, program):
    """Return a program of one of the tool environments, which the first call installs."""
    install(venv)
    return TOOLS / venv / "bin" / program


@cache
def install(tool):
    """Run install_tools.sh, one test process at a time; it does nothing where all is up to date."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / f"{tool}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        script = Path(__file__).with_name("install_tools.sh")
        done = subprocess.run(
            [str(script), tool],
            env={**os.environ, "PYTHON": sys.executable, "CONDVEST_AWS_TOOLS": str(TOOLS)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        missing(f"{script} {tool} failed: {done.stderr[-2000:]}")


def missing(message):
    """Fail in CI, skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def environment(**more):
    """Return the environment without anything of AWS, Terraform or CI, and with ``more``."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_", "CONDVEST_"))
    }
    clean.pop("CI", None)
    # Terraform ends before its garbage would fill the memory.
    clean |= {"GOGC": "off", "GOMEMLIMIT": "1GiB"}
    clean.pop("PYTHONDONTWRITEBYTECODE", None)  # tools are called by the hundred: one compiles for all
    return clean | more


def forked(program):
    """Start ``aws`` or the ``provider``, forked from a process that has imported it; see `warmed`."""
    python = from_venv("emulator", "python")
    return warmed(program, python, environment())


def lay_mirror(folder, provider):
    """Write a provider mirror with the stand-in, and return the Terraform settings that use it.

    ``provider`` are the words that start the stand-in. A provider does not end at Ctrl-C.
    """
    version = SCHEMA["provider_version"]
    place = folder / f"mirror/registry.terraform.io/hashicorp/aws/{version}/linux_amd64"
    place.mkdir(parents=True)
    program = place / f"terraform-provider-aws_v{version}"
    program.write_text(f'#!/bin/sh\ntrap \'\' INT\nexec {shlex.join(provider)} "$0" "$@"\n')
    program.chmod(0o755)
    settings = folder / "terraformrc"
    settings.write_text(
        "disable_checkpoint = true\n"
        "provider_installation {\n  filesystem_mirror {\n"
        f'    path    = "{folder / "mirror"}"\n    include = ["registry.terraform.io/*/*"]\n  }}\n'
        "}\n"
    )
    return settings


def stand_in_artefacts(folder):
    """Write a file in place of package and layer; return the variables that name it and an image."""
    path = folder / "package.zip"
    path.write_bytes(b"stands for a package")
    built = {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    registry = "123456789012.dkr.ecr.ca-west-1.amazonaws.com"
    image = f"{registry}/batch_layer/operations/nightly@sha256:{'0123456789abcdef' * 4}"
    return {
        "function_package": built,
        "layer_package": built,
        "serving_package": built,
        "container_image": image,
    }


class Terraform:
    """Real Terraform in a copy of the layers' configuration, with the stand-in as its provider."""

    def __init__(self, folder, provider):
        self.program = found("terraform", "https://developer.hashicorp.com/terraform/install")
        self.folder = folder
        self._ready = set()
        for layer in LAYERS:
            shutil.copytree(
                layer,
                folder / layer.name,
                ignore=lambda _folder, names: [
                    name for name in names if _not_terraform(Path(_folder) / name)
                ],
            )
        self.environment = environment(
            TF_CLI_CONFIG_FILE=str(lay_mirror(folder, provider)), TF_IN_AUTOMATION="1", CHECKPOINT_DISABLE="1"
        )

    def path(self, source):
        """Return the copy's place of a folder of a layer."""
        return self.folder / Path(source).relative_to(ROOT)

    def run(self, folder, *arguments, ok=True):
        """Run Terraform in a folder of the copy; return what it printed. Fails on another end than ``ok``."""
        done = subprocess.run(
            [self.program, f"-chdir={folder}", *arguments, "-no-color"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, output
        return output if not ok else done.stdout

    def init(self, folder, *, state=False):
        """Initialise a folder, with a local state or with none; one that is ready stays as it is."""
        if (folder, state) in self._ready:
            return
        if state:
            (folder / "override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        self.run(folder, "init", "-input=false", *(["-reconfigure"] if state else ["-backend=false"]))
        self._ready.add((folder, state))

    def plan(self, folder, variables, *files):
        """Plan with a local state and return ``terraform show -json`` of the plan."""
        self.init(folder, state=True)
        (folder / "test.auto.tfvars.json").write_text(json.dumps(variables))
        files = [f"-var-file={file}" for file in files]
        self.run(folder, "plan", "-input=false", "-out=test.tfplan", *files)
        return json.loads(self.run(folder, "show", "-json", "test.tfplan"))

    def applied(self, folder, variables, *files):
        """Plan with the files of variables and apply, and return what came of it; no state is left."""
        try:
            plan = Plan(self.plan(folder, variables, *files))
            self.run(folder, "apply", "-input=false", "test.tfplan")
            state = json.loads((folder / "terraform.tfstate").read_text())["resources"]
            again = self.run(folder, "plan", "-input=false", *(f"-var-file={file}" for file in files))
        finally:
            for path in folder.glob("terraform.tfstate*"):
                path.unlink()
        resources = {
            (_module_of(one), one["type"], one["name"], instance.get("index_key")): instance["attributes"]
            for one in state
            if one["mode"] == "managed"
            for instance in one["instances"]
        }
        return Applied(plan, resources, again)


def _module_of(resource):
    """Return the name of a resource's module; empty for the root."""
    return resource.get("module", "").removeprefix("module.").partition("[")[0]


def _not_terraform(path):
    if path.is_dir():
        return path.name in {".terraform", "__pycache__"} or path.name.startswith(".")
    return not path.name.endswith((".tf", ".tfvars", ".tftest.hcl", "package.txt"))


class Plan:
    """A plan, as resources by type and address."""

    def __init__(self, shown):
        self.resources = {}
        for change in shown["resource_changes"]:
            if change["mode"] == "managed":
                self.resources.setdefault(change["type"], {})[change["address"]] = change["change"]["after"]

    def of(self, kind):
        return self.resources.get(kind, {})

    def one(self, kind):
        (only,) = self.of(kind).values()
        return only

    def named(self, kind, address):
        return self.of(kind)[address]


class Applied(NamedTuple):
    """A plan; what it made, by module (empty for the root), type, name and index; what a second plan says."""

    plan: Plan
    resources: dict[tuple[str, str, str, object], dict[str, Any]]
    again: str

    def one(self, kind, name):
        (only,) = [
            made for (_, own, named, _), made in self.resources.items() if (own, named) == (kind, name)
        ]
        return only
