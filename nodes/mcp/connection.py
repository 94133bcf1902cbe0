"""One session with a server. It is entered and left by one task of its own, because it stands on anyio scopes; those
who ask through it do so from their own tasks.
"""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any, cast

import anyio
from mcp import ClientSession, McpError, types
from pydantic import RootModel, ValidationError

from graph.errors import Json
from nodes.mcp.asking import Asking, Told
from nodes.mcp.attending import Attendant
from nodes.mcp.failure import ServerFailed, timed_out
from nodes.mcp.limits import Limits
from nodes.mcp.target import Target
from nodes.mcp.transport.message import failed
from nodes.mcp.transport.opening import Opener

#: A result as it came: unknown kinds of content pass, and nothing is checked against a schema of the server's.
_Result = RootModel[dict[str, Any]]
_GOODBYE_S = 2


class Connection:
    """One session, and the task that owns it."""

    def __init__(self, target: Target, limits: Limits, opener: Opener, told: Told) -> None:
        self._target = target
        self._limits = limits
        self._opener = opener
        self._asking = Asking(told)
        self._loop = asyncio.get_running_loop()
        self._session: asyncio.Future[ClientSession] = self._loop.create_future()
        self._over = False
        self._late = False
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

    def when_over(self, tell: "Callable[[Connection], None]") -> None:
        self._owner.add_done_callback(lambda _: tell(self))

    def retire(self) -> None:
        """Let those who use it finish; no one else comes."""
        self._over = True
        self._changed.set()

    async def close(self) -> None:
        self.retire()
        self._loop.call_later(_GOODBYE_S, self._owner.cancel)
        await asyncio.wait({self._owner})

    async def ask(self, request: types.ClientRequest, attendant: Attendant | None = None) -> Json:
        """Many may ask at once."""
        self.busy += 1
        try:
            return await self._answered(await self._opened(), request, attendant)
        finally:
            self.busy -= 1
            self.used_at = self._loop.time()
            self._changed.set()

    async def _opened(self) -> ClientSession:
        """Whoever gives up waiting leaves the others alone: opening has a limit of its own."""
        await asyncio.wait({self._session, self._owner}, return_when=asyncio.FIRST_COMPLETED)
        if self._session.done():
            return self._session.result()
        raise self._lost()

    async def _answered(
        self, session: ClientSession, request: types.ClientRequest, attendant: Attendant | None
    ) -> Json:
        """The answer, or the end of the session: a dying one does not always wake those who wait for it."""
        answer = self._loop.create_task(self._exchange(session, request, attendant))
        try:
            await asyncio.wait({answer, self._owner}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise self._lost()
        finally:
            if not answer.done():
                answer.cancel()
                await asyncio.wait({answer}, timeout=_GOODBYE_S)

    async def _exchange(
        self, session: ClientSession, request: types.ClientRequest, attendant: Attendant | None
    ) -> Json:
        # The id the next line takes. `mcp` 1 tells it to nobody, and a cancellation has to name it.
        request_id = session._request_id  # pyright: ignore[reportPrivateUsage]
        progressed = attendant.progressed if attendant else None
        try:
            with self._asking.during(request_id, attendant):
                return (await session.send_request(request, _Result, progress_callback=progressed)).root
        except asyncio.CancelledError:
            await _say_cancelled(session, request_id)
            raise
        except McpError as error:
            raise _as_failure(error) from None
        except ValidationError:
            raise ServerFailed("The MCP server's result is not an object.") from None
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise ServerFailed("The session with the MCP server has ended.", undone=True) from None

    def _lost(self) -> ServerFailed:
        """Why the owner has ended."""
        if self._late:
            return timed_out(self._limits.connect_timeout_s)
        for cause in () if self._owner.cancelled() else _leaves(self._owner.exception()):
            if isinstance(cause, ServerFailed):
                return cause
            if isinstance(cause, McpError):
                return _as_failure(cause)
        return ServerFailed("The session with the MCP server ended.")

    async def _own(self) -> None:
        """Open, stay while used, close. Whatever it fails with is read by those who wait for it."""
        limit = self._loop.call_later(self._limits.connect_timeout_s, self._give_up)
        try:
            async with self._opener.opened(self._target, self._asking.hooks(), self.retire) as session:
                limit.cancel()
                self._asking.attend(session)
                self._session.set_result(session)
                await self._stay()
        finally:
            limit.cancel()

    def _give_up(self) -> None:
        self._late = True
        self._owner.cancel()

    async def _stay(self) -> None:
        """Until it is retired or was idle for too long, and nobody waits for an answer."""
        while self.busy or not self._over:
            self._changed.clear()
            with anyio.move_on_after(math.inf if self.busy else self._limits.idle_s):
                await self._changed.wait()
                continue
            self._over = not self.busy


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


def _leaves(error: BaseException | None) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(inner)
    elif error is not None:
        yield error
