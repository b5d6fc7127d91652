"""Whoever is told "not modified" has what an answer made now would hold: a stale 304 is the worst fault.

After each step of random histories of commits every question is asked again with its tag, beside a server
that has kept nothing. Each page that follows belongs to the state of the first one, or is refused.
"""

import asyncio
import datetime as dt
import json
import random
from contextlib import ExitStack

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.answers.problems import Gone, problem
from condvest.serving_layer.http.answers.replying import Reply
from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.reference import Reference
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.http.massive.answering import CompatibleAnswering
from condvest.serving_layer.http.massive.paths import PATHS
from tests.support.payloads import bar
from tests.support.strategies.open_transactions import histories_with_open_transactions
from tests.support.worlds.playing import play

OURS = {endpoint.path: endpoint for endpoint in ENDPOINTS}
THEIRS = {path.path: path for path in PATHS}
RANGE = {"ticker": "A", "multiplier": "1", "timespan": "day", "since": "1961-12-26", "until": "1962-01-16"}
QUESTIONS = [
    ("/v1/bars", {"interval": "1", "unique_symbols": "true"}),
    ("/v1/bars", {"interval": "3", "include_open": "true", "symbol": "A"}),
    ("/v1/bars", {"interval": "3", "symbol": "B"}),
    ("/v1/bars", {"interval": "5", "adjust": "total", "include_open": "true"}),
    ("/v1/bars", {"interval": "3", "as_of": "2100-01-01", "include_open": "true"}),
    ("/v1/instruments", {}),
    ("/v1/symbols", {}),
    ("/v1/splits", {}),
    ("/v1/dividends", {}),
    ("/v1/screen", {"interval": "3"}),
    ("/v1/coverage", {"by": "session"}),
    ("/v1/gaps", {}),
    ("/v1/quality", {}),
    ("/v1/history", {"symbol": "A"}),
    ("/v1/refused", {}),
    ("/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{since}/{until}", RANGE),
    ("/v3/reference/tickers", {}),
    ("/stocks/v1/splits", {}),
]


class Server:
    """Answers over one backend; what is refused is an answer too."""

    def __init__(self, backend):
        self._ours, self._theirs = Answering(backend), CompatibleAnswering(backend)

    def ask(self, path, asked, tag=None):
        headers = {} if tag is None else {"if-none-match": tag}
        try:
            if path in THEIRS:
                return self._theirs.reply(THEIRS[path], asked, [], headers)
            return self._ours.reply(OURS[path], list(asked.items()), headers)
        except CondvestError as error:
            return problem(error, "")[1]["detail"]


class Whole(Server):
    """The same, and our own questions come through everything that stands before the answers."""

    def __init__(self, backend):
        super().__init__(backend)
        self._app = create_app(backend, Rules(), lambda _: None)

    def ask(self, path, asked, tag=None):
        if path in THEIRS:
            return super().ask(path, asked, tag)
        headers = {"Accept-Encoding": "identity"} | ({} if tag is None else {"If-None-Match": tag})

        async def get():
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.get(path, params=asked, headers=headers)

        answer = asyncio.run(get())
        if answer.status_code not in (200, 304):
            return answer.json()["detail"]
        named = {name: answer.headers[name] for name in NAMED if name in answer.headers}
        return Reply(answer.status_code, named, answer.content)


NAMED = ("ETag", "Condvest-Version", "Cache-Control", "Vary")


def told(reply):
    """Return what an answer says. The server's own upkeep (autovacuum) may name the same state anew."""
    return reply.body.replace(reply.headers["Condvest-Version"].encode(), b"")


class Reader:
    """Asks the same questions again and again, with the tags that it has."""

    def __init__(self, backend, beside, seed):
        self._server, self._beside = Whole(backend), beside
        self._chosen = [("/v1/runs", {}), *random.Random(seed).sample(QUESTIONS, 5)]
        self._has = {}
        self._pages = []
        self.not_modified = 0

    def look(self):
        for at, (path, asked) in enumerate(self._chosen):
            has = self._has.get(at)
            reply = self._server.ask(path, asked, has and has.headers["ETag"])
            self._beside.reference = Reference(self._beside)
            fresh = Server(self._beside).ask(path, asked)
            if isinstance(reply, str) or isinstance(fresh, str):
                assert reply == fresh
                self._has.pop(at, None)
                continue
            if reply.status == 304:
                self.not_modified += 1
                assert reply.headers.items() <= has.headers.items()
            else:
                self._has[at] = has = reply
            assert told(has) == told(fresh), (path, asked)
        self._turn_pages()

    def _turn_pages(self):
        """Ask for the second page of every first one; then take the first page of now."""
        for wanted, asked in self._pages:
            try:
                second = self._server._ours.reply(OURS["/v1/bars"], asked, {})
            except Gone:
                continue
            assert json.loads(second.body)["rows"] == wanted
        asked = [("interval", "1"), ("limit", "2")]
        first = self._server.ask("/v1/bars", dict(asked))
        whole = self._server.ask("/v1/bars", {"interval": "1"})
        if not isinstance(first, str) and json.loads(first.body)["next"] is not None:
            cursor = json.loads(first.body)["next"].partition("cursor=")[2]
            rows = json.loads(whole.body)["rows"]
            self._pages = [*self._pages[-2:], (rows[2:4], [*asked, ("cursor", cursor)])]


class Open:
    """Transactions that are under way beside the loads, and wait for nothing that those write."""

    def __init__(self, url):
        self._url = url
        self._stack = ExitStack()
        self._open = []

    def do(self, event):
        kind, *which = event
        if kind == "begin":
            connection = self._stack.enter_context(psycopg.connect(self._url))
            connection.execute("INSERT INTO runs (command) VALUES (%s)", (f"run {len(self._open)}",))
            self._open.append(connection)
        elif self._open:
            connection = self._open.pop(which[0] % len(self._open))
            connection.commit() if kind == "commit" else connection.rollback()
            connection.close()

    def end(self):
        for connection in self._open:
            connection.rollback()
        self._stack.close()


@pytest.fixture(scope="module")
def backends(lasting_world):
    made = [DatabaseBackend(lasting_world.workspace.settings) for _ in range(2)]
    yield made
    for each in made:
        each.close()


def checked(world, backends, history, seed):
    """Play a history; return how often the reader was told that it has the answer."""
    world.empty()
    world.bars([bar(one, world.date(at)) for one in ("A", "B") for at in range(-1, 4)])
    reader, transactions = Reader(*backends, seed), Open(world.url)
    try:
        reader.look()
        for event in history:
            if event[0] in ("begin", "commit", "roll back"):
                transactions.do(event)
            else:
                play(world, event)
            reader.look()
        reader.look()  # after a step of nothing
    finally:
        transactions.end()
    return reader.not_modified


OUT_OF_ORDER = [("begin",), ("begin",), ("begin",), ("commit", 2), ("commit", 1), ("roll back", 0)]
BOUNDED = settings(
    max_examples=2,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@BOUNDED
@given(history=histories_with_open_transactions(6), seed=...)
@example(history=OUT_OF_ORDER, seed=14)
def test_no_304_is_stale_after_any_commits(lasting_world, backends, history, seed: int):
    assert checked(lasting_world, backends, history, seed) > 0


@pytest.mark.long
@settings(parent=BOUNDED, max_examples=300, phases=list(Phase))
@given(history=histories_with_open_transactions(20), seed=...)
def test_no_304_is_stale_after_any_commits_for_long(lasting_world, backends, history, seed: int):
    assert checked(lasting_world, backends, history, seed) > 0


def test_days_to_come_are_told_anew_when_the_day_turns(backends):
    """The data stay, and yesterday's holiday has gone: July 4, 2024."""
    today = [dt.date(2024, 7, 4)]
    answering = CompatibleAnswering(backends[0], today=lambda: today[0])
    path = THEIRS["/v1/marketstatus/upcoming"]
    first = answering.reply(path, {}, [], {})
    tag = {"if-none-match": first.headers["ETag"]}
    assert json.loads(first.body)[0]["date"] == "2024-07-04"
    assert answering.reply(path, {}, [], tag).status == 304
    today[0] = dt.date(2024, 7, 5)
    second = answering.reply(path, {}, [], tag)
    assert (second.status, json.loads(second.body)[0]["date"]) == (200, "2024-09-02")
