"""Questions that come as a body of JSON: for lists of symbols that are too long for a line."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.describing import RESPONSES
from condvest.serving_layer.http.answers.endpoints import Endpoint
from condvest.serving_layer.http.answers.problems import BadRequest
from condvest.serving_layer.http.guarding.bodies import body_of
from condvest.serving_layer.http.threads import Threads

_MEDIA_TYPE = "application/json"


def add_post(app: FastAPI, endpoint: Endpoint, answering: Answering, threads: Threads) -> None:
    """Add an endpoint's way to be asked by a body, which has the fields of its parameters."""

    async def answer(request: Request) -> Response:
        _check_no_query(request)
        pairs, headers = pairs_of(await body_of(request)), dict(request.headers)
        reply = await threads.run(lambda: answering.reply(endpoint, pairs, headers, is_post=True))
        return Response(reply.body, reply.status, reply.headers)

    schema = endpoint.model.model_json_schema()
    app.add_api_route(
        endpoint.path,
        answer,
        methods=["POST"],
        name=f"{endpoint.path.rpartition('/')[2]}_by_body",
        summary=f"{endpoint.summary} The parameters come as JSON; the next page's cursor as `cursor`.",
        response_class=Response,
        responses={status: about for status, about in RESPONSES.items() if status != _NOT_MODIFIED},
        openapi_extra={"requestBody": {"required": True, "content": {_MEDIA_TYPE: {"schema": schema}}}},
    )


_NOT_MODIFIED = 304


def _check_no_query(request: Request) -> None:
    if request.url.query:
        raise BadRequest("the question is asked by the body; leave out what follows the ? of the URL", "body")


def pairs_of(body: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a body as a query would have them, so that the same checks hold for both.

    A list of symbols stands for one ``symbol`` each::

        {"symbol": ["A", "B,C"], "interval": 13}  ->  symbol=A, symbol=B,C, interval=13

    Raises:
        BadRequest: it is no JSON object, or a field holds what no parameter can.
    """
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is no JSON: {error}", "body") from error
    if not isinstance(fields, dict):
        raise BadRequest('the body is no JSON object: send {"symbol": ["AAPL"], "interval": 13}', "body")
    json.loads(body, object_pairs_hook=_check_given_once)
    return [pair for name, value in fields.items() for pair in _pairs(name, value)]


def _check_given_once(pairs: list[tuple[str, Any]]) -> None:
    """Refuse a field that an object has twice, of which readers of JSON keep the last."""
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise BadRequest(f"{name} is given {count} times; give it once", name)


def _pairs(name: str, value: object) -> list[tuple[str, str]]:
    if not isinstance(value, list):
        return [(name, _text(name, value))]
    if not value:
        raise BadRequest(f"{name} is an empty list; leave it out, or give it a value", name)
    # Of any other parameter, two values are refused where those of a query are.
    return [("symbol" if name == "symbols" else name, _text(name, each)) for each in value]


def _text(name: str, value: Any) -> str:  # noqa: ANN401  # whatever JSON holds
    """Return a value as it would stand in a query."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    given = "null" if value is None else "an object" if isinstance(value, dict) else "a list"
    raise BadRequest(f"{name} is {given}; leave it out, or give it a value", name)
