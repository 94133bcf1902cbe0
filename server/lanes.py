"""Lanes of a connection: requests of one lane are answered one after another, those of several at once."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from graph.errors import Json, RequestError
from graph.input import message
from server.steering import Submission

#: Responses made at once over one connection. Source: CONTRACT of the Responses API, "WebSocket mode".
_AT_ONCE = 16
#: Lanes a connection may name.
_NAMED = 32
#: Requests that may wait for their turn.
_WAITING = 256


@dataclass(frozen=True, slots=True)
class Create:
    """One `response.create`."""

    message: Json
    stream_id: str | None
    size_bytes: int
    #: Steering that its input begins with.
    steered: Sequence[Submission] = ()
    #: Whether it was made here, of steering alone.
    automatic: bool = False

    @property
    def parent_id(self) -> str | None:
        given = self.message.get("previous_response_id")
        return given if isinstance(given, str) else None

    def with_steering(self, submissions: Sequence[Submission]) -> Self:
        """The same with `submissions` before its own input."""
        given: Any = self.message.get("input") or []
        own = [message(given)] if isinstance(given, str) else given
        if not submissions:
            return self
        if isinstance(own, list):  # else it will be refused
            given = [*(item for one in submissions for item in one.items), *own]  # pyright: ignore[reportUnknownVariableType]  # JSON
        return replace(self, message={**self.message, "input": given}, steered=[*self.steered, *submissions])

    def successor(self, response_id: str, submissions: Sequence[Submission]) -> Self:
        """What goes on, with its settings, from the response this one became."""
        following: Json = {**self.message, "previous_response_id": response_id, "input": []}
        begun = replace(self, message=following, steered=(), automatic=True)
        return begun.with_steering(submissions)


class Lane:
    """Requests in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: deque[Create] = deque()
        self.working = False

    def continues(self, response_id: str) -> bool:
        """Whether a request that waits goes on from this response."""
        return any(create.parent_id == response_id for create in self.waiting)


Answer = Callable[[Create, Lane], Awaitable[None]]


class Lanes:
    """All lanes of a connection."""

    def __init__(self, tasks: asyncio.TaskGroup, answer: Answer, limit_bytes: int) -> None:
        """`limit_bytes`: of all requests that wait."""
        self._tasks = tasks
        self._answer = answer
        self._limit_bytes = limit_bytes
        self._lanes: dict[str | None, Lane] = {None: Lane()}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._working: set[asyncio.Task[None]] = set()

    def put(self, create: Create) -> None:
        """Answer it in its turn. Raises `RequestError` when there are too many lanes or requests."""
        lane = self._lane(create.stream_id)
        waiting = [one for each in self._lanes.values() for one in each.waiting]
        size_bytes = create.size_bytes + sum(one.size_bytes for one in waiting)
        if waiting and (len(waiting) >= _WAITING or size_bytes > self._limit_bytes):
            text = "Too many requests are waiting on this connection; send more when some have been answered."
            raise RequestError(text, status=429, type="rate_limit_error", code="rate_limit_exceeded")
        lane.waiting.append(create)
        if not lane.working:
            lane.working = True
            task = self._tasks.create_task(self._work(lane))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def idle(self) -> None:
        """Wait until nothing is answered and nothing waits."""
        while self._working:
            await asyncio.wait(self._working)

    def drop(self) -> None:
        """Forget what waits."""
        for lane in self._lanes.values():
            lane.waiting.clear()

    def _lane(self, stream_id: str | None) -> Lane:
        if stream_id not in self._lanes:
            if len(self._lanes) > _NAMED:
                raise RequestError(
                    f"This WebSocket connection has reached its maximum number of distinct stream IDs ({_NAMED}). "
                    "Reuse an existing stream_id or open a new WebSocket connection.",
                    param="stream_id",
                    code="websocket_stream_limit_reached",
                )
            self._lanes[stream_id] = Lane()
        return self._lanes[stream_id]

    async def _work(self, lane: Lane) -> None:
        while lane.waiting:
            async with self._slots:
                if lane.waiting:
                    await self._answer(lane.waiting.popleft(), lane)
        lane.working = False
