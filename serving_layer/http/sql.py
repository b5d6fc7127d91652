"""SQL over HTTP: one SELECT in the body of a request, its rows in the answer, in any of the formats."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from batch_layer.shared.errors import UsageError
from serving_layer.formats import SMALLEST, compressed, content_coding, negotiated
from serving_layer.http.answering import parsed
from serving_layer.http.backends import Backend
from serving_layer.http.describing import RESPONSES
from serving_layer.http.files import Run, current
from serving_layer.http.problems import BadRequest, MethodNotAllowed
from serving_layer.http.replying import Pairs, Reply
from serving_layer.queries.size import TooLarge
from serving_layer.sql.process import SqlProcess

PATH = "/v1/sql"

LARGEST_BODY = 64 << 10
"""Bytes of a statement, at most."""

SLOWEST_BODY = 10.0
"""Seconds in which a statement has to come."""


class SqlQuery(BaseModel):
    """What stands beside a statement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str | None = Field(
        None, description="json, columns, ndjson, csv, arrow or parquet; before Accept."
    )


class Statements:
    """Answers SQL statements over what is published. Its methods may be called from several threads."""

    def __init__(self, backend: Backend, process: SqlProcess) -> None:
        self._backend = backend
        self._process = process

    def reply(self, statement: str, pairs: Pairs, headers: Mapping[str, str]) -> Reply:
        """Answer one statement.

        Args:
            statement: one SELECT.
            pairs: the query's parameters, as they came.
            headers: of the request, names in lower case.

        Raises:
            CondvestError: see `serving_layer.http.problems`.
        """
        query: SqlQuery = parsed(SqlQuery, pairs)
        chosen = negotiated(query.format, headers.get("accept"))
        coding = content_coding(headers.get("accept-encoding"), chosen)
        current(self._backend)  # nothing published is said as such
        table, version = self._process.ask(statement)
        content = chosen.encode(table, {"version": version})
        reply_headers = {
            "Content-Type": chosen.media_type,
            "Condvest-Version": version,
            "Condvest-Rows": str(len(table)),
            "Cache-Control": "no-store",
            "Vary": "Accept, Accept-Encoding, Origin, Authorization",
        }
        if coding and len(content) >= SMALLEST:
            content = compressed(content, coding)
            reply_headers["Content-Encoding"] = coding
        return Reply(200, reply_headers, content)


def add_sql(app: FastAPI, backend: Backend, process: SqlProcess, run: Run) -> None:
    """Add the path of SQL; ``run`` does work on a thread."""
    statements = Statements(backend, process)

    async def answer(request: Request) -> Response:
        text = await _statement(request)
        pairs, headers = request.query_params.multi_items(), dict(request.headers)
        reply = await run(lambda: statements.reply(text, pairs, headers))
        return Response(reply.body, reply.status, reply.headers)

    async def nothing() -> Response:
        raise MethodNotAllowed("GET: send the statement as the body of a POST (Content-Type: text/plain)")

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
            "parameters": [
                {
                    "name": "format",
                    "in": "query",
                    "required": False,
                    "schema": {"type": "string"},
                    "description": SqlQuery.model_fields["format"].description,
                }
            ],
        },
    )
    app.add_api_route(PATH, nothing, methods=["GET"], include_in_schema=False)


async def _statement(request: Request) -> str:
    """Return the text of a request's body.

    Raises:
        BadRequest, UsageError: it is empty or no UTF-8, or does not come in time.
        TooLarge: it is longer than a statement may be.
    """
    content = b""
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            async for piece in request.stream():
                content += piece
                if len(content) > LARGEST_BODY:
                    raise TooLarge(f"the statement has more than {LARGEST_BODY} bytes; shorten it")
        text = content.decode()
    except (TimeoutError, ClientDisconnect) as error:
        raise UsageError(f"the statement did not come within {SLOWEST_BODY:g} s") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"the statement is not UTF-8: {error}", "body") from error
    if not text.strip():
        raise BadRequest("the body is empty: send one SELECT as text/plain", "body")
    return text
