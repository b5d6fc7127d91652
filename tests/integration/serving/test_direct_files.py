"""Requests for published files that came before, byte for byte, are answered as they were the first time."""

import contextlib
import gc
import json
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from condvest.serving_layer.access import Keys
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from condvest.serving_layer.http.direct import Direct
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.http.server import PatientProtocol
from tests.support.connection import Connection
from tests.support.exchange import NOW
from tests.support.serving import served

SIZE = 24 << 20
NAME = "daily_bars/2024-0123456789abcdef.parquet"
CONTENT = random.Random(4).randbytes(SIZE)


@pytest.fixture
def settings(sample, sample_target, tmp_path):
    copy = tmp_path / "published"
    shutil.copytree(sample_target.name, copy)
    (copy / NAME).write_bytes(CONTENT)
    return replace(sample.workspace.settings, published_at=str(copy))


@pytest.fixture
def known(monkeypatch):
    """The paths that were sent directly."""
    paths, open_ = [], Direct.open

    def noted(self, request, *given):
        answer = open_(self, request, *given)
        if answer is not None:
            paths.append(request.path)
        return answer

    monkeypatch.setattr(Direct, "open", noted)
    return paths


@pytest.fixture
def desk(settings):
    """Give the address of a server, and the lines of its log."""
    lines = []
    with served(settings, kind=PublishedBackend, log=lambda line: lines.append(json.loads(line))) as address:
        yield address, lines


def asked(*headers, method="GET", name=NAME):
    lines = [f"{method} /v1/datasets/{name} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode()


def range_of(first, last):
    return f"Range: bytes={first}-{last}"


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_each_of_some_requests_gets_its_own_bytes_each_time(desk, known):
    """In any order, over two connections, with others in between, and several at once."""
    address, lines = desk
    parts = [(0, 0), (5, 4_099), (1 << 20, (5 << 20) + 3), (SIZE - 9, SIZE - 1), (0, SIZE - 1)]
    connections, chance = [Connection(address) for _ in range(2)], random.Random(7)
    for _ in range(60):
        connection = chance.choice(connections)
        several = [chance.choice(parts) for _ in range(chance.choice([1, 1, 1, 2]))]
        for part in several:
            connection.send(asked(range_of(*part)))
        for first, last in several:
            status, headers, body = connection.answer()
            assert status == 206
            assert headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
            assert body == CONTENT[first : last + 1]
        if chance.random() < 0.3:
            health = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            assert connection.ask(health)[2] == b'{"status":"ok"}'
    assert len(known) > 40
    for connection in connections:
        connection.socket.close()
    assert {line["status"] for line in lines} == {200, 206}
    assert len({line["id"] for line in lines}) == len(lines)


def test_it_has_the_headers_and_the_line_of_log_of_any_other(desk, known):
    address, lines = desk
    connection = Connection(address)
    answers = [connection.ask(asked(range_of(10, 19))) for _ in range(3)]
    assert len(known) == 2
    metrics = httpx.get(f"{address}/metrics").text
    assert 'condvest_requests_total{path="/v1/datasets/{name}/{file}",status="206"} 3' in metrics
    del lines[3:]  # lines are written once all is sent, so the third is there by now
    own = ("x-request-id", "server-timing", "date")
    shown = [{name: value for name, value in each[1].items() if name not in own} for each in answers]
    assert shown == [shown[0]] * 3
    assert [list(each[1]) for each in answers] == [list(answers[0][1])] * 3
    assert [each[1]["x-request-id"] for each in answers] == [line["id"] for line in lines]
    differ = ("id", "time", "ms")
    told = [{name: line[name] for name in line if name not in differ} for line in lines]
    assert told == [told[0]] * 3
    assert told[0]["bytes"] == 10
    connection.socket.close()


def test_what_has_no_bytes_to_send_is_not_answered_with_some(desk, known):
    address, _ = desk
    connection = Connection(address)
    for _ in range(3):
        assert connection.ask(asked(range_of(0, 9)))[2] == CONTENT[:10]
        assert connection.ask(asked(range_of(0, 9), method="HEAD"), has_body=False)[0] == 206
        assert connection.ask(asked(range_of(SIZE, SIZE + 9)))[0] == 416
        assert connection.ask(asked('If-None-Match: "sha256:0123456789abcdef"'))[0] == 304
    assert len(known) == 2
    connection.socket.close()


def test_a_file_that_is_published_no_longer_is_not_sent_again(desk, settings, known):
    address, _ = desk
    connection = Connection(address)
    for _ in range(2):
        assert connection.ask(asked(range_of(0, 9)))[0] == 206
    path = Path(settings.published_at) / NAME
    path.unlink()
    status, _, body = connection.ask(asked(range_of(0, 9)))
    assert status == 404
    assert "no longer published" in json.loads(body)["detail"]
    path.write_bytes(CONTENT)
    assert connection.ask(asked(range_of(0, 9)))[2] == CONTENT[:10]
    assert len(known) == 2
    connection.socket.close()


def test_clients_that_leave_or_take_nothing_cost_no_descriptor_and_nobody_else(desk, known, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "patience", 0.5)
    address, lines = desk
    connection = Connection(address)
    for _ in range(2):
        assert connection.ask(asked())[2] == CONTENT
    before, counted = descriptors(), len(lines)
    slow = [Connection(address) for _ in range(6)]
    for each in slow:
        each.send(asked())
        assert each.socket.recv(1) == b"H"
        each.send(asked(range_of(0, 9)))  # before its turn
    assert known == [NAME] * 7
    for each in slow[:3]:
        each.socket.close()
    assert connection.ask(asked(range_of(7, 9)))[2] == CONTENT[7:10]
    connection.socket.close()
    for _ in range(4):  # as often as another one is left that sends nothing, and so as long
        with contextlib.closing(Connection(address).socket) as other:
            assert other.recv(1) == b""
    for each in slow[3:]:
        taken = 0
        with contextlib.suppress(ConnectionError):
            while piece := each.socket.recv(1 << 20):
                taken += len(piece)
        assert taken < SIZE
        each.socket.close()
    assert sorted(line["status"] for line in lines[counted:]) == [*[200] * 6, 206]
    gc.collect()
    assert descriptors() <= before


def test_a_key_is_looked_at_each_time(settings, tmp_path, known):
    keys = Keys.of_home(tmp_path)
    key, few = (keys.add(name, NOW, None, per_minute=count) for name, count in (("many", None), ("few", 4)))
    with served(settings, Rules(keys=keys), kind=PublishedBackend) as address:
        connection = Connection(address)

        def ask(given):
            return connection.ask(asked(range_of(0, 9), f"Authorization: Bearer {given}"))

        assert [ask(key)[0] for _ in range(4)] == [206] * 4
        assert [ask(few)[0] for _ in range(5)] == [206] * 4 + [429]
        assert len(known) == 3 + 3
        keys.remove("many")
        assert ask(key)[0] == 401
        connection.socket.close()


def test_a_server_that_is_stopped_sends_what_it_has_begun(settings, known):
    with ThreadPoolExecutor(1) as pool:
        with served(settings, kind=PublishedBackend) as address:
            connection = Connection(address)
            connection.ask(asked())
            connection.send(asked())
            connection.wait()  # until it has begun
            answer = pool.submit(connection.answer)
        assert answer.result(60)[2] == CONTENT
    assert known == [NAME]
    assert connection.socket.recv(1) == b""
    connection.socket.close()
