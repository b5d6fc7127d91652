"""The kernel sends published files: every byte, in order, and to nobody else; and slow clients are left."""

import os
import random
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from condvest.serving_layer.http.server import PatientProtocol
from tests.support.asked import application
from tests.support.serving import served

SIZE = 24 << 20
NAME = "daily_bars/2024-0123456789abcdef.parquet"
URL = f"/v1/datasets/{NAME}"


class Impatient(PatientProtocol):
    patience = 0.5


@pytest.fixture(scope="module")
def settings(sample, sample_target, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy") / "published"
    shutil.copytree(sample_target.name, copy)
    (copy / NAME).write_bytes(random.Random(1).randbytes(SIZE))
    return replace(sample.workspace.settings, published_at=str(copy))


@pytest.fixture(scope="module")
def content(settings):
    return (Path(settings.published_at) / NAME).read_bytes()


@pytest.fixture(scope="module")
def address(settings):
    with served(settings, kind=PublishedBackend, protocol=Impatient) as one:
        yield one


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def connected(address, received):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
    made.settimeout(60)
    made.connect((urlsplit(address).hostname, urlsplit(address).port))
    return made


def test_many_at_once_get_their_own_bytes_over_connections_that_go_on(address, content):
    def ask(seed):
        chance = random.Random(seed)
        with httpx.Client(base_url=address, timeout=60) as client:
            for _ in range(8):
                first = chance.randrange(SIZE)
                last = min(SIZE - 1, first + chance.choice([0, 7, 5_000, 3 << 20]))
                part = client.get(URL, headers={"Range": f"bytes={first}-{last}"})
                assert (part.status_code, part.content) == (206, content[first : last + 1])
                assert client.get("/v1/version").status_code == 200
            return client.get(URL).content == content

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [True] * 4


def test_requests_that_come_together_are_answered_in_their_order(address, content):
    asked = b"".join(
        b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=%d-%d\r\n\r\n" % (URL.encode(), first, first + 9)
        for first in (0, 100, 10_000)
    )
    with connected(address, 1 << 16) as client:
        client.sendall(asked + b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := client.recv(1 << 16):
            answer += piece
    bodies = [each.partition(b"\r\n\r\n")[2] for each in answer.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [content[0:10], content[100:110], content[10_000:10_010], b'{"status":"ok"}']


def test_a_client_that_takes_nothing_is_left_and_can_see_that_it_was_cut(address):
    with connected(address, 4096) as slow:
        slow.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % URL.encode())
        for _ in range(4):  # as often as another one is left that sends nothing, and so as long
            with connected(address, 4096) as other:
                assert other.recv(1) == b""
        taken = 0
        with suppress(ConnectionError):
            while piece := slow.recv(1 << 16):
                taken += len(piece)
    assert taken < SIZE


def test_a_file_that_was_cut_meanwhile_ends_the_connection(settings, address):
    name = "daily_bars/2023-0123456789abcdef.parquet"
    path = Path(settings.published_at) / name
    path.write_bytes(bytes(SIZE))
    with connected(address, 4096) as client:
        client.sendall(b"GET /v1/datasets/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % name.encode())
        taken = len(client.recv(1024))
        os.truncate(path, 1000)
        with suppress(ConnectionError):
            while piece := client.recv(1 << 20):
                taken += len(piece)
    assert taken < SIZE
    assert httpx.get(f"{address}/health/live").status_code == 200


def test_without_the_extension_the_same_bytes_come_piece_by_piece(settings, content):
    with application(settings, PublishedBackend) as app:
        assert app.get(URL).content == content
        part = app.get(URL, headers={"Range": "bytes=-2000001"})
        assert (part.status_code, part.content) == (206, content[-2_000_001:])


def test_no_descriptor_stays_open(address, content):
    """Neither of answers that were sent, nor of those that were not needed, nor of clients that left."""
    before = descriptors()  # the server's process is the test's
    with httpx.Client(base_url=address, timeout=60) as client:
        for _ in range(5):
            assert client.get(URL, headers={"Range": "bytes=0-99"}).content == content[:100]
            assert client.head(URL).status_code == 200
            assert client.get(URL, headers={"Range": f"bytes={SIZE}-"}).status_code == 416
            assert client.get(URL, headers={"If-None-Match": "*"}).status_code == 304
        after = descriptors()
    assert after <= before + 4  # the client's connection, at both ends
