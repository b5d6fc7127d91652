"""Creates the things that deploy.sh asks AWS about in an AWS emulator, when AWS_ENDPOINT_URL names one.

For each type: how to create it, and how to destroy it; a queue is also looked at again, to see drift. Every
other type has its state in Terraform alone. A database is nothing that answers, unless STAND_IN_DATABASE_URL
names a server: then it is that one, with the administrator's password in a secret, as RDS makes it. Its
creation takes as long as the file that STAND_IN_PAUSE names is there.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit


def is_there():
    """Tell whether there is an emulator to create things in."""
    return bool(os.environ.get("AWS_ENDPOINT_URL"))


_clients = {}
_creating = Lock()
"""Terraform asks from ten threads: all of them may use a client, and only one at a time make it."""


def client(service):
    """The client of a service; region, endpoint and (made-up) keys come from the environment."""
    import boto3  # noqa: PLC0415 -- only where there is an emulator

    with _creating:
        if service not in _clients:
            _clients[service] = boto3.client(service)
        return _clients[service]


def _create_bucket(plan):
    place = {"LocationConstraint": os.environ["AWS_REGION"]}
    client("s3").create_bucket(Bucket=plan["bucket"], CreateBucketConfiguration=place)
    return {"arn": f"arn:aws:s3:::{plan['bucket']}"}


def _create_role(plan):
    role = client("iam").create_role(
        RoleName=plan["name"], AssumeRolePolicyDocument=plan["assume_role_policy"]
    )["Role"]
    return {"arn": role["Arn"], "unique_id": role["RoleId"]}


def _create_queue(plan):
    seconds = str(plan["message_retention_seconds"])
    url = client("sqs").create_queue(QueueName=plan["name"], Attributes={"MessageRetentionPeriod": seconds})[
        "QueueUrl"
    ]
    return {"id": url, "url": url, **_queue_state(url)}


def _queue_state(url):
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {"arn": found["QueueArn"], "message_retention_seconds": int(found["MessageRetentionPeriod"])}


def _create_repository(plan):
    found = client("ecr").create_repository(repositoryName=plan["name"])["repository"]
    return {"arn": found["repositoryArn"], "repository_url": found["repositoryUri"]}


def _create_database(plan):
    while os.path.exists(os.environ.get("STAND_IN_PAUSE", "")):  # noqa: PTH110 -- also of no path
        time.sleep(0.05)
    found = client("rds").create_db_instance(
        DBInstanceIdentifier=plan["identifier"],
        DBInstanceClass=plan["instance_class"],
        Engine=plan["engine"],
        AllocatedStorage=plan["allocated_storage"],
        MasterUsername=plan["username"],
        MasterUserPassword="never-used-anywhere",
        DeletionProtection=plan["deletion_protection"],
    )["DBInstance"]
    real = urlsplit(os.environ.get("STAND_IN_DATABASE_URL", ""))
    if not real.hostname:
        return {"arn": found["DBInstanceArn"]}
    password = json.dumps({"username": real.username, "password": real.password})
    secret = client("secretsmanager").create_secret(Name=_master(plan), SecretString=password)["ARN"]
    told = {"kms_key_id": "", "secret_arn": secret, "secret_status": "active"}
    return {
        "arn": found["DBInstanceArn"],
        "address": real.hostname,
        "master_user_secret": [told],
    }


def _master(plan):
    return f"rds!db-{plan['identifier']}"


def _destroy_database(state):
    client("rds").delete_db_instance(DBInstanceIdentifier=state["identifier"], SkipFinalSnapshot=True)
    if os.environ.get("STAND_IN_DATABASE_URL"):
        client("secretsmanager").delete_secret(SecretId=_master(state), ForceDeleteWithoutRecovery=True)


def _create_secret(plan):
    arn = client("secretsmanager").create_secret(Name=plan["name"])["ARN"]
    return {"arn": arn, "id": arn}


def _put_object(plan):
    content = Path(plan["source"]).read_bytes()
    client("s3").put_object(Bucket=plan["bucket"], Key=plan["key"], Body=content)
    return {"id": plan["key"]}


def _create_function(plan):
    code = {"S3Bucket": plan["s3_bucket"], "S3Key": plan["s3_key"]}
    if plan["filename"]:
        code = {"ZipFile": Path(plan["filename"]).read_bytes()}
    found = client("lambda").create_function(
        FunctionName=plan["function_name"],
        Role=plan["role"],
        Handler=plan["handler"],
        Runtime=plan["runtime"],
        Code=code,
        Layers=plan["layers"] or [],
        Environment={"Variables": plan["environment"][0]["variables"]},
    )
    return {"arn": found["FunctionArn"]}


def _create_environment(plan):
    """The emulator wants a network and a role that it knows; AWS takes its service-linked role."""
    roles = client("iam")
    # Terraform makes both environments at once: whoever comes second finds the role.
    with suppress(roles.exceptions.EntityAlreadyExistsException):
        roles.create_role(RoleName="emulated-batch", AssumeRolePolicyDocument="{}")
    role = roles.get_role(RoleName="emulated-batch")["Role"]
    subnet = client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    group = client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    resources = plan["compute_resources"][0]
    found = client("batch").create_compute_environment(
        computeEnvironmentName=plan["name"],
        type="MANAGED",
        state="ENABLED",
        computeResources={
            "type": resources["type"],
            "maxvCpus": resources["max_vcpus"],
            "subnets": [subnet],
            "securityGroupIds": [group],
        },
        serviceRole=role["Arn"],
    )
    return {"arn": found["computeEnvironmentArn"]}


def _create_job_queue(plan):
    order = [
        {"order": one["order"], "computeEnvironment": one["compute_environment"]}
        for one in plan["compute_environment_order"]
    ]
    found = client("batch").create_job_queue(
        jobQueueName=plan["name"], state="ENABLED", priority=plan["priority"], computeEnvironmentOrder=order
    )
    return {"arn": found["jobQueueArn"]}


def _register_job(plan):
    found = client("batch").register_job_definition(
        jobDefinitionName=plan["name"],
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties=json.loads(plan["container_properties"]),
        retryStrategy=_retries(plan["retry_strategy"][0]),
    )
    prefix = found["jobDefinitionArn"].rsplit(":", 1)[0]
    return {"arn": found["jobDefinitionArn"], "arn_prefix": prefix, "revision": found["revision"]}


def _retries(strategy):
    names = {"action": "action", "on_exit_code": "onExitCode", "on_reason": "onReason"}
    names["on_status_reason"] = "onStatusReason"
    rules = [
        {names[name]: value for name, value in rule.items() if value} for rule in strategy["evaluate_on_exit"]
    ]
    return {"attempts": strategy["attempts"], "evaluateOnExit": rules}


def _create_topic(plan):
    return {"arn": client("sns").create_topic(Name=plan["name"])["TopicArn"]}


def _destroy_environment(state):
    client("batch").update_compute_environment(computeEnvironment=state["arn"], state="DISABLED")
    client("batch").delete_compute_environment(computeEnvironment=state["arn"])


def _destroy_job_queue(state):
    client("batch").update_job_queue(jobQueue=state["arn"], state="DISABLED")
    client("batch").delete_job_queue(jobQueue=state["arn"])


CREATE = {
    "aws_batch_compute_environment": _create_environment,
    "aws_batch_job_definition": _register_job,
    "aws_batch_job_queue": _create_job_queue,
    "aws_db_instance": _create_database,
    "aws_ecr_repository": _create_repository,
    "aws_iam_role": _create_role,
    "aws_lambda_function": _create_function,
    "aws_s3_bucket": _create_bucket,
    "aws_s3_object": _put_object,
    "aws_secretsmanager_secret": _create_secret,
    "aws_sns_topic": _create_topic,
    "aws_sqs_queue": _create_queue,
}

DESTROY = {
    "aws_batch_compute_environment": _destroy_environment,
    "aws_batch_job_definition": lambda state: client("batch").deregister_job_definition(
        jobDefinition=state["arn"]
    ),
    "aws_batch_job_queue": _destroy_job_queue,
    "aws_db_instance": _destroy_database,
    "aws_ecr_repository": lambda state: client("ecr").delete_repository(
        repositoryName=state["name"], force=True
    ),
    "aws_iam_role": lambda state: client("iam").delete_role(RoleName=state["name"]),
    "aws_lambda_function": lambda state: client("lambda").delete_function(
        FunctionName=state["function_name"]
    ),
    "aws_s3_bucket": lambda state: client("s3").delete_bucket(Bucket=state["bucket"]),
    "aws_s3_object": lambda state: client("s3").delete_object(Bucket=state["bucket"], Key=state["key"]),
    "aws_secretsmanager_secret": lambda state: client("secretsmanager").delete_secret(
        SecretId=state["arn"], ForceDeleteWithoutRecovery=True
    ),
    "aws_sns_topic": lambda state: client("sns").delete_topic(TopicArn=state["arn"]),
    "aws_sqs_queue": lambda state: client("sqs").delete_queue(QueueUrl=state["url"]),
}


def applied(kind, prior, plan):
    """Create (prior is None) or destroy (plan is None) it; return what AWS decided."""
    if kind not in CREATE:
        return {}
    if plan is None:
        DESTROY[kind](prior)
    elif prior is None:
        return CREATE[kind](plan)
    elif kind == "aws_sqs_queue":
        seconds = str(plan["message_retention_seconds"])
        client("sqs").set_queue_attributes(
            QueueUrl=prior["url"], Attributes={"MessageRetentionPeriod": seconds}
        )
    return {}


def read(kind, state):
    """Return the state as the emulator has it: None if somebody deleted it, with what somebody changed."""
    if kind != "aws_sqs_queue" or state is None:
        return state
    queues = client("sqs")
    try:
        return {**state, **_queue_state(state["url"])}
    except queues.exceptions.QueueDoesNotExist:
        return None
