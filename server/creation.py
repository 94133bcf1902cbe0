"""A `POST /responses` on its way to its answer: queued or made here, waited for or streamed."""

from dataclasses import dataclass
from functools import partial

from starlette.responses import Response
from starlette.types import Receive

from graph.ask import Ask
from graph.errors import Failure, Json, Unavailable
from graph.runner import Running
from server.house import House
from server.http import failure_response, json_response, unless_left
from server.reading import ended, followed
from server.sse import EventStream


@dataclass(frozen=True, slots=True)
class Creation:
    house: House
    ask: Ask
    streamed: bool
    receive: Receive

    async def answer(self) -> Response:
        """Raises what fails before the response has begun; later failures are in the answer."""
        if self.ask.background:
            return self._queued(await self.house.background.queue(self.ask, self.house.engine))
        running = await self.house.runner.start(self.ask)
        return await (self._stream(running) if self.streamed else self._wait(running))

    def _queued(self, response: Json) -> Response:
        """It is made whether its reader stays or not."""
        if self.streamed:
            return EventStream(followed(self.house, response["id"]))
        return json_response(response)

    async def _stream(self, running: Running) -> Response:
        leave = partial(self.house.runner.leave, running)
        await unless_left(self.receive, self.house.runner.begun(running), leave)
        if self.ask.resumable:
            return EventStream(followed(self.house, running.id))
        return EventStream(running.log.follow(), leave)

    async def _wait(self, running: Running) -> Response:
        leave = partial(self.house.runner.leave, running)
        try:
            response = await unless_left(self.receive, running.log.ended(), leave)
        except Failure as failure:
            if not running.log.released:
                raise
            return failure_response(failure, accepted=True)
        return json_response(response) if response else await self._elsewhere(running)

    async def _elsewhere(self, running: Running) -> Response:
        """The response has left this process: if it is kept, another one ends it."""
        if not self.ask.resumable:
            gone = Unavailable("The response was given up: the server is shutting down.", retry_after_s=5)
            return failure_response(gone, accepted=True)
        try:
            return json_response(await ended(self.house, self.ask.owner, running.id, self.receive))
        except Failure as failure:  # who asks again, with the same key, joins
            return failure_response(failure)
