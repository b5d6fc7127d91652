"""Firings, verdicts and ticks over server-sent events and a websocket: resumed, guarded, and bounded."""

import json
import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from condvest.serving_layer.access import Keys
from condvest.serving_layer.http.events import streams
from condvest.serving_layer.http.events.hub import KEPT, Hub
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.http.guarding.hosts import LOOPBACK
from condvest.serving_layer.http.server import PatientProtocol, PatientSocket
from condvest.speed_layer.core.alerts.rules import Cooldown
from condvest.speed_layer.stores.events import Event, lock_events, write_events
from tests.support.exchange import NOW
from tests.support.serving import served
from tests.support.worlds.alerted import Alerted

MAY = "may vanish"


@pytest.fixture
def alerted(world):
    made = Alerted(world, sessions_before=2)
    made.rule("close(1) > 10", "one", once="minute", cooldown=Cooldown(30, "minutes"), rearm_text="2%")
    made.rule("close(1) > 11", "two")
    return made


@pytest.fixture
def address(alerted):
    with served(alerted.world.workspace.settings) as address:
        yield address


def happen(alerted, *windows, rule=1, symbol="A", text="close(1)"):
    """Store a firing of each window, and return the events' ids."""
    values = {text: 12.0}
    with alerted.world.workspace.database.another() as database, database.transaction() as connection:
        lock_events(connection)
        return write_events(
            connection,
            [
                Event(rule, 1, symbol, window, alerted.ordinal, "fired", 0.5, values, "may vanish")
                for window in windows
            ],
        )


@contextmanager
def stream(address, query="", **headers):
    """Give what reads the next event of a stream: its id, its name and its data."""
    with (
        httpx.Client(timeout=30) as client,
        client.stream("GET", f"{address}/v1/events{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "retry: 3000"

        def following():
            fields = {}
            for line in lines:
                if line.startswith(":"):
                    continue
                if not line and fields:
                    return fields.get("id"), fields["event"], json.loads(fields["data"])
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
            return None

        yield following


def ids(following, count):
    return [int(following()[0]) for _ in range(count)]


def test_what_happens_is_told_as_it_happens_and_a_client_that_comes_back_misses_nothing(alerted, address):
    before = happen(alerted, 1, 2)
    with stream(address) as following:
        first = happen(alerted, 3)
        event_id, name, data = following()
        assert ([int(event_id)], name) == (first, "fired")
        assert (data["symbol"], data["rule"], data["values"]) == ("A", "one", {"close(1)": 12.0})
        assert data["session"] == "2024-03-05"
        assert (data["once"], data["cooldown"], data["rearm"]) == ("minute", "30 minutes", "2%")
    missed = happen(alerted, 4, 5)
    with stream(address, **{"Last-Event-ID": str(event_id)}) as following:
        assert ids(following, 2) == missed
        assert ids(following, 0) == []
    with stream(address, "?after=0&rule=one") as following:
        assert ids(following, 5) == before + first + missed
    with stream(address, "?after=0&rule=two&symbol=A") as following:
        other = happen(alerted, 6, rule=2)
        assert ids(following, 1) == other


def test_a_tick_is_told_without_an_id(alerted, address):
    with stream(address) as following:
        alerted.world.looking.execute(
            "INSERT INTO live_runs (provider, feed, ordinal, state, ticks) VALUES "
            "('massive', 'poll', %s, 'polling', 1)",
            (alerted.ordinal,),
        )
        alerted.world.looking.execute("SELECT pg_notify('condvest_live', '1')")
        event_id, name, data = following()
        assert (event_id, name) == (None, "tick")
        assert (data["session"], data["state"]) == ("2024-03-05", "polling")
    live = httpx.get(f"{address}/v1/live").json()["live"]
    assert (live["session"], live["ticks"]) == ("2024-03-05", 1)


def test_more_events_than_are_kept_or_read_at_once_all_come(alerted, address):
    happened = happen(alerted, *range(1200))
    with stream(address, "?after=0") as following:
        assert ids(following, 1200) == happened


def test_a_cursor_of_another_database_and_a_parameter_that_is_none_are_refused(address):
    assert httpx.get(f"{address}/v1/events?after=7").status_code == 410
    assert httpx.get(f"{address}/v1/events?since=7").json()["detail"].startswith("unknown parameter 'since'")
    answer = httpx.get(f"{address}/v1/events", headers={"Last-Event-ID": "x"})
    assert (answer.status_code, "expected the id" in answer.json()["detail"]) == (400, True)
    assert httpx.head(f"{address}/v1/events").status_code == 200


def test_a_websocket_tells_the_same_and_begins_where_it_is_told(alerted, address):
    happened = happen(alerted, 1, 2)
    url = address.replace("http", "ws") + "/v1/events"
    with connect(f"{url}?after={happened[0]}") as channel:
        message = json.loads(channel.recv(30))
        assert (message["id"], message["event"], message["data"]["symbol"]) == (happened[1], "fired", "A")
        later = happen(alerted, 3)
        assert json.loads(channel.recv(30))["id"] == later[0]


def test_a_websocket_is_guarded_as_every_request(alerted, tmp_path):
    """By the host's name, by a key, and by the site whose page opens it."""
    keys = Keys.of_home(tmp_path)
    key = keys.add("mine", NOW)
    rules = Rules(LOOPBACK, keys, ("https://mine.example",))
    with served(alerted.world.workspace.settings, rules) as address:
        url = address.replace("http", "ws") + "/v1/events"
        bearer = {"Authorization": f"Bearer {key}"}
        for headers, origin, status in (
            ({}, None, 401),
            ({"Authorization": "Bearer cv_wrong"}, None, 401),
            (bearer, "https://evil.example", 403),
        ):
            with (
                pytest.raises(InvalidStatus) as refused,
                connect(url, additional_headers=headers, origin=origin),
            ):
                pass
            assert refused.value.response.status_code == status
            assert json.loads(refused.value.response.body)["status"] == status
        with connect(url, additional_headers=bearer, origin="https://mine.example"):
            pass
        with connect(f"{url}?apiKey={key}"):
            pass
        with stream(address, **bearer) as following:
            happened = happen(alerted, 1)
            assert ids(following, 1) == happened
        assert httpx.get(f"{address}/v1/events").status_code == 401


def test_a_reader_that_takes_nothing_is_dropped_and_keeps_nobody_waiting(alerted, monkeypatch):
    """It asks for all events, and reads none: they stay in the database, and nothing is kept for it."""
    happen(alerted, *range(8000), text="x" * 2000)
    monkeypatch.setattr(PatientSocket, "patience", 0.5)
    hubs = []

    class Watched(Hub):
        def __init__(self, *given):
            super().__init__(*given)
            hubs.append(self)

    monkeypatch.setattr(streams, "Hub", Watched)

    class Hasty(PatientProtocol):
        patience = 0.5

    with served(alerted.world.workspace.settings, protocol=Hasty) as address:
        port = int(address.rpartition(":")[2])
        with slow_client(port, SSE), slow_client(port, UPGRADE):
            with stream(address, "?after=0") as following:
                assert len(ids(following, 8000)) == 8000
            deadline = time.monotonic() + 30
            while hubs[0]._listeners and time.monotonic() < deadline:
                threading.Event().wait(0.05)
            assert hubs[0]._listeners == set()
            assert len(hubs[0].recent) <= KEPT


SSE = "GET /v1/events?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
UPGRADE = SSE.replace(
    "\r\n\r\n",
    "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
)


@contextmanager
def slow_client(port, request):
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", port))
        slow.sendall(request.encode())
        yield slow
