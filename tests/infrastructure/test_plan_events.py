"""Rung 3: what sets off what, from plans of the real configuration: which event starts which function."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest
from event_patterns import job_event, matches

from condvest.batch_layer.shared.clients.archive import DESCRIBED, key_of
from condvest.batch_layer.shared.models.given.payloads import Payload

pytestmark = pytest.mark.aws


def test_a_described_payload_starts_the_loader(settled):
    """The description comes last; the payload alone, which may itself be JSON, starts nothing."""
    pattern = json.loads(
        settled["resources"]["module.fetching.aws_cloudwatch_event_rule.archived[0]"]["event_pattern"]
    )
    assert pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": ["condvest-dev-archive-123456789012"]},
            "object": {"key": [{"wildcard": "archive/*Z-*.*.json"}]},
        },
    }
    payload = Payload(
        provider="massive",
        dataset="daily_bars",
        content=b"{}",
        media="json",
        first_session=dt.date(2024, 5, 31),
        last_session=dt.date(2024, 5, 31),
        fetched_at=dt.datetime(2024, 6, 3, 21, 15, tzinfo=dt.UTC),
        is_whole=True,
        name="grouped",
    )
    bucket = {"name": "condvest-dev-archive-123456789012"}
    for media in ("json", "csv", "csv.gz", "json-seq.gz"):
        key = f"archive/{key_of(replace(payload, media=media))}"
        for name, starts in ((key, False), (f"{key}.zst", False), (f"{key}{DESCRIBED}", True)):
            detail = {"bucket": bucket, "object": {"key": name}}
            event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
            assert matches(pattern, event) is starts, name
    config = settled["resources"][
        'module.fetching.aws_lambda_function_event_invoke_config.this["archive_loader"]'
    ]
    destinations = config["destination_config"][0]
    assert destinations["on_success"][0]["destination"].endswith(":event-bus/default")
    assert destinations["on_failure"][0]["destination"].endswith("archive-loader-dead-letters")


def test_a_load_that_changed_something_starts_the_array(settled):
    rule = settled["resources"]["module.processing.aws_cloudwatch_event_rule.loaded[0]"]
    detail = json.loads(rule["event_pattern"])["detail"]
    loader = "arn:aws:lambda:ca-west-1:123456789012:function:condvest-dev-archive-loader:"
    assert detail["requestContext"] == {"functionArn": [{"prefix": loader}]}
    assert detail["responsePayload"] == {"changed": [{"numeric": [">", 0]}]}
    target = settled["resources"]["module.processing.aws_cloudwatch_event_target.loaded[0]"]["batch_target"][
        0
    ]
    assert target["array_size"] == 8
    assert target["job_definition"].split("/")[1] == "condvest-dev-resample:1"


JOBS = "arn:aws:batch:ca-west-1:123456789012:job-definition/condvest-dev"

PUBLISHED = {
    "an array, all of it": {},
    "a later revision": {"jobDefinition": f"{JOBS}-resample:12"},
    "a resampling by hand, no array": {"arrayProperties": None},
    "one that says that it is no array": {"arrayProperties": {}},
    "a backfill": {"jobDefinition": f"{JOBS}-backfill:3", "arrayProperties": None},
}
NOT_PUBLISHED = {
    "a child": {"arrayProperties": {"index": 3}},
    "the first child": {"arrayProperties": {"index": 0, "statusSummary": {}}},
    "an array of which a shard failed": {"status": "FAILED"},
    "one that runs": {"status": "RUNNING"},
    "a publication": {"jobDefinition": f"{JOBS}-publish:1", "arrayProperties": None},
    "a migration": {"jobDefinition": f"{JOBS}-migrate:1", "arrayProperties": None},
    "a job of another name": {"jobDefinition": f"{JOBS}-resample-by-week:1"},
    "another queue": {"jobQueue": "arn:aws:batch:ca-west-1:123456789012:job-queue/condvest-prod-jobs"},
}


@pytest.mark.parametrize(
    ("detail", "publishes"),
    [*((one, True) for one in PUBLISHED.values()), *((one, False) for one in NOT_PUBLISHED.values())],
    ids=[*PUBLISHED, *NOT_PUBLISHED],
)
def test_a_job_that_stored_bars_is_published_once(settled, detail, publishes):
    """By the end of the array, not by that of each child."""
    rule = settled["resources"]["module.processing.aws_cloudwatch_event_rule.resampled[0]"]
    assert matches(json.loads(rule["event_pattern"]), job_event(**detail)) is publishes


def test_a_publication_is_one_job_that_keeps_its_own_rules_of_retry(settled):
    """What a target says of attempts would take their place."""
    targets = {
        name: settled["resources"][f"module.processing.aws_cloudwatch_event_target.{name}[0]"]
        for name in ("loaded", "resampled")
    }
    publish = targets["resampled"]["batch_target"][0]
    assert publish["job_definition"] == f"{JOBS}-publish:1"
    assert not publish["array_size"]
    for target in targets.values():
        assert not target["batch_target"][0]["job_attempts"]
        assert target["dead_letter_config"][0]["arn"].endswith(":condvest-dev-job-dead-letters")
        assert target["retry_policy"][0] == {
            "maximum_event_age_in_seconds": 21600,
            "maximum_retry_attempts": 10,
        }
    queue = json.loads(
        settled["resources"]["module.processing.aws_sqs_queue_policy.undelivered[0]"]["policy"]
    )
    rules = "arn:aws:events:ca-west-1:123456789012:rule/condvest-dev"
    (statement,) = queue["Statement"]
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": [f"{rules}-loaded", f"{rules}-resampled"]}
    }
