"""Rung 3: the scans of the image, from plans and states of the real configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from event_patterns import matches

pytestmark = pytest.mark.aws

SCAN = json.loads((Path(__file__).parents[1] / "events/ecr_image_scan.json").read_text())


@pytest.mark.parametrize(
    ("detail", "rules"),
    [
        ({}, {"scanned", "vulnerable"}),
        ({"finding-severity-counts": {"HIGH": 3, "MEDIUM": 9}}, {"scanned"}),
        ({"finding-severity-counts": {}}, {"scanned"}),
        ({"scan-status": "FAILED"}, set()),
        ({"repository-name": "condvest-prod/jobs"}, set()),
    ],
    ids=["critical findings", "no critical ones", "none at all", "a scan that failed", "another repository"],
)
def test_a_scan_is_counted_and_a_critical_finding_is_told(settled, detail, rules):
    found = {
        name: settled["resources"][f'module.processing.aws_cloudwatch_event_rule.scans["{name}"]']
        for name in ("scanned", "vulnerable")
    }
    event = SCAN | {"detail": SCAN["detail"] | detail}
    matched = {name for name, rule in found.items() if matches(json.loads(rule["event_pattern"]), event)}
    assert matched == rules


def test_the_alarms_on_scans_count_the_rules_and_last_from_one_scan_to_the_next(settled):
    """A finding stays an alarm between two days' scans; three days without a scan are one too."""
    vulnerable = settled["resources"][
        'module.processing.aws_cloudwatch_metric_alarm.this["image-vulnerable"]'
    ]
    assert vulnerable["dimensions"] == {"RuleName": "condvest-dev-image-vulnerable"}
    spans = [vulnerable[name] for name in ("period", "evaluation_periods", "datapoints_to_alarm")]
    assert spans == [86400, 2, 1]
    unscanned = settled["resources"]['module.processing.aws_cloudwatch_metric_alarm.this["image-unscanned"]']
    assert unscanned["dimensions"] == {"RuleName": "condvest-dev-image-scanned"}
    assert unscanned["treat_missing_data"] == "breaching"
    assert unscanned["period"] * unscanned["evaluation_periods"] == 3 * 86400


def test_the_image_in_use_is_scanned_again_each_day(settled, artefacts):
    """As often as basic scanning allows, by its digest."""
    schedule = settled["resources"]["module.processing.aws_scheduler_schedule.rescan[0]"]
    assert schedule["schedule_expression"] == "cron(0 13 * * ? *)"
    target = schedule["target"][0]
    assert target["arn"] == "arn:aws:scheduler:::aws-sdk:ecr:startImageScan"
    assert json.loads(target["input"]) == {
        "RepositoryName": "condvest-dev/jobs",
        "ImageId": {"ImageDigest": artefacts["container_image"].split("@")[1]},
    }
    assert not target["dead_letter_config"]  # ECR refuses on the day of a push, which was a scan


def test_staging_which_sleeps_is_scanned_at_its_pushes_alone(plans):
    assert not any("rescan" in name for name in plans["staging"].of("aws_scheduler_schedule"))
    assert not any("unscanned" in name for name in plans["staging"].of("aws_cloudwatch_metric_alarm"))
    assert any("vulnerable" in name for name in plans["staging"].of("aws_cloudwatch_metric_alarm"))
