"""Each request of a deployment against the models of AWS's services, and against a table of quotas."""

from __future__ import annotations

import copy
import json
import re

import pytest
from api_requests import BUILDERS, faults, universal_target

pytestmark = pytest.mark.aws

# https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
MOST_OF_A_ROLES_POLICIES = 10_240
MOST_OF_A_TRUST = 2_048
MOST_OF_A_PATTERN = 2_048
MOST_OF_VARIABLES = 4_096
LONGEST_CALL = 900
MOST_NAMES = {
    "aws_lambda_function": 64, "aws_iam_role": 64, "aws_scheduler_schedule": 64,
    "aws_cloudwatch_event_rule": 64,
    "aws_db_instance": 63, "aws_s3_bucket": 63, "aws_sqs_queue": 80, "aws_batch_job_queue": 128,
    "aws_batch_job_definition": 128, "aws_cloudwatch_metric_alarm": 255, "aws_sns_topic": 256,
}  # fmt: skip
LONGEST_PREFIX = 28  # of which condvest-dev has 12


def of(settled, kind):
    """The resources of a type, by address."""
    return {
        address: one
        for address, one in settled["resources"].items()
        if re.search(rf"(^|\.){kind}\.", address) and not re.search(r"(^|\.)data\.", address)
    }


@pytest.mark.parametrize("kind", BUILDERS)
def test_each_request_is_one_that_the_service_takes(settled, kind):
    found = of(settled, kind)
    assert found
    wrong = {address: list(faults(*BUILDERS[kind](one))) for address, one in found.items()}
    assert {address: told for address, told in wrong.items() if told} == {}


def test_what_the_schedules_call_is_what_the_services_take(settled):
    """The universal targets' input is a request of another service."""
    called = [universal_target(one) for one in of(settled, "aws_scheduler_schedule").values()]
    requests = [one for one in called if one]
    assert sorted(operation for _, operation, _ in requests) == [
        "StartDBInstance",
        "StartImageScan",
        "StopDBInstance",
        "SubmitJob",
    ]
    assert [list(faults(*one)) for one in requests] == [[]] * 4


PLANTED = [
    ("aws_lambda_function", "runtime", "python3.9x", "is not one of"),
    ("aws_lambda_function", "handler", "h" * 129, "is above 128"),
    ("aws_scheduler_schedule", "schedule_expression_timezone", "x" * 60, "is above 50"),
    ("aws_cloudwatch_metric_alarm", "comparison_operator", "Greater", "is not one of"),
    ("aws_cloudwatch_metric_alarm", "period", "300", "Invalid type"),
    ("aws_batch_job_queue", "state", "ON", "is not one of"),
    ("aws_iam_role", "name", "r" * 65, "is above 64"),
    ("aws_lambda_function", "role", "a role", "does not match"),
]


@pytest.mark.parametrize(("kind", "attribute", "value", "told"), PLANTED)
def test_a_planted_mistake_is_told(settled, kind, attribute, value, told):
    one = copy.deepcopy(next(iter(of(settled, kind).values())))
    one[attribute] = value
    assert any(told in fault for fault in faults(*BUILDERS[kind](one)))


@pytest.mark.parametrize("kind", MOST_NAMES)
def test_a_name_has_room_for_the_longest_prefix(settled, kind):
    found = of(settled, kind)
    assert found
    for one in found.values():
        name = one.get("name") or one.get("identifier") or one.get("function_name") or one.get("bucket")
        name = name or one["alarm_name"]
        assert name.startswith("condvest-dev")
        assert len(name) - len("condvest-dev") + LONGEST_PREFIX <= MOST_NAMES[kind], name


def test_documents_are_within_the_quotas(settled):
    for one in of(settled, "aws_iam_role").values():
        assert len(re.sub(r"\s", "", one["assume_role_policy"])) <= MOST_OF_A_TRUST
        policies = [
            each["policy"]
            for each in of(settled, "aws_iam_role_policy").values()
            if each["role"] == one["name"]
        ]
        assert sum(len(re.sub(r"\s", "", policy)) for policy in policies) <= MOST_OF_A_ROLES_POLICIES
    for one in of(settled, "aws_cloudwatch_event_rule").values():
        assert len(one["event_pattern"]) <= MOST_OF_A_PATTERN
    for one in of(settled, "aws_lambda_function").values():
        assert one["timeout"] <= LONGEST_CALL
        assert len(json.dumps(one["environment"][0]["variables"])) <= MOST_OF_VARIABLES
