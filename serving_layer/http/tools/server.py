"""The tools as a server of the Model Context Protocol, whatever it is reached by."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.answers.problems import NoSuchPath, problem
from condvest.serving_layer.http.service import Service
from condvest.serving_layer.http.tools import catalogue
from condvest.serving_layer.http.tools.capping import capped

_ENDPOINTS = {endpoint.path: endpoint for endpoint in ENDPOINTS}
_READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_INSTRUCTIONS = (
    "Daily prices of a stock market, kept for backtesting. Bars count trading sessions, not days. Answers "
    "are CSV after a line that starts with #, which says how many rows there are and whether all are shown."
)


class Tools:
    """Answers calls of tools."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.tools = {
            tool.name: tool
            for tool in catalogue.TOOLS
            if service.statements is not None or tool.name != catalogue.SQL
        }

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Return the text that answers a call.

        Raises:
            CondvestError: see `condvest.serving_layer.http.answers.problems`.
        """
        if name not in self.tools:
            raise NoSuchPath(f"there is no tool {name!r}; there are {', '.join(self.tools)}")
        tool = self.tools[name]
        path, pairs = tool.question(arguments)
        statements, answering = self._service.statements, self._service.answering
        if statements is not None and tool.name == catalogue.SQL:
            statement = pairs[0][1]
            table, of_version = await self._service.for_sql.run(lambda: statements.table(statement))
        else:
            endpoint = _ENDPOINTS[path]
            table, of_version = await self._service.threads.run(lambda: answering.table(endpoint, pairs))
        return capped(table, of_version, tool.narrower)


def server_of(tools: Tools) -> Server[Any]:
    """Return a server of some tools; errors are answers, in the sentences of the command line."""

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(
                    name=tool.name,
                    description=tool.description,
                    input_schema=tool.schema,
                    annotations=_READ_ONLY,
                )
                for tool in tools.tools.values()
            ]
        )

    async def call_tool(_: ServerRequestContext[Any], asked: CallToolRequestParams) -> CallToolResult:
        try:
            text, is_error = await tools.call(asked.name, asked.arguments or {}), False
        except CondvestError as error:
            members = problem(error, uuid.uuid4().hex[:16])[1]
            text, is_error = members["detail"], True
        return CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error)

    return Server(
        "condvest",
        version=version("condvest"),
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
