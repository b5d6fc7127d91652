"""The data feed's paths, and OpenBB's."""

from __future__ import annotations

import time
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from condvest.batch_layer.shared.errors import CondvestError, UnknownSymbol
from condvest.serving_layer.compatible import openbb
from condvest.serving_layer.http.answers.problems import problem
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.charts import reading
from condvest.serving_layer.http.guarding.guards import REQUEST_ID
from condvest.serving_layer.http.guarding.log import FAILURE
from condvest.serving_layer.http.massive.answering import CompatibleAnswering
from condvest.serving_layer.http.massive.paths import Single
from condvest.serving_layer.http.published.files import Run

_SOUGHT = ("query", "limit", "type", "exchange")
_BETWEEN = ("symbol", "resolution", "from", "to")
PATHS = (
    Single("/udf/config", "What the data feed can do.", reading.config),
    Single("/udf/symbols", "What a chart has to know of a symbol.", reading.symbols, ("symbol",)),
    Single(
        "/udf/search",
        "Instruments by symbol or name.",
        reading.search,
        ("query", "limit", "type", "exchange"),
    ),
    Single(
        "/udf/history", "Bars.", reading.history, (*_BETWEEN, "countback", "firstDataRequest", "currencyCode")
    ),
    Single("/udf/marks", "Splits and dividends on the chart.", reading.marks, _BETWEEN),
    Single("/udf/timescale_marks", "The same below the chart.", reading.timescale_marks, _BETWEEN),
)


def add_charts(app: FastAPI, backend: Backend, run: Run) -> None:
    """Add the paths; ``run`` does work on a thread."""
    answering = CompatibleAnswering(backend)
    for path in PATHS:
        _add(app, path, answering, run)

    @app.get("/udf/time", include_in_schema=False)
    async def now() -> Response:
        return Response(str(int(time.time())), media_type="text/plain")

    @app.get("/widgets.json", include_in_schema=False)
    async def widgets() -> dict[str, Any]:
        def first() -> str:
            with backend.reading() as (source, _):
                return min(source.names().values(), default="AAPL")

        return openbb.widgets(await run(first))

    @app.get("/apps.json", include_in_schema=False)
    async def apps() -> list[dict[str, Any]]:
        return openbb.apps()


def _add(app: FastAPI, path: Single, answering: CompatibleAnswering, run: Run) -> None:
    async def answer(request: Request) -> Response:
        pairs = request.query_params.multi_items()
        try:
            reply = await run(lambda: answering.reply(path, {}, pairs, dict(request.headers)))
        except CondvestError as error:
            request.scope[FAILURE] = error
            return _failed(error, request.scope[REQUEST_ID])
        return Response(reply.body, reply.status, reply.headers)

    app.add_api_route(path.path, answer, methods=["GET"], summary=path.summary, include_in_schema=False)


def _failed(error: CondvestError, request_id: str) -> Response:
    """Return an error in the feed's form; TradingView knows an unknown symbol by this word alone."""
    status, members = problem(error, request_id)
    text = "unknown_symbol" if isinstance(error, UnknownSymbol) else members["detail"]
    return Response(orjson.dumps({"s": "error", "errmsg": text}), status, media_type="application/json")
