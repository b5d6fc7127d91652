"""The shell: shellcheck, what bash 3.2 does not know, and the wrapper around the jobs' commands."""

from __future__ import annotations

import re
import signal
import subprocess
import textwrap

import pytest
from workshop import BATCH_LAYER, MODULES, ROOT, environment, found

SCRIPTS = [
    BATCH_LAYER / "deploy.sh",
    *sorted((BATCH_LAYER / "deploy" / "lib").glob("*.sh")),
    *sorted((BATCH_LAYER / "processing" / "container_images").glob("*.sh")),
    *sorted((BATCH_LAYER / "fetching" / "deployment_packages").glob("*.sh")),
    ROOT / "serving_layer" / "deployment_packages" / "build_package.sh",
    *sorted((ROOT / ".ci").iterdir()),
]

# macOS ships bash 3.2; each of these came later.
LATER = {
    "associative arrays": r"\b(declare|local|typeset) -[a-zA-Z]*A",
    "mapfile and readarray": r"\b(mapfile|readarray)\b",
    "case of letters": r"\$\{\w+(,,?|\^\^?)\}",
    "appending both outputs": r"&>>|\|&",
    "negative indexes": r"\$\{\w+\[-\d+\]\}",
    "name references": r"\b(declare|local) -n\b",
    "globstar": r"globstar",
    "quoting operators": r"\$\{\w+@[QEPAa]\}",
}


def test_shellcheck_finds_nothing():
    shellcheck = found("shellcheck", "apt-get install shellcheck, or brew install shellcheck")
    done = subprocess.run([shellcheck, "-x", *map(str, SCRIPTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("what", LATER)
def test_scripts_run_on_bash_3(what):
    for script in SCRIPTS:
        code = "\n".join(
            line for line in script.read_text().splitlines() if not line.lstrip().startswith("#")
        )
        assert not re.search(LATER[what], code), f"{script.name} uses {what}"


def test_deploy_is_one_screen_of_named_steps():
    assert len((BATCH_LAYER / "deploy.sh").read_text().splitlines()) <= 100


def test_help_lists_every_command_of_the_user():
    done = subprocess.run(
        [str(BATCH_LAYER / "deploy.sh"), "--help"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    for command in (
        "layer", "all", "fetching", "processing", "database", "serving", "live", "build", "init", "plan",
        "destroy", "validate", "status", "outputs", "bootstrap", "logs", "rollback",
    ):  # fmt: skip
        assert re.search(rf"^  {command}\b", done.stdout, re.MULTILINE), command


def wrapper():
    text = (MODULES["processing"] / "jobs.tf").read_text()
    return textwrap.dedent(re.search(r"run = <<-SHELL\n(.*?)\n  SHELL\n", text, re.DOTALL)[1])


@pytest.fixture
def start(tmp_path):
    """Start the wrapper of the jobs with a stand-in for condvest that runs the given shell text."""

    def begin(text, *arguments):
        program = tmp_path / "condvest"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        return subprocess.Popen(
            ["sh", "-c", wrapper(), "condvest", *arguments],
            env=environment(PATH=f"{tmp_path}:/usr/bin:/bin"),
            stdout=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.mark.parametrize(
    ("code", "told"),
    [(0, 0), (1, 1), (2, 2), (3, 0), (75, 75), (143, 143)],
)
def test_batch_is_told_the_exit_code(start, code, told):
    """3, done in part, is a success for Batch; every other code passes."""
    with start(f"exit {code}", "resample") as job:
        job.communicate(timeout=120)
    assert job.returncode == told


def test_arguments_pass_unchanged(start):
    with start('for one in "$@"; do echo "[$one]"; done', "db", "a  b", "*") as job:
        out, _ = job.communicate(timeout=120)
    assert out == "[db]\n[a  b]\n[*]\n"


def test_a_reclaimed_task_stops_cleanly(start):
    """SIGTERM reaches condvest, whose own last words and exit code are waited for."""
    with start("trap 'echo stopping; exit 75' TERM; echo ready; while :; do sleep 0.05; done") as job:
        assert job.stdout.readline() == "ready\n"
        job.send_signal(signal.SIGTERM)
        out, _ = job.communicate(timeout=120)
    assert out == "stopping\n"
    assert job.returncode == 75


def test_a_task_that_dies_of_the_signal_is_retried(start):
    """Without a trap of its own the process dies of SIGTERM: 143, which the retry strategy names."""
    with start("echo ready; exec sleep 60") as job:
        assert job.stdout.readline() == "ready\n"
        job.send_signal(signal.SIGTERM)
        job.communicate(timeout=120)
    assert job.returncode == 143
