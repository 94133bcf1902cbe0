"""MCP sessions that stay open, shared by an owner's runs that show a server the same credentials.

A session is opened by `opening`. It is entered and left by one task of its own, because it stands on anyio scopes;
those who ask through it do so from their own tasks.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, cast

import anyio
from mcp import ClientSession, McpError, types
from pydantic import RootModel, ValidationError

from graph.errors import Json
from nodes.mcp.failure import ServerFailed, timed_out
from nodes.mcp.limits import Limits
from nodes.mcp.message import failed
from nodes.mcp.oauth import Grants
from nodes.mcp.opening import Opener
from nodes.mcp.target import Target
from nodes.reach import Reach

#: A result as it came: unknown kinds of content pass, and nothing is checked against a schema of the server's.
_Result = RootModel[dict[str, Any]]
_PAGES = 100
_GOODBYE_S = 2


class Sessions:
    """Asks servers, over a kept session where there is one. Raises `ServerFailed`."""

    def __init__(self, limits: Limits, reach: Reach, grants: Grants | None = None) -> None:
        self._limits = limits
        self._opener = Opener(limits, reach, grants)
        self._connections: dict[Target, _Connection] = {}
        #: Those too that were replaced and still answer somebody.
        self._living: set[_Connection] = set()

    async def tools(self, target: Target) -> list[Json]:
        """All tools of a server, as it describes them."""
        tools: list[Json] = []
        cursor: str | None = None
        async with _within(self._limits.connect_timeout_s):
            for _ in range(_PAGES):
                params = types.PaginatedRequestParams(cursor=cursor) if cursor else None
                page = await self._ask(target, types.ClientRequest(types.ListToolsRequest(params=params)))
                tools += _tools_of(page)
                if len(tools) > self._limits.tools:
                    raise ServerFailed(f"The MCP server lists more than {self._limits.tools} tools.")
                if not (cursor := page.get("nextCursor")):
                    return tools
        raise ServerFailed(f"The MCP server's list of tools has more than {_PAGES} pages.")

    async def call(self, target: Target, name: str, arguments: Json) -> Json:
        """The `CallToolResult` as the server sent it. Cancelling tells the server."""
        params = types.CallToolRequestParams(name=name, arguments=arguments)
        async with _within(self._limits.call_timeout_s):
            return await self._ask(target, types.ClientRequest(types.CallToolRequest(params=params)))

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in list(self._living)))

    async def _ask(self, target: Target, request: types.ClientRequest) -> Json:
        """Once more over a new session when the kept one is gone and the server did nothing yet."""
        connection = self._connection(target)
        kept = connection.is_open
        try:
            return await connection.ask(request)
        except ServerFailed as failure:
            if not failure.undone:
                raise
            connection.retire()
            if not kept:
                raise
        return await self._connection(target).ask(request)

    def _connection(self, target: Target) -> "_Connection":
        connection = self._connections.get(target)
        if connection is None or connection.retired:
            self._make_room()
            connection = _Connection(target, self._limits, self._opener)
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


class _Connection:
    """One session, and the task that owns it."""

    def __init__(self, target: Target, limits: Limits, opener: Opener) -> None:
        self._target = target
        self._limits = limits
        self._opener = opener
        self._loop = asyncio.get_running_loop()
        self._session: asyncio.Future[ClientSession] = self._loop.create_future()
        self._over = False
        self._changed = asyncio.Event()
        self.busy = 0
        self.used_at = self._loop.time()
        # An empty context: the session outlives the run that happened to need it first.
        self._owner = self._loop.create_task(self._own(), context=Context())

    @property
    def is_open(self) -> bool:
        return self._session.done() and not self.retired

    @property
    def retired(self) -> bool:
        """Nobody may begin to use it."""
        return self._over or self._owner.done()

    def when_over(self, tell: "Callable[[_Connection], None]") -> None:
        self._owner.add_done_callback(lambda _: tell(self))

    def retire(self) -> None:
        """Let those who use it finish; no one else comes."""
        self._over = True
        self._changed.set()

    async def close(self) -> None:
        self.retire()
        self._loop.call_later(_GOODBYE_S, self._owner.cancel)
        await asyncio.wait({self._owner})

    async def ask(self, request: types.ClientRequest) -> Json:
        """Many may ask at once."""
        self.busy += 1
        try:
            return await self._answered(await self._opened(), request)
        finally:
            self.busy -= 1
            self.used_at = self._loop.time()
            self._changed.set()

    async def _opened(self) -> ClientSession:
        limit_s = self._limits.connect_timeout_s
        await asyncio.wait({self._session, self._owner}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if self._session.done():
            return self._session.result()
        if self._owner.done():
            raise self._lost()
        self.retire()
        self._owner.cancel()
        raise timed_out(limit_s)

    async def _answered(self, session: ClientSession, request: types.ClientRequest) -> Json:
        """The answer, or the end of the session: a dying one does not always wake those who wait for it."""
        answer = self._loop.create_task(_exchange(session, request))
        try:
            await asyncio.wait({answer, self._owner}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise self._lost()
        finally:
            if not answer.done():
                answer.cancel()
                await asyncio.wait({answer}, timeout=_GOODBYE_S)

    def _lost(self) -> ServerFailed:
        """Why the owner has ended."""
        for cause in () if self._owner.cancelled() else _leaves(self._owner.exception()):
            if isinstance(cause, ServerFailed):
                return cause
            if isinstance(cause, McpError):
                return _as_failure(cause)
        return ServerFailed("The session with the MCP server ended.")

    async def _own(self) -> None:
        """Open, stay while used, close. Whatever it fails with is read by those who wait for it."""
        async with self._opener.opened(self._target, {}, self.retire) as session:
            self._session.set_result(session)
            await self._stay()

    async def _stay(self) -> None:
        """Until it is retired or was idle for too long, and nobody waits for an answer."""
        while self.busy or not self._over:
            self._changed.clear()
            with anyio.move_on_after(math.inf if self.busy else self._limits.idle_s):
                await self._changed.wait()
                continue
            self._over = not self.busy


async def _exchange(session: ClientSession, request: types.ClientRequest) -> Json:
    # The id the next line takes. `mcp` 1 tells it to nobody, and a cancellation has to name it.
    request_id = session._request_id  # pyright: ignore[reportPrivateUsage]
    try:
        return (await session.send_request(request, _Result)).root
    except asyncio.CancelledError:
        await _say_cancelled(session, request_id)
        raise
    except McpError as error:
        raise _as_failure(error) from None
    except ValidationError:
        raise ServerFailed("The MCP server's result is not an object.") from None
    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
        raise ServerFailed("The session with the MCP server has ended.", undone=True) from None


async def _say_cancelled(session: ClientSession, request_id: int) -> None:
    params = types.CancelledNotificationParams(requestId=request_id, reason="The caller left.")
    notification = types.ClientNotification(types.CancelledNotification(params=params))
    try:
        async with asyncio.timeout(_GOODBYE_S / 2):
            await session.send_notification(notification)
    except (TimeoutError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        pass  # the server is gone; so is the call


def _as_failure(error: McpError) -> ServerFailed:
    code, message = error.error.code, error.error.message
    reason = failed(error.error.data)
    if reason.get("status"):
        http_error = {"type": "http_error", "code": reason["status"], "message": message}
        return ServerFailed(message, http_error, undone=bool(reason.get("undone")))
    protocol_error = {"type": "mcp_protocol_error", "code": code, "message": message}
    return ServerFailed(message, protocol_error, undone=bool(reason.get("undone")))


def _tools_of(page: Json) -> list[Json]:
    tools = page.get("tools")
    if not isinstance(tools, list):
        raise ServerFailed("The MCP server's list of tools is not a list.")
    return [tool for tool in cast(list[Any], tools) if isinstance(tool, dict) and isinstance(tool.get("name"), str)]


def _leaves(error: BaseException | None) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(inner)
    elif error is not None:
        yield error


@asynccontextmanager
async def _within(limit_s: float) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError:
        raise timed_out(limit_s) from None
