"""What an AWS account answers where an emulator says yes to everything: its rules, its defaults, its quotas.

``STAND_IN_ACCOUNT`` names the account: ``usual`` (the default) has been in use for a while; ``new`` is one of
the first day. Each rule names where AWS or a report of it says so.
"""

from __future__ import annotations

import os

from quotas import ACCOUNTS

_STATIC = {"max_connections", "shared_preload_libraries", "shared_buffers", "autovacuum_max_workers"}
"""Parameters that RDS changes only by a restart (its ``ApplyType`` is ``static``)."""

_DEFAULTS = {
    "rds.force_ssl": "1",
    "shared_preload_libraries": "pg_stat_statements",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_scale_factor": "0.1",
    "checkpoint_timeout": "300",
    "idle_in_transaction_session_timeout": "86400000",
    "max_wal_size": "2048",
}
"""What ``describe-db-parameters --source system`` has of the parameters that we set, in the families
postgres16 to 18. ``track_io_timing`` is ``1`` in some and unset in others, so both are tried:
``STAND_IN_RDS_DEFAULTS`` adds to these (``name=value,name=value``)."""

_EXECUTIONS = "L-B99A9384"
_KEPT_UNRESERVED = {"usual": 100, "new": 10}
"""Concurrent executions of Lambda, and how many must stay unreserved
(DataDog/datadog-serverless-functions#621; https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html)."""


class Refused(Exception):
    """AWS answers with an error."""


def _name():
    return os.environ.get("STAND_IN_ACCOUNT") or "usual"


def check(kind, prior, plan):
    """Raise what AWS answers to a request that it refuses.

    Raises:
        Refused: with AWS's words.
    """
    rule = _RULES.get(kind)
    if rule:
        rule(prior, plan)


def _parameters(_prior, plan):
    for one in plan.get("parameter") or []:
        if one["name"] in _STATIC and one["apply_method"] == "immediate":
            raise Refused(
                "InvalidParameterCombination: cannot use immediate apply method for static parameter "
                f"{one['name']}"
            )


def _reservation(prior, plan):
    wanted = plan.get("reserved_concurrent_executions")
    if wanted is None or wanted < 0 or (prior or {}).get("reserved_concurrent_executions") == wanted:
        return
    if ACCOUNTS[_name()][_EXECUTIONS] - wanted < _KEPT_UNRESERVED[_name()]:
        raise Refused(
            "PutFunctionConcurrency: InvalidParameterValueException: Specified ReservedConcurrentExecutions "
            "for function decreases account's UnreservedConcurrentExecution below its minimum value of "
            f"[{_KEPT_UNRESERVED[_name()]}]."
        )


def _compute_environment(prior, _plan):
    if prior is None and _name() == "new" and "batch" not in _linked_roles():
        raise Refused(
            "CLIENT_ERROR - Unable to assume the service linked role. Please verify that the ECS service "
            "linked role exists."
        )


def _linked_roles():
    """Return the services whose linked role is there (``STAND_IN_LINKED_ROLES``: ``batch,ecs,rds``)."""
    return os.environ.get("STAND_IN_LINKED_ROLES", "").split(",")


_RULES = {
    "aws_batch_compute_environment": _compute_environment,
    "aws_db_parameter_group": _parameters,
    "aws_lambda_function": _reservation,
}


def described(kind, state):
    """Return the state as AWS describes the thing, which need not be as it was asked for.

    RDS ignores a request for the value that is its default anyway, and goes on describing the parameter as
    ``pending-reboot`` (terraform-provider-aws#39252; internal/service/rds/parameter_group.go of the provider
    keeps what it reads, and compares the apply method too).
    """
    if kind != "aws_db_parameter_group" or not state or not state.get("parameter"):
        return state
    more = os.environ.get("STAND_IN_RDS_DEFAULTS", "")
    defaults = _DEFAULTS | dict(one.split("=") for one in more.split(",") if one)
    return state | {
        "parameter": [
            one | {"apply_method": "pending-reboot"} if defaults.get(one["name"]) == one["value"] else one
            for one in state["parameter"]
        ]
    }
