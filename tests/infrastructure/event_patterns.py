"""Which events a rule of EventBridge passes, and those of AWS Batch to try it with."""

from __future__ import annotations

import copy
import fnmatch
import json
from pathlib import Path

_ARRAY = json.loads((Path(__file__).parents[1] / "events" / "batch_job_state_change.json").read_text())


def matches(pattern, event):
    """Tell whether EventBridge passes an event: as its documentation has it, for the operators in use.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    if isinstance(pattern, dict):
        fields = event if isinstance(event, dict) else {}
        return all(matches(pattern[key], fields.get(key)) for key in pattern)
    return any(_fits(one, event) for one in pattern)


def _fits(one, value):
    """``value`` is None where there is no such field."""
    if not isinstance(one, dict):
        return one == value
    ((operator, operand),) = one.items()
    if operator == "exists":
        return (value is not None) is operand
    if operator == "numeric":
        assert operand == [">", 0]
        return isinstance(value, int) and value > 0
    test = {"prefix": str.startswith, "wildcard": fnmatch.fnmatchcase}[operator]
    return isinstance(value, str) and test(value, operand)


def job_event(**detail):
    """Return what AWS Batch tells of an array of condvest-dev-resample that has succeeded, or of another job.

    Args:
        detail: what is otherwise in the event's detail; None takes a field out.
    """
    event = copy.deepcopy(_ARRAY)
    event["detail"] |= detail
    event["detail"] = {name: value for name, value in event["detail"].items() if value is not None}
    return event
