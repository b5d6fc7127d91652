"""What the provider would send to AWS for a resource, for the types whose values AWS is strict about.

Each is a service, an operation and its parameters, as botocore has them; `faults` holds them against the
service's model: names, types, required members, enums, lengths, ranges and patterns. A value that Terraform
knows only after the apply is there in the tests, since they read a state.
"""

from __future__ import annotations

import json
import re
from functools import cache

import botocore.session
from botocore.validate import ParamValidator


def _lambda_function(one):
    return (
        "lambda",
        "CreateFunction",
        {
            "FunctionName": one["function_name"],
            "Role": one["role"],
            "Handler": one["handler"],
            "Runtime": one["runtime"],
            "Architectures": one["architectures"],
            "Layers": one["layers"],
            "MemorySize": one["memory_size"],
            "Timeout": one["timeout"],
            "Description": one["description"],
            "Environment": {"Variables": one["environment"][0]["variables"]},
            "VpcConfig": {
                "SubnetIds": one["vpc_config"][0]["subnet_ids"],
                "SecurityGroupIds": one["vpc_config"][0]["security_group_ids"],
            }
            if one["vpc_config"]
            else {},
            "Code": {"ZipFile": b"zip"},
            "Tags": one["tags"],
        },
    )


def _invoke_config(one):
    destinations = one["destination_config"][0]
    return (
        "lambda",
        "PutFunctionEventInvokeConfig",
        {
            "FunctionName": one["function_name"],
            "MaximumRetryAttempts": one["maximum_retry_attempts"],
            "MaximumEventAgeInSeconds": one["maximum_event_age_in_seconds"],
            "DestinationConfig": {
                name: {"Destination": destinations[key][0]["destination"]}
                for name, key in (("OnFailure", "on_failure"), ("OnSuccess", "on_success"))
                if destinations[key]
            },
        },
    )


def _database(one):
    return (
        "rds",
        "CreateDBInstance",
        {
            "DBInstanceIdentifier": one["identifier"],
            "DBInstanceClass": one["instance_class"],
            "Engine": one["engine"],
            "EngineVersion": one["engine_version"],
            "DBName": one["db_name"],
            "AllocatedStorage": one["allocated_storage"],
            "MaxAllocatedStorage": one["max_allocated_storage"],
            "StorageType": one["storage_type"],
            "BackupRetentionPeriod": one["backup_retention_period"],
            "PreferredBackupWindow": one["backup_window"],
            "PreferredMaintenanceWindow": one["maintenance_window"],
            "DatabaseInsightsMode": one["database_insights_mode"],
            "MonitoringInterval": one["monitoring_interval"],
            "PerformanceInsightsRetentionPeriod": one["performance_insights_retention_period"],
            "EngineLifecycleSupport": one["engine_lifecycle_support"],
            "CACertificateIdentifier": one["ca_cert_identifier"],
            "EnableCloudwatchLogsExports": one["enabled_cloudwatch_logs_exports"],
        },
    )


def _parameters(one):
    chosen = [
        {"ParameterName": each["name"], "ParameterValue": each["value"], "ApplyMethod": each["apply_method"]}
        for each in one["parameter"]
    ]
    return "rds", "ModifyDBParameterGroup", {"DBParameterGroupName": one["name"], "Parameters": chosen}


def _job_queue(one):
    return (
        "batch",
        "CreateJobQueue",
        {
            "jobQueueName": one["name"],
            "state": one["state"],
            "priority": one["priority"],
            "tags": one["tags"],
            "computeEnvironmentOrder": [
                {"order": each["order"], "computeEnvironment": each["compute_environment"]}
                for each in one["compute_environment_order"]
            ],
            "jobStateTimeLimitActions": [
                {
                    "reason": each["reason"],
                    "state": each["state"],
                    "action": each["action"],
                    "maxTimeSeconds": each["max_time_seconds"],
                }
                for each in one["job_state_time_limit_action"]
            ],
        },
    )


def _compute_environment(one):
    resources = one["compute_resources"][0]
    return (
        "batch",
        "CreateComputeEnvironment",
        {
            "computeEnvironmentName": one["name"],
            "type": one["type"],
            "state": one["state"],
            "computeResources": {
                "type": resources["type"],
                "maxvCpus": resources["max_vcpus"],
                "subnets": resources["subnets"],
                "securityGroupIds": resources["security_group_ids"],
            },
        },
    )


def _job_definition(one):
    names = {"on_status_reason": "onStatusReason", "on_exit_code": "onExitCode", "on_reason": "onReason"}
    strategy = one["retry_strategy"][0]
    return (
        "batch",
        "RegisterJobDefinition",
        {
            "jobDefinitionName": one["name"],
            "type": one["type"],
            "platformCapabilities": one["platform_capabilities"],
            "containerProperties": json.loads(one["container_properties"]),
            "timeout": {"attemptDurationSeconds": one["timeout"][0]["attempt_duration_seconds"]},
            "retryStrategy": {
                "attempts": strategy["attempts"],
                "evaluateOnExit": [
                    {
                        "action": rule["action"],
                        **{told: rule[key] for key, told in names.items() if rule[key]},
                    }
                    for rule in strategy["evaluate_on_exit"]
                ],
            },
        },
    )


def _schedule(one):
    target = one["target"][0]
    return (
        "scheduler",
        "CreateSchedule",
        {
            "Name": one["name"],
            "GroupName": one["group_name"] or "default",
            "State": one["state"] or "ENABLED",
            "ScheduleExpression": one["schedule_expression"],
            "Description": one["description"],
            "ScheduleExpressionTimezone": one["schedule_expression_timezone"],
            "FlexibleTimeWindow": {"Mode": one["flexible_time_window"][0]["mode"]},
            "Target": {
                "Arn": target["arn"],
                "RoleArn": target["role_arn"],
                "Input": target["input"],
                "RetryPolicy": {
                    "MaximumEventAgeInSeconds": target["retry_policy"][0]["maximum_event_age_in_seconds"],
                    "MaximumRetryAttempts": target["retry_policy"][0]["maximum_retry_attempts"],
                },
            },
        },
    )


def _alarm(one):
    return (
        "cloudwatch",
        "PutMetricAlarm",
        {
            "AlarmName": one["alarm_name"],
            "AlarmDescription": one["alarm_description"],
            "Namespace": one["namespace"],
            "MetricName": one["metric_name"],
            "Statistic": one["statistic"],
            "Period": one["period"],
            "EvaluationPeriods": one["evaluation_periods"],
            "ComparisonOperator": one["comparison_operator"],
            "Threshold": one["threshold"],
            "TreatMissingData": one["treat_missing_data"],
            "AlarmActions": one["alarm_actions"],
            "OKActions": one["ok_actions"],
            "Dimensions": [{"Name": name, "Value": value} for name, value in one["dimensions"].items()],
        },
    )


def _rule(one):
    return (
        "events",
        "PutRule",
        {"Name": one["name"], "Description": one["description"], "EventPattern": one["event_pattern"]},
    )


def _role(one):
    return (
        "iam",
        "CreateRole",
        {
            "RoleName": one["name"],
            "Description": one["description"],
            "AssumeRolePolicyDocument": one["assume_role_policy"],
        },
    )


def _role_policy(one):
    return (
        "iam",
        "PutRolePolicy",
        {"RoleName": one["role"], "PolicyName": one["name"], "PolicyDocument": one["policy"]},
    )


def _repository(one):
    return (
        "ecr",
        "CreateRepository",
        {"repositoryName": one["name"], "imageTagMutability": one["image_tag_mutability"]},
    )


BUILDERS = {
    "aws_lambda_function": _lambda_function,
    "aws_lambda_function_event_invoke_config": _invoke_config,
    "aws_db_instance": _database,
    "aws_db_parameter_group": _parameters,
    "aws_batch_job_queue": _job_queue,
    "aws_batch_compute_environment": _compute_environment,
    "aws_batch_job_definition": _job_definition,
    "aws_scheduler_schedule": _schedule,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_cloudwatch_event_rule": _rule,
    "aws_iam_role": _role,
    "aws_iam_role_policy": _role_policy,
    "aws_ecr_repository": _repository,
}


def universal_target(schedule):
    """Return what a schedule's universal target calls, by the API's own names; None of another target.

    The scheduler takes them as Java's SDK writes them: Db for DB, and a capital first.
    """
    target = schedule["target"][0]
    called = re.fullmatch(r"arn:aws:scheduler:::aws-sdk:(\w+):(\w+)", target["arn"])
    if not called:
        return None
    service, name = called[1], called[2][0].upper() + called[2][1:]
    members = _model(service).operation_model(name).input_shape.members
    return service, name, _renamed(json.loads(target["input"]), members)


def _renamed(given, members):
    by_name = {name.lower(): name for name in members}
    return {
        by_name.get(name.lower(), name): _renamed(value, members[by_name[name.lower()]].members)
        if isinstance(value, dict)
        else value
        for name, value in given.items()
    }


def faults(service, operation, parameters):
    """Yield what the service's model says against a request."""
    shape = _model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        yield report.generate_report()
        return
    yield from _beyond(shape, parameters, operation)


@cache
def _model(service):
    return botocore.session.get_session().get_service_model(service)


def _beyond(shape, value, path):
    """Yield what botocore itself does not check: enums, greatest lengths and values, patterns."""
    for inner_shape, inner, name in _inside(shape, value):
        yield from _beyond(inner_shape, inner, f"{path}{name}")
    most = shape.metadata.get("max")
    size = len(value) if shape.type_name in {"string", "list", "map"} else value
    if most is not None and isinstance(size, int | float) and size > most:
        yield f"{path}: {size} is above {most}"
    if shape.type_name == "string":
        yield from _beyond_text(shape, value, path)


def _inside(shape, value):
    """Yield the shape, the value and the place of each thing within another."""
    if shape.type_name == "structure":
        yield from ((shape.members[name], inner, f".{name}") for name, inner in value.items())
    elif shape.type_name == "list":
        yield from ((shape.member, inner, "[]") for inner in value)
    elif shape.type_name == "map":
        yield from ((shape.key, name, ".key") for name in value)
        yield from ((shape.value, inner, f".{name}") for name, inner in value.items())


def _beyond_text(shape, value, path):
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield f"{path}: {value!r} is not one of {allowed}"
    pattern = shape.metadata.get("pattern") or ""
    for theirs, ours in (("\\p{L}", "A-Za-z"), ("\\p{Z}", " "), ("\\p{N}", "0-9")):
        pattern = pattern.replace(theirs, ours)
    if not re.search(pattern, value):
        yield f"{path}: {value!r} does not match {pattern}"
