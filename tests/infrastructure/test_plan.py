"""Rung 3: what would be created, from plans of the real configuration: sizes, schedules, retries."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest
from workshop import ROOT, ROOTS, Plan

pytestmark = pytest.mark.aws

# What AWS takes for a Fargate task: memory in MiB by vCPU (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/
# fargate-tasks-services.html).
FARGATE = {
    "0.25": {512, 1024, 2048},
    "0.5": set(range(1024, 4097, 1024)),
    "1": set(range(2048, 8193, 1024)),
    "2": set(range(4096, 16385, 1024)),
    "4": set(range(8192, 30721, 1024)),
}
RETENTIONS = {
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
}


def test_a_second_plan_wants_nothing(settled):
    assert "No changes. Your infrastructure matches the configuration." in settled["second plan"]


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_nothing_sleeps_at_a_price(plans, name):
    kinds = set(plans[name].resources)
    assert kinds.isdisjoint({"aws_nat_gateway", "aws_eip", "aws_kms_key", "aws_lb", "aws_iam_access_key"})
    endpoints = [one["vpc_endpoint_type"] for one in plans[name].of("aws_vpc_endpoint").values()]
    assert endpoints == ["Gateway"]


def test_prod_keeps_its_data_and_dev_lets_go(plans):
    prod, dev = plans["prod"].one("aws_db_instance"), plans["dev"].one("aws_db_instance")
    assert (prod["deletion_protection"], prod["skip_final_snapshot"]) == (True, False)
    assert re.fullmatch(r"condvest-prod-db-final-\d{14}", prod["final_snapshot_identifier"])
    assert prod["delete_automated_backups"] is False
    assert (dev["deletion_protection"], dev["skip_final_snapshot"]) == (False, True)
    assert {one["force_destroy"] for one in plans["prod"].of("aws_s3_bucket").values()} == {False}
    assert {one["force_destroy"] for one in plans["dev"].of("aws_s3_bucket").values()} == {True}


def test_a_snapshot_stays_when_the_protection_is_lifted(terraform, artefacts):
    """Which has to be done, and applied, before prod can be destroyed."""
    variables = {**artefacts, "protected": False}
    folder = terraform.path(ROOTS["all"])
    (folder / "lifted.tfvars.json").write_text(json.dumps(variables))
    shown = terraform.plan(folder, artefacts, "environments/prod.tfvars", "lifted.tfvars.json")
    prod = Plan(shown).one("aws_db_instance")
    assert (prod["deletion_protection"], prod["skip_final_snapshot"]) == (False, False)
    assert prod["delete_automated_backups"] is False


def test_instances_are_what_the_cost_page_counts(plans):
    sizes = {name: plan.one("aws_db_instance")["instance_class"] for name, plan in plans.items()}
    assert set(sizes.values()) == {"db.t4g.small"}
    assert {plan.one("aws_db_instance")["multi_az"] for plan in plans.values()} == {False}
    assert {plan.one("aws_db_instance")["allocated_storage"] for plan in plans.values()} == {20}


def test_the_functions_are_what_was_agreed(settled):
    functions = {
        re.search(r'\["(\w+)"\]', address)[1]: one
        for address, one in settled["resources"].items()
        if ".aws_lambda_function.this[" in address
    }
    assert set(functions) == {"daily_ohlcv_fetcher", "daily_meta_fetcher", "archive_loader"}
    for name, function in functions.items():
        assert function["handler"] == f"condvest.batch_layer.fetching.lambda_functions.{name}.handler"
        assert function["runtime"] == "python3.13"
        assert function["architectures"] == ["x86_64"]
        assert 128 <= function["memory_size"] <= 10240
        assert function["timeout"] <= 900
    # The free plan's five calls a minute: tests/unit/aws/test_night_fits.py counts them.
    assert functions["daily_meta_fetcher"]["timeout"] == 900
    inside = {name: len(function["vpc_config"]) for name, function in functions.items()}
    assert inside == {"daily_ohlcv_fetcher": 0, "daily_meta_fetcher": 0, "archive_loader": 1}
    loader = functions["archive_loader"]["environment"][0]["variables"]
    assert loader["CONDVEST_DATABASE_URL"] == (
        "postgresql://condvest_loader@condvest-dev-db.abcdefghijkl.ca-west-1.rds.amazonaws.com:5432/condvest"
        "?sslmode=verify-full"
    )
    assert loader["CONDVEST_DATABASE_IAM"] == "true"
    assert loader["CONDVEST_ARCHIVE"] == "s3://condvest-dev-archive-123456789012/archive"


def test_schedules_follow_the_exchange(plans):
    """After the close and before the next open, in New York time, whatever daylight saving does."""
    schedules = {one["name"]: one for one in plans["prod"].of("aws_scheduler_schedule").values()}
    assert {name: one["schedule_expression"] for name, one in schedules.items()} == {
        "condvest-prod-metadata": "cron(0 19 ? * MON-FRI *)",
        "condvest-prod-evening": "cron(30 20 ? * MON-FRI *)",
        "condvest-prod-morning": "cron(0 6 ? * TUE-SAT *)",
        "condvest-prod-sweep": "cron(0 7 ? * TUE-SAT *)",
        "condvest-prod-sweep-jobs": "cron(0 8 ? * TUE-SAT *)",
        "condvest-prod-rescan": "cron(0 13 * * ? *)",
    }
    assert {one["schedule_expression_timezone"] for one in schedules.values()} == {"America/New_York"}
    # As text: the scheduler knows its word only if < and > stand in it as they are.
    names = ("metadata", "evening", "morning", "sweep")
    assert {name: schedules[f"condvest-prod-{name}"]["target"][0]["input"] for name in names} == {
        name: f'{{"schedule":"{name}","scheduled_at":"<aws.scheduler.scheduled-time>"}}' for name in names
    }
    assert {one["state"] for one in schedules.values()} == {"ENABLED"}
    assert {one["state"] for one in plans["staging"].of("aws_scheduler_schedule").values()} == {"DISABLED"}


def test_the_database_of_dev_is_awake_whenever_a_schedule_wants_it(plans):
    """It starts an hour before the evening's first, and stops after the morning's last."""
    schedules = {one["name"]: one for one in plans["dev"].of("aws_scheduler_schedule").values()}
    del schedules["condvest-dev-rescan"]  # ECR's own work
    cron = re.compile(r"cron\((\d+) (\d+) \? \* ([A-Z-]+) \*\)")
    times = {name: cron.fullmatch(one["schedule_expression"]).groups() for name, one in schedules.items()}
    start, stop = times.pop("condvest-dev-db-start"), times.pop("condvest-dev-db-stop")
    assert (start[2], stop[2]) == ("MON-FRI", "TUE-SAT")
    evening = [int(hour) for _, hour, days in times.values() if days == "MON-FRI"]
    morning = [int(hour) for _, hour, days in times.values() if days == "TUE-SAT"]
    assert int(start[1]) + 1 <= min(evening)
    assert max(morning) + 1 <= int(stop[1])
    assert len(evening) + len(morning) == len(times) == 5
    for name in ("staging", "prod"):
        assert not any("db-stop" in one["name"] for one in plans[name].of("aws_scheduler_schedule").values())


def test_the_sweep_submits_the_newest_resampling_as_an_array(settled):
    schedule = settled["resources"]["module.processing.aws_scheduler_schedule.sweep[0]"]
    target = schedule["target"][0]
    assert target["arn"] == "arn:aws:scheduler:::aws-sdk:batch:submitJob"
    told = json.loads(target["input"])
    assert told["ArrayProperties"] == {"Size": 8}
    assert told["JobQueue"].endswith(":job-queue/condvest-dev-jobs")
    assert told["JobDefinition"].endswith(":job-definition/condvest-dev-resample")  # no revision: the newest
    assert schedule["group_name"] == "condvest-dev"


def test_jobs_run_on_spot_in_public_subnets_with_sizes_that_exist(plans, settled):
    environments = plans["dev"].of("aws_batch_compute_environment").values()
    assert {one["compute_resources"][0]["type"] for one in environments} == {"FARGATE_SPOT", "FARGATE"}
    queues = {
        address: [one["compute_environment"].split("/")[1] for one in queue["compute_environment_order"]]
        for address, queue in settled["resources"].items()
        if ".aws_batch_job_queue." in address
    }
    assert [[one.split("-")[2] for one in order] for order in queues.values()] == [
        ["spot", "demand"],
        ["demand"],
    ]
    jobs = {
        one["name"]: json.loads(one["container_properties"])
        for address, one in settled["resources"].items()
        if ".aws_batch_job_definition.this[" in address
    }
    assert set(jobs) == {f"condvest-dev-{name}" for name in ("migrate", "resample", "backfill", "publish")}
    for job in jobs.values():
        needs = {one["type"]: one["value"] for one in job["resourceRequirements"]}
        assert int(needs["MEMORY"]) in FARGATE[needs["VCPU"]]
        assert job["networkConfiguration"] == {"assignPublicIp": "ENABLED"}
        assert "@sha256:" in job["image"]
    commands = {name.removeprefix("condvest-dev-"): job["command"][4:] for name, job in jobs.items()}
    assert commands == {
        "migrate": ["db", "migrate"],
        "resample": ["resample"],
        "backfill": ["backfill", "--start", "Ref::start"],
        "publish": ["publish"],
    }
    for job in jobs.values():
        assert job["readonlyRootFilesystem"] is True
        assert [one["name"] for one in job["volumes"]] == ["tmp"]
        (mount,) = job["mountPoints"]
        assert (mount["sourceVolume"], mount["readOnly"]) == ("tmp", False)
        assert mount["containerPath"] == "/tmp"  # noqa: S108  # the container's own
    told = {one["name"]: one["value"] for one in jobs["condvest-dev-publish"]["environment"]}
    assert told["CONDVEST_PUBLISHED"] == "s3://condvest-dev-published-123456789012/published"
    assert told["CONDVEST_DATABASE_IAM"] == "true"


def test_only_what_passes_is_retried(settled):
    for name in ("migrate", "resample", "backfill", "publish"):
        job = settled["resources"][f'module.processing.aws_batch_job_definition.this["{name}"]']
        strategy = job["retry_strategy"][0]
        rules = [
            (one["action"], one["on_exit_code"] or one["on_status_reason"] or one["on_reason"])
            for one in strategy["evaluate_on_exit"]
        ]
        assert rules == [
            ("RETRY", "Your Spot Task was interrupted*"),
            ("RETRY", "Task failed to start*"),
            ("RETRY", "75"),
            ("RETRY", "143"),
            ("EXIT", "*"),
        ]
        assert strategy["attempts"] == 5
        assert job["timeout"][0]["attempt_duration_seconds"] >= 60


def test_every_alarm_reaches_somebody_and_is_in_the_runbook(settled):
    alarms = {
        one["alarm_name"]: one for address, one in settled["resources"].items() if "metric_alarm" in address
    }
    assert len(alarms) == 23
    runbook = (ROOT / "docs/aws/runbook.md").read_text()
    for name, alarm in alarms.items():
        shown = name.replace("condvest-dev", "P")
        of_any = re.sub(r"^P-(archive-loader|daily-\w+-fetcher)-", "P-FUNCTION-", shown)
        assert any(re.search(rf"^\| [^|]*`{one}`", runbook, re.MULTILINE) for one in (shown, of_any)), name
        assert alarm["alarm_actions"] == ["arn:aws:sns:ca-west-1:123456789012:condvest-dev-alerts"], name
        assert alarm["period"] * alarm["evaluation_periods"] <= 604800


def test_logs_end_some_day(plans):
    days = [one["retention_in_days"] for one in plans["prod"].of("aws_cloudwatch_log_group").values()]
    assert len(days) == 8
    assert set(days) <= RETENTIONS


def test_everything_is_tagged(shown_plans):
    """Default tags say whose it is; each module says which component."""
    shown = shown_plans["prod"]
    provider = shown["configuration"]["provider_config"]["aws"]["expressions"]["default_tags"][0]["tags"]
    assert {"var.project", "var.environment", "var.owner", "var.cost_centre"} <= set(provider["references"])
    untagged = {
        change["type"]
        for change in shown["resource_changes"]
        if "tags" in (change["change"]["after"] or {})
        and not (change["change"]["after"]["tags"] or {}).get("component")
    }
    assert untagged <= {"aws_budgets_budget", "aws_cloudwatch_dashboard"}


@pytest.fixture(scope="module")
def alone(terraform, artefacts):
    """Plan a component alone, once."""

    @cache
    def planned(name):
        return Plan(terraform.plan(terraform.path(ROOTS[name]), {"environment": "dev", **artefacts}))

    return planned


@pytest.mark.parametrize("name", ["database", "fetching", "processing"])
def test_a_component_stands_alone_under_its_own_names(alone, name):
    plan = alone(name)
    databases = [
        (one["identifier"], one["deletion_protection"]) for one in plan.of("aws_db_instance").values()
    ]
    assert databases == ([] if name == "fetching" else [(f"condvest-dev-{name}-db", False)])
    assert "aws_cloudwatch_dashboard" not in plan.resources
    for role in plan.of("aws_iam_role").values():
        assert role["name"].startswith(f"condvest-dev-{name}-")


def test_the_fetchers_alone_archive_and_have_nothing_that_could_not_load(alone):
    """Nothing would migrate a database of theirs; a loader without a schema fills its dead-letter queue."""
    plan = alone("fetching")
    functions = {one["function_name"] for one in plan.of("aws_lambda_function").values()}
    assert functions == {
        "condvest-dev-fetching-daily-ohlcv-fetcher",
        "condvest-dev-fetching-daily-meta-fetcher",
    }
    assert plan.of("aws_cloudwatch_event_rule") == {}
