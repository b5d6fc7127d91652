"""Serving one symbol's bars of 13 sessions over HTTP, one request after the other over one connection.

``the same`` asks for one symbol again and again; ``not modified`` too, with the tag of its answer;
``another`` asks another question each time, so that nothing is kept; ``in process`` is `condvest.bars`.
Rivals: see `benchmarks.serving_rivals`; FastAPI with pandas knows no tags, and bare Starlette has the same
bytes for every question.
"""

import json
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import condvest
from benchmarks import stored
from benchmarks.read import fill
from benchmarks.report import figures, in_turns
from benchmarks.serving_rivals import INTERVAL
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings

RIVALS = ("condvest", "starlette", "pandas")
ASKED = {"condvest": 300, "starlette": 300, "pandas": 30, "in process": 300}
"""Requests of a measurement; seconds are told of 300."""


def run(options):
    """Yield the figures of each group."""
    with tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder, ExitStack() as stack:
        workspace = stack.enter_context(open_workspace(Settings(home=Path(folder)), now=stored.NOW))
        fill(workspace, options)
        with workspace.database.transaction() as connection:
            ((count,),) = connection.execute("SELECT count(*) FROM symbols").fetchall()
        url = url_of(workspace.database.url.parameters)
        clients = {name: stack.enter_context(_serving(name, url)) for name in RIVALS}
        compare(clients["condvest"], clients["pandas"])
        settings = Settings(home=Path(folder), database=DatabaseSettings(url=url))
        for group, works in groups(clients, count, settings).items():
            seconds = in_turns(works, options.repeats)
            per_300 = {name: [each * 300 / ASKED[name] for each in took] for name, took in seconds.items()}
            labelled = {f"{group}: {name}": took for name, took in per_300.items()}
            yield from figures(labelled, {}, options.rows, f"{group}: condvest")


def url_of(parameters):
    """Return a URL of connection parameters; the embedded server listens on a socket in a directory."""
    parts = dict(parameters)
    name = parts.pop("dbname", "postgres")
    return f"postgresql:///{name}?" + "&".join(f"{key}={value}" for key, value in parts.items())


@contextmanager
def _serving(name, url):
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serving_rivals", name, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            with Client(int(process.stdout.readline())) as client:
                yield client
        finally:
            process.terminate()


class Client:
    """One connection, over which one request goes after the other; quicker than any server here."""

    def __init__(self, port):
        self._port = port
        self._socket = socket.socket()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def connect(self):
        """Connect anew: servers leave who asks nothing while others are measured."""
        self._socket.close()
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, symbol, tag="", last=None):
        """Return the status, the tag and the body of an answer; rivals pass over ``last``."""
        has = f"If-None-Match: {tag}\r\n" if tag else ""
        path = f"/v1/bars?symbol={symbol}&interval={INTERVAL}" + (f"&last={last}" if last else "")
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{has}\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._received()
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        while len(body) < length:
            body += self._received()
        return int(lines[0].split()[1]), headers.get("etag", ""), body

    def _received(self):
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("the server has left")
        return piece


def compare(ours, rival):
    """Insist on the same volumes, which no split of this symbol has touched, or on as many bars."""
    ours.connect(), rival.connect()
    told, wanted = (json.loads(client.get("S1")[2])["rows"] for client in (ours, rival))
    assert [row["window"] for row in told] == [row["window"] for row in wanted]
    assert [row["trades"] for row in told] == [row["trades"] for row in wanted]


def _asked(client, name):
    client.connect()
    return range(ASKED[name])


def groups(clients, symbols, settings):
    """Return what each group measures."""

    def same(client, name):
        return lambda: [client.get("S1") for _ in _asked(client, name)]

    def not_modified(client, name):
        client.connect()
        tag = client.get("S1")[1]
        assert client.get("S1", tag)[0] == (304 if tag else 200)
        return lambda: [client.get("S1", tag) for _ in _asked(client, name)]

    def another(client, name):
        numbers = iter(range(10_000, 10**9))  # of more bars than a symbol has

        def ask():
            number = next(numbers)
            return client.get(f"S{number % symbols + 1}", last=number)

        return lambda: [ask() for _ in _asked(client, name)]

    def in_process():
        numbers = iter(range(10**9))
        return lambda: [
            condvest.bars(f"S{next(numbers) % symbols + 1}", interval=INTERVAL, settings=settings)
            for _ in range(ASKED["in process"])
        ]

    makers = {"the same": same, "not modified": not_modified, "another": another}
    made = {
        group: {name: make(client, name) for name, client in clients.items()}
        for group, make in makers.items()
    }
    made["another"]["in process"] = in_process()
    return made
