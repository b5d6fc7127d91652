"""Log lines and metrics for CloudWatch: one JSON object per line.

The functions on AWS Lambda (`condvest.batch_layer.fetching.lambda_functions.observing`) and the jobs on AWS
Batch write the same fields and the same metrics, so one query by correlation id follows a night from the
fetch to the load to the jobs. On a terminal, people get plain text and no metrics.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

UNITS = {
    "RowsLoaded": "Count",
    "RowsChanged": "Count",
    "RowsRefused": "Count",
    "SessionsArchived": "Count",
    "SessionsLeft": "Count",
    "SessionsMissing": "Count",
    "StalenessHours": "None",
    "BarsStalenessHours": "None",
    "VendorCalls": "Count",
    "BarsInserted": "Count",
    "BarsChanged": "Count",
    "BarsRemoved": "Count",
    "Findings": "Count",
    "DurationSeconds": "Seconds",
    "LiveDataAgeSeconds": "Seconds",
}
"""Every metric of the functions and the jobs, with CloudWatch's unit of each."""

NAMESPACE = "Condvest"
"""The namespace of the metrics, unless ``POWERTOOLS_METRICS_NAMESPACE`` names another."""

_NAMES = {
    "AWS_BATCH_JOB_ID": "job_id",
    "AWS_BATCH_JOB_ATTEMPT": "attempt",
    "AWS_BATCH_JOB_ARRAY_INDEX": "shard",
    "CONDVEST_CORRELATION_ID": "correlation_id",
}
"""The environment variables that identify a job, and the fields of a log line that carry their values."""


def log_line(environ: Mapping[str, str], text: str, now: dt.datetime) -> str:
    """Return a message as one line of JSON.

    Args:
        environ: of the job; ``CONDVEST_CORRELATION_ID`` is the correlation id of the fetch that made the job
            necessary.
        text: the message; its level is ERROR if it begins with ``error:``, otherwise INFO.
        now: an aware instant.
    """
    level = "ERROR" if text.startswith("error:") else "INFO"
    stamp = now.astimezone(dt.UTC).isoformat(sep=" ", timespec="milliseconds")
    return json.dumps({"level": level, "message": text, "timestamp": stamp, **_labels(environ)})


def metrics_line(environ: Mapping[str, str], values: Mapping[str, float], now: dt.datetime) -> str:
    """Return metrics, each a name of UNITS, as one line in CloudWatch's embedded format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    directive = {
        "Namespace": environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE,
        "Dimensions": [["service"]],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
    }
    about = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, **_labels(environ), **values})


def _labels(environ: Mapping[str, str]) -> dict[str, Any]:
    known = {name: environ[variable] for variable, name in _NAMES.items() if environ.get(variable)}
    return {"service": environ.get("POWERTOOLS_SERVICE_NAME") or "condvest", **known}
