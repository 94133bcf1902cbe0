"""The responses of one WebSocket connection, from request to last event."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import orjson

from graph.errors import Failure, Json, RequestError
from graph.running import Running
from graph.state import Entry
from server.asking import ask_of
from server.house import House
from server.lanes import Create, Lane
from server.recent import Recent, Remembered
from server.socket import Socket
from server.steering import Steering, Submission, check, failed, given_back, required_input
from server.wire.message import body_of, is_warm_up

logger = logging.getLogger(__name__)

#: Responses whose end is remembered, for those who would still steer them.
_ENDED = 256


def _keep(known: dict[str, str], key: str, value: str) -> None:
    known[key] = value
    if len(known) > _ENDED:
        del known[next(iter(known))]


@dataclass(frozen=True, slots=True)
class _Active:
    create: Create
    running: Running


class Exchange:
    def __init__(self, house: House, headers: Mapping[str, str], socket: Socket) -> None:
        """`headers`: of the handshake; their key is looked at again for every response."""
        self._house = house
        self._headers = headers
        self._socket = socket
        self._recent = Recent(house.max_body_bytes)
        self._steering = Steering(house.max_body_bytes)
        self._active: dict[str, _Active] = {}
        #: Response id → the status it ended with.
        self._ended: dict[str, str] = {}
        #: Response id → its automatic successor.
        self._successors: dict[str, str] = {}
        #: Responses whose automatic successors are about to begin, and what was said to steer them meanwhile.
        self._followed: set[str] = set()
        self._early: dict[str, list[tuple[Json, int]]] = {}
        #: Successors that have been told all of that.
        self._heard: set[str] = set()
        #: Why no response is begun any more.
        self.ending: Failure | None = None

    def leave(self) -> None:
        """The client has gone: stop what runs."""
        self._socket.gone = True
        for active in self._active.values():
            self._house.runner.leave(active.running)

    # ------------------------------------------------------------ responses

    async def answer(self, create: Create, lane: Lane) -> None:
        """Make a response and tell its events, then those of the successors that steering asks for."""
        queued = self._steering.take(create.parent_id, create.stream_id)
        following: Create | None = create.with_steering(queued)
        while following and not self._socket.gone:
            try:
                following = await self._answer(following, lane)
            except Failure as failure:
                following = await self._refuse(following, failure)
            except Exception as error:  # what a bug breaks is this request, not the others of the connection
                logger.error("A request over a WebSocket failed on a bug", exc_info=error)
                following = await self._refuse(following, Failure("The server had an error at your request."))

    async def _answer(self, create: Create, lane: Lane) -> Create | None:
        """Gives the successor, if there is to be one. Raises `Failure` when there is no response."""
        running = await self._start(create)
        try:
            await self._house.runner.begun(running)
            if create.automatic:
                await self._steer_again(create.parent_id or "", running.id)
                self._heard.add(running.id)
            async for frames in running.log.follow():
                await self._socket.tell(frames, create.stream_id)
            response = await self._end(create, running)
            following = await self._go_on(create, running, response, lane)
            if following:
                self._followed.add(running.id)
            return following
        finally:
            del self._active[running.id]
            self._heard.discard(running.id)
            if running.id not in self._followed:
                await self._steer_again(running.id)

    async def _start(self, create: Create) -> Running:
        if self.ending:
            raise self.ending
        owner = await self._house.gate.owner(self._headers)
        ask = await ask_of(body_of(create.message), owner, self._house)
        if is_warm_up(create.message):
            ask = replace(ask, request={**ask.request, "generate": False})
        if parent := self._recent.get(ask.previous_response_id):
            # A stored response begins a log of its own; another goes on with what was rendered of its parent.
            ask = replace(ask, history=list(parent.entries) if ask.kept else parent.entries)
        running = await self._house.runner.start(ask)
        self._active[running.id] = _Active(create, running)
        if create.automatic and create.parent_id:
            _keep(self._successors, create.parent_id, running.id)
        if self._socket.gone:
            self._house.runner.leave(running)
        return running

    async def _end(self, create: Create, running: Running) -> Json | None:
        """The response as it ended; None when it failed or was given up. What only we know of it is remembered."""
        response = None
        with suppress(Failure):
            response = await running.log.ended()
        _keep(self._ended, running.id, response["status"] if response else "failed")
        if response and running.conversation is not None and not running.ask.stored:
            size_bytes = self._size_of(create, running.conversation, response)
            self._recent.put(running.id, Remembered(running.conversation, create.stream_id, size_bytes))
        return response

    def _size_of(self, create: Create, conversation: Sequence[Entry], response: Json) -> int:
        """Of a long conversation only what is new is measured."""
        parent = self._recent.get(create.parent_id)
        if parent is None:
            return len(orjson.dumps(conversation))
        return parent.size_bytes + len(orjson.dumps([create.message.get("input"), response["output"]]))

    async def _refuse(self, create: Create, failure: Failure) -> None:
        """A continuation that is refused costs its parent its place, unless it was a fork from another lane."""
        parent = self._recent.get(create.parent_id)
        if parent and create.parent_id and parent.stream_id == create.stream_id and not create.automatic:
            self._recent.evict(create.parent_id)
        if not create.automatic:  # nobody asked for it; what it was made of is given back
            await self._socket.refuse(failure, create.stream_id)
        else:
            await self._steer_again(create.parent_id or "")
        await self._give_back(create.steered, f"The response that was to take it up was refused: {failure.message}")

    # ------------------------------------------------------------ steering

    async def steer(self, said: Json, size_bytes: int) -> None:
        """Queue input for the successor of a response that is being made. Raises `RequestError` if none is named."""
        response_id = said.get("previous_response_id")
        if not isinstance(response_id, str):
            text = "Missing required parameter: 'previous_response_id'."
            raise RequestError(text, param="previous_response_id", code="missing_required_parameter")
        latest = self._latest(response_id)
        if self._is_followed(latest):
            self._early.setdefault(latest, []).append((said, size_bytes))
        else:
            await self._steer(latest, said, size_bytes)

    async def _steer(self, latest: str, said: Json, size_bytes: int) -> None:
        response_id: str = said["previous_response_id"]
        active = self._active.get(latest)
        stream_id = active.create.stream_id if active else None
        try:
            check(said)
            if active is None or active.running.emitter.over or not active.running.emitter.begun:
                raise self._over(response_id)
            self._accept(active, said, size_bytes)
        except RequestError as error:
            await self._socket.tell([failed(said, error)], stream_id)

    def _accept(self, active: _Active, said: Json, size_bytes: int) -> None:
        running, ask = active.running, active.running.ask
        if ask.conversation or ask.request.get("context_management"):
            text = "A response of a conversation, or with automatic compaction, cannot be steered."
            raise RequestError(text, code="steering_not_supported")
        submission = self._steering.submit(running.id, active.create.stream_id, said, size_bytes)
        running.emitter.steer("accepted", submission.named())
        if running.run:
            running.run.steer()

    def _latest(self, response_id: str) -> str:
        """The response to steer: who steers again may not have heard of the successor yet, and means that one."""
        while response_id in self._successors:
            response_id = self._successors[response_id]
        return response_id

    def _is_followed(self, response_id: str) -> bool:
        """Whether the response has ended, or not begun, and one that can be steered is about to begin."""
        active = self._active.get(response_id)
        if active is None:
            return response_id in self._followed
        emitter = active.running.emitter
        if active.create.automatic and response_id not in self._heard:
            return True
        return emitter.over and bool(self._steering.queued(response_id))

    async def _steer_again(self, *response_ids: str) -> None:
        """What was said too early is said now: its response has begun, or none will."""
        for id in response_ids:
            self._followed.discard(id)
            while early := self._early.get(id):
                said, size_bytes = early.pop(0)
                await self._steer(self._latest(id), said, size_bytes)
            self._early.pop(id, None)

    def _over(self, response_id: str) -> RequestError:
        status = self._ended.get(response_id, "completed" if response_id in self._active else None)
        if status is None:
            text = f"Response with id '{response_id}' is not being made over this connection."
            return RequestError(text, code="response_not_found")
        code = "response_already_completed" if status == "completed" else "response_not_active"
        return RequestError(f"Response with id '{response_id}' has ended.", code=code)

    async def _go_on(self, create: Create, running: Running, response: Json | None, lane: Lane) -> Create | None:
        """What follows from the steering of a response that has ended."""
        queued = self._steering.queued(running.id)
        if not queued:
            return None
        if response is None:
            await self._give_back(self._steering.take(running.id, create.stream_id), "The steered response failed.")
            return None
        if required := required_input(response["output"]):
            if not lane.continues(running.id):
                waits: Json = {"reason": "waiting_for_required_input", "required_input": required}
                told = [running.emitter.steer("pending", {**one.named(), **waits}) for one in queued]
                await self._socket.tell(told, create.stream_id)
            return None
        return create.successor(running.id, self._steering.take(running.id, create.stream_id))

    async def _give_back(self, submissions: Sequence[Submission], why: str) -> None:
        for one in submissions:
            await self._socket.tell([given_back(one, why)], one.stream_id)
