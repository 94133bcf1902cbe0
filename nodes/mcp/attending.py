"""What a server may ask during one of its calls, and how long that call may take."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from graph.errors import Json
from nodes.mcp.failure import timed_out

if TYPE_CHECKING:
    from mcp import types

#: How many times its limit a call may take that shows signs of life.
LONGEST = 10


class Samples(Protocol):
    """Puts a server's question to the model."""

    def __call__(
        self, params: "types.CreateMessageRequestParams"
    ) -> "Awaitable[types.CreateMessageResult | types.ErrorData]": ...


def _nothing() -> None:
    pass


@dataclass(slots=True)
class Attendant:
    """Answers a server in place of the user who has made a call."""

    #: What the server may be told should it ask for values: whoever approved the call gave them. Told once.
    values: Json | None = None
    #: None: this call may not ask the model.
    sample: Samples | None = None
    #: Tells those who wait for the call that it goes on.
    alive: Callable[[], None] = _nothing

    async def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        self.alive()


@asynccontextmanager
async def patience(limit_s: float) -> AsyncGenerator[Callable[[], None]]:
    """A limit that begins anew with every sign of life, ten times over at most. Raises `ServerFailed`."""
    loop = asyncio.get_running_loop()
    last = loop.time() + LONGEST * limit_s
    try:
        async with asyncio.timeout(limit_s) as limit:

            def alive() -> None:
                with suppress(RuntimeError):  # it is over already
                    limit.reschedule(min(loop.time() + limit_s, last))

            yield alive
    except TimeoutError:
        raise timed_out(limit_s) from None


@asynccontextmanager
async def within(limit_s: float) -> AsyncGenerator[None]:
    """Raises `ServerFailed`."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError:
        raise timed_out(limit_s) from None
