"""Paths that answer with rows, before the framework routes anything: it takes as long as a small answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from condvest.serving_layer.http.answers.endpoints import Endpoint
from condvest.serving_layer.http.answers.replying import Pairs, Reply
from condvest.serving_layer.http.answers.requests import understood
from condvest.serving_layer.http.calls import worked
from condvest.serving_layer.http.front import ASKED
from condvest.serving_layer.http.protocol import App, Receive, Scope, Send
from condvest.serving_layer.http.service import Service

SMALL = 512
"""Rows that are made bytes of in the event loop, which takes 2 ms at the most; of more, a thread does."""

_SHORT = 1024
"""Bytes of a query that is read in the event loop."""


class RowsFront:
    """Answers questions for rows; everything else is the application's.

    Most questions are about one symbol's stored bars. The event loop asks for those itself, for to hand them
    to a thread and back takes as long as half of what else there is to do.
    """

    def __init__(self, app: App, endpoints: Iterable[Endpoint], service: Service) -> None:
        """Stand before an application, and answer at some paths."""
        self._app = app
        self._answering = service.answering
        self._threads = service.threads
        self._lines = service.lines
        self._endpoints: Mapping[str, Endpoint] = {endpoint.path: endpoint for endpoint in endpoints}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            CondvestError: see `Answering.reply`.
        """
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        # Of a header that comes twice, the first one counts.
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"][::-1]}
        is_short = len(scope["query_string"]) <= _SHORT
        reply = await self._soon(endpoint, pairs, headers) if is_short else None
        if reply is None:
            reply = await self._threads.run(lambda: self._answering.reply(endpoint, pairs, headers))
        scope[ASKED] = reply.asked
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.head})
        await send({"type": "http.response.body", "body": reply.body})

    async def _soon(self, endpoint: Endpoint, pairs: Pairs, headers: Mapping[str, str]) -> Reply | None:
        """Answer without a thread, or with one only for the bytes; None if that cannot be."""
        if endpoint.asking is None:
            return None
        request = understood(endpoint, pairs, headers)
        asking = endpoint.asking(self._answering.backend, request.query) if request.is_of_now else None
        row = None if asking is None else await self._lines.row(asking)
        if asking is None or row is None:
            return None
        answer = worked(lambda: endpoint.answered(request.query, asking.read(*row)))
        if answer is None:
            return None
        if len(answer[0]) <= SMALL:
            return worked(lambda: self._answering.reply_with(request, answer))
        return await self._threads.run(lambda: self._answering.reply_with(request, answer))
