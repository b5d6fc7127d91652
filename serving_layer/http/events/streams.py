"""The two streams: server-sent events, and a websocket. Both begin where the client says it has got to."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect

from condvest.batch_layer.database.stores.daily.live import live_state
from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.contract.reports import EventsQuery
from condvest.serving_layer.http.answers.problems import BadRequest, headers_of, problem
from condvest.serving_layer.http.answers.requests import check_no_parameters, parsed
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.states import NotServed
from condvest.serving_layer.http.events.hub import Hub, Listener, News
from condvest.serving_layer.http.guarding.guards import IS_HEAD, REQUEST_ID, STILL_ALLOWED
from condvest.serving_layer.http.guarding.log import FAILURE
from condvest.serving_layer.http.protocol import Receive, Scope, Send
from condvest.serving_layer.http.published.files import Run

PATH = "/v1/events"

HEARTBEAT = 15.0
"""Seconds after which something is sent although nothing has happened, and the key is looked at again."""

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # or a proxy may keep what is to be seen at once
}


def add_events(app: FastAPI, backend: Backend, run: Run) -> Hub:
    """Add the paths of what happens; return the hub, which is to be closed when the server shuts down."""
    hub = Hub(backend, run)

    @app.get(PATH, include_in_schema=False)
    async def events(request: Request) -> Response:
        query = _asked(request.query_params.multi_items(), request.headers.get("last-event-id"))
        return _Sse(hub, query)

    @app.get("/v1/live", summary="How far the session under way is known; null if nothing was collected.")
    async def live(request: Request) -> dict[str, Any]:
        check_no_parameters(request.query_params.multi_items())

        def read() -> dict[str, Any] | None:
            if not backend.has_database:
                raise NotServed(
                    "how far the collector has got is not published; /v1/bars?live=true gives the bars that "
                    "it publishes. Or ask a server that reads the database (condvest serve --source database)"
                )
            with backend.opened.database.transaction(read_only=True) as connection:
                return live_state(connection)

        return {"live": await run(read)}

    @app.websocket(PATH)
    async def socket(websocket: WebSocket) -> None:
        await _over_socket(hub, websocket)

    return hub


class _Sse(Response):
    """Server-sent events until the client leaves."""

    def __init__(self, hub: Hub, query: EventsQuery) -> None:
        super().__init__(headers=_HEADERS)
        self._hub = hub
        self._query = query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and go on answering."""
        has_begun = False

        async def write(text: str, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": more})

        try:
            await self._hub.check(self._query.rule, self._query.all_symbols())
            async with self._hub.listening() as listener:
                await listener.begin(self._query.after)
                headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                has_begun = True
                if not scope.get(IS_HEAD):
                    await write("retry: 3000\n\n")
                    await _until_gone(receive, _told(scope, listener, self._query, _as_sse, write))
                await write("", more=False)
        except CondvestError as error:
            scope[FAILURE] = error
            status, members = problem(error, scope[REQUEST_ID])
            if has_begun:
                await write(_as_sse("problem", None, members), more=False)
            else:
                await Response(json.dumps(members), status, headers_of(status))(scope, receive, send)


async def _over_socket(hub: Hub, websocket: WebSocket) -> None:
    scope = websocket.scope
    try:
        query = _asked(websocket.query_params.multi_items(), None)
        await hub.check(query.rule, query.all_symbols())
        async with hub.listening() as listener:
            await listener.begin(query.after)
            await websocket.accept()

            async def write(text: str) -> None:
                await websocket.send_text(text)

            await _until_gone(websocket.receive, _told(scope, listener, query, _as_json, write))
            with suppress(RuntimeError):  # the client has closed it already
                await websocket.close(1001 if hub.closes() else 1000)
    except WebSocketDisconnect:
        return  # the client has left, or took nothing and was left
    except CondvestError as error:
        scope[FAILURE] = error
        status, members = problem(error, scope[REQUEST_ID])
        if websocket.client_state.name == "CONNECTED":
            await websocket.close(1011, members["title"])
        else:
            await websocket.send_denial_response(Response(json.dumps(members), status, headers_of(status)))


async def _told(
    scope: Scope,
    listener: Listener,
    query: EventsQuery,
    shape: Callable[[str, int | None, Any], str],
    write: Callable[[str], Awaitable[None]],
) -> None:
    """Write what happens until the server shuts down, the key is no longer good, or the data are away."""
    still_allowed: Callable[[], None] = scope.get(STILL_ALLOWED, lambda: None)
    looked = asyncio.get_running_loop().time()
    while not listener.hub.closes():
        news = await listener.next(HEARTBEAT)
        if asyncio.get_running_loop().time() - looked >= HEARTBEAT:
            still_allowed()
            looked = asyncio.get_running_loop().time()
        messages = list(_messages(news, query))
        if not messages and listener.hub.closes():
            return
        for message in messages or [("", None, None)]:
            await write(shape(*message))


def _messages(news: News, query: EventsQuery) -> Iterator[tuple[str, int | None, Any]]:
    symbols = query.all_symbols()
    for event in news.events:
        if (query.rule is None or event["rule"] == query.rule) and (
            symbols is None or event["symbol"] in symbols
        ):
            yield event["state"], event["event_id"], event
    if news.tick is not None and query.ticks:
        yield "tick", None, news.tick


def _as_sse(name: str, event_id: int | None, data: Any) -> str:  # noqa: ANN401  # whatever JSON takes
    if not name:
        return ": still there\n\n"
    begin = "" if event_id is None else f"id: {event_id}\n"
    return f"{begin}event: {name}\ndata: {json.dumps(data, default=_text)}\n\n"


def _as_json(name: str, event_id: int | None, data: Any) -> str:  # noqa: ANN401  # as above
    return json.dumps({"event": name or "heartbeat", "id": event_id, "data": data}, default=_text)


def _text(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _asked(pairs: list[tuple[str, str]], last_event_id: str | None) -> EventsQuery:
    """Return the question; what a client that reconnects has got to comes before what its URL says."""
    if last_event_id:
        if not last_event_id.isdecimal() or len(last_event_id) > 18:  # noqa: PLR2004  # below 2**63
            raise BadRequest(f"Last-Event-ID {last_event_id!r}: expected the id of an event", "after")
        pairs = [*((name, value) for name, value in pairs if name != "after"), ("after", last_event_id)]
    query: EventsQuery = parsed(EventsQuery, [pair for pair in pairs if pair[0] != "apiKey"])
    return query


async def _until_gone(receive: Receive, telling: Awaitable[None]) -> None:
    """Tell until that ends, or the client leaves; what it says meanwhile is passed over."""

    async def gone() -> None:
        while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
            continue

    tasks = {asyncio.ensure_future(telling), asyncio.ensure_future(gone())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
