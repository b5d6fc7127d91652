"""What stands before the application: it answers what is kept, and what the client has already.

Most questions are asked again and again, and most of what such an answer costs is the way to it: routing,
reading the parameters, another thread. So what a query means is kept too, and only the version of the data is
looked up for each request. Pure ASGI, for the same reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.calls import CALL
from condvest.serving_layer.http.protocol import App, Receive, Scope, Send
from condvest.serving_layer.http.replying import Asked, Replies, Reply, not_modified
from condvest.serving_layer.http.states import State
from condvest.serving_layer.http.threads import Threads
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.versions import matches

ASKED = "condvest.asked"
"""Where the scope of a request holds what it asked for, once it was answered."""

_LARGEST = 8 << 20
"""Bytes of queries that are kept with what they mean."""

Key = tuple[str, bytes, bytes, bytes]


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
        self._waiting: list[asyncio.Future[State]] = []
        self._running: asyncio.Task[None] | None = None

    async def now(self) -> State:
        """Return a state that was the present one at some time after this was called.

        A lookup that is under way may have seen the state before it, so it is not waited for, but the next.

        Raises:
            CondvestError: what the lookup raised.
        """
        coming: asyncio.Future[State] = asyncio.get_running_loop().create_future()  # cancelled alone
        self._waiting.append(coming)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await coming

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                try:
                    state = await self._source.state_soon()
                    if state is None:
                        state = await self._threads.run(self._state)
                except CondvestError as error:
                    for coming in _present(waiting):
                        coming.set_exception(error)
                else:
                    for coming in _present(waiting):
                        coming.set_result(state)
        finally:
            self._running = None

    def _state(self) -> State:
        """Look up on a thread, and make ready what does so in the event loop from now on."""
        state = self._source.state()
        self._source.prepare_soon()
        return state


def _present(waiting: Iterable[asyncio.Future[State]]) -> list[asyncio.Future[State]]:
    """Return those for whom somebody still waits."""
    return [coming for coming in waiting if not coming.done()]


@dataclass
class _Question:
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


class Front:
    """Answers from what is kept; everything else is the application's."""

    def __init__(self, app: App, paths: Iterable[str], replies: Replies, latest: Latest) -> None:
        """Stand before an application whose answers at some paths are kept in ``replies``."""
        self._app = app
        self._paths = frozenset(paths)
        self._replies = replies
        self._latest = latest
        self._known: Kept[_Question] = Kept(_LARGEST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        key, has = self._key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        question = self._known.find(key)
        if question is not None:
            is_pinned = question.asked.is_pinned
            question.turn_to(question.asked.version if is_pinned else (await self._latest.now()).version)
            has_it = has is not None and (has == question.tag or matches(has, question.tag))
            reply = question.not_modified if has_it else self._replies.kept(question.tag)
            if reply is not None:
                call = CALL.get()
                if call is not None:
                    call.is_kept = True
                await send({"type": "http.response.start", "status": reply.status, "headers": reply.head})
                await send({"type": "http.response.body", "body": reply.body})
                return
        await self._app(scope, receive, send)
        asked = scope.get(ASKED)
        if asked is not None and question is None:
            self._known.put(key, _Question(asked), len(key[1]))

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
