"""The tools over HTTP: one path, without sessions, behind the guards of all the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from condvest.serving_layer.http.guarding.bodies import body_of
from condvest.serving_layer.http.service import Service
from condvest.serving_layer.http.tools.server import Tools, server_of

PATH = "/mcp"


class Mounted:
    """The path of the tools."""

    def __init__(self, service: Service) -> None:
        # The guards check hosts, origins and keys before anything comes here.
        self._manager = StreamableHTTPSessionManager(
            server_of(Tools(service)), json_response=True, stateless=True
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer as long as the context lasts."""
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, once its body is there as a whole."""
        pieces = [await body_of(Request(scope, receive))]

        async def again() -> Message:
            if pieces:
                return {"type": "http.request", "body": pieces.pop(), "more_body": False}
            return await receive()

        await self._manager.handle_request(scope, again, send)


def add_tools(app: FastAPI, service: Service) -> Mounted:
    """Add the path of the tools, and return what has to run while the application does."""
    mounted = Mounted(service)
    app.router.routes.append(Route(PATH, mounted, methods=["POST"], include_in_schema=False))
    return mounted
