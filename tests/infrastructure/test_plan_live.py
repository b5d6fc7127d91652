"""Rung 3: the job that collects the session under way, which is there only if it is asked for."""

from __future__ import annotations

import json
import re

import pytest
from test_plan_serving import ADDED as SERVING
from workshop import INFRASTRUCTURE, ROOT, ROOTS

pytestmark = pytest.mark.aws

ADDED = {
    "aws_batch_job_definition": 1,
    "aws_cloudwatch_metric_alarm": 1,
    "aws_iam_role": 1,
    "aws_iam_role_policy": 4,
    "aws_scheduler_schedule": 2,
    "aws_sns_topic": 1,
    "aws_sns_topic_subscription": 1,
}
"""What collecting adds, by type; the last for an address that is told."""

WHILE_IT_SLEEPS = {
    "aws_apigatewayv2_api": None,
    "aws_apigatewayv2_integration": None,
    "aws_apigatewayv2_route": None,
    "aws_apigatewayv2_stage": None,
    "aws_batch_compute_environment": "of its tasks alone, while they run",
    "aws_batch_job_definition": None,
    "aws_batch_job_queue": None,
    "aws_budgets_budget": None,
    "aws_cloudwatch_dashboard": None,
    "aws_cloudwatch_event_rule": None,
    "aws_cloudwatch_event_target": None,
    "aws_cloudwatch_log_group": "by what it holds",
    "aws_cloudwatch_log_resource_policy": None,
    "aws_cloudwatch_metric_alarm": "by the month",
    "aws_db_event_subscription": None,
    "aws_db_instance": "BY THE HOUR",
    "aws_db_parameter_group": None,
    "aws_db_subnet_group": None,
    "aws_default_security_group": None,
    "aws_ecr_lifecycle_policy": None,
    "aws_ecr_repository": "by what it holds",
    "aws_iam_role": None,
    "aws_iam_role_policy": None,
    "aws_iam_role_policy_attachment": None,
    "aws_internet_gateway": None,
    "aws_lambda_function": "by the call",
    "aws_lambda_function_event_invoke_config": None,
    "aws_lambda_layer_version": None,
    "aws_lambda_permission": None,
    "aws_route": None,
    "aws_route_table": None,
    "aws_route_table_association": None,
    "aws_s3_bucket": "by what it holds",
    "aws_s3_bucket_lifecycle_configuration": None,
    "aws_s3_bucket_notification": None,
    "aws_s3_bucket_policy": None,
    "aws_s3_bucket_public_access_block": None,
    "aws_s3_bucket_server_side_encryption_configuration": None,
    "aws_s3_bucket_versioning": None,
    "aws_s3_object": "by what it holds",
    "aws_scheduler_schedule": None,
    "aws_scheduler_schedule_group": None,
    "aws_secretsmanager_secret": "by the month",
    "aws_security_group": None,
    "aws_sns_topic": "by the message",
    "aws_sns_topic_policy": None,
    "aws_sns_topic_subscription": "by the mail",
    "aws_sqs_queue": "by the message",
    "aws_sqs_queue_policy": None,
    "aws_subnet": None,
    "aws_vpc": None,
    "aws_vpc_endpoint": "none: a gateway has no price",
    "aws_vpc_security_group_egress_rule": None,
    "aws_vpc_security_group_ingress_rule": None,
    "terraform_data": None,
}
"""Every type that is deployed, and what AWS asks for it while nobody uses it; None: nothing. A new type has
to be entered here by somebody who looked up its price."""

HOURS = {"start": "cron(0 9 ? * MON *)", "stop": "cron(0 9 ? * SAT *)"}
ALIVE = {
    "live": True,
    "live_settings": {"alert_emails": ["desk@example.com"]},
    "serving_access": "iam",
    "database_hours": HOURS,
    "vendor": {"plan": "paid"},
}


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_nothing_is_collected_unless_it_is_asked_for(plans, name):
    assert "-live" not in json.dumps(plans[name].resources)


@pytest.fixture(scope="module")
def alive(terraform, artefacts):
    """The plan and the resources of dev after an apply that collects and serves, and a second plan."""
    folder = terraform.path(ROOTS["all"])
    (folder / "live.tfvars.json").write_text(json.dumps(ALIVE))
    return terraform.applied(folder, artefacts, "environments/dev.tfvars", "live.tfvars.json")


def test_what_is_added_is_counted(alive, plans):
    more = {kind: len(alive.plan.of(kind)) - len(plans["dev"].of(kind)) for kind in alive.plan.resources}
    mine = {kind: count - SERVING.get(kind, 0) for kind, count in more.items()}
    assert {kind: count for kind, count in mine.items() if count} == ADDED


def test_it_settles(alive):
    assert "No changes." in alive.again


def test_nothing_costs_by_the_hour_while_it_sleeps_but_the_database(alive):
    """With all that can be asked for; a type that nobody has looked up fails."""
    kinds = set(alive.plan.resources)
    assert kinds - set(WHILE_IT_SLEEPS) == set()
    by_the_hour = {kind for kind in kinds if WHILE_IT_SLEEPS.get(kind) == "BY THE HOUR"}
    assert by_the_hour == {"aws_db_instance"}
    assert len(alive.plan.of("aws_db_instance")) == 1
    assert {one["vpc_endpoint_type"] for one in alive.plan.of("aws_vpc_endpoint").values()} == {"Gateway"}
    # No concurrency that is kept warm, and no start from a kept snapshot: both are billed while asleep.
    functions = alive.plan.of("aws_lambda_function").values()
    assert [one for one in functions if one.get("snap_start")] == []


def test_the_job_is_one_more_of_the_queue(alive):
    resources = alive.resources
    job = resources["live", "aws_batch_job_definition", "this", 0]
    other = resources["processing", "aws_batch_job_definition", "this", "resample"]
    mine, theirs = (json.loads(one["container_properties"]) for one in (job, other))
    assert job["name"] == "condvest-dev-live"
    assert mine["image"] == theirs["image"]
    assert mine["command"][:4] == theirs["command"][:4]
    assert mine["command"][4:] == ["live", "run", "--feed", "stream", "--hours", "regular", "--publish"]
    assert mine["readonlyRootFilesystem"] is True
    needs = {one["type"]: one["value"] for one in mine["resourceRequirements"]}
    assert needs == {"VCPU": "0.5", "MEMORY": "1024"}
    assert job["timeout"][0]["attempt_duration_seconds"] == 60_000
    assert job["retry_strategy"][0]["attempts"] == 10  # the most that Batch takes
    assert job["retry_strategy"][0]["evaluate_on_exit"] == other["retry_strategy"][0]["evaluate_on_exit"]
    environ = {one["name"]: one["value"] for one in mine["environment"]}
    secret = environ.pop("CONDVEST_MASSIVE_SECRET")
    assert secret.startswith("arn:aws:secretsmanager:")
    assert environ == {
        "AWS_REGION": "ca-west-1",
        "CONDVEST_DATABASE_IAM": "true",
        "CONDVEST_DATABASE_URL": "postgresql://condvest_live@condvest-dev-db.abcdefghijkl.ca-west-1.rds.amazonaws.com"
        ":5432/condvest?sslmode=verify-full",
        "CONDVEST_JOURNAL": "s3://condvest-dev-archive-123456789012/live",
        "CONDVEST_MASSIVE_PLAN": "paid",
        "CONDVEST_PUBLISHED": "s3://condvest-dev-published-123456789012/published",
        "POWERTOOLS_METRICS_NAMESPACE": "Condvest/condvest-dev",
        "POWERTOOLS_SERVICE_NAME": "live",
    }


HALF_HOURS = {
    "regular": [(9, 20), (9, 50), *((hour, minute) for hour in range(10, 17) for minute in (20, 50))],
    "extended": [(3, 50), *((hour, minute) for hour in range(4, 20) for minute in (20, 50))],
}
"""What has gone for good is back within half an hour, and the minutes in which a job starts."""


def test_it_is_submitted_every_half_hour_of_the_session(alive):
    """By New York's clock, in either kind of hours."""
    schedules = [
        alive.resources["live", "aws_scheduler_schedule", "this", name] for name in ("start", "watch")
    ]
    assert {one["schedule_expression_timezone"] for one in schedules} == {"America/New_York"}
    assert {one["state"] for one in schedules} == {"ENABLED"}
    assert {one["flexible_time_window"][0]["mode"] for one in schedules} == {"OFF"}
    submitted = sorted(time for one in schedules for time in times_of(one["schedule_expression"]))
    assert submitted == HALF_HOURS["regular"]
    text = (INFRASTRUCTURE / "modules/live/main.tf").read_text()
    for hours, times in HALF_HOURS.items():
        block = re.search(rf"^    {hours} = \{{\n(.*?)^    \}}", text, re.MULTILINE | re.DOTALL)[1]
        written = re.findall(r'"(cron\(.*?\))"', block)
        assert sorted(time for one in written for time in times_of(one)) == times


def times_of(expression):
    """Return the times of a weekday at which cron(minutes hours ? * MON-FRI *) is."""
    minutes, hours = re.fullmatch(r"cron\(([\d,]+) ([\d-]+) \? \* MON-FRI \*\)", expression).groups()
    first, _, last = hours.partition("-")
    return [
        (hour, int(minute))
        for hour in range(int(first), int(last or first) + 1)
        for minute in minutes.split(",")
    ]


def test_the_schedules_submit_the_job_itself(alive):
    resources = alive.resources
    for name in ("start", "watch"):
        target = resources["live", "aws_scheduler_schedule", "this", name]["target"][0]
        assert target["arn"] == "arn:aws:scheduler:::aws-sdk:batch:submitJob"
        assert json.loads(target["input"]) == {
            "JobName": f"condvest-dev-live-{name}",
            "JobQueue": resources["processing", "aws_batch_job_queue", "this", "jobs"]["arn"],
            "JobDefinition": "arn:aws:batch:ca-west-1:123456789012:job-definition/condvest-dev-live",
        }
        assert target["retry_policy"][0]["maximum_event_age_in_seconds"] < 1800  # the next one comes then
        assert target["dead_letter_config"][0]["arn"].endswith("condvest-dev-job-dead-letters")


def test_what_cannot_work_is_refused_with_what_to_do(terraform, artefacts):
    """The free plan, and a database that sleeps by day."""
    folder = terraform.path(ROOTS["all"])
    terraform.init(folder, state=True)
    (folder / "test.auto.tfvars.json").write_text(json.dumps(artefacts))
    files = ("-var-file=environments/dev.tfvars", "-var=live=true")
    said = terraform.run(folder, "plan", "-input=false", *files, ok=False)
    said = " ".join(said.replace("│", " ").split())
    assert "the free one has neither snapshots nor a stream" in said
    assert "the database may sleep at the weekend alone" in said


def test_the_collector_may_do_its_work_and_no_more(alive):
    """As the page on security has it."""
    resources = alive.resources
    policies = {
        one["name"]: json.loads(one["policy"])["Statement"]
        for (_, kind, _, _), one in resources.items()
        if kind == "aws_iam_role_policy" and one["role"] == "condvest-dev-live"
    }
    allowed = {
        statement["Sid"]: (statement["Action"], statement["Resource"])
        for statements in policies.values()
        for statement in statements
    }
    published = "arn:aws:s3:::condvest-dev-published-123456789012"
    assert allowed.pop("LogIn")[0] == "rds-db:connect"
    assert allowed.pop("ReadVendorKey")[0] == "secretsmanager:GetSecretValue"
    assert allowed == {
        "ListPublished": ("s3:ListBucket", published),
        "ReadManifest": ("s3:GetObject", f"{published}/published/manifest.json"),
        "PublishLiveRows": ("s3:PutObject", f"{published}/published/live.parquet"),
        "KeepJournal": ("s3:PutObject", "arn:aws:s3:::condvest-dev-archive-123456789012/live/*"),
        "TellWhatRulesSay": ("sns:Publish", resources["live", "aws_sns_topic", "alerts", None]["arn"]),
    }
    submits = resources["live", "aws_iam_role_policy", "schedules", 0]
    assert (submits["role"], submits["name"]) == ("condvest-dev-scheduler", "live")
    policies["scheduler"] = json.loads(submits["policy"])["Statement"]

    page = (ROOT / "docs/aws/security.md").read_text().split("\n### live:")[1].split("\n### ")[0]
    shown = re.findall(r"`(\w+)`[^\n]*\n\n```json\n(.*?)```", page, re.DOTALL)
    assert {name: json.loads(block) for name, block in shown} == policies


def test_the_journals_go_after_a_month_and_nothing_else_does(alive):
    rules = alive.resources["shared", "aws_s3_bucket_lifecycle_configuration", "this", "archive"]["rule"]
    expiring = {rule["id"]: rule for rule in rules if any(one.get("days") for one in rule["expiration"])}
    assert list(expiring) == ["journals"]
    assert expiring["journals"]["filter"][0]["prefix"] == "live/"
    assert expiring["journals"]["expiration"][0]["days"] == 30


def test_data_that_are_too_old_are_an_alarm_which_the_runbook_explains(alive):
    alarm = alive.resources["live", "aws_cloudwatch_metric_alarm", "stale", None]
    assert alarm["alarm_name"] == "condvest-dev-live-stale"
    assert (alarm["namespace"], alarm["metric_name"]) == ("Condvest/condvest-dev", "LiveDataAgeSeconds")
    assert alarm["dimensions"] == {"service": "live"}
    assert (alarm["statistic"], alarm["threshold"]) == ("Maximum", 1800)
    # The watch alone measures where the collector hangs: half an hour has one measurement at least.
    assert (alarm["period"], alarm["evaluation_periods"]) == (1800, 1)
    assert alarm["treat_missing_data"] == "notBreaching"
    assert "`P-live-stale`" in (ROOT / "docs/aws/runbook.md").read_text()


def test_its_cost_is_told_apart(alive):
    """By the tag component; the tasks of the job have it as well."""
    tagged = {
        kind: one["tags"]["component"]
        for (module, kind, _, _), one in alive.resources.items()
        if module == "live" and one.get("tags") is not None
    }
    assert set(tagged.values()) == {"live"}
    assert {"aws_batch_job_definition", "aws_sns_topic", "aws_cloudwatch_metric_alarm"} <= set(tagged)
    assert alive.resources["live", "aws_batch_job_definition", "this", 0]["propagate_tags"] is True


def test_the_dashboard_shows_both_where_they_are(alive):
    board = json.loads(alive.resources["", "aws_cloudwatch_dashboard", "this", None]["dashboard_body"])
    titles = [widget["properties"]["title"] for widget in board["widgets"]]
    assert sum(title.startswith(("Session under way", "Alerts")) for title in titles) == 2
    assert sum(title.startswith("Served") for title in titles) == 2
    places = [(widget["x"], widget["y"]) for widget in board["widgets"]]
    assert len(set(places)) == len(places) == 10
