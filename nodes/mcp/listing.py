"""Tools of servers, kept for a while so that not every response has to ask for them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import NamedTuple

from graph.errors import Json
from nodes.mcp.target import Target

Fetch = Callable[[Target], Awaitable[list[Json]]]
#: Servers whose tools are kept; above it the oldest listing goes.
_MOST = 256


class _Listed(NamedTuple):
    tools: "asyncio.Task[list[Json]]"
    until: float


class Listings:
    """What each server listed last, for each kind of credentials it was shown."""

    def __init__(self, fetch: Fetch, ttl_s: float) -> None:
        """`ttl_s`: how old a listing may be that is used again; 0 asks anew each time."""
        self._fetch = fetch
        self._ttl_s = ttl_s
        self._listed: dict[Target, _Listed] = {}
        #: Asked for, and not to be lost before they are answered.
        self._asking: set[asyncio.Task[list[Json]]] = set()

    async def of(self, target: Target) -> list[Json]:
        """Who asks while the server is being asked gets that answer. Raises `ServerFailed`."""
        listed = self._listed.get(target)
        if listed is None or (listed.tools.done() and asyncio.get_running_loop().time() >= listed.until):
            listed = self._begin(target)
        return await asyncio.shield(listed.tools)

    def forget(self, target: Target) -> None:
        """What it listed may not be so any more."""
        self._listed.pop(target, None)

    async def close(self) -> None:
        for task in self._asking:
            task.cancel()
        if self._asking:
            await asyncio.wait(self._asking)

    def _begin(self, target: Target) -> _Listed:
        loop = asyncio.get_running_loop()
        # Its own limit ends it: those who asked for it first may leave. Hence the empty context, too.
        task = loop.create_task(self._asked(target), context=Context())
        self._asking.add(task)
        listed = _Listed(task, loop.time() + self._ttl_s)
        self._listed.pop(target, None)
        self._listed[target] = listed
        task.add_done_callback(lambda _: self._ended(target, listed))
        if len(self._listed) > _MOST:
            del self._listed[next(iter(self._listed))]
        return listed

    async def _asked(self, target: Target) -> list[Json]:
        return await self._fetch(target)

    def _ended(self, target: Target, listed: _Listed) -> None:
        """A failure is told to those who waited and then forgotten."""
        self._asking.discard(listed.tools)
        failed = listed.tools.cancelled() or listed.tools.exception()
        if failed and self._listed.get(target) is listed:
            del self._listed[target]
