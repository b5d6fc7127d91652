"""What stands in the line of a request, sent by a bare socket: no client of ours would write it."""

import contextlib
import json
import socket
from urllib.parse import urlsplit

import pytest

from condvest.serving_layer.http.server import MOST_CONNECTIONS
from tests.support.serving import served


class Answer:
    """What came over a connection until its end."""

    def __init__(self, content):
        head, _, body = content.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        self.status = int(line.split()[1])
        self.headers = dict(each.lower().split(": ", 1) for each in lines)
        self.body = json.loads(body)


def connected(address):
    where = urlsplit(address)
    return socket.create_connection((where.hostname, where.port), timeout=30)


def received(client):
    return Answer(b"".join(iter(lambda: client.recv(1 << 16), b"")))


@pytest.fixture(scope="module")
def served_with_log(sample):
    """Give the address of a server, and the list of the lines of its log."""
    lines = []
    with served(sample.workspace.settings, log=lines.append) as address:
        yield address, lines


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


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / FTP/9\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_problem_with_an_id(served_with_log, sent):
    address, lines = served_with_log
    with connected(address) as client:
        client.sendall(sent)
        answer = received(client)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"] == "/problems/bad-request"
    assert "TLS" in answer.body["detail"]
    assert answer.headers["x-request-id"] == answer.body["instance"] == json.loads(lines[-1])["id"]
    assert json.loads(lines[-1])["status"] == 400


def test_more_connections_than_are_taken_are_told_so_with_an_id(served_with_log):
    address, lines = served_with_log
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(address)) for _ in range(MOST_CONNECTIONS)]
        assert len(idle) == MOST_CONNECTIONS
        for _ in range(2):
            client = stack.enter_context(connected(address))
            client.sendall(b"GET /v1/version HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            answer = received(client)
            assert (answer.status, answer.body["type"]) == (503, "/problems/busy")
            assert answer.headers["content-type"] == "application/problem+json"
            assert (answer.headers["retry-after"], answer.headers["connection"]) == ("5", "close")
            assert answer.headers["x-request-id"] == answer.body["instance"] == json.loads(lines[-1])["id"]
    with connected(address) as client:
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert received(client).status in (200, 503)  # those that have gone may not be counted out yet


def test_garbage_after_a_request_is_no_part_of_its_answer(served_with_log):
    """It comes while the answer is made: the connection is cut, and nothing stands in the answer's place."""
    address, _ = served_with_log
    with connected(address) as client:
        client.sendall(
            b"GET /v1/bars?interval=7 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n\x16\x03\x01 hello\r\n\r\n"
        )
        with contextlib.suppress(ConnectionError):
            assert b"problem" not in b"".join(iter(lambda: client.recv(1 << 16), b""))
