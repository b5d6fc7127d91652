"""Clients that keep the server waiting are left, and no other client waits for them."""

import socket
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx
import pytest

from condvest.serving_layer.http.server import MOST_CONNECTIONS, MOST_HEADER_BYTES, PatientProtocol
from tests.support.serving import served


class Impatient(PatientProtocol):
    patience = 0.3


@pytest.fixture(scope="module")
def address(sample):
    with served(sample.workspace.settings, protocol=Impatient) as address:
        yield address


def connected(address, stack, received=None):
    made = stack.enter_context(socket.socket())
    if received is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
    made.settimeout(30)
    made.connect((urlsplit(address).hostname, urlsplit(address).port))
    return made


def test_who_never_ends_a_request_is_left(address):
    """More of them than connections are taken, each with another part of a request."""
    begun = [b"", b"GET ", b"GET /v1/version HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "]
    with ExitStack() as stack:
        slow = [connected(address, stack) for _ in range(200)]
        assert len(slow) > 3 * MOST_CONNECTIONS
        for number, each in enumerate(slow):
            each.sendall(begun[number % len(begun)])
        assert [each.recv(1) for each in slow] == [b""] * len(slow)
        assert httpx.get(f"{address}/health/live").status_code == 200


def test_who_takes_nothing_of_an_answer_is_left(address):
    """It asks for more than the system's buffers hold; what comes is cut, which it can see."""
    path, times = "/v1/bars?interval=1&format=csv", 16
    answer = httpx.get(f"{address}{path}", headers={"Accept-Encoding": "identity"})
    with ExitStack() as stack:
        slow = connected(address, stack, received=4096)
        slow.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode() * times)
        for _ in range(4):  # as often as another one is left that sends nothing, and so as long
            assert connected(address, stack).recv(1) == b""
        taken = 0
        with suppress(ConnectionError):
            while piece := slow.recv(1 << 16):
                taken += len(piece)
    assert taken < times * len(answer.content)


def test_who_asks_again_within_the_time_keeps_the_connection(address):
    with httpx.Client(base_url=address) as client:
        used = [client.get("/health/live").extensions["network_stream"] for _ in range(3)]
        assert len({each.get_extra_info("client_addr") for each in used}) == 1


def test_who_sends_headers_without_end_is_left(address):
    """What is kept of a request that has not begun is bounded, however fast it comes."""
    with ExitStack() as stack:
        flood = connected(address, stack)
        flood.sendall(b"GET /v1/version HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
        with suppress(ConnectionError):
            for _ in range(10 * MOST_HEADER_BYTES // 4096):
                flood.sendall(b"a" * 4096)
            assert flood.recv(1) == b""
        assert httpx.get(f"{address}/health/live").status_code == 200


def test_a_header_as_long_as_any_that_is_meant_is_taken(address):
    sent = {"X-A": "a" * (MOST_HEADER_BYTES // 2)}
    assert httpx.get(f"{address}/health/live", headers=sent).status_code == 200


def test_two_hosts_are_none(address):
    """Which of them a proxy before the server looks at is not known."""
    with ExitStack() as stack:
        asking = connected(address, stack)
        asking.sendall(b"GET /health/live HTTP/1.1\r\nHost: example.org\r\nHost: 127.0.0.1\r\n\r\n")
        assert asking.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
