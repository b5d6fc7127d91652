"""What stands before every request: the host it names, its key, its method; and one line of log for each.

Pure ASGI, because middleware on Starlette's base class costs more than most answers.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
from collections.abc import Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.access import Keys, named
from condvest.serving_layer.http.answers.problems import (
    Busy,
    Forbidden,
    MethodNotAllowed,
    Unauthorized,
    failure_of,
    headers_of,
    problem,
)
from condvest.serving_layer.http.calls import CALL, Call
from condvest.serving_layer.http.direct import Direct
from condvest.serving_layer.http.guarding.always import headers_with, lines_of
from condvest.serving_layer.http.guarding.hosts import LOOPBACK, check_hosts
from condvest.serving_layer.http.guarding.log import FAILURE, Lines, key_in, line_of
from condvest.serving_layer.http.guarding.quotas import Quotas
from condvest.serving_layer.http.guarding.refusals import send_preflight, send_problem
from condvest.serving_layer.http.metrics import Metrics
from condvest.serving_layer.http.page import is_page
from condvest.serving_layer.http.protocol import App, Receive, Scope, Send
from condvest.serving_layer.http.published.zero_copy import ZERO_COPY

REQUEST_ID = "condvest.request_id"
IS_HEAD = "condvest.is_head"
STILL_ALLOWED = "condvest.still_allowed"
"""Where the scope of a request holds its id, whether only headers count, and what raises Unauthorized once
its key is no longer good."""

IS_TOO_MANY = "condvest.is_too_many"
"""In the scope of a request that came over more connections than the server takes at once."""

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
        per_minute: requests that a key may make, unless it has a number of its own; None for any number.
    """

    hosts: tuple[str, ...] = LOOPBACK
    keys: Keys | None = None
    origins: tuple[str, ...] = ()
    per_minute: int | None = None


class Guards:
    """Applies `Rules` around an application."""

    def __init__(
        self,
        app: App,
        rules: Rules,
        log: Callable[[str], None] | None = None,
        posts: Collection[str] = (),
        stop: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
    ) -> None:
        """Guard an application.

        Args:
            app: the application.
            rules: who may ask.
            log: takes the lines of log.
            posts: the paths that may be asked by POST.
            stop: is to be called before the server waits for the ends of its answers.
            metrics: count every request.
        """
        self.stop = stop
        self.direct: Direct | None = None
        self._app = app
        self._rules = rules
        self._posts = frozenset(posts)
        self._quotas = Quotas()
        self._metrics = metrics or Metrics()
        self._log = log or Lines()
        self._origin = os.urandom(4).hex()
        self._number = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass on what is none."""
        serve = {"http": self._serve, "websocket": self._serve_socket}.get(scope["type"], self._app)
        await serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        call = self.call()
        CALL.set(call)  # of this request's task alone
        origin = headers.get("origin", "")
        is_head = scope["method"] == "HEAD"
        inner: Scope = {**scope, "method": "GET"} if is_head else scope

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                message = {
                    **message,
                    "headers": headers_with(message["headers"], call, origin, self._rules.origins),
                }
            elif message["type"] == "http.response.body":
                call.bytes += len(message.get("body", b""))
                if is_head:
                    message = {**message, "body": b""}
            elif message["type"] == ZERO_COPY:
                call.bytes += message["count"]
            await send(message)

        inner[REQUEST_ID], inner[IS_HEAD] = call.request_id, is_head
        inner[STILL_ALLOWED] = lambda: self.check_key(scope, headers)
        try:
            if await self._is_let_in(scope, headers, call, guarded):
                await self._app(inner, receive, guarded)
        except Exception as error:
            inner[FAILURE] = failure = failure_of(error)
            if call.status:  # something of an answer is gone: the server ends the connection
                raise
            await send_problem(failure, call.request_id, guarded)
        finally:
            self.ended({**inner, "method": "HEAD"} if is_head else inner, call)

    def call(self) -> Call:
        """Return the call of a new request."""
        return Call(f"{self._origin}{next(self._number):08x}")

    def ended(self, scope: Scope, call: Call) -> None:
        """Count and log a request whose answer has been sent."""
        self._metrics.count(scope["path"], call)
        self._log(line_of(scope["method"], scope, call))

    async def _is_let_in(self, scope: Scope, headers: dict[str, str], call: Call, send: Send) -> bool:
        """Check a request; return whether it is the application's to answer, and not answered here."""
        if IS_TOO_MANY in scope:
            raise Busy("the server has as many connections as it takes; ask again in some seconds")
        check_hosts(scope, self._rules.hosts)
        if self._is_preflight(scope, headers):
            await send_preflight(send)
            return False
        self._check(scope, headers, call)
        return True

    def malformed(self, error: CondvestError) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Count and log what came and was no request; return the headers and the body of its answer."""
        call = self.call()
        call.status, members = problem(error, call.request_id)
        body = json.dumps(members).encode()
        call.bytes = len(body)
        named_headers = {**headers_of(call.status), "content-length": str(len(body)), "connection": "close"}
        given = [(name.encode(), value.encode()) for name, value in named_headers.items()]
        self._metrics.count("", call)
        self._log(line_of("", {"path": "", "query_string": b"", FAILURE: error}, call))
        return headers_with(given, call, "", ()), body

    def lines(self, call: Call, origin: str) -> bytes:
        """Return the headers of every answer as HTTP/1.1 writes them."""
        return lines_of(call, origin, self._rules.origins)

    def _is_preflight(self, scope: Scope, headers: dict[str, str]) -> bool:
        """Return whether a browser asks what a page of an allowed site may send."""
        return (
            scope["method"] == "OPTIONS"
            and headers.get("origin", "") in self._rules.origins
            and headers.get("access-control-request-method") in ("GET", "HEAD", "POST")
        )

    def _check_origin(self, headers: dict[str, str]) -> None:
        """Refuse what a page of another site has a browser send: a POST of plain text needs no preflight."""
        origin, host = headers.get("origin"), headers.get("host", "")
        own = (f"http://{host}", f"https://{host}")
        if origin is not None and origin not in own and origin not in self._rules.origins:
            raise Forbidden(
                f"pages of {origin} may not ask this server; start it with --allow-origin {origin}"
            )

    def _check(self, scope: Scope, headers: dict[str, str], call: Call) -> None:
        if scope["method"] == "POST" and scope["path"] in self._posts:
            self._check_origin(headers)
        elif scope["method"] not in ("GET", "HEAD"):
            allowed = "GET, HEAD, POST" if scope["path"] in self._posts else "GET, HEAD"
            raise MethodNotAllowed(f"{scope['method']}: this server only reads; use {allowed}", allowed)
        if scope["path"] not in _OPEN and not is_page(scope["path"]):
            self.check_key(scope, headers, call)

    def check_key(self, scope: Scope, headers: dict[str, str], call: Call | None = None) -> None:
        """Check the key of a request, and count the request if it is a new one (``call``)."""
        if self._rules.keys is None:
            return
        given = headers.get("authorization", "").removeprefix("Bearer ").strip() or key_in(scope)
        keys = self._rules.keys.read()
        name = named(keys, given, dt.datetime.now(dt.UTC).date())
        if name is None:
            raise Unauthorized("give a key of this server: Authorization: Bearer cv_...")
        if call is not None:
            call.key = name
            per_minute = int(keys[name].get("per_minute") or 0) or self._rules.per_minute
            if per_minute is not None:
                call.limits = self._quotas.take(name, per_minute)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket. Browsers let any site's page open one, so its origin is looked at here."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        call = self.call()
        inner: Scope = {**scope, REQUEST_ID: call.request_id}
        inner[STILL_ALLOWED] = lambda: self.check_key(scope, headers)

        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "websocket.accept":
                call.status = 101
            call.status = message.get("status", call.status)
            call.bytes += len(message.get("text") or "")
            await send(message)

        async def refused(message: MutableMapping[str, Any]) -> None:
            await counted({**message, "type": f"websocket.{message['type']}"})

        try:
            check_hosts(scope, self._rules.hosts)
            self._check_origin(headers)
            self.check_key(scope, headers, call)
            await self._app(inner, receive, counted)
        except CondvestError as error:
            inner[FAILURE] = error
            await send_problem(error, call.request_id, refused)
        finally:
            self._metrics.count(scope["path"], call)
            self._log(line_of("WEBSOCKET", inner, call))
