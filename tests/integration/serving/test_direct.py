"""Requests that came before, byte for byte, are answered without being read again: as they would be anew."""

import contextlib
import json
import random

import httpx
import pytest

from condvest.serving_layer.access import Keys
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.direct import Direct
from condvest.serving_layer.http.guarding.guards import Rules
from tests.support.asked import Application
from tests.support.connection import Connection
from tests.support.exchange import NOW
from tests.support.payloads import bar
from tests.support.serving import served

BARS = b"GET /v1/bars?symbol=A&interval=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
END = b"\r\n"


def until_known(connection, known, request=BARS + END):
    """Ask until an answer is given directly; return all answers.

    The third is, but where a transaction of another database of the server, which a version counts, is among
    them.
    """
    answers, before = [], len(known)
    while len(known) == before:
        answers.append(connection.ask(request))
        assert len(answers) < 100
    return answers


def tagged(tag):
    return BARS + f"If-None-Match: {tag}\r\n".encode() + END


@pytest.fixture
def known(monkeypatch):
    """The statuses of the answers that were given directly."""
    statuses, answer = [], Direct.answer

    def noted(self, request, call, *given):
        pieces = answer(self, request, call, *given)
        if pieces is not None:
            statuses.append(call.status)
        return pieces

    monkeypatch.setattr(Direct, "answer", noted)
    return statuses


@pytest.fixture
def desk(world):
    """Give a connection to a server of a small world, the world, and the lines of its log."""
    world.bars([bar(symbol, world.date(at)) for symbol in "AB" for at in range(4)])
    lines = []
    with served(world.workspace.settings, log=lambda line: lines.append(json.loads(line))) as address:
        connection = Connection(address)
        yield connection, world, lines, address
        connection.socket.close()


def test_it_is_answered_as_it_would_be_anew_after_any_load(desk, known):
    """Asked at random, with no tag or one of those that came before, between loads.

    The server may vacuum meanwhile, which makes another version of the same bars: so what is asked beside it
    is asked before and after, and compared whole if both are of one version.
    """
    connection, world, lines, _ = desk
    beside = Application(DatabaseBackend(world.workspace.settings))
    random_, tags, loads, compared = random.Random(21), [""], 0, 0

    def anew():
        plain = {"Accept-Encoding": "identity", "Accept": ""}
        return beside.get("/v1/bars?symbol=A&interval=1", headers=plain)

    for step in range(120):
        if random_.random() < 0.1:
            world.bars([bar("A", world.date(4 + loads))])
            loads += 1
        tag = random_.choice(tags[-2:])
        before = anew()
        status, headers, body = connection.ask(tagged(tag) if tag else BARS + END)
        wanted = anew()
        is_same = tag == headers["etag"]
        assert status == (304 if is_same else 200), step
        assert len(json.loads(body)["rows"]) == 4 + loads if body else is_same, step
        if before.headers["condvest-version"] == wanted.headers["condvest-version"]:
            compared += 1
            assert headers["condvest-version"] == wanted.headers["condvest-version"], step
            assert body == (b"" if is_same else wanted.content), step
        if headers["etag"] not in tags:
            tags.append(headers["etag"])
    assert loads > 5
    assert compared > 100
    assert known.count(200) > 20
    assert known.count(304) > 10
    assert len({line["id"] for line in lines}) == 120
    assert {line["status"] for line in lines if line["kept"]} == {200, 304}


def test_it_has_the_headers_and_the_line_of_log_of_any_other(desk, known):
    connection, _, lines, address = desk
    answers = until_known(connection, known)
    *_, first, last = answers  # that before the last is of the same version
    own = ("x-request-id", "server-timing", "date")
    assert list(first[1]) == list(last[1])
    assert {name: value for name, value in first[1].items() if name not in own} == {
        name: value for name, value in last[1].items() if name not in own
    }
    assert last[1]["x-request-id"] == lines[-1]["id"]
    assert lines[-1].keys() == lines[0].keys()
    differ = ("id", "time", "ms", "kept")
    assert [{name: line[name] for name in line if name not in differ} for line in lines[1:]] == [
        {name: lines[0][name] for name in lines[0] if name not in differ}
    ] * (len(answers) - 1)
    metrics = httpx.get(f"{address}/metrics").text
    assert f'condvest_requests_total{{path="/v1/bars",status="200"}} {len(answers)}' in metrics


def test_only_what_begins_a_request_and_is_one_is_known(desk, known):
    """Not what a body holds, nor a half, nor two at once; what comes before its turn is answered in turn."""
    connection, _, _, address = desk
    until_known(connection, known)
    assert known == [200]
    body = BARS + END
    connection.send(b"POST /v1/splits HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body))
    assert connection.answer()[0] == 405  # before the body has come
    connection.send(body)
    assert connection.ask(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[2] == b'{"status":"ok"}'
    assert known == [200]
    connection.send(BARS[:30])
    connection.send(BARS[30:] + END)
    assert connection.answer()[0] == 200
    connection.send(2 * (BARS + END))
    assert [connection.answer()[0] for _ in range(2)] == [200, 200]
    before = len(known)
    connection.send(BARS + END)
    connection.send(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + BARS + END)
    connection.send(BARS + END)
    answers = [connection.answer() for _ in range(4)]
    assert [json.loads(each[2]).keys() & {"rows", "status"} for each in answers] == [
        {"rows"}, {"status"}, {"rows"}, {"rows"}
    ]  # fmt: skip
    assert len(known) > before
    other = Connection(address)
    assert other.ask((BARS + END).replace(b"127.0.0.1", b"evil.test"))[0] == 403
    other.socket.close()


def test_headers_alone_stay_headers_alone_however_often_they_are_asked_for(desk, known):
    """A body would be taken for the beginning of the next answer, which is another question's."""
    connection, *_ = desk
    _, wanted, body = until_known(connection, known)[-1]
    head = (BARS + END).replace(b"GET", b"HEAD", 1)
    for _ in range(6):
        status, headers, _ = connection.ask(head, has_body=False)
        assert (status, headers["content-length"]) == (200, wanted["content-length"])
    assert connection.ask(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[2] == b'{"status":"ok"}'
    assert connection.ask(BARS + END)[2] == body


def test_who_goes_away_while_it_is_asked_leaves_nobody_waiting(desk, known):
    connection, _, _, address = desk
    until_known(connection, known)
    for _ in range(20):
        gone = Connection(address)
        gone.send(BARS + END)
        gone.socket.close()
    assert connection.ask(BARS + END)[0] == 200
    with contextlib.closing(Connection(address).socket):
        assert connection.ask(BARS + END)[0] == 200
    until_known(connection, known)


def test_a_key_is_looked_at_each_time(world, tmp_path, known):
    """Once it is removed, or has asked too often, what it asked before is refused."""
    world.bars([bar("A", world.date(0))])
    keys = Keys.of_home(tmp_path)
    many, few = (keys.add(name, NOW, None, per_minute=count) for name, count in (("many", None), ("few", 5)))
    with served(world.workspace.settings, Rules(keys=keys)) as address:
        connection = Connection(address)

        def ask(key):
            return connection.ask(BARS + f"Authorization: Bearer {key}\r\n".encode() + END)

        assert [ask(many)[0] for _ in range(5)] == [200] * 5
        answers = [ask(few) for _ in range(6)]
        assert [status for status, _, _ in answers] == [200] * 5 + [429]
        assert [headers["ratelimit"] for _, headers, _ in answers[:5]] != [answers[0][1]["ratelimit"]] * 5
        assert 0 < len(known) <= 3 + 4  # the question of the second was known already
        keys.remove("many")
        assert ask(many)[0] == 401
        connection.socket.close()
