"""Paths that answer with rows, before the framework routes anything: it takes as long as a small answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from condvest.serving_layer.http.answering import Answering
from condvest.serving_layer.http.endpoints import Endpoint
from condvest.serving_layer.http.front import ASKED
from condvest.serving_layer.http.protocol import App, Receive, Scope, Send
from condvest.serving_layer.http.threads import Threads


class RowsFront:
    """Answers questions for rows; everything else is the application's."""

    def __init__(
        self, app: App, endpoints: Iterable[Endpoint], answering: Answering, threads: Threads
    ) -> None:
        """Stand before an application, and answer at some paths on threads."""
        self._app = app
        self._answering = answering
        self._threads = threads
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
        reply = await self._threads.run(lambda: self._answering.reply(endpoint, pairs, headers))
        scope[ASKED] = reply.asked
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.head})
        await send({"type": "http.response.body", "body": reply.body})
