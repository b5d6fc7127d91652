"""What stands before every request: the host it names, its key, its method; and one line of log for each.

Pure ASGI, because middleware on Starlette's base class costs more than most answers.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from batch_layer.shared.errors import CondvestError
from serving_layer.access import Keys, named
from serving_layer.http.problems import (
    Forbidden,
    MethodNotAllowed,
    Unauthorized,
    Unexpected,
    headers_of,
    problem,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
REQUEST_ID = "condvest.request_id"
FAILURE = "condvest.failure"
"""Where the scope of a request holds its id, and the error that it ended with."""

_PORT = re.compile(r":\d+$")
_OPEN = ("/health/live", "/health/ready")
"""Paths that need no key."""


@dataclass(frozen=True)
class Rules:
    """Who may ask.

    Attributes:
        hosts: names that a request may be for; a page of another site that reaches this server under its own
            name (DNS rebinding) is refused.
        keys: the keys that are accepted; None if none is needed.
        origins: sites whose pages may read the answers (CORS), exactly as browsers name them.
    """

    hosts: tuple[str, ...] = LOOPBACK
    keys: Keys | None = None
    origins: tuple[str, ...] = ()


@dataclass
class _Call:
    """What becomes of one request."""

    request_id: str
    started: float = field(default_factory=time.monotonic)
    key: str = ""
    status: int = 0
    bytes: int = 0
    rows: str = ""


class Guards:
    """Applies `Rules` around an application."""

    def __init__(self, app: App, rules: Rules, log: Callable[[str], None] | None = None) -> None:
        self._app = app
        self._rules = rules
        self._log = log or (lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201  # the server's log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        call = _Call(uuid.uuid4().hex[:16])
        origin = headers.get("origin", "")
        is_head = scope["method"] == "HEAD"

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                named_headers = [*message["headers"], *_ALWAYS, (b"x-request-id", call.request_id.encode())]
                if origin in self._rules.origins:
                    named_headers.append((b"access-control-allow-origin", origin.encode()))
                    named_headers.append(
                        (b"access-control-expose-headers", b"ETag, Link, Condvest-Version, Condvest-Rows")
                    )
                call.rows = next(
                    (value.decode() for name, value in named_headers if name == b"condvest-rows"), ""
                )
                message = {**message, "headers": named_headers}
            elif message["type"] == "http.response.body":
                call.bytes += len(message.get("body", b""))
                if is_head:
                    message = {**message, "body": b""}
            await send(message)

        scope[REQUEST_ID] = call.request_id
        try:
            self._check(scope, headers, call)
            await self._app({**scope, "method": "GET"} if is_head else scope, receive, guarded)
        except CondvestError as error:
            scope[FAILURE] = error
            await _send_problem(error, call.request_id, guarded)
        finally:
            self._log(_line(scope, call))

    def _check(self, scope: Scope, headers: dict[str, str], call: _Call) -> None:
        host = _PORT.sub("", headers.get("host", ""))
        if host not in self._rules.hosts:
            raise Forbidden(
                f"this server does not answer for the host {host!r}; start it with --host-name {host}"
            )
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{scope['method']}: this server only reads; use GET or HEAD")
        if self._rules.keys is not None and scope["path"] not in _OPEN:
            given = headers.get("authorization", "").removeprefix("Bearer ").strip()
            name = named(self._rules.keys.read(), given, dt.datetime.now(dt.UTC).date())
            if name is None:
                raise Unauthorized("give a key of this server: Authorization: Bearer cv_...")
            call.key = name


async def _send_problem(error: CondvestError, request_id: str, send: Send) -> None:
    status, members = problem(error, request_id)
    body = json.dumps(members).encode()
    named_headers = {**headers_of(status), "content-length": str(len(body))}
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode(), value.encode()) for name, value in named_headers.items()],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _line(scope: Scope, call: _Call) -> str:
    """Return the line of log of a request: JSON, so that no text of a client can make a second line."""
    line: dict[str, Any] = {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        "id": call.request_id,
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
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
