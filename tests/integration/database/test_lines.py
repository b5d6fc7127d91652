"""One symbol's stored bars, asked for by the event loop: answered as by a thread, and after failures too."""

import asyncio
import itertools
import json
import random
from contextlib import asynccontextmanager, suppress

import httpx
import psycopg
import pytest

from condvest.serving_layer.http.answers import rows
from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.lines import Lines
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.http.threads import Threads
from condvest.serving_layer.queries.bars.question import Question
from tests.support.payloads import bar, split

(BARS,) = (endpoint for endpoint in ENDPOINTS if endpoint.path == "/v1/bars")


_NUMBERS = itertools.count(1000)


@pytest.fixture
def market(world):
    world.bars([bar(symbol, world.date(at)) for symbol in "ABC" for at in range(8)])
    world.splits([split("A", world.date(4), 1, 2)])
    world.resample()
    return world


@pytest.fixture
def backend(market):
    made = DatabaseBackend(market.workspace.settings)
    yield made
    made.close()


@pytest.fixture
def soon(monkeypatch):
    """Whether each question was answered without a thread between it and the database."""
    answered, original = [], rows.RowsFront._soon

    async def noted(self, *given):
        reply = await original(self, *given)
        answered.append(reply is not None)
        return reply

    monkeypatch.setattr(rows.RowsFront, "_soon", noted)
    return answered


@asynccontextmanager
async def client_of(backend):
    app = create_app(backend, Rules(), lambda _: None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers={"Accept-Encoding": "gzip"}
    ) as client:
        yield client


async def until_soon(client, soon):
    """Ask until the event loop answers by itself; something else each time, or what is kept would do."""
    for number in itertools.islice(_NUMBERS, 100):
        answer = await client.get(f"/v1/bars?symbol=C&interval=3&last={number}")
        assert answer.status_code == 200
        if soon[-1]:
            return
    raise AssertionError("it never did")


def terminate_all(world):
    with psycopg.connect(world.workspace.settings.database.url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def question(random_):
    asked = [("symbol", random_.choice("ABC")), ("interval", random_.choice(("1", "3", "5")))]
    asked += random_.sample(
        [("last", "2"), ("include_open", "true"), ("adjust", "none"), ("columns", "close,window"),
         ("limit", "3"), ("format", random_.choice(("arrow", "csv", "columns", "ndjson", "parquet")))],
        random_.randrange(4),
    )  # fmt: skip
    return asked


def test_it_is_the_answer_of_a_thread_to_any_question_after_any_load(market, backend, soon):
    """Compared where both are of one version: the server may vacuum between the two."""
    random_ = random.Random(7)

    async def ask():
        compared = 0
        async with client_of(backend) as client:
            for night in range(6):
                for asked in (question(random_) for _ in range(12)):
                    ours = await client.get("/v1/bars", params=asked)
                    beside = Answering(backend).reply(BARS, asked, dict(ours.request.headers))
                    names = {"ETag", "Condvest-Version", "Condvest-Rows", "Content-Type", "Cache-Control"}
                    told = {name: ours.headers.get(name) for name in names}
                    if told["Condvest-Version"] == beside.headers["Condvest-Version"]:
                        compared += soon[-1]
                        assert told == {name: beside.headers.get(name) for name in names}, asked
                        plain = await client.get("/v1/bars", params=asked, headers={"Accept-Encoding": ""})
                        assert ours.content == plain.content
                        if "Content-Encoding" not in beside.headers:
                            assert ours.content == beside.body, asked
                market.bars([bar(symbol, market.date(8 + night)) for symbol in "ABC"])
                market.resample()
        return compared

    assert asyncio.run(ask()) > 30


def test_of_many_at_once_each_gets_its_own_answer(backend, soon):
    """More than there are connections: the rest is the threads'."""

    async def ask():
        async with client_of(backend) as client:
            await until_soon(client, soon)
            del soon[:]
            asked = [("ABC"[at % 3], at // 3 + 1) for at in range(24)]
            answers = await asyncio.gather(
                *(client.get(f"/v1/bars?symbol={symbol}&interval=3&last={last}") for symbol, last in asked)
            )
            return [
                (answer.status_code, [row["symbol"] for row in answer.json()["rows"]])
                == (200, [symbol] * min(last, 2))
                for (symbol, last), answer in zip(asked, answers, strict=True)
            ]

    assert asyncio.run(ask()) == [True] * 24
    assert {True, False} == set(soon)


def test_a_connection_that_is_lost_is_made_anew(market, backend, soon):
    async def ask():
        async with client_of(backend) as client:
            await until_soon(client, soon)
            terminate_all(market)
            del soon[:]
            for _ in range(5):  # the threads' connections were ended, too, which they see when they ask
                with suppress(AssertionError):
                    await until_soon(client, soon)
                    return soon[0]
        raise AssertionError("it did not recover")

    assert asyncio.run(ask()) is False


def test_what_the_database_refuses_is_told_by_a_thread(market, backend, soon):
    async def ask():
        async with client_of(backend) as client:
            await until_soon(client, soon)
            market.looking.execute("ALTER TABLE splits RENAME TO splits_")
            refused = await client.get("/v1/bars?symbol=A&interval=3")
            market.looking.execute("ALTER TABLE splits_ RENAME TO splits")
            await until_soon(client, soon)
            return refused.status_code, json.loads(refused.content)["type"]

    assert asyncio.run(ask()) == (500, "/problems/internal")


def test_more_rows_than_few_become_bytes_on_a_thread(backend, soon, monkeypatch):
    monkeypatch.setattr(rows, "SMALL", 1)

    async def ask():
        async with client_of(backend) as client:
            await until_soon(client, soon)
            answer = await client.get("/v1/bars?symbol=B&interval=3")
            return len(answer.json()["rows"]), soon[-1]

    assert asyncio.run(ask()) == (2, True)


def test_who_goes_away_while_asking_costs_others_nothing(backend):
    """After any number of turns of the loop: what is asked next is answered, over a connection made anew."""
    threads = Threads(1, 9)
    Answering(backend).reply(BARS, [("symbol", "A"), ("interval", "3")], {})  # so that the state is known

    async def ask(turns):
        own = Lines(backend, threads)
        asking = backend.asking(Question(symbols=["A"], interval=3))

        async def until_ready():
            while (row := await own.row(asking)) is None:
                await asyncio.wait([own._preparing])
            return row

        await until_ready()
        leaving = asyncio.create_task(own.row(asking))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        row, schema = await until_ready()
        own.close()
        return asking.read(row, schema)[0].bars.window.tolist()

    windows = [asyncio.run(ask(turns)) for turns in range(4)]
    assert windows == [windows[0]] * 4
    assert len(windows[0]) == 2
    threads.close()
