"""How a session with a server is opened, for each transport.

Over HTTP a session is made by `langchain-mcp-adapters` from a plain description.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from langchain_mcp_adapters.sessions import SSEConnection, StreamableHttpConnection, create_session
from mcp import ClientSession, McpError, types

from graph.errors import Json
from nodes.mcp.limits import Limits
from nodes.mcp.target import Program, Target
from nodes.mcp.transport.http import AnsweringTransport
from nodes.mcp.transport.message import failed
from nodes.mcp.transport.sse import EventTransport
from nodes.mcp.transport.stdio import streams
from nodes.reach import Reach

# They log what servers say; every failure is told by our transports.
for _client in ("streamable_http", "sse"):
    logging.getLogger(f"mcp.client.{_client}").setLevel(logging.CRITICAL + 1)
# Its sessions do, too, and by the root logger.
logging.getLogger().addFilter(lambda record: not record.pathname.endswith("mcp/shared/session.py"))

#: How servers that know only SSE refuse the other. Source: MCP specification 2025-11-25, "Backwards compatibility".
_OLDER = (400, 404, 405)
_ME = types.Implementation(name="graphnexus", version="1")


class Opener:
    """Opens sessions; what they share is here."""

    def __init__(self, limits: Limits, reach: Reach) -> None:
        """`reach`: what may be named by others than the operator."""
        self._limits = limits
        self._reach = reach
        #: Read from disk, which takes 100 ms: once for all sessions.
        self._tls = httpx.create_ssl_context()

    @asynccontextmanager
    async def opened(
        self, target: Target, hooks: Mapping[str, Any], lost: Callable[[], None]
    ) -> AsyncGenerator[ClientSession]:
        """An initialised session, to be entered and left by one task.

        `hooks` are the callbacks that `ClientSession` takes. `lost` is called when the server has gone for good:
        calls under way fail by themselves, and there is no use in beginning another.
        """
        kwargs = {"client_info": _ME, **hooks}
        if target.program:
            async with self._stdio(target, target.program, kwargs, lost) as session:
                yield session
            return
        if target.transport != "sse":
            async with self._http(target, kwargs) as session:
                if session:
                    yield session
                    return
        async with self._sse(target, kwargs, lost) as session:
            yield session

    @asynccontextmanager
    async def _http(self, target: Target, kwargs: Json) -> AsyncGenerator[ClientSession | None]:
        """None when the server turns it down as one that only speaks SSE does."""
        transport = AnsweringTransport(self._limits, self._tls, self._reach_of(target), target.grant)
        description = StreamableHttpConnection(
            transport="streamable_http",
            url=target.url,
            headers=dict(target.headers),
            httpx_client_factory=_Clients(self._limits, transport),
            session_kwargs=kwargs,
        )
        async with create_session(description) as session:
            try:
                await session.initialize()
            except McpError as error:
                if target.transport != "auto" or failed(error.error.data).get("status") not in _OLDER:
                    raise
                session = None
            yield session

    @asynccontextmanager
    async def _sse(self, target: Target, kwargs: Json, lost: Callable[[], None]) -> AsyncGenerator[ClientSession]:
        transport = EventTransport(self._limits, self._tls, self._reach_of(target), target.grant, lost)
        description = SSEConnection(
            transport="sse",
            url=target.url,
            headers=dict(target.headers),
            httpx_client_factory=_Clients(self._limits, transport),
            session_kwargs=kwargs,
        )
        async with create_session(description) as session:
            await session.initialize()
            yield session

    @asynccontextmanager
    async def _stdio(
        self, target: Target, program: Program, kwargs: Json, lost: Callable[[], None]
    ) -> AsyncGenerator[ClientSession]:
        async with (
            streams(program, target.redacted, lost, self._limits) as (messages, replies),
            ClientSession(messages, replies, **kwargs) as session,
        ):
            await session.initialize()
            yield session

    def _reach_of(self, target: Target) -> Reach:
        return Reach(private=True) if target.trusted else self._reach


class _Clients:
    """Makes the HTTP client of one session: everything goes through our transport."""

    def __init__(self, limits: Limits, transport: httpx.AsyncBaseTransport) -> None:
        self._limits = limits
        self._transport = transport

    def __call__(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.AsyncClient:
        # A read may take as long as a call: how long that is, is for those who wait to say.
        timeout = httpx.Timeout(self._limits.connect_timeout_s, read=None, pool=None)
        return httpx.AsyncClient(headers=headers, timeout=timeout, auth=auth, transport=self._transport)
