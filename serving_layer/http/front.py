"""What stands before the application: it answers what is kept, and what the client has already.

Most questions are asked again and again, and most of what such an answer costs is the way to it: routing,
reading the parameters, another thread. So what a query means is kept too, and only the version of the data is
looked up for each request. Pure ASGI, for the same reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.answers.replying import Asked, Replies, Reply, not_modified
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.calls import CALL
from condvest.serving_layer.http.protocol import App, Receive, Scope, Send
from condvest.serving_layer.http.threads import Threads
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.versions import matches

ASKED = "condvest.asked"
"""Where the scope of a request holds what it asked for, once it was answered."""

_LARGEST = 8 << 20
"""Bytes of queries that are kept with what they mean."""

Key = tuple[str, bytes, bytes, bytes]

Take = Callable[["State | CondvestError"], None]
"""Takes what a lookup found."""


class Looking(Protocol):
    """What of a `Backend` a lookup needs."""

    def state(self) -> State:
        """Return the present state."""
        ...

    def prepare_soon(self) -> None:
        """Make ready what `state_soon` needs."""
        ...

    async def state_soon(self) -> State | None:
        """Return the present state without blocking; None if that cannot be."""
        ...


class Latest:
    """The present state of the data, looked up at most once at a time for all who ask. For one event loop."""

    def __init__(self, source: Looking, threads: Threads) -> None:
        """Look up in the event loop where the source can, else on a thread that nothing else needs."""
        self._source = source
        self._threads = threads
        self._waiting: list[Take] = []
        self._running: asyncio.Task[None] | None = None

    async def now(self) -> State:
        """Return a state that was the present one at some time after this was called.

        Raises:
            CondvestError: what the lookup raised.
        """
        coming: asyncio.Future[State] = asyncio.get_running_loop().create_future()  # cancelled alone

        def take(outcome: State | CondvestError) -> None:
            if coming.done():  # nobody waits for it any more
                return
            if isinstance(outcome, State):
                coming.set_result(outcome)
            else:
                coming.set_exception(outcome)

        self.tell(take)
        return await coming

    def tell(self, take: Take, version: str | None = None) -> None:
        """Have ``take`` called, after this returns, with a state that is the present one at some time then.

        Or with what the lookup raises. A lookup that is under way may have seen the state before it, so it is
        not waited for, but the next. With ``version``, that state is told and nothing is looked up.
        """
        if version is not None:
            asyncio.get_running_loop().call_soon(take, State(version, 0))
            return
        self._waiting.append(take)
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        CALL.set(None)  # of this task alone: it looks for all who ask, and to them it is a wait
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                outcome: State | CondvestError | None
                try:
                    outcome = await self._source.state_soon()
                    if outcome is None:
                        outcome = await self._threads.run(self._state)
                except CondvestError as error:
                    outcome = error
                soon = asyncio.get_running_loop().call_soon
                for take in waiting:
                    soon(take, outcome)  # each by itself: what fails in one of them is not the others'
        finally:
            self._running = None

    def _state(self) -> State:
        """Look up on a thread, and make ready what does so in the event loop from now on."""
        state = self._source.state()
        self._source.prepare_soon()
        return state


@dataclass
class Question:
    """What a query means, and its tag and its 304 of the version that was asked last."""

    asked: Asked
    version: str = ""
    tag: str = ""
    not_modified: Reply = field(default_factory=lambda: Reply(304, {}))

    def turn_to(self, version: str) -> None:
        """Have the tag of this version."""
        if version != self.version:
            self.not_modified = not_modified(self.asked, version)
            self.tag = self.asked.tag(version)
            self.version = version

    def reply(self, replies: Replies, version: str, has: str | None) -> Reply | None:
        """Return the answer of a version to a client that has some tags already; None if it is not kept."""
        self.turn_to(version)
        has_it = has is not None and (has == self.tag or matches(has, self.tag))
        return self.not_modified if has_it else replies.kept(self.tag)


class Learning(Protocol):
    """What of `Direct` this needs."""

    def learn(self, scope: Scope, question: Question, has: str | None) -> None:
        """Remember a request that was answered by what is kept, and the tags that its client has."""
        ...


class Front:
    """Answers from what is kept; everything else is the application's."""

    def __init__(self, app: App, paths: Iterable[str], replies: Replies, latest: Latest) -> None:
        """Stand before an application whose answers at some paths are kept in ``replies``.

        What is answered so is told to ``direct``, which answers the same request when it comes again.
        """
        self.direct: Learning | None = None
        self._app = app
        self._paths = frozenset(paths)
        self._replies = replies
        self._latest = latest
        self._known: Kept[Question] = Kept(_LARGEST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        key, has = self._key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        question = self._known.find(key)
        if question is not None:
            is_pinned = question.asked.is_pinned
            version = question.asked.version if is_pinned else (await self._latest.now()).version
            reply = question.reply(self._replies, version, has)
            if reply is not None:
                if self.direct is not None:
                    self.direct.learn(scope, question, has)
                call = CALL.get()
                if call is not None:
                    call.is_kept = True
                await send({"type": "http.response.start", "status": reply.status, "headers": reply.head})
                await send({"type": "http.response.body", "body": reply.body})
                return
        await self._app(scope, receive, send)
        asked = scope.get(ASKED)
        if asked is not None and question is None:
            self._known.put(key, Question(asked), len(key[1]))

    def _key(self, scope: Scope) -> tuple[Key | None, str | None]:
        """Return what decides on an answer, None if that is more than a key holds; and If-None-Match."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in self._paths:
            return None, None
        has, accept, coding = b"", b"", b""
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                has, former = value, has
            elif name == b"accept":
                accept, former = value, accept
            elif name == b"accept-encoding":
                coding, former = value, coding
            else:
                continue
            if former:  # the header comes twice
                return None, None
        if b"*" in has:  # any answer that there is, which the application finds out
            return None, None
        return (scope["path"], scope["query_string"], accept, coding), has.decode("latin-1") or None
