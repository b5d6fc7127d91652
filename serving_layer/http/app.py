"""The application: every endpoint as a path, its answers computed on threads of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response

from batch_layer.shared.errors import CondvestError
from serving_layer.http.answering import Answering
from serving_layer.http.backends import Backend
from serving_layer.http.calls import FAILURE, App
from serving_layer.http.charts.paths import add_charts
from serving_layer.http.endpoints import ENDPOINTS, Endpoint
from serving_layer.http.events.streams import add_events
from serving_layer.http.files import add_files
from serving_layer.http.guards import REQUEST_ID, Guards, Rules
from serving_layer.http.massive.answering import CompatibleAnswering, failed
from serving_layer.http.massive.paths import PATHS, Listing, Single
from serving_layer.http.page import add_page
from serving_layer.http.problems import Busy, NoSuchPath, Unexpected, headers_of, problem
from serving_layer.http.states import State
from serving_layer.queries.status import read_status

T = TypeVar("T")

THREADS = 4
"""Questions answered at once; each thread has a connection of its own."""

LONGEST_QUEUE = 32
"""Questions that may wait for a thread; one more is refused."""


def create_app(backend: Backend, rules: Rules, log: Callable[[str], None] | None = None) -> App:
    """Return the ASGI application that answers from a backend, behind its guards.

    Args:
        backend: where answers come from; closed when the application ends.
        rules: who may ask.
        log: takes one line of JSON per request; to standard error if None.
    """
    threads = _Threads()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            threads.close()
            backend.close()

    app = FastAPI(
        title="Condvest",
        version=version("condvest"),
        summary="Bars of n sessions that never move, and how they came to be. Read only.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
        responses=_PROBLEMS,
        exception_handlers={CondvestError: _failed},
    )
    answering = Answering(backend)
    for endpoint in ENDPOINTS:
        _add(app, endpoint, answering, threads)
    massive = CompatibleAnswering(backend)
    for path in PATHS:
        _add_massive(app, path, massive, threads)
    add_charts(app, backend, threads.run)
    add_files(app, backend, threads.run)
    hub = add_events(app, backend, threads.run)
    add_page(app)
    _add_states(app, backend, threads)
    return Guards(app, rules, log, hub.close)


def _add(app: FastAPI, endpoint: Endpoint, answering: Answering, threads: _Threads) -> None:
    """Add an endpoint that answers with rows."""

    async def answer(request: Request) -> Response:
        pairs, headers = request.query_params.multi_items(), dict(request.headers)
        reply = await threads.run(lambda: answering.reply(endpoint, pairs, headers))
        return Response(reply.body, reply.status, reply.headers)

    app.add_api_route(
        endpoint.path,
        answer,
        methods=["GET"],
        name=endpoint.path.rpartition("/")[2],
        summary=endpoint.summary,
        response_class=Response,
        openapi_extra={"parameters": _parameters(endpoint)},
        responses=_RESPONSES,
    )


def _add_massive(
    app: FastAPI, path: Single | Listing, answering: CompatibleAnswering, threads: _Threads
) -> None:
    """Add one of Massive's paths, whose errors have Massive's form."""

    async def answer(request: Request) -> Response:
        given, pairs = request.path_params, request.query_params.multi_items()
        try:
            reply = await threads.run(lambda: answering.reply(path, given, pairs, dict(request.headers)))
        except CondvestError as error:
            request.scope[FAILURE] = error
            reply = failed(error, request.scope[REQUEST_ID])
        return Response(reply.body, reply.status, reply.headers)

    app.add_api_route(path.path, answer, methods=["GET"], summary=path.summary, include_in_schema=False)


def _add_states(app: FastAPI, backend: Backend, threads: _Threads) -> None:
    """Add what says how the server and its data are, and the answer to every other path."""

    @app.get("/v1/version", summary="Which version of the data the answers are made from.")
    async def present_version() -> dict[str, Any]:
        def present() -> State:
            with backend.reading() as (_, state):
                return state

        state = await threads.run(present)
        return {"version": state.version, "loaded_through": state.loaded_through}

    @app.get("/v1/status", summary="What the database holds, as condvest status --json tells it.")
    async def status() -> dict[str, Any]:
        return await threads.run(lambda: read_status(backend.opened))

    @app.get("/health/live", summary="Whether the server runs.")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/health/ready", summary="Whether the data can be reached.")
    async def ready() -> dict[str, str]:
        await threads.run(backend.state)
        return {"status": "ok"}

    @app.get("/{path:path}", include_in_schema=False)
    async def nothing(path: str) -> Response:
        paths = ", ".join(endpoint.path for endpoint in ENDPOINTS)
        raise NoSuchPath(f"there is no /{path}; there are {paths}")


async def _failed(request: Request, error: Exception) -> Response:
    """Answer with an error, and leave it for the log."""
    request.scope[FAILURE] = error
    status, members = problem(error, request.scope[REQUEST_ID])
    return Response(json.dumps(members), status, headers_of(status))


class _Threads:
    """Threads that answer; questions beyond what may wait for one are refused."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="condvest-serve")
        self._under_way = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do some work on a thread.

        Raises:
            Busy: too much waits already.
            Unexpected: the work failed with an error that is none of ours.
        """
        if self._under_way >= THREADS + LONGEST_QUEUE:
            raise Busy(f"{self._under_way} questions are under way; ask again in some seconds")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except CondvestError:
            raise
        except Exception as error:
            raise Unexpected("an answer failed") from error
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """Wait for the work under way."""
        self._pool.shutdown()


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Return the parameters of an endpoint as OpenAPI describes them, made from its model."""
    schema = endpoint.model.model_json_schema()
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": about.get("description", ""),
            "schema": {key: value for key, value in about.items() if key not in ("description", "title")},
        }
        for name, about in schema["properties"].items()
    ]


_PROBLEM = {"application/problem+json": {"schema": {"type": "object"}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Rows, in the format asked for.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    304: {"description": "The client has this answer already."},
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "A parameter is wrong; the detail names it.", "content": _PROBLEM},
    401: {"description": "A key is needed.", "content": _PROBLEM},
    403: {"description": "The request is for another host.", "content": _PROBLEM},
    404: {"description": "No instrument carries a symbol, or there is no such path.", "content": _PROBLEM},
    406: {"description": "No such format.", "content": _PROBLEM},
    410: {"description": "The state of the data that a cursor belongs to is gone.", "content": _PROBLEM},
    413: {"description": "The answer would be too large; the detail says what to ask.", "content": _PROBLEM},
    429: {"description": "The key has asked too often.", "content": _PROBLEM},
    501: {"description": "Not served from a published data set.", "content": _PROBLEM},
    503: {"description": "The data cannot be reached now.", "content": _PROBLEM},
    504: {"description": "The database gave up what took too long.", "content": _PROBLEM},
}
