"""Symbols, dates and lists as nobody means them are answered, or refused with a sentence."""

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import quote, urlsplit

import httpx
import pytest

import condvest
from condvest.batch_layer.shared.errors import PublishedUnavailable
from tests.support.payloads import bar
from tests.support.serving import served

SYMBOLS = ["A/B", "A,B", "a", "A", "<script>", "x?y&z=1", "../../x", "%41"]


@pytest.fixture(scope="module")
def world(lasting_world):
    lasting_world.bars(
        [bar(symbol, lasting_world.date(at), volume=number) for number, symbol in enumerate(SYMBOLS)
         for at in range(3)]
    )  # fmt: skip
    return lasting_world


@pytest.fixture(scope="module")
def client(world):
    settings = world.workspace.settings
    with served(settings) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_symbol_is_what_it_is_however_it_is_asked_for(client, world, symbol):
    stored = [float(SYMBOLS.index(symbol))] * 3
    by_query = client.get("/v1/bars", params={"symbol": symbol, "interval": 1}).json()["rows"]
    by_body = client.post("/v1/bars", json={"symbol": [symbol], "interval": 1}).json()["rows"]
    assert by_query == by_body
    assert [row["volume"] for row in by_query] == stored
    assert {row["symbol"] for row in by_query} == {symbol}
    table = condvest.bars([symbol], interval=1, source=str(client.base_url).rstrip("/"))
    assert table["volume"].to_pylist() == stored
    lines = client.get("/v1/history", params={"symbol": symbol, "format": "csv"})
    assert lines.status_code == 200
    massive = client.get(f"/v2/aggs/ticker/{quote(symbol, safe='')}/prev")
    assert (massive.status_code, massive.json()["results"][0]["v"]) == (200, stored[0])
    pages, url = [], f"/v2/aggs/ticker/{quote(symbol, safe='')}/range/1/day/1960-01-01/2030-01-01?limit=1"
    while url:
        page = client.get(url).json()
        pages += page["results"]
        url = page.get("next_url")
    assert [each["v"] for each in pages] == stored
    assert world.instrument(symbol)


def test_a_comma_in_the_short_form_divides(client):
    rows = client.get("/v1/bars", params={"symbols": "A,a", "interval": 1}).json()["rows"]
    assert {row["symbol"] for row in rows} == {"A", "a"}


@pytest.mark.parametrize(
    "query",
    ["start=9999-12-31", "end=9999-12-31", "end=0001-01-01", "start=0001-01-01&end=9999-12-31",
     "as_of=9999-12-31", "as_of=0001-01-01"],
)  # fmt: skip
def test_the_ends_of_the_calendar_are_dates_like_others(client, query):
    answer = client.get(f"/v1/bars?interval=1&{query}")
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 200 or answer.json()["detail"]
    for path in ("splits?", "sessions?", "universe?on=9999-12-31&"):
        assert client.get(f"/v1/{path}{query}").status_code in (200, 400)


@pytest.mark.parametrize(
    "path",
    ["/v1/screen?on=9999-12-31", "/v1/screen?on=0001-01-01",
     "/v2/aggs/ticker/A/range/1/day/0001-01-01/9999-12-31",
     "/v1/open-close/A/9999-12-31", "/udf/history?symbol=A&resolution=1D&from=253402214400&to=253402300799",
     "/udf/history?symbol=A&resolution=1D&from=-62135596800&to=253402300799&countback=2",
     "/udf/marks?symbol=A&resolution=1D&from=253402214400&to=253402300799", "/v1/symbols?on=9999-12-31"],
)  # fmt: skip
def test_the_ends_of_the_calendar_are_dates_to_every_path(client, path):
    answer = client.get(path)
    assert answer.status_code in (200, 400, 403, 404), answer.text


def test_ten_thousand_symbols_are_refused_with_what_to_ask(client):
    names = [f"S{number}" for number in range(10_000)]
    answer = client.post("/v1/bars", content=b'{"symbols":"%s"}' % ",".join(names).encode())
    assert (answer.status_code, "leave them out to ask for all" in answer.json()["detail"]) == (400, True)
    lines = client.get("/v1/bars", params={"symbols": ",".join(names[:8_000])})
    assert (lines.status_code, "leave them out to ask for all" in lines.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    "question",
    [
        "/v1/bars?symbol=A&interval=1&as_of=2024-03-01T00:00:00Z%00",
        "/v1/datasets?verzion=p-00000000-1",
        "/v1/datasets/daily_bars?verzion=p-00000000-1",
        "/v1/live?rule=x",
        "/stocks/v1/splits?execution_date.gte=2O24-01-01",
        "/stocks/v1/splits?execution_date=2024",
        "/stocks/v1/dividends?ex_dividend_date.any_of=2024-01-02,x",
        "/stocks/v1/dividends?cash_amount=nan",
        "/stocks/v1/dividends?cash_amount.any_of=0.5,x",
    ],
)
def test_what_is_misspelt_is_refused_and_passed_over_nowhere(client, question):
    assert client.get(question).status_code == 400


@pytest.mark.parametrize("path", ["/udf/history", "/udf/marks"])
@pytest.mark.parametrize("instant", ["253402300799", "253402300800", "9" * 25, "-" + "9" * 25])
def test_any_number_of_seconds_is_an_instant_to_a_chart(client, path, instant):
    for asked in ({"from": instant, "to": "1800000000"}, {"from": "-9" + "0" * 9, "to": instant}):
        answer = client.get(path, params={"symbol": "A", "resolution": "1D", **asked})
        is_empty = instant.startswith("-") == (asked["to"] == instant)
        told = answer.json()
        has_bars = bool(told) if path == "/udf/marks" else told["s"] == "ok"
        assert (answer.status_code, has_bars) == (200, not is_empty and path == "/udf/history")


def test_a_field_that_a_body_has_twice_is_refused(client):
    answer = client.post("/v1/bars", content=b'{"symbol": ["A"], "symbol": ["a"], "interval": 1}')
    assert (answer.status_code, answer.json()["parameter"]) == (400, "symbol")


def test_there_is_no_page_that_loads_scripts_of_others(client):
    """FastAPI's own pages would."""
    for path in ("/docs", "/redoc"):
        assert client.get(path).status_code == 404


def test_a_client_that_goes_away_costs_nobody_an_answer(client):
    where = urlsplit(str(client.base_url))
    for _ in range(20):
        with socket.create_connection((where.hostname, where.port)) as gone:
            gone.sendall(b"GET /v1/bars?interval=1&format=csv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert client.get("/v1/bars?interval=1").json()["count"] == 3 * len(SYMBOLS)


ROWS = 2_000_000

ANSWERING = f"""
import socket, sys
import pyarrow as pa
from condvest.serving_layer.contract import Common
from condvest.serving_layer.http import app
from condvest.serving_layer.http.answers.endpoints import Endpoint
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.http.server import server_of
from condvest.serving_layer.http.backends.states import State

class Large:
    has_database = False
    reference = None
    def state(self, live=False): return State("p-00000000-1", 0)
    def at(self, version): return self
    def prepare_soon(self): pass
    async def state_soon(self): return None
    def close(self): pass

rows = pa.table({{"value": pa.array(range({ROWS}))}})
app.ENDPOINTS = [Endpoint("/v1/bars", Common, lambda *_: (rows, State("p-00000000-1", 0)))]
app.BY_BODY = ()
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
server_of(app.create_app(Large(), Rules(), lambda _: None)).run(sockets=[listening])
"""


def test_a_server_that_is_killed_amid_an_answer_cannot_pass_for_one_that_has_ended(monkeypatch):
    """The length was promised first; the client in Python says so, too."""
    with subprocess.Popen([sys.executable, "-c", ANSWERING], stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline())
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(60)
                client.connect(("127.0.0.1", port))
                client.sendall(b"GET /v1/bars?format=arrow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                head = client.recv(2048)
                os.kill(process.pid, signal.SIGKILL)
                process.wait(60)
                size = len(head)
                while piece := _received(client):
                    size += len(piece)
        finally:
            process.kill()
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert length > 8 * ROWS
    assert size < length

    class Cut(httpx.Client):
        def send(self, _request):
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    monkeypatch.setattr(httpx, "Client", Cut)
    with pytest.raises(PublishedUnavailable, match="peer closed connection"):
        condvest.bars(["A"], source=f"http://127.0.0.1:{port}")


def _received(client):
    try:
        return client.recv(1 << 16)
    except ConnectionResetError:
        return b""


def test_a_clock_that_jumps_changes_no_answer_and_no_quota(client, monkeypatch):
    """The day before, and a year later: tags, seconds and versions hang on no clock that people set."""
    path = "/v1/bars?symbol=A&interval=1"
    first = client.get(path)
    for shift in (-86_400.0, 366 * 86_400.0):
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + shift)  # noqa: B023  # undone within the turn
        again = client.get(path)
        told = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        monkeypatch.undo()
        assert (again.headers["etag"], again.content) == (first.headers["etag"], first.content)
        assert told.status_code == 304
        assert "-" not in again.headers["server-timing"]
