"""How a session with a server is opened, for each transport.

A session is made by `langchain-mcp-adapters`, which makes one of any transport from a plain description.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from langchain_mcp_adapters.sessions import StreamableHttpConnection, create_session
from mcp import ClientSession, types

from nodes.mcp.limits import Limits
from nodes.mcp.target import Target
from nodes.mcp.transport import AnsweringTransport
from nodes.reach import Reach

# It logs what servers say; every failure is told by our transport.
logging.getLogger("mcp.client.streamable_http").setLevel(logging.CRITICAL + 1)

_ME = types.Implementation(name="graphnexus", version="1")


class Opener:
    """Opens sessions; what they share is here."""

    def __init__(self, limits: Limits, reach: Reach) -> None:
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
        description = StreamableHttpConnection(
            transport="streamable_http",
            url=target.url,
            headers=dict(target.headers),
            httpx_client_factory=_Clients(self._limits, AnsweringTransport(self._limits, self._tls, self._reach)),
            session_kwargs=kwargs,
        )
        async with create_session(description) as session:
            await session.initialize()
            yield session


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
