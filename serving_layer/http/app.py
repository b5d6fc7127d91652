"""The application: every endpoint as a path, its answers computed on threads of their own."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.routing import Mount, Route

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.contract import StateQuery
from condvest.serving_layer.contract.reports import ReadyQuery
from condvest.serving_layer.http.answers import reports
from condvest.serving_layer.http.answers.describing import PROBLEMS, RESPONSES, parameters_of
from condvest.serving_layer.http.answers.endpoints import BY_BODY, ENDPOINTS, Endpoint
from condvest.serving_layer.http.answers.posting import add_post
from condvest.serving_layer.http.answers.problems import NoSuchPath, failure_of, headers_of, problem
from condvest.serving_layer.http.answers.requests import parsed
from condvest.serving_layer.http.answers.rows import RowsFront
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.charts.paths import add_charts
from condvest.serving_layer.http.direct import Direct
from condvest.serving_layer.http.events.streams import add_events
from condvest.serving_layer.http.front import Front, Latest
from condvest.serving_layer.http.guarding.bounded import Bounded, Sending
from condvest.serving_layer.http.guarding.guards import REQUEST_ID, Guards, Rules
from condvest.serving_layer.http.guarding.log import FAILURE
from condvest.serving_layer.http.massive.answering import CompatibleAnswering, failed
from condvest.serving_layer.http.massive.paths import PATHS, Listing, Single
from condvest.serving_layer.http.metrics import Metrics, add_metrics
from condvest.serving_layer.http.page import add_page
from condvest.serving_layer.http.protocol import App
from condvest.serving_layer.http.published.files import PublishedFiles
from condvest.serving_layer.http.published.sending import FilesFront, add_files
from condvest.serving_layer.http.service import Service
from condvest.serving_layer.http.statements.paths import PATH as SQL_PATH
from condvest.serving_layer.http.statements.paths import add_sql
from condvest.serving_layer.http.threads import Threads
from condvest.serving_layer.sql.process import SqlProcess


def create_app(
    backend: Backend,
    rules: Rules,
    log: Callable[[str], None] | None = None,
    sql: SqlProcess | None = None,
    *,
    has_tools: bool = False,
    sending: Sending | None = None,
) -> App:
    """Return the ASGI application that answers from a backend, behind its guards.

    Args:
        backend: where answers come from; closed when the application ends.
        rules: who may ask.
        log: takes one line of JSON per request; to standard error if None.
        sql: runs SQL statements, and is closed when the application ends; None for no SQL.
        has_tools: whether to answer the Model Context Protocol at ``/mcp``, too; needs the extra ``mcp``.
        sending: bounds of what is sent at once; none if None.
    """
    service = Service(backend, sql)
    threads = service.threads
    stack = AsyncExitStack()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stack.callback(service.close)
        async with stack:
            if mounted is not None:
                await stack.enter_async_context(mounted.running())
            yield

    app = FastAPI(
        title="Condvest",
        version=version("condvest"),
        summary="Bars of n sessions that never move, and how they came to be. Read only.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
        responses=PROBLEMS,
        exception_handlers={CondvestError: _failed, Exception: _failed},
    )
    _add_rows(app, service)
    add_charts(app, backend, threads.run)
    files = PublishedFiles(backend, signs=sending is not None and sending.signs_files)
    add_files(app, files, threads.run)
    hub = add_events(app, backend, threads.run)
    add_page(app)
    posts, mounted = [*BY_BODY], None
    if service.statements is not None:
        add_sql(app, service.statements, service.for_sql.run)
        posts.append(SQL_PATH)
    if has_tools:
        # Imported here: few servers have tools, and their library takes half a second.
        from condvest.serving_layer.http.tools import mounting  # noqa: PLC0415

        mounted = mounting.add_tools(app, service)
        posts.append(mounting.PATH)
    add_metrics(app, metrics := Metrics())
    _add_states(app, backend, threads)
    metrics.know([route.path for route in app.routes if isinstance(route, Route | Mount)])
    latest, replies = Latest(backend, service.for_state), service.answering.replies
    for_files = FilesFront(app, files, threads.run)
    for_rows = RowsFront(for_files, ENDPOINTS, service)
    front = Front(for_rows, [each.path for each in ENDPOINTS], replies, latest)
    inner = front if sending is None else Bounded(front, sending.largest)
    guards = Guards(inner, rules, log, posts, hub.close, metrics)
    guards.direct = front.direct = for_files.direct = Direct(replies, latest, guards, files)
    return guards


def _add_rows(app: FastAPI, service: Service) -> None:
    """Add what answers with rows: the contract's paths, and the vendor's."""
    answering, threads = service.answering, service.threads
    for endpoint in ENDPOINTS:
        _add(app, endpoint)
        if endpoint.path in BY_BODY:
            add_post(app, endpoint, answering, threads)
    massive = CompatibleAnswering(service.backend)
    for path in PATHS:
        _add_massive(app, path, massive, threads)


def _add(app: FastAPI, endpoint: Endpoint) -> None:
    """Describe an endpoint that answers with rows."""

    async def answer() -> Response:
        # For the OpenAPI document: `RowsFront` answers before anything is routed.
        raise NoSuchPath(f"there is no {endpoint.path}")

    app.add_api_route(
        endpoint.path,
        answer,
        methods=["GET"],
        name=endpoint.path.rpartition("/")[2],
        summary=endpoint.summary,
        response_class=Response,
        openapi_extra={"parameters": parameters_of(endpoint.model)},
        responses=RESPONSES,
    )


def _add_massive(
    app: FastAPI, path: Single | Listing, answering: CompatibleAnswering, threads: Threads
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

    # A symbol may hold a slash, which is one by the time that a path is routed.
    template = path.path.replace("{ticker}", "{ticker:path}").replace("{identifier}", "{identifier:path}")
    app.add_api_route(template, answer, methods=["GET"], summary=path.summary, include_in_schema=False)


def _add_states(app: FastAPI, backend: Backend, threads: Threads) -> None:
    """Add what says how the server and its data are, and the answer to every other path."""

    def of(request: Request) -> Backend:
        source = parsed(StateQuery, request.query_params.multi_items()).source
        return backend if source is None else backend.of(source)

    described = {"parameters": parameters_of(StateQuery)}

    @app.get(
        "/v1/version",
        summary="Which version of the data the answers are made from.",
        openapi_extra=described,
    )
    async def present_version(request: Request) -> dict[str, Any]:
        def present() -> State:
            with of(request).reading() as (_, state):
                return state

        state = await threads.run(present)
        return {
            "version": state.version,
            "published_at": state.published_at,
            "loaded_through": state.loaded_through,
        }

    @app.get(
        "/v1/status",
        summary="What the database or the publication holds, as condvest status --json tells it.",
        openapi_extra=described,
    )
    async def status(request: Request) -> dict[str, Any]:
        return await threads.run(lambda: reports.status(of(request)))

    _add_health(app, backend, threads)

    @app.get("/{path:path}", include_in_schema=False)
    async def nothing(path: str) -> Response:
        paths = ", ".join(endpoint.path for endpoint in ENDPOINTS)
        raise NoSuchPath(f"there is no /{path}; there are {paths}")


def _add_health(app: FastAPI, backend: Backend, threads: Threads) -> None:
    """Add what a watch asks, or what passes requests on to servers that are ready."""

    @app.get("/health/live", summary="Whether the server runs.")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/health/ready",
        summary="Whether the data can be reached, and follow the market.",
        openapi_extra={"parameters": parameters_of(ReadyQuery)},
    )
    async def ready(request: Request) -> dict[str, str]:
        max_behind = parsed(ReadyQuery, request.query_params.multi_items()).max_behind

        def check() -> None:
            backend.state()
            if max_behind is not None:
                reports.check_fresh(backend, max_behind, dt.datetime.now(dt.UTC))

        await threads.run(check)
        return {"status": "ok"}


async def _failed(request: Request, error: Exception) -> Response:
    """Answer with an error, and leave it for the log."""
    request.scope[FAILURE] = error = failure_of(error)
    status, members = problem(error, request.scope[REQUEST_ID])
    return Response(json.dumps(members), status, headers_of(status, error))
