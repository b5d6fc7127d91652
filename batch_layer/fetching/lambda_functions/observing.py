"""What a call leaves in CloudWatch: structured logs with a correlation id, and metrics in embedded format."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from condvest.batch_layer.fetching.lambda_functions.deadline import Deadline, LambdaContext
from condvest.batch_layer.shared.utils.logs import NAMESPACE, UNITS


@dataclass
class Call:
    """One call of a function.

    Attributes:
        deadline: the time that it has.
        log: writes JSON lines that bear the correlation id.
        correlation_id: marks all that comes of one event: fetch, load and jobs.
    """

    deadline: Deadline
    log: Logger
    correlation_id: str
    measured: Counter[str] = field(default_factory=Counter)

    def correlate(self, correlation_id: str) -> None:
        """Mark what follows as a part of what an earlier function began."""
        self.correlation_id = correlation_id
        self.log.set_correlation_id(correlation_id)

    def measure(self, **values: float) -> None:
        """Add to metrics, named as in UNITS; each is written once, when the call ends."""
        for name, value in values.items():
            self.measured[name] += value  # type: ignore[assignment]  # typeshed lets a Counter count whole only


@contextmanager
def observed(function: str, context: LambdaContext) -> Iterator[Call]:
    """Run the block as one call of a function.

    What it logs and measures is written whatever becomes of it, and an error is logged and goes on.
    """
    service = os.environ.get("POWERTOOLS_SERVICE_NAME") or function
    log = Logger(service=service, location="%(module)s:%(lineno)d")
    metrics = Metrics(service=service, namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE)
    metrics.clear_metrics()
    call = Call(Deadline(context), log, context.aws_request_id)
    log.append_keys(request_id=context.aws_request_id)
    call.correlate(call.correlation_id)
    began = time.monotonic()
    try:
        with call.deadline.enforced():
            yield call
    except Exception as error:
        log.exception("failed", kind=type(error).__name__, reason=str(error))
        raise
    finally:
        call.measure(DurationSeconds=time.monotonic() - began)
        for name, value in call.measured.items():
            metrics.add_metric(name=name, unit=UNITS[name], value=value)
        metrics.flush_metrics()


def logged(call: Call, what: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Log what a call did, and return it as its answer."""
    answer = {**answer, "correlation_id": call.correlation_id}
    call.log.info(what, **answer)
    return answer
