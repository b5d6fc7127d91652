"""Whatever bytes a vendor's server sends, a client returns what it was asked for or a typed error, in time.

The server plays by no rules of HTTP. A body without an end and one that drips are in test_massive_wire.py.
"""

import datetime as dt
import json
import socketserver
import threading
from contextlib import closing, suppress

import pytest
from hypothesis import HealthCheck, example, given, settings

from condvest.batch_layer.shared.clients.massive import MassiveClient, Transport
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.clients.yahoo.client import YahooClient
from condvest.batch_layer.shared.errors import InputError, VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.utils.retry import Retry
from tests.integration.vendors.test_massive_wire import GOOD, SESSION
from tests.support.strategies.raw_answers import raw_answer
from tests.unit.clients.yahoo.test_yahoo_parse import chart

NOW = dt.datetime(2024, 7, 10, 16, tzinfo=dt.UTC)
SPLITS = {
    "status": "OK",
    "results": [{"ticker": "A", "execution_date": "2024-03-04", "split_from": 1, "split_to": 2}],
    "next_url": "/stocks/v1/splits?cursor=1",
}
TYPED = (VendorUnavailable, VendorRefused, InputError)
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning")


class RawServer(socketserver.ThreadingTCPServer):
    """Answers each connection with the same bytes, whatever it asks, and closes it."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), None)
        self.answer = b""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request, _):
        request.settimeout(5)
        asked = b""
        with suppress(OSError):  # the client may leave before the end
            while b"\r\n\r\n" not in asked and (piece := request.recv(65_536)):
                asked += piece
            request.sendall(self.answer)


@pytest.fixture(scope="module")
def server():
    with RawServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def massive(server, tmp_path_factory):
    limit = RateLimit(tmp_path_factory.mktemp("limit") / "limit", Rate(1_000_000, 1.0))
    retry = Retry(attempts=2, sleep=lambda _: None)
    with closing(MassiveClient(Transport(server.url, "key"), limit, retry=retry, now=lambda: NOW)) as client:
        yield client


@pytest.fixture(scope="module")
def yahoo(server, tmp_path_factory):
    return YahooClient(server.url, tmp_path_factory.mktemp("yahoo"))


def answered(body, *headers):
    lines = ["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


FEWER = settings(suppress_health_check=list(HealthCheck), max_examples=max(20, settings().max_examples // 4))


@FEWER
@given(answer=raw_answer(json.loads(GOOD)))
@example(answer=b"")
@example(answer=b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n")
@example(answer=b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n")
def test_a_session_of_massive_comes_whole_or_as_a_typed_error(server, massive, answer):
    server.answer = answer
    with suppress(TYPED):
        assert isinstance(json.loads(massive.grouped_daily(SESSION).content), dict)


@FEWER
@given(answer=raw_answer(SPLITS))
def test_a_list_of_massive_comes_whole_or_as_a_typed_error(server, massive, answer):
    server.answer = answer
    with suppress(TYPED):
        assert massive.splits().startswith(b"\x1e")


@FEWER
@given(answer=raw_answer(chart()))
@example(answer=b"HTTP/1.1 429 Slow\r\nRetry-After: " + b"9" * 5_000 + b"\r\nContent-Length: 0\r\n\r\n")
def test_a_chart_of_yahoo_comes_whole_or_as_a_typed_error(server, yahoo, answer):
    server.answer = answer
    with suppress(VendorUnavailable, VendorRefused):
        content = yahoo.chart("HAND", dt.date(2024, 3, 7), dt.date(2024, 3, 12))
        assert "chart" in json.loads(content)


def test_what_is_spoilt_above_is_taken_when_it_is_whole(server, massive, yahoo):
    server.answer = answered(GOOD)
    assert massive.grouped_daily(SESSION).content == GOOD
    server.answer = answered(json.dumps(chart()).encode(), "Content-Type: application/json")
    assert json.loads(yahoo.chart("HAND", dt.date(2024, 3, 7), dt.date(2024, 3, 12))) == chart()
