"""Which events a rule of EventBridge passes, and those of AWS Batch to try it with.

The rules are AWS's own, for the operators in use; test_event_patterns.py holds this against the cases that
AWS publishes. An operator that is not known here is an error; so is a pattern that EventBridge would refuse.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

_ARRAY = json.loads((Path(__file__).parents[1] / "events" / "batch_job_state_change.json").read_text())

_COMPARISONS = {
    "<": lambda value, operand: value < operand,
    "<=": lambda value, operand: value <= operand,
    "=": lambda value, operand: value == operand,
    ">=": lambda value, operand: value >= operand,
    ">": lambda value, operand: value > operand,
}


def matches(pattern, event):
    """Tell whether EventBridge passes an event.

    Raises:
        ValueError: EventBridge would not take the pattern, or it holds an operator that is not known here.
    """
    if not isinstance(pattern, dict):
        raise ValueError(f"a pattern is an object, not {pattern!r}")  # noqa: TRY004
    fields = event if isinstance(event, dict) else {}
    return all(_field(one, fields.get(name)) for name, one in pattern.items())


def _field(one, value):
    """``value`` is None where there is no such field; no pattern here tells that from null."""
    if isinstance(one, dict):
        return matches(one, value)
    if not isinstance(one, list) or not one:
        raise ValueError(f"a field's values stand in a list that is not empty, not {one!r}")
    # Of a list in the event one element is enough.
    values = value if isinstance(value, list) else [value]
    return any(_fits(wanted, given) for wanted in one for given in values)


def _fits(wanted, value):
    if not isinstance(wanted, dict):
        return type(wanted) is type(value) and wanted == value
    ((operator, operand),) = wanted.items()
    if operator == "exists":
        return (value is not None) is operand
    if operator == "numeric":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        tests = zip(operand[::2], operand[1::2], strict=True)
        return is_number and all(_COMPARISONS[sign](value, bound) for sign, bound in tests)
    if operator == "prefix":
        return isinstance(value, str) and value.startswith(operand)
    if operator == "wildcard":
        return isinstance(value, str) and _wildcard(operand).fullmatch(value) is not None
    raise ValueError(f"the operator {operator!r} is not known here")


def _wildcard(operand):
    """Return the regular expression of a wildcard: * stands for anything, \\* and \\\\ for themselves."""
    if "**" in operand:
        raise ValueError(f"consecutive wildcard characters: {operand!r}")
    parts = re.findall(r"\\[*\\]|\*|[^*\\]", operand)
    if "".join(parts) != operand:
        raise ValueError(f"a backslash stands before * or another one alone: {operand!r}")
    return re.compile("".join(".*" if one == "*" else re.escape(one[-1]) for one in parts), re.DOTALL)


def job_event(**detail):
    """Return what AWS Batch tells of an array of condvest-dev-resample that has succeeded, or of another job.

    Args:
        detail: what is otherwise in the event's detail; None takes a field out.
    """
    event = copy.deepcopy(_ARRAY)
    event["detail"] |= detail
    event["detail"] = {name: value for name, value in event["detail"].items() if value is not None}
    return event
