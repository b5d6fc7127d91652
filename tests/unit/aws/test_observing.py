"""What a job on AWS Batch writes, held against the formats that CloudWatch reads."""

import datetime as dt
import json

import pytest

from condvest.batch_layer.shared.utils.logs import log_line, metrics_line
from condvest.cli.output.messages import measure, message

NOW = dt.datetime(2024, 6, 3, 12, 0, 0, 250_000, tzinfo=dt.UTC)
JOB = {
    "AWS_BATCH_JOB_ID": "1c2d:3",
    "AWS_BATCH_JOB_ATTEMPT": "2",
    "AWS_BATCH_JOB_ARRAY_INDEX": "3",
    "CONDVEST_CORRELATION_ID": "nightly/2024-06-03T12:00:00Z",
    "POWERTOOLS_SERVICE_NAME": "resample",
    "POWERTOOLS_METRICS_NAMESPACE": "Condvest/condvest-dev",
}


def test_a_line_says_of_which_night_and_which_job_it_is():
    assert json.loads(log_line(JOB, "resampled\n2 windows", NOW)) == {
        "level": "INFO",
        "message": "resampled\n2 windows",
        "timestamp": "2024-06-03 12:00:00.250+00:00",
        "service": "resample",
        "job_id": "1c2d:3",
        "attempt": "2",
        "shard": "3",
        "correlation_id": "nightly/2024-06-03T12:00:00Z",
    }
    assert "\n" not in log_line(JOB, "a\nb", NOW)
    assert json.loads(log_line({}, "error: x", NOW))["level"] == "ERROR"


def test_metrics_are_in_the_embedded_format():
    """As the specification has it: the directive names what stands beside it; milliseconds since 1970."""
    told = json.loads(metrics_line(JOB, {"BarsInserted": 7, "DurationSeconds": 1.5}, NOW))
    assert told["_aws"] == {
        "Timestamp": 1717416000250,
        "CloudWatchMetrics": [
            {
                "Namespace": "Condvest/condvest-dev",
                "Dimensions": [["service"]],
                "Metrics": [
                    {"Name": "BarsInserted", "Unit": "Count"},
                    {"Name": "DurationSeconds", "Unit": "Seconds"},
                ],
            }
        ],
    }
    assert (told["service"], told["BarsInserted"], told["DurationSeconds"]) == ("resample", 7, 1.5)
    with pytest.raises(KeyError):
        metrics_line(JOB, {"NoSuchMetric": 1}, NOW)


def test_people_get_plain_text_and_no_metrics(capsys, monkeypatch):
    monkeypatch.delenv("AWS_BATCH_JOB_ID", raising=False)
    message("done")
    measure({"BarsInserted": 1})
    assert capsys.readouterr().err == "done\n"
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "job")
    message("done")
    measure({"BarsInserted": 1})
    first, second = capsys.readouterr().err.splitlines()
    assert (json.loads(first)["message"], json.loads(second)["BarsInserted"]) == ("done", 1)
