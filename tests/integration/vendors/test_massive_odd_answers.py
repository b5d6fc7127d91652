"""Whatever Massive answers ends as loaded, refused, or a failure that passes; never in an error of ours."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from condvest.batch_layer.shared.clients.massive import Transport, parse
from condvest.batch_layer.shared.clients.massive.client import MassiveClient
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.errors import VendorUnavailable
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.utils.retry import Retry
from tests.support.exchange import NOW


@contextmanager
def asked(tmp_path, answer):
    """Yield a client of a server that answers by ``answer()``: status, headers, body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = answer()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        transport = Transport(f"http://127.0.0.1:{server.server_port}", "a-key-of-tests")
        limit = RateLimit(tmp_path / "limit", Rate(1_000_000, 1.0))
        with MassiveClient(
            transport, limit, retry=Retry(attempts=2, sleep=lambda _: None), now=lambda: NOW
        ) as client:
            yield client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page(**more):
    return 200, {}, json.dumps({"status": "OK", "results": [], **more}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        page(status=[]),
        page(status={"a": 1}),
        page(status=None),
        page(next_url="http://["),
        page(next_url="http://a/\n"),
        page(next_url="http://a/" + "x" * 100_000),
        page(next_url="http://a/é"),
        page(next_url=["http://a/"]),
        (429, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2300"}, b""),
        (302, {"Location": "/" + "x" * 70_000}, b""),
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_read_is_a_failure_that_passes(tmp_path, answer):
    with asked(tmp_path, lambda: answer) as client, pytest.raises(VendorUnavailable, match="list of splits"):
        client.splits()


def test_pages_that_never_end_end(tmp_path):
    numbers = count()
    with (
        asked(tmp_path, lambda: page(next_url=f"http://a/next?cursor={next(numbers)}")) as client,
        pytest.raises(VendorUnavailable, match="expected an end, got 10 pages"),
    ):
        client.splits()
    assert next(numbers) == 10


def test_some_pages_without_a_row_are_no_end(tmp_path):
    row = {"ticker": "A", "execution_date": "2024-03-04", "split_from": 1, "split_to": 2}
    answers = iter([*[page(next_url=f"http://a/{n}") for n in range(9)], page(results=[row])])
    with asked(tmp_path, lambda: next(answers)) as client:
        assert b'"split_to": 2' in client.splits()


def read(dataset, *results):
    content = json.dumps({"status": "OK", "results": list(results)}).encode()
    return parse(Payload("massive", dataset, content, "json", None, None, NOW, is_whole=False, name="/l"))


@pytest.mark.parametrize("dataset", ["splits", "dividends", "instruments"])
@pytest.mark.parametrize("row", [None, 5, "a", []], ids=repr)
def test_a_row_that_is_no_object_is_refused_and_kept(dataset, row):
    """Also where no row of the payload is one, so that it has no columns."""
    parsed = read(dataset, row)
    assert list(parsed.faults) == [0]
    assert "is not an object" in parsed.faults[0]
    assert parsed.source.slice(0, 1).to_pylist() == [{}]


def test_a_text_that_no_database_holds_is_refused():
    rows = [{"ticker": "A", "composite_figi": "BBG\0"}, {"ticker": "B", "composite_figi": "BBG1"}]
    parsed = read("instruments", *rows)
    assert parsed.faults == {0: "figi: holds a NUL"}
    assert "\0" not in "".join(parsed.rows.figi)
