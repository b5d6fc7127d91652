"""The tools over standard input and output."""

from __future__ import annotations

import anyio
from mcp.server.stdio import stdio_server

from condvest.serving_layer.http.service import Service
from condvest.serving_layer.http.tools.server import Tools, server_of


def answer(service: Service) -> None:
    """Answer calls until standard input ends."""
    anyio.run(_answer, service)


async def _answer(service: Service) -> None:
    server = server_of(Tools(service))
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
