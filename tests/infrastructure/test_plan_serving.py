"""Rung 3: the HTTP API and its function, which are there only if they are asked for."""

from __future__ import annotations

import json
import re

import pytest
from workshop import ROOT, ROOTS, Plan

pytestmark = pytest.mark.aws

ADDED = {
    "aws_apigatewayv2_api": 1,
    "aws_apigatewayv2_integration": 1,
    "aws_apigatewayv2_route": 1,
    "aws_apigatewayv2_stage": 1,
    "aws_cloudwatch_log_group": 2,
    "aws_cloudwatch_metric_alarm": 3,
    "aws_iam_role": 1,
    "aws_iam_role_policy": 2,
    "aws_lambda_function": 1,
    "aws_lambda_permission": 1,
    "aws_s3_object": 1,
}
"""What serving adds, by type. None of these has a price by the hour: an HTTP API and a function are paid by
request, an object and logs by what they hold, an alarm by the month (0.10 USD; docs/aws/cost.md)."""


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_nothing_is_served_unless_it_is_asked_for(plans, name):
    assert not any(kind.startswith("aws_apigateway") for kind in plans[name].resources)
    assert "condvest-dev-serve" not in str(plans[name].of("aws_lambda_function"))
    assert not any('["serve"]' in address for address in plans[name].of("aws_iam_role"))


def planned(terraform, artefacts, **settings):
    folder = terraform.path(ROOTS["all"])
    (folder / "serving.tfvars.json").write_text(json.dumps(settings))
    return Plan(terraform.plan(folder, artefacts, "environments/dev.tfvars", "serving.tfvars.json"))


@pytest.fixture(scope="module")
def served(terraform, artefacts):
    """The resources of dev after an apply that serves by IAM, and what a second plan wants."""
    folder = terraform.path(ROOTS["all"])
    settings = {"serving_access": "iam", "serving_host_names": ["data.example.com"]}
    (folder / "serving.tfvars.json").write_text(json.dumps(settings))
    return terraform.applied(folder, artefacts, "environments/dev.tfvars", "serving.tfvars.json")


def test_what_is_added_has_no_price_by_the_hour(served, plans):
    more = {kind: len(served.plan.of(kind)) - len(plans["dev"].of(kind)) for kind in served.plan.resources}
    assert {kind: count for kind, count in more.items() if count} == ADDED


def test_it_settles(served):
    assert "No changes." in served.again


def test_every_request_is_asked_about(served):
    resources = served.resources
    routes = [one for (_, kind, _, _), one in resources.items() if kind == "aws_apigatewayv2_route"]
    assert [(one["route_key"], one["authorization_type"]) for one in routes] == [("$default", "AWS_IAM")]
    stage = resources["serving", "aws_apigatewayv2_stage", "this", None]
    limits = stage["default_route_settings"][0]
    assert (limits["throttling_rate_limit"], limits["throttling_burst_limit"]) == (20, 40)
    logged = stage["access_log_settings"][0]["format"]
    assert "query" not in logged.lower()
    assert json.loads(logged)["path"] == "$context.path"


def test_by_tokens_the_pages_own_files_alone_are_open(terraform, artefacts):
    tokens = {"issuer": "https://issuer.example.com/", "audience": ["condvest"]}
    plan = planned(terraform, artefacts, serving_access="jwt", serving_jwt=tokens)
    kinds = {
        one["route_key"]: one["authorization_type"] for one in plan.of("aws_apigatewayv2_route").values()
    }
    assert kinds == {"$default": "JWT", "GET /": "NONE", "GET /page/{proxy+}": "NONE"}
    (authorizer,) = plan.of("aws_apigatewayv2_authorizer").values()
    assert authorizer["jwt_configuration"][0] == tokens


def test_the_function_reads_what_is_published_and_nothing_else(served):
    resources = served.resources
    function = resources["serving", "aws_lambda_function", "this", None]
    assert function["function_name"] == "condvest-dev-serve"
    assert function["handler"] == "condvest.serving_layer.aws.serve_function.handler"
    assert function["vpc_config"] == []
    assert function["timeout"] <= 30
    assert function["environment"][0]["variables"] == {
        "CONDVEST_PUBLISHED": "s3://condvest-dev-published-123456789012/published",
        "CONDVEST_SERVE_HOSTS": "abcdefghij.execute-api.ca-west-1.amazonaws.com,data.example.com",
        "CONDVEST_HOME": "/tmp/condvest",  # noqa: S108  # all that a function may write to
    }
    policies = {
        one["name"]: json.loads(one["policy"])["Statement"]
        for (_, kind, _, _), one in resources.items()
        if kind == "aws_iam_role_policy" and one["role"] == "condvest-dev-serve"
    }
    allowed = {
        statement["Sid"]: (statement["Action"], statement["Resource"])
        for statements in policies.values()
        for statement in statements
    }
    bucket = "arn:aws:s3:::condvest-dev-published-123456789012"
    assert allowed == {
        "ListPublished": ("s3:ListBucket", bucket),
        "ReadPublished": ("s3:GetObject", f"{bucket}/published/*"),
        "WriteLogs": (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            "arn:aws:logs:ca-west-1:123456789012:log-group:/aws/lambda/condvest-dev-serve:*",
        ),
    }

    page = (ROOT / "docs/aws/security.md").read_text().split("\n### serve:")[1].split("\n### ")[0]
    shown = re.findall(r"`(\w+)`\n\n```json\n(.*?)```", page, re.DOTALL)
    assert {name: json.loads(block) for name, block in shown} == policies


def test_the_api_alone_calls_it(served):
    permission = served.resources["serving", "aws_lambda_permission", "api", None]
    assert permission["principal"] == "apigateway.amazonaws.com"
    assert permission["source_arn"] == "arn:aws:execute-api:ca-west-1:123456789012:abcdefghij/*"


def test_its_cost_is_told_apart(served):
    """By the tag component; only what has tags can be told apart."""
    tagged = [
        one["tags"]["component"]
        for (_, kind, _, _), one in served.resources.items()
        if kind.startswith("aws_apigatewayv2") and one.get("tags") is not None
    ]
    assert tagged == ["serving"] * 2
