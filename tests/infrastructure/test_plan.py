"""Rung 3: what would be created, from plans of the real configuration: security, schedules, retries."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace

import pytest
from event_patterns import job_event, matches
from workshop import ROOT, ROOTS

from batch_layer.shared.clients.archive import DESCRIBED, key_of
from batch_layer.shared.models.payloads import Payload

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


@pytest.fixture(scope="module")
def plans(terraform, artefacts):
    """The plan of each environment."""
    folder = terraform.path(ROOTS["all"])
    return {
        name: Plan(terraform.plan(folder, artefacts, f"environments/{name}.tfvars"))
        for name in ("dev", "staging", "prod")
    }


@pytest.fixture(scope="module")
def settled(terraform, artefacts):
    """The resources of dev after an apply, as rendered; and what a second plan wants then."""
    folder = terraform.path(ROOTS["all"])
    terraform.plan(folder, artefacts, "environments/dev.tfvars")
    terraform.run(folder, "apply", "-input=false", "test.tfplan")
    state = json.loads(terraform.run(folder, "show", "-json"))
    again = terraform.run(folder, "plan", "-input=false", "-var-file=environments/dev.tfvars")
    for path in folder.glob("terraform.tfstate*"):
        path.unlink()
    resources, queue = {}, [state["values"]["root_module"]]
    while queue:
        module = queue.pop()
        queue += module.get("child_modules", [])
        for one in module.get("resources", []):
            resources[one["address"]] = one["values"]
    return {"resources": resources, "second plan": again}


def policies(settled):
    """Every policy of a role: its role, its name, its statements."""
    for address, values in settled["resources"].items():
        if ".aws_iam_role_policy." in address:
            document = json.loads(values["policy"])
            yield values["role"], values["name"], document["Statement"]


def as_list(value):
    return value if isinstance(value, list) else [value]


def test_a_second_plan_wants_nothing(settled):
    assert "No changes. Your infrastructure matches the configuration." in settled["second plan"]


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_nothing_sleeps_at_a_price(plans, name):
    kinds = set(plans[name].resources)
    assert kinds.isdisjoint({"aws_nat_gateway", "aws_eip", "aws_kms_key", "aws_lb", "aws_iam_access_key"})
    endpoints = [one["vpc_endpoint_type"] for one in plans[name].of("aws_vpc_endpoint").values()]
    assert endpoints == ["Gateway"]


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_database_is_private_encrypted_and_backed_up(plans, name):
    database = plans[name].one("aws_db_instance")
    assert database["publicly_accessible"] is False
    assert database["storage_encrypted"] is True
    assert database["iam_database_authentication_enabled"] is True
    assert database["manage_master_user_password"] is True
    assert database.get("password") is None
    assert database["backup_retention_period"] >= 1
    assert database["max_allocated_storage"] > database["allocated_storage"]
    assert database["storage_type"] == "gp3"
    parameters = {one["name"]: one["value"] for one in plans[name].one("aws_db_parameter_group")["parameter"]}
    assert parameters["rds.force_ssl"] == "1"
    assert parameters["shared_preload_libraries"] == "pg_stat_statements"


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


def test_only_the_loader_and_the_jobs_reach_the_database(plans):
    rules = plans["prod"].of("aws_vpc_security_group_ingress_rule")
    assert {re.search(r'\["(\w+)"\]', address)[1] for address in rules} == {"loader", "jobs"}
    for rule in rules.values():
        assert (rule["from_port"], rule["to_port"], rule["ip_protocol"]) == (5432, 5432, "tcp")
        assert rule.get("cidr_ipv4") is None
        assert rule.get("cidr_ipv6") is None


def test_what_leaves_is_narrow(plans):
    """Only the jobs may leave for the internet, and over HTTPS alone."""
    rules = plans["prod"].of("aws_vpc_security_group_egress_rule")
    assert {rule["from_port"] for rule in rules.values()} == {443, 5432}
    everywhere = [address for address, rule in rules.items() if rule.get("cidr_ipv4") == "0.0.0.0/0"]
    assert everywhere == ["module.shared.aws_vpc_security_group_egress_rule.jobs_to_https"]


def test_buckets_are_private_versioned_and_tls_only(plans, settled):
    for setting in plans["prod"].of("aws_s3_bucket_public_access_block").values():
        assert [setting[key] for key in (
            "block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"
        )] == [True] * 4  # fmt: skip
    versioning = plans["prod"].of("aws_s3_bucket_versioning")
    assert [one["versioning_configuration"][0]["status"] for one in versioning.values()] == ["Enabled"] * 2
    for key in ("archive", "published"):
        policy = json.loads(
            settled["resources"][f'module.shared.aws_s3_bucket_policy.this["{key}"]']["policy"]
        )
        statement = policy["Statement"][0]
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert len(policy["Statement"]) == (2 if key == "archive" else 1)


def test_nobody_overwrites_what_is_archived(settled):
    """Whoever does not ask S3 to refuse a key that is there may not write; parts of an upload cannot ask."""
    policy = json.loads(settled["resources"]['module.shared.aws_s3_bucket_policy.this["archive"]']["policy"])
    deny = policy["Statement"][1]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:PutObject")
    assert deny["Resource"] == "arn:aws:s3:::condvest-dev-archive-123456789012/archive/*"
    assert deny["Condition"] == {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }


def test_the_network_leads_to_its_own_buckets_alone(settled):
    """And to that of ECR, where the layers of the image lie."""
    policy = json.loads(settled["resources"]["module.shared.aws_vpc_endpoint.s3[0]"]["policy"])
    reached = {name for statement in policy["Statement"] for name in as_list(statement["Resource"])}
    assert {name.split(":::")[1].split("/")[0] for name in reached} == {
        "condvest-dev-archive-123456789012",
        "condvest-dev-published-123456789012",
        "prod-ca-west-1-starport-layer-bucket",
    }


def test_nobody_elses_service_takes_a_role(settled):
    """Lambda alone sends no account when it assumes one."""
    for address, role in settled["resources"].items():
        if ".aws_iam_role." in address:
            (statement,) = json.loads(role["assume_role_policy"])["Statement"]
            is_lambda = statement["Principal"] == {"Service": "lambda.amazonaws.com"}
            assert statement.get("Condition") == (
                None if is_lambda else {"StringEquals": {"aws:SourceAccount": "123456789012"}}
            )


def test_a_star_stands_only_where_no_name_can(settled):
    """Registry login and network interfaces take no resource; every other permission names one."""
    starred = set()
    for _, _, statements in policies(settled):
        for statement in statements:
            assert "*" not in as_list(statement["Action"])
            if "*" in as_list(statement["Resource"]) and statement["Effect"] == "Allow":
                starred.add(statement["Sid"])
    assert starred == {"LogInToRegistry", "LambdaMakesInterfaces"}


def test_each_role_may_do_just_this(settled):
    allowed = {}
    for role, _, statements in policies(settled):
        for statement in statements:
            if statement["Effect"] == "Allow":
                allowed.setdefault(role.removeprefix("condvest-dev-"), set()).update(
                    as_list(statement["Action"])
                )
    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    loading = {"s3:GetObject", "s3:PutObject", "s3:ListBucket", "rds-db:connect"}
    assert allowed == {
        "fetcher": logs | {
            "s3:GetObject", "s3:PutObject", "s3:ListBucket", "secretsmanager:GetSecretValue",
            "sqs:SendMessage",
        },
        "loader": logs | loading | {
            "sqs:SendMessage", "events:PutEvents",
            "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
        },
        "migrate": {"secretsmanager:GetSecretValue"},
        "resample": {"rds-db:connect"},
        "backfill": loading | {"secretsmanager:GetSecretValue"},
        "publish": loading | {"s3:DeleteObject"},
        "execution": logs | {
            "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        },
        "scheduler": {
            "lambda:InvokeFunction", "sqs:SendMessage", "batch:SubmitJob",
            "rds:StartDBInstance", "rds:StopDBInstance",
        },
        "events": {"batch:SubmitJob"},
    }  # fmt: skip


def test_what_publishes_reaches_the_published_bars_alone(settled):
    """S3 asks about a missing object's key as of a prefix, so the listing is allowed for any below it."""
    (statements,) = [
        one for role, name, one in policies(settled) if (role, name) == ("condvest-dev-publish", "data")
    ]
    bucket = "arn:aws:s3:::condvest-dev-published-123456789012"
    assert {one["Resource"]: one.get("Condition") for one in statements} == {
        bucket: {"StringLike": {"s3:prefix": "published/*"}},
        f"{bucket}/published/*": None,
    }


def test_the_migration_alone_can_read_the_administrators_password(settled):
    """The vendor's key is another secret, for those who ask the vendor."""
    readers = {}
    for role, _, statements in policies(settled):
        for statement in statements:
            if "secretsmanager:GetSecretValue" in as_list(statement["Action"]):
                readers[role.removeprefix("condvest-dev-")] = statement["Resource"]
    assert set(readers) == {"fetcher", "backfill", "migrate"}
    assert "rds!db" in readers["migrate"]
    assert readers["fetcher"] == readers["backfill"]
    assert "massive-api-key" in readers["fetcher"]


def test_a_job_is_told_no_secret_and_acts_under_its_own_role(settled):
    """Fargate could put a secret into a variable; the migration reads its own when it connects."""
    for name in ("migrate", "resample", "backfill", "publish"):
        job = json.loads(
            settled["resources"][f'module.processing.aws_batch_job_definition.this["{name}"]'][
                "container_properties"
            ]
        )
        assert not job.get("secrets")
        assert job["jobRoleArn"] == f"arn:aws:iam::123456789012:role/condvest-dev-{name}"


def test_the_security_page_shows_each_policy_as_rendered(settled):
    """Under the role's heading, by the policy's name."""
    page = (ROOT / "docs" / "aws" / "security.md").read_text()
    shown = {}
    for section in page.split("\n### ")[1:]:
        for name, block in re.findall(r"`(\w+)`\n\n```json\n(.*?)```", section, re.DOTALL):
            shown[section.split(":")[0], name] = json.loads(block)
    rendered = {
        (role.removeprefix("condvest-dev-"), name): policy for role, name, policy in policies(settled)
    }
    assert shown == rendered


def test_each_client_logs_in_as_its_own_user(settled):
    users = {}
    for role, _, statements in policies(settled):
        for statement in statements:
            if statement["Action"] == "rds-db:connect":
                users[role] = statement["Resource"]
    resource = "arn:aws:rds-db:ca-west-1:123456789012:dbuser:db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert users == {
        "condvest-dev-loader": f"{resource}/condvest_loader",
        "condvest-dev-resample": f"{resource}/condvest_jobs",
        "condvest-dev-backfill": f"{resource}/condvest_backfill",
        "condvest-dev-publish": f"{resource}/condvest_jobs",
    }


def test_no_variable_of_a_function_or_job_holds_a_password(settled):
    functions = [
        one for address, one in settled["resources"].items() if ".aws_lambda_function.this[" in address
    ]
    jobs = [
        one for address, one in settled["resources"].items() if ".aws_batch_job_definition.this[" in address
    ]
    texts = [json.dumps(one["environment"][0]["variables"]) for one in functions]
    texts += [json.dumps(json.loads(one["container_properties"])["environment"]) for one in jobs]
    assert len(texts) == 7
    for text in texts:
        assert not re.search(r"//[^@/\"]*:[^@/\"]*@|PASSWORD|API_KEY", text)


def test_the_functions_are_what_was_agreed(settled):
    functions = {
        re.search(r'\["(\w+)"\]', address)[1]: one
        for address, one in settled["resources"].items()
        if ".aws_lambda_function.this[" in address
    }
    assert set(functions) == {"daily_ohlcv_fetcher", "daily_meta_fetcher", "archive_loader"}
    for name, function in functions.items():
        assert function["handler"] == f"batch_layer.fetching.lambda_functions.{name}.handler"
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
        for name, starts in ((key, False), (f"{key}{DESCRIBED}", True)):
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
    assert len(alarms) == 21
    for name, alarm in alarms.items():
        assert alarm["alarm_actions"] == ["arn:aws:sns:ca-west-1:123456789012:condvest-dev-alerts"], name
        assert alarm["period"] * alarm["evaluation_periods"] <= 604800


def test_logs_end_some_day(plans):
    days = [one["retention_in_days"] for one in plans["prod"].of("aws_cloudwatch_log_group").values()]
    assert len(days) == 7
    assert set(days) <= RETENTIONS


def test_everything_is_tagged(terraform, artefacts):
    """Default tags say whose it is; each module says which component."""
    folder = terraform.path(ROOTS["all"])
    shown = terraform.plan(folder, artefacts, "environments/prod.tfvars")
    provider = shown["configuration"]["provider_config"]["aws"]["expressions"]["default_tags"][0]["tags"]
    assert {"var.project", "var.environment", "var.owner", "var.cost_centre"} <= set(provider["references"])
    untagged = {
        change["type"]
        for change in shown["resource_changes"]
        if "tags" in (change["change"]["after"] or {})
        and not (change["change"]["after"]["tags"] or {}).get("component")
    }
    assert untagged <= {"aws_budgets_budget", "aws_cloudwatch_dashboard"}


@pytest.mark.parametrize("name", ["database", "fetching", "processing"])
def test_a_component_stands_alone_under_its_own_names(terraform, artefacts, name):
    shown = terraform.plan(terraform.path(ROOTS[name]), {"environment": "dev", **artefacts})
    plan = Plan(shown)
    databases = [
        (one["identifier"], one["deletion_protection"]) for one in plan.of("aws_db_instance").values()
    ]
    assert databases == ([] if name == "fetching" else [(f"condvest-dev-{name}-db", False)])
    assert "aws_cloudwatch_dashboard" not in plan.resources
    for role in plan.of("aws_iam_role").values():
        assert role["name"].startswith(f"condvest-dev-{name}-")


def test_the_fetchers_alone_archive_and_have_nothing_that_could_not_load(terraform, artefacts):
    """Nothing would migrate a database of theirs; a loader without a schema fills its dead-letter queue."""
    plan = Plan(terraform.plan(terraform.path(ROOTS["fetching"]), {"environment": "dev", **artefacts}))
    functions = {one["function_name"] for one in plan.of("aws_lambda_function").values()}
    assert functions == {
        "condvest-dev-fetching-daily-ohlcv-fetcher",
        "condvest-dev-fetching-daily-meta-fetcher",
    }
    assert plan.of("aws_cloudwatch_event_rule") == {}


BAD = [
    ({"environment": "qa"}, "environment must be dev, staging or prod"),
    ({"project": "a-name-that-is-too-long-for-aws"}, "project must have 3 to 20 characters"),
    ({"aws_account_id": "12345"}, "aws_account_id must have 12 digits"),
    ({"aws_account_id": "999999999999"}, "AWS account ID not allowed"),
    ({"monthly_budget_usd": 0}, "monthly_budget_usd must be at least 1"),
    ({"capacity": "EC2"}, "capacity must be FARGATE_SPOT or FARGATE"),
    ({"reserved_concurrency": 50}, "reserved_concurrency must be -1 or from 1 to 10"),
    ({"runtime": {"name": "python3.11"}}, "runtime.name must be python3.12"),
    ({"vendor": {"provider": "polygon"}}, "vendor.provider must be massive or yahoo"),
    ({"database": {"backup_days": 40}}, "backup_days must be from 1 to 35"),
    ({"database": {"class": "t4g.micro"}}, "instance.class must be a class of RDS"),
]


@pytest.mark.parametrize(("bad", "message"), BAD, ids=[f"{next(iter(bad))}" for bad, _ in BAD])
def test_a_value_out_of_range_is_refused_with_the_range(terraform, artefacts, bad, message):
    folder = terraform.path(ROOTS["all"])
    terraform.init(folder, state=True)
    (folder / "test.auto.tfvars.json").write_text(json.dumps(artefacts))
    (folder / "bad.tfvars.json").write_text(json.dumps(bad))
    output = terraform.run(
        folder,
        "plan",
        "-input=false",
        "-var-file=environments/dev.tfvars",
        "-var-file=bad.tfvars.json",
        ok=False,
    )
    assert message in " ".join(output.replace("│", " ").split())
