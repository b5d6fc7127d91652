"""The functions as they are called on AWS: vendor, S3, Secrets Manager emulated; PostgreSQL real.

The fixtures are those of tests/integration; `lambdas` calls the functions.
"""

import datetime as dt
import json
import logging
import time
from pathlib import Path

import boto3
import pytest

from condvest.batch_layer.fetching.lambda_functions import (
    archive_loader,
    daily_meta_fetcher,
    daily_ohlcv_fetcher,
)
from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from tests.support.aws.emulated import ARCHIVE, configured, emulated_aws, fresh_bucket
from tests.support.emulators.massive import KEY, MassiveEmulator
from tests.support.emulators.synthetic.market import Market

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
EVENTS = Path(__file__).parents[2] / "events"
SECRET = "condvest-dev/massive"  # noqa: S105  # its name


class Context:
    """What Lambda tells of a call of ``seconds``."""

    def __init__(self, seconds=300.0, request_id="a-request"):
        self.aws_request_id = request_id
        self._until = time.monotonic() + seconds

    def get_remaining_time_in_millis(self):
        return int((self._until - time.monotonic()) * 1000)


@pytest.fixture(scope="module")
def aws_endpoint():
    with emulated_aws() as url:
        yield url


@pytest.fixture(scope="module")
def lambda_market():
    return Market(
        seed=7, instruments=60, first_session=dt.date(2024, 4, 1), last_session=dt.date(2024, 5, 31)
    )


@pytest.fixture
def vendor(lambda_market):
    with MassiveEmulator(lambda_market, now=NOW, delay=0.01) as running:
        yield running


@pytest.fixture
def s3(aws_endpoint, monkeypatch):
    with configured(monkeypatch, aws_endpoint):
        made = fresh_bucket(aws_endpoint)
        boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps({"api_key": KEY}))
        yield made


@pytest.fixture
def lambdas(s3, vendor, url, monkeypatch, tmp_path):
    """The environment of the functions, as Terraform sets it."""
    for name, value in {
        "CONDVEST_ARCHIVE": ARCHIVE,
        "CONDVEST_PROVIDER": "massive",
        "CONDVEST_MASSIVE_SECRET": SECRET,
        "CONDVEST_MASSIVE_PLAN": "paid",
        "CONDVEST_MASSIVE_BASE_URL": vendor.url,
        "CONDVEST_DATABASE_URL": url,
        "CONDVEST_HOME": str(tmp_path),
        "POWERTOOLS_METRICS_NAMESPACE": "Condvest/test",
    }.items():
        monkeypatch.setenv(name, value)
    for module in (daily_ohlcv_fetcher, daily_meta_fetcher, archive_loader):
        monkeypatch.setattr(module, "utc_now", lambda: NOW)
    yield Lambdas(s3, monkeypatch)
    for name in ("daily_ohlcv_fetcher", "daily_meta_fetcher", "archive_loader"):
        logging.root.manager.loggerDict.pop(name, None)  # it writes to this test's standard output


class Lambdas:
    """Calls the functions, and delivers S3's events as EventBridge does."""

    def __init__(self, s3, monkeypatch):
        self.s3 = s3
        self.archive = S3Archive.of(ARCHIVE, s3)
        self.setenv = monkeypatch.setenv
        self._template = json.loads((EVENTS / "s3_object_created.json").read_text())

    def fetch(self, event=None, **how):
        schedule = json.loads((EVENTS / "schedule.json").read_text())
        return daily_ohlcv_fetcher.handler(schedule if event is None else event, Context(**how))

    def fetch_meta(self, event):
        return daily_meta_fetcher.handler(event, Context())

    def load(self, event, **how):
        return archive_loader.handler(event, Context(**how))

    def event_of(self, name):
        detail = self._template["detail"]
        return self._template | {"detail": detail | {"object": detail["object"] | {"key": name}}}

    def events(self):
        """Return the events of all objects, in the order in which they were written."""
        names = [f"archive/{key}" for key in self.archive.keys()]  # noqa: SIM118  # no mapping
        return [self.event_of(name) for key in names for name in (f"{key}.zst", f"{key}.json")]

    def load_all(self):
        return [self.load(event) for event in self.events()]
