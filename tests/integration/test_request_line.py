"""What stands in the line of a request, sent by a bare socket: no client of ours would write it."""

import contextlib
import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.support.serving import served


@pytest.fixture(scope="module")
def asked(sample):
    """Return a function that sends a line and headers, and gives the status and the body of the answer."""
    with served(sample.workspace.settings) as address:

        def ask(line, *headers):
            where = urlsplit(address)
            lines = [line, f"Host: {where.netloc}", "Connection: close", *headers, "", ""]
            with socket.create_connection((where.hostname, where.port), timeout=30) as client:
                client.sendall("\r\n".join(lines).replace("OURS", where.netloc).encode())
                head, _, body = b"".join(iter(lambda: client.recv(1 << 16), b"")).partition(b"\r\n\r\n")
            with contextlib.suppress(ValueError):
                body = json.loads(body)
            return int(head.split()[1]), body

        yield ask


@pytest.mark.parametrize(
    "target",
    [
        "http://other.example/v1/version",
        "http://other.example:8400/v1/version",
        "HTTP://other.example/v1/version",
        "http://OURS@other.example/v1/version",
        "http://other.example/v1/version?OURS",
    ],
)
def test_a_line_that_names_another_host_is_refused_as_another_host_is(asked, target):
    status, problem = asked(f"GET {target} HTTP/1.1")
    assert status == 403
    assert "does not answer for the host" in problem["detail"]


def test_a_line_that_names_this_host_is_answered(asked):
    status, said = asked("GET http://OURS/v1/version HTTP/1.1")
    assert status == 200
    assert said == asked("GET /v1/version HTTP/1.1")[1]


@pytest.mark.parametrize(
    "target", ["http://other.example", "http:/v1/version", "//other.example/v1/version", "*", "v1/version"]
)
def test_a_line_of_any_other_form_gets_no_data(asked, target):
    status, _ = asked(f"GET {target} HTTP/1.1")
    assert 400 <= status < 500


def test_a_second_header_host_is_refused(asked):
    assert asked("GET /v1/version HTTP/1.1", "Host: other.example")[0] in (400, 403)


def test_no_request_leaves_http_and_so_the_guards(asked):
    """An upgrade to WebSocket is no way past them, whatever libraries are there."""
    wanted = (
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )
    assert asked("GET http://other.example/v1/version HTTP/1.1", *wanted)[0] == 403
