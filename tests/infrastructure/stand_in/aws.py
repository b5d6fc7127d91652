"""What AWS would answer, as far as plans and states show it: names, ARNs, policy documents.

The account is 123456789012; the region is the provider's.
"""

from __future__ import annotations

import hashlib
import json

import account
import emulator
import values

ACCOUNT = "123456789012"
API_ID = "abcdefghij"
_state = {"region": "ca-west-1"}

# Attributes whose change makes AWS create the thing anew.
_IDENTITY = {
    "aws_apigatewayv2_api": ("protocol_type",),
    "aws_batch_compute_environment": ("name_prefix",),
    "aws_db_instance": ("identifier",),
    "aws_iam_role": ("name",),
    "aws_lambda_function": ("function_name",),
    "aws_s3_bucket": ("bucket",),
    "aws_s3_object": ("bucket", "key"),
    "aws_sqs_queue": ("name",),
}

# Where the ARN is not arn:aws:SERVICE:REGION:ACCOUNT:NAME, the rest after the partition.
_ARNS = {
    "aws_apigatewayv2_api": "apigateway:{region}::/apis/" + API_ID,
    "aws_batch_compute_environment": "batch:{region}:{account}:compute-environment/{name}",
    "aws_batch_job_definition": "batch:{region}:{account}:job-definition/{name}:1",
    "aws_batch_job_queue": "batch:{region}:{account}:job-queue/{name}",
    "aws_cloudwatch_event_rule": "events:{region}:{account}:rule/{name}",
    "aws_cloudwatch_log_group": "logs:{region}:{account}:log-group:{name}",
    "aws_db_instance": "rds:{region}:{account}:db:{name}",
    "aws_ecr_repository": "ecr:{region}:{account}:repository/{name}",
    "aws_iam_role": "iam::{account}:role/{name}",
    "aws_lambda_function": "lambda:{region}:{account}:function:{name}",
    "aws_lambda_layer_version": "lambda:{region}:{account}:layer:{name}:1",
    "aws_s3_bucket": "s3:::{name}",
    "aws_secretsmanager_secret": "secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
}


def refusals(config):
    """Take the provider's configuration; yield why AWS would refuse it."""
    config = config or {}
    _state["region"] = config.get("region") or _state["region"]
    allowed = config.get("allowed_account_ids")
    if allowed and not values.is_unknown(allowed) and ACCOUNT not in allowed:
        yield f"AWS account ID not allowed: {ACCOUNT}"


def identity(kind):
    """Return the attributes whose change makes a new thing."""
    return _IDENTITY.get(kind, ())


def applied(kind, prior, plan):
    """Return the state after creating, changing or (plan is None) destroying."""
    if plan is None:
        if emulator.is_there():
            emulator.applied(kind, prior, None)
        return None
    account.check(kind, prior, plan)
    new = dict(plan)
    name = _name(kind, new)
    if values.is_unknown(new.get("name")):
        new["name"] = name
    if emulator.is_there():
        new |= emulator.applied(kind, prior, new)
    if values.is_unknown(new.get("arn")):
        tail = _ARNS.get(kind, kind.split("_")[1] + ":{region}:{account}:{name}")
        new["arn"] = "arn:aws:" + tail.format(region=_state["region"], account=ACCOUNT, name=name)
    if values.is_unknown(new.get("id")):
        new["id"] = prior["id"] if prior else _id(kind, name)
    for attribute, value in _computed(kind, name).items():
        if values.is_unknown(new.get(attribute)):
            new[attribute] = value
    return account.described(kind, new)


def read(kind, state):
    """Return the state as it is found: without an emulator nothing changes by itself."""
    found = emulator.read(kind, state) if emulator.is_there() else state
    return account.described(kind, found)


def looked_up(kind, config):
    """Return what a data source finds."""
    region = _state["region"]
    found = {
        "aws_caller_identity": {
            "account_id": ACCOUNT,
            "id": ACCOUNT,
            "arn": f"arn:aws:iam::{ACCOUNT}:user/tester",
        },
        "aws_region": {"region": region, "name": region, "id": region},
        "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com", "id": "aws"},
        "aws_availability_zones": {"names": [region + letter for letter in "abc"], "id": region},
        "aws_ec2_managed_prefix_list": {"id": "pl-7da54014"},
        "aws_kms_key": {"arn": f"arn:aws:kms:{config.get('region') or region}:{ACCOUNT}:key/1111-2222"},
    }
    if kind == "aws_iam_policy_document":
        document = policy(config)
        return {
            "json": json.dumps(document, indent=2),
            "minified_json": json.dumps(document, separators=(",", ":")),
            "id": "policy",
        }
    return found[kind]


def policy(config):
    """Return the IAM policy that the provider's data source renders from its blocks."""
    statements = []
    for source in config.get("source_policy_documents") or []:
        statements += json.loads(source)["Statement"]
    for block in config.get("statement") or []:
        statement = {"Sid": block["sid"]} if block.get("sid") else {}
        statement["Effect"] = block.get("effect") or "Allow"
        for key, name in (("actions", "Action"), ("resources", "Resource")):
            if block.get(key):
                statement[name] = _one_or_many(block[key])
        if block.get("principals"):
            everyone = all(one["type"] == "*" for one in block["principals"])
            statement["Principal"] = (
                "*"
                if everyone
                else {one["type"]: _one_or_many(one["identifiers"]) for one in block["principals"]}
            )
        for one in block.get("condition") or []:
            tests = statement.setdefault("Condition", {}).setdefault(one["test"], {})
            tests[one["variable"]] = _one_or_many(one["values"])
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}


def _one_or_many(items):
    return items[0] if len(items) == 1 else sorted(items)


def _id(kind, name):
    if kind == "aws_apigatewayv2_api":
        return API_ID
    if kind != "aws_security_group":
        return name
    return "sg-" + hashlib.sha256(name.encode()).hexdigest()[:17]  # what takes one looks at its form


def _name(kind, new):
    for key in ("name", "identifier", "function_name", "bucket", "layer_name", "alarm_name"):
        if isinstance(new.get(key), str):
            return new[key]
    text = json.dumps(new, default=str, sort_keys=True)
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    if isinstance(new.get("name_prefix"), str):
        return new["name_prefix"] + mark
    return f"{kind.removeprefix('aws_').replace('_', '-')}-{mark}"


def _computed(kind, name):
    region = _state["region"]
    return {
        "aws_apigatewayv2_api": {
            "api_endpoint": f"https://{API_ID}.execute-api.{region}.amazonaws.com",
            "execution_arn": f"arn:aws:execute-api:{region}:{ACCOUNT}:{API_ID}",
        },
        "aws_batch_compute_environment": {"name": name},
        "aws_batch_job_definition": {
            "arn_prefix": f"arn:aws:batch:{region}:{ACCOUNT}:job-definition/{name}",
            "revision": 1,
        },
        "aws_db_instance": {
            "address": f"{name}.abcdefghijkl.{region}.rds.amazonaws.com",
            "port": 5432,
            "resource_id": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "master_user_secret": [
                {
                    "kms_key_id": "",
                    "secret_arn": f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:rds!db-1-AbCdEf",
                    "secret_status": "active",
                }
            ],
        },
        "aws_db_parameter_group": {"name": name},
        "aws_ecr_repository": {"repository_url": f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{name}"},
        "aws_sqs_queue": {"url": f"https://sqs.{region}.amazonaws.com/{ACCOUNT}/{name}"},
        "aws_vpc_endpoint": {"prefix_list_id": "pl-7da54014"},
    }.get(kind, {})
