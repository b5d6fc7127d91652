"""What stands before the application answers what is kept, of the present version or not at all."""

import asyncio
import threading

import pytest

from condvest.batch_layer.shared.errors import DatabaseUnavailable
from condvest.serving_layer.http.answers.replying import Asked, Made, Replies
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.front import ASKED, Front, Latest
from condvest.serving_layer.http.threads import Threads

QUERY = b"symbol=AAPL"


class Server:
    """An application that answers with the version that it reads, and counts what comes to it."""

    def __init__(self):
        self.version = "d-00000000-1:1:"
        self.asked = 0
        self.lookups = 0
        self.fails = self.is_ready = self.may_be_ready = False
        self.soon = 0
        self.replies = Replies()
        self.threads = Threads(1, 1)
        self.front = Front(self.answer, ["/v1/bars"], self.replies, Latest(self, self.threads))

    def state(self):
        self.lookups += 1
        if self.fails:
            raise DatabaseUnavailable("no server answers")
        return State(self.version, 0)

    def prepare_soon(self):
        self.is_ready = self.may_be_ready

    async def state_soon(self):
        if not self.is_ready or self.fails:
            return None
        self.soon += 1
        return State(self.version, 0)

    async def answer(self, scope, _receive, send):
        self.asked += 1
        has = dict(scope["headers"]).get(b"if-none-match")
        asked = Asked(self.version, "digest", ("json",), "", has and has.decode())
        reply = self.replies.reply(asked, lambda: Made(self.version.encode(), self.version, "text/plain"))
        scope[ASKED] = reply.asked
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.head})
        await send({"type": "http.response.body", "body": reply.body})

    async def get(self, path="/v1/bars", query=QUERY, **headers):
        sent = []
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": named}

        async def send(message):
            sent.append(message)

        await self.front(scope, None, send)
        start, body = sent
        return start["status"], dict(start["headers"]).get(b"etag", b"").decode(), body["body"].decode()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.threads.close()


def run(work):
    return asyncio.run(work())


def test_what_was_answered_is_answered_again_without_the_application(server):
    async def ask():
        return [await server.get() for _ in range(3)]

    answers = run(ask)
    assert answers == [answers[0]] * 3
    assert (answers[0][0], answers[0][2]) == (200, server.version)
    assert (server.asked, server.lookups) == (1, 2)


def test_a_new_version_is_never_answered_by_the_old_one(server):
    async def ask():
        _, tag, _ = await server.get()
        assert (await server.get(if_none_match=tag))[0] == 304
        server.version = "d-00000000-2:2:"
        changed = await server.get(if_none_match=tag)
        again = await server.get(if_none_match=changed[1])
        other = await server.get(if_none_match=f'W/{changed[1]}, "x"')
        return tag, changed, again, other

    tag, changed, again, other = run(ask)
    assert (changed[0], changed[2]) == (200, "d-00000000-2:2:")
    assert changed[1] != tag
    assert (again[0], again[2], other[0]) == (304, "", 304)
    assert server.asked == 2


def test_other_headers_queries_and_paths_are_other_questions(server):
    async def ask():
        await server.get()
        await server.get(accept="text/csv")
        await server.get(accept_encoding="gzip")
        await server.get(query=b"symbol=IBM")
        await server.get(path="/v1/other")
        await server.get(path="/v1/other")
        await server.get(if_none_match="*")

    run(ask)
    assert server.asked == 7


def test_a_lookup_that_began_before_a_question_does_not_answer_it(server):
    """The first one is under way when the data change; who asks then is answered by the next."""
    begun, may_end = threading.Event(), threading.Event()
    given = []

    def look_up():
        version = server.version
        given.append(version)
        if len(given) == 1:
            begun.set()
            assert may_end.wait(60)
        return State(version, 0)

    server.state = look_up
    latest = Latest(server, server.threads)

    async def ask():
        first = asyncio.create_task(latest.now())
        await asyncio.to_thread(begun.wait, 60)
        server.version = "d-00000000-2:2:"
        later = [asyncio.create_task(latest.now()) for _ in range(20)]
        await asyncio.sleep(0)
        later[0].cancel()  # who goes away takes nobody along
        may_end.set()
        return await first, [(await each).version for each in later[1:]]

    first, later = run(ask)
    assert first.version == "d-00000000-1:1:"
    assert later == ["d-00000000-2:2:"] * 19
    assert len(given) == 2


def test_a_lookup_that_fails_is_every_ones_who_waits_and_the_next_one_is_made(server):
    async def ask():
        await server.get()
        server.fails = True
        failed = await asyncio.gather(*(server.get() for _ in range(5)), return_exceptions=True)
        server.fails = False
        return failed, await server.get()

    failed, after = run(ask)
    assert [type(each) for each in failed] == [DatabaseUnavailable] * 5
    assert after[0] == 200
    assert server.asked == 1


def test_a_source_that_need_not_block_is_asked_in_the_event_loop_and_on_a_thread_when_it_fails(server):
    server.may_be_ready = True

    async def ask():
        for _ in range(4):
            await server.get()
        by_thread, in_loop = server.lookups, server.soon
        server.is_ready = False  # as when its connection was lost
        server.version = "d-00000000-2:2:"
        return by_thread, in_loop, await server.get(), await server.get()

    by_thread, in_loop, *after = run(ask)
    assert (by_thread, in_loop) == (1, 2)
    assert [body for _, _, body in after] == ["d-00000000-2:2:"] * 2
    assert (server.lookups, server.soon) == (2, 3)
