"""Questions that a server asks while it works: which of its calls they belong to, and who answers them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import ClientSession, types
from mcp.shared.context import RequestContext
from mcp.shared.session import RequestResponder

from nodes.mcp.attending import Attendant
from nodes.mcp.elicitation import elicited
from nodes.mcp.transport.message import CALL

#: MCP's code for what the user does not want. Source: MCP specification 2025-11-25, "Sampling", "Error Handling".
REFUSED = -1
logger = logging.getLogger(__name__)
Responder = RequestResponder[types.ServerRequest, types.ClientResult]
Context = RequestContext[ClientSession, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What those who keep connections want to know of one, and what they let its server do."""

    #: Its server says that its tools are not what they were.
    tools_changed: Callable[[], None]
    #: Whether the server is told that it may ask the model.
    sampling: bool = False


class Asking:
    """The calls of one session that run, and who answers for each."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._attended: dict[str, Attendant | None] = {}
        self._sampled: dict[str, set[asyncio.Task[Any]]] = {}

    def hooks(self) -> Mapping[str, Any]:
        """What `ClientSession` calls. That these are there is what the server is told of us."""
        hooks: dict[str, Any] = {"elicitation_callback": self._elicit, "message_handler": self._hear}
        return hooks | ({"sampling_callback": self._sample} if self._told.sampling else {})

    def attend(self, session: ClientSession) -> None:
        """Let the session read on while a model is asked: `mcp` 1 answers questions one by one, in its reading loop."""
        if not self._told.sampling:
            return
        answer: Callable[[Responder], Awaitable[None]] = session._received_request  # pyright: ignore
        tasks: anyio.abc.TaskGroup = session._task_group  # pyright: ignore

        async def beside(responder: Responder) -> None:
            with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # the session has ended
                await answer(responder)

        async def begin(responder: Responder) -> None:
            tasks.start_soon(beside, responder)

        session._received_request = begin  # pyright: ignore

    @contextmanager
    def during(self, call_id: int, attendant: Attendant | None) -> Generator[None]:
        """While a call runs; the model is not asked on its behalf afterwards."""
        key = str(call_id)
        self._attended[key] = attendant
        try:
            yield
        finally:
            del self._attended[key]
            for task in self._sampled.pop(key, ()):
                task.cancel()

    def _call_of(self, context: Context) -> str | None:
        """Our HTTP transport notes which call a question came with; elsewhere it is known if just one runs."""
        noted = str((context.meta.model_extra or {}).get(CALL, "")) if context.meta else ""
        if noted in self._attended:
            return noted
        return next(iter(self._attended)) if len(self._attended) == 1 else None

    async def _elicit(self, context: Context, params: types.ElicitRequestParams) -> types.ElicitResult:
        call = self._call_of(context)
        return elicited(self._attended[call] if call else None, params)

    async def _sample(
        self, context: Context, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult | types.ErrorData:
        call = self._call_of(context)
        attendant = self._attended[call] if call else None
        if call is None or attendant is None or attendant.sample is None:
            return types.ErrorData(code=REFUSED, message="The model may not be asked during this call.")
        task = asyncio.ensure_future(attendant.sample(params))
        self._sampled.setdefault(call, set()).add(task)
        attendant.alive()
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()  # the server has taken its question back, or the session has ended
        attendant.alive()
        return _said(task)

    async def _hear(self, message: Responder | types.ServerNotification | Exception) -> None:
        if isinstance(message, types.ServerNotification) and isinstance(
            message.root, types.ToolListChangedNotification
        ):
            self._told.tools_changed()


def _said(
    task: "asyncio.Task[types.CreateMessageResult | types.ErrorData]",
) -> types.CreateMessageResult | types.ErrorData:
    """Whatever goes wrong is one question's failure, not that of the session."""
    if task.cancelled():
        return types.ErrorData(code=REFUSED, message="The call is over.")
    if error := task.exception():
        logger.error("A question of an MCP server failed", exc_info=error)
        return types.ErrorData(code=types.INTERNAL_ERROR, message="The model did not answer.")
    return task.result()
