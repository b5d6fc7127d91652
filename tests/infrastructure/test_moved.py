"""A deployment of before, whose alarms lay at other addresses: nothing is destroyed and made anew."""

from __future__ import annotations

import json
import re

import pytest
from workshop import ROOTS

pytestmark = pytest.mark.aws

FUNCTIONS = ("archive_loader", "daily_meta_fetcher", "daily_ohlcv_fetcher")
BEFORE = {
    f"condvest-dev-{function.replace('_', '-')}-{kind.replace('_', '-')}": (kind, function)
    for kind in ("errors", "throttles", "dead_letters")
    for function in FUNCTIONS
} | {
    "condvest-dev-staleness": ("staleness", 0),
    "condvest-dev-bars-staleness": ("bars_staleness", 0),
    "condvest-dev-silence": ("silence", 0),
    "condvest-dev-job-failed": ("failed", None),
    "condvest-dev-queue-blocked": ("blocked", None),
    "condvest-dev-job-dead-letters": ("undelivered", 0),
}
"""Name and index of the resource that each alarm was, by the alarm's own name."""


def as_before(state):
    """Return the resources of a state with the alarms at the addresses of before."""
    for resource in state["resources"]:
        moved = resource["type"] == "aws_cloudwatch_metric_alarm" and resource["module"] != "module.database"
        if not moved:
            yield resource
            continue
        for instance in resource["instances"]:
            name, index = BEFORE.get(instance["attributes"]["alarm_name"], (None, None))
            if name is None:  # it is newer
                yield resource | {"instances": [instance]}
                continue
            where = {key: value for key, value in instance.items() if key != "index_key"}
            where |= {} if index is None else {"index_key": index}
            yield resource | {"name": name, "instances": [where]}


def merged(resources):
    """Return the resources with all instances of an address in one, as a state has them."""
    found = {}
    for one in resources:
        key = (one.get("module"), one["mode"], one["type"], one["name"])
        found.setdefault(key, one | {"instances": []})["instances"] += one["instances"]
    return list(found.values())


def test_an_earlier_deployments_alarms_move_and_nothing_else_changes(terraform, settled):
    folder = terraform.path(ROOTS["all"])
    variables = "-var-file=environments/dev.tfvars"
    try:
        terraform.init(folder, state=True)
        (folder / "test.auto.tfvars.json").write_text(json.dumps(settled["variables"]))
        state = settled["state"]
        (folder / "terraform.tfstate").write_text(
            json.dumps(state | {"resources": merged(as_before(state)), "serial": state["serial"] + 1})
        )
        listed = terraform.run(folder, "state", "list").splitlines()
        assert 'module.fetching.aws_cloudwatch_metric_alarm.errors["archive_loader"]' in listed
        assert "module.processing.aws_cloudwatch_metric_alarm.failed" in listed
        planned = terraform.run(folder, "plan", "-input=false", variables)
    finally:
        for left in folder.glob("terraform.tfstate*"):
            left.unlink()
    assert planned.count(" has moved to ") == len(BEFORE) == 15
    assert re.search(r"Plan: 0 to add, 0 to change, 0 to destroy\.", planned), planned
