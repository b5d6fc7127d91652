"""What becomes of one request: the problem that it is answered with, and its line of log."""

from __future__ import annotations

import datetime as dt
import json
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from batch_layer.shared.errors import CondvestError
from serving_layer.compatible.massive.parameters import KEY
from serving_layer.http.problems import TooManyRequests, Unexpected, headers_of, problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

FAILURE = "condvest.failure"
"""Where the scope of a request holds the error that it ended with."""


@dataclass
class Call:
    """What becomes of one request."""

    request_id: str
    started: float = field(default_factory=time.monotonic)
    key: str = ""
    limits: dict[str, str] = field(default_factory=dict)
    status: int = 0
    bytes: int = 0
    rows: str = ""


def _asked(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def key_in(scope: Scope) -> str:
    """Return the key that the query holds, as Massive's clients may send theirs; "" if it holds none."""
    return next((value for name, value in _asked(scope) if name == KEY), "")


def _without_key(scope: Scope) -> str:
    """Return the query for the log, which holds no key, however its name is written."""
    return urlencode(
        [(name, "***" if name.lower() == KEY.lower() else value) for name, value in _asked(scope)]
    )


async def send_problem(error: CondvestError, request_id: str, send: Send) -> None:
    """Answer a request with a problem."""
    status, members = problem(error, request_id)
    body = json.dumps(members).encode()
    named_headers = {**headers_of(status), "content-length": str(len(body))}
    if isinstance(error, TooManyRequests):
        named_headers["retry-after"] = str(error.retry_after)
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode(), value.encode()) for name, value in named_headers.items()],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def refuse_socket(error: CondvestError, request_id: str, send: Send) -> None:
    """Answer the request for a websocket with a problem, as any other request."""

    async def renamed(message: MutableMapping[str, Any]) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await send_problem(error, request_id, renamed)


def line_of(method: str, scope: Scope, call: Call) -> str:
    """Return the line of log of a request: JSON, so that no text of a client can make a second line."""
    line: dict[str, Any] = {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        "id": call.request_id,
        "method": method,
        "path": scope["path"],
        "query": _without_key(scope),
        "status": call.status,
        "rows": call.rows,
        "bytes": call.bytes,
        "ms": round((time.monotonic() - call.started) * 1000, 2),
    }
    if call.key:
        line["key"] = call.key
    failure: CondvestError | None = scope.get(FAILURE)
    if failure is not None:
        cause = failure.__cause__
        line["error"] = (
            "".join(traceback.format_exception(cause)) if isinstance(failure, Unexpected) else str(failure)
        )
    return json.dumps(line)
