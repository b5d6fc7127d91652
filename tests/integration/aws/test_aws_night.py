"""A night on the free plan, on the built function, with its real deadline: only its sleeps are skipped."""

import http.server
import json
import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from condvest.batch_layer.shared.clients.parsing import parse
from tests.support.aws import artefacts as aws_artefacts
from tests.support.aws.emulated import ARCHIVE, configured, credentials, emulated_aws, fresh_bucket
from tests.support.aws.lambda_runtime import running
from tests.support.emulators.massive import KEY
from tests.support.skipping_clock import SkippingClock

pytestmark = pytest.mark.aws

PAGES = {"true": 13, "false": 25}
"""Pages of the listed and of the delisted tickers."""

SECRET = "condvest-dev/massive-api-key"  # noqa: S105  # its name
FUNCTIONS = aws_artefacts.ROOT / "batch_layer/infrastructure/modules/fetching/main.tf"
EVENT = Path(__file__).parents[2] / "events/schedule.json"


class _Vendor(http.server.BaseHTTPRequestHandler):
    """The lists of tickers, in pages; no split, no dividend. Notes when it is asked."""

    def do_GET(self):
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        self.server.times.append(self.server.clock())
        answer = {"status": "OK", "request_id": "a", "results": [], "count": 0}
        if asked.path == "/v3/reference/tickers":
            page, active = int(query.get("cursor", 1)), query["active"]
            answer |= {"results": [_ticker(active, page)], "count": 1}
            if page < PAGES[active]:
                answer["next_url"] = f"https://api.massive.com{asked.path}?cursor={page + 1}&active={active}"
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def _ticker(active, page):
    name = f"{'L' if active == 'true' else 'D'}{chr(64 + page)}"
    told = {"ticker": name, "name": f"{name} Inc.", "market": "stocks", "locale": "us", "type": "CS"}
    told |= {"active": active == "true", "currency_name": "usd", "last_updated_utc": "2024-06-03T00:00:00Z"}
    return told | ({} if active == "true" else {"delisted_utc": "2020-06-03T00:00:00Z"})


@contextmanager
def vendor(clock):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Vendor)
    server.daemon_threads = True
    server.clock, server.times = clock, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def archive(monkeypatch):
    with emulated_aws() as endpoint, configured(monkeypatch, endpoint):
        made = fresh_bucket(endpoint)
        boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString=KEY)
        yield S3Archive.of(ARCHIVE, made)


def test_a_night_of_38_pages_on_the_free_plan_is_archived_in_one_run(archive, tmp_path):
    """Forty calls at five a minute: eight minutes of the fifteen that the Terraform gives."""
    clock = SkippingClock(tmp_path)
    seconds = int(re.search(r"\bdaily_meta_fetcher = (\d+)", FUNCTIONS.read_text())[1])
    with vendor(clock) as asked:
        environ = credentials() | {
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
            "CONDVEST_ARCHIVE": ARCHIVE,
            "CONDVEST_PROVIDER": "massive",
            "CONDVEST_MASSIVE_SECRET": SECRET,
            "CONDVEST_MASSIVE_PLAN": "basic",
            "CONDVEST_MASSIVE_BASE_URL": f"http://127.0.0.1:{asked.server_port}",
            "POWERTOOLS_METRICS_NAMESPACE": "Condvest/test",
            "PYTHONPATH": os.pathsep.join(map(str, (tmp_path / "task", tmp_path / "opt/python", tmp_path))),
        }
        with running(
            aws_artefacts.built("function"),
            aws_artefacts.built("layer"),
            "condvest.batch_layer.fetching.lambda_functions.daily_meta_fetcher.handler",
            aws_artefacts.runtime(),
            tmp_path,
            environ,
            seconds=seconds,
            clock=clock,
        ) as function:
            began = clock()
            kind, answer = function.call(json.loads(EVENT.read_text()))
            spent = clock() - began
    assert (kind, answer.get("left")) == ("answer", []), answer
    assert [key.split("/")[1] for key in answer["archived"]] == ["splits", "dividends", "instruments"]
    symbols = parse(archive.read(answer["archived"][-1])).rows.symbol.tolist()
    assert len(set(symbols)) == sum(PAGES.values()) == 38
    assert len(asked.times) == 40
    # Never more than five in a minute, for which seven waits suffice; and far from the end.
    # The first of six may arrive late, by as much as a busy machine makes it.
    late = 5
    assert min(sixth - first for first, sixth in zip(asked.times, asked.times[5:], strict=False)) >= 60 - late
    assert 7 * 60 < spent < seconds - 60
