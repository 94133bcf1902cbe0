"""A request to an MCP server that waits for its answer, and what it may still cost."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import anyio
import httpx

from nodes.mcp.attending import LONGEST
from nodes.mcp.limits import Limits

#: Those who wait give up at their own limit; by then at the latest nothing is left of the call.
_GRACE_S = 5
T = TypeVar("T")


class Broken(Exception):
    """The answer cannot be used."""


class Call:
    """It can be given up from another task, which harms nothing else.

    Cancelling the task would: `mcp` runs it in a group whose other members are the session's other calls. The limits
    hold for all attempts to take its answer up again together.
    """

    def __init__(self, id: int | str, method: str, limits: Limits) -> None:
        self.id = id
        self.limits = limits
        self.redirects = 0
        self.resumptions = 0
        self.answered = False
        self.notifications_left = limits.notifications
        self.questions_left = limits.questions
        self._limit_bytes = limits.greeting_bytes if method == "initialize" else limits.answer_bytes
        self._bytes_left = self._limit_bytes
        self._pieces_left = limits.answer_pieces
        self._lines_left = limits.answer_lines
        self._until = anyio.current_time() + max(LONGEST * limits.call_timeout_s, limits.connect_timeout_s) + _GRACE_S
        self._given_up = False
        self._scope: anyio.CancelScope | None = None

    def give_up(self) -> None:
        self._given_up = True
        if self._scope:
            self._scope.cancel()

    async def wait(self, step: Callable[[], Awaitable[T]]) -> T:
        """Raises `Broken` if the call is given up."""
        with anyio.CancelScope(deadline=self._until) as self._scope:
            if not self._given_up:
                return await step()
        raise Broken("The call was cancelled.")

    async def pieces(self, stream: httpx.AsyncByteStream) -> AsyncGenerator[bytes]:
        """What comes, as it comes. Raises `Broken` where it is too much."""
        async for piece in stream:
            self._bytes_left -= len(piece)
            self._pieces_left -= 1
            self._lines_left -= piece.count(b"\n")
            if self._bytes_left < 0:
                raise Broken(f"The MCP server's answer is larger than {self._limit_bytes} bytes.")
            if self._pieces_left < 0:
                raise Broken(f"The MCP server's answer comes in more than {self.limits.answer_pieces} pieces.")
            if self._lines_left < 0:
                raise Broken(f"The MCP server's answer has more than {self.limits.answer_lines} lines.")
            yield piece
