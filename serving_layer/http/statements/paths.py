"""The path of SQL: one SELECT in the body of a request, its rows in the answer."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from condvest.serving_layer.contract import SqlQuery
from condvest.serving_layer.http.answers.describing import RESPONSES, parameters_of
from condvest.serving_layer.http.answers.problems import BadRequest, MethodNotAllowed
from condvest.serving_layer.http.guarding.bodies import body_of
from condvest.serving_layer.http.published.files import Run
from condvest.serving_layer.http.statements.answering import Statements

PATH = "/v1/sql"


def add_sql(app: FastAPI, statements: Statements, run: Run) -> None:
    """Add the path of SQL; ``run`` does work on a thread."""

    async def answer(request: Request) -> Response:
        text = _statement(await body_of(request))
        pairs, headers = request.query_params.multi_items(), dict(request.headers)
        reply = await run(lambda: statements.reply(text, pairs, headers))
        return Response(reply.body, reply.status, reply.headers)

    async def nothing() -> Response:
        raise MethodNotAllowed(
            "GET: send the statement as the body of a POST (Content-Type: text/plain)", "POST"
        )

    app.add_api_route(
        PATH,
        answer,
        methods=["POST"],
        summary="One SELECT over the published version.",
        response_class=Response,
        responses=RESPONSES,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"text/plain": {"schema": {"type": "string", "minLength": 1}}},
            },
            "parameters": parameters_of(SqlQuery),
        },
    )
    app.add_api_route(PATH, nothing, methods=["GET"], include_in_schema=False)


def _statement(body: bytes) -> str:
    """Return the text of a body.

    Raises:
        BadRequest: it is empty or no UTF-8.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"the statement is not UTF-8: {error}", "body") from error
    if not text.strip():
        raise BadRequest("the body is empty: send one SELECT as text/plain", "body")
    return text
