"""MCP sessions that stay open, shared by an owner's runs that show a server the same credentials.

A session is opened by `opening`, and owned by a `connection`.
"""

import asyncio
import re
from functools import partial
from typing import Any, cast

import orjson
from mcp import types

from graph.errors import Json
from nodes.mcp.asking import Told
from nodes.mcp.attending import Attendant, patience, within
from nodes.mcp.connection import Connection
from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.listed import listed_tools
from nodes.mcp.listing import Listings
from nodes.mcp.target import Target
from nodes.mcp.transport.opening import Opener
from nodes.reach import Reach

_PAGES = 100
#: How servers say that what they listed before is not there any more. Source: the Python and TypeScript SDKs.
_UNKNOWN_TOOL = re.compile(r"unknown tool|tool \S{1,200} (?:not found|disabled)", re.IGNORECASE)


class Sessions:
    """Asks servers, over a kept session where there is one. Raises `ServerFailed`."""

    def __init__(self, limits: Limits, reach: Reach, *, sampling: bool = False) -> None:
        """`sampling`: servers are told that they may ask the model."""
        self._limits = limits
        self._sampling = sampling
        self._opener = Opener(limits, reach)
        self._listings = Listings(self._listed, limits.list_ttl_s)
        self._connections: dict[Target, Connection] = {}
        #: Those too that were replaced and still answer somebody.
        self._living: set[Connection] = set()

    async def tools(self, target: Target) -> list[Json]:
        """All tools of a server, as `mcp_list_tools` shows them; nobody changes them."""
        return await self._listings.of(target)

    async def call(self, target: Target, name: str, arguments: Json, attendant: Attendant | None = None) -> Json:
        """The `CallToolResult` as the server sent it. Cancelling tells the server."""
        attendant = attendant or Attendant()
        params = types.CallToolRequestParams(name=name, arguments=arguments)
        request = types.ClientRequest(types.CallToolRequest(params=params))
        try:
            async with patience(self._limits.call_timeout_s) as attendant.alive:
                result = await self._ask(target, request, attendant)
        except ServerFailed as failure:
            self._doubt(target, failure.message)
            raise
        if result.get("isError"):
            self._doubt(target, str(result.get("content"))[:1000])
        return result

    async def close(self) -> None:
        await self._listings.close()
        await asyncio.gather(*(connection.close() for connection in list(self._living)))

    def _doubt(self, target: Target, said: str) -> None:
        if _UNKNOWN_TOOL.search(said):
            self._listings.forget(target)

    async def _listed(self, target: Target) -> list[Json]:
        found = await self._found(target)
        return await asyncio.to_thread(listed_tools, found, target, self._limits)

    async def _found(self, target: Target) -> list[Json]:
        tools: list[Json] = []
        left_bytes = self._limits.answer_bytes
        cursor: str | None = None
        async with within(self._limits.connect_timeout_s):
            for _ in range(_PAGES):
                params = types.PaginatedRequestParams(cursor=cursor) if cursor else None
                page = await self._ask(target, types.ClientRequest(types.ListToolsRequest(params=params)))
                tools += _tools_of(page)
                left_bytes -= _size_bytes(page)
                if left_bytes < 0:
                    message = f"The MCP server's list of tools is larger than {self._limits.answer_bytes} bytes."
                    raise ServerFailed(message)
                if len(tools) > self._limits.tools:
                    raise ServerFailed(f"The MCP server lists more than {self._limits.tools} tools.")
                if not (cursor := page.get("nextCursor")):
                    return tools
        raise ServerFailed(f"The MCP server's list of tools has more than {_PAGES} pages.")

    async def _ask(self, target: Target, request: types.ClientRequest, attendant: Attendant | None = None) -> Json:
        """Once more over a new session when the kept one is gone and the server did nothing yet."""
        connection = self._connection(target)
        kept = connection.is_open
        try:
            return await connection.ask(request, attendant)
        except ServerFailed as failure:
            if not failure.undone:
                raise
            connection.retire()
            if attendant:
                self._listings.forget(target)  # a server that was started anew may have other tools
            if not kept:
                raise
        return await self._connection(target).ask(request, attendant)

    def _connection(self, target: Target) -> Connection:
        connection = self._connections.get(target)
        if connection is None or connection.retired:
            self._make_room()
            told = Told(partial(self._listings.forget, target), self._sampling)
            connection = Connection(target, self._limits, self._opener, told)
            self._connections[target] = connection
            self._living.add(connection)
            connection.when_over(self._living.discard)
        return connection

    def _make_room(self) -> None:
        for target in [target for target, connection in self._connections.items() if connection.retired]:
            del self._connections[target]
        idle = [connection for connection in self._connections.values() if not connection.busy]
        if len(self._connections) >= self._limits.sessions and idle:
            min(idle, key=lambda connection: connection.used_at).retire()


def _size_bytes(page: Json) -> int:
    try:
        return len(orjson.dumps(page))
    except orjson.JSONEncodeError:
        raise ServerFailed("The MCP server's list of tools is nested too deeply.") from None


def _tools_of(page: Json) -> list[Json]:
    tools = page.get("tools")
    if not isinstance(tools, list):
        raise ServerFailed("The MCP server's list of tools is not a list.")
    return [tool for tool in cast(list[Any], tools) if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
