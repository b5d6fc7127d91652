"""Rung 3: who may do and reach what, from plans and states of the real configuration."""

from __future__ import annotations

import json
import re

import pytest
from workshop import ROOT

pytestmark = pytest.mark.aws


def policies(settled):
    """Every policy of a role: its role, its name, its statements."""
    for address, values in settled["resources"].items():
        if ".aws_iam_role_policy." in address:
            document = json.loads(values["policy"])
            yield values["role"], values["name"], document["Statement"]


def as_list(value):
    return value if isinstance(value, list) else [value]


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
            "rds:StartDBInstance", "rds:StopDBInstance", "ecr:StartImageScan",
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
    """Under the role's heading, by the policy's name; `serve` and `live` where they are there."""
    page = (ROOT / "docs" / "aws" / "security.md").read_text()
    shown = {}
    for section in page.split("\n### ")[1:]:
        for name, block in re.findall(r"`(\w+)`\n\n```json\n(.*?)```", section, re.DOTALL):
            shown[section.split(":")[0], name] = json.loads(block)
    shown = {key: policy for key, policy in shown.items() if key[0] not in ("serve", "live")}
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
