"""Runs responses: opens what a run needs and owns the tasks of all that are made in this process.

Every response is one task that writes one event log; streaming, waiting and background differ only in who starts it
and in how the log is read.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from langgraph.types import Overwrite

from graph.archive import Archive, Head, Located
from graph.ask import Ask
from graph.attachments import Attachments, NoAttachments
from graph.compaction import compacted
from graph.errors import Failure, Json, NotFound, RequestError, Unavailable, conversation_locked, unknown_parent
from graph.events import Emitter, Names
from graph.hold import Hold, Lease
from graph.ids import item_ids, new_id
from graph.input import entries_of
from graph.log import EventLog
from graph.machine import build
from graph.maker import Maker, config_of
from graph.meter import Ended, Meter, NoMeter
from graph.opening import serves
from graph.policy import Guard, Rule
from graph.ports import HostedTool, Models
from graph.run import Run
from graph.running import Running
from graph.seal import Seal
from graph.shape import Shape
from graph.state import Entry, State
from graph.untrusted import Untrusted


@dataclass(frozen=True, slots=True)
class Limits:
    max_turns: int = 50
    #: Seconds `response.created` waits for the model server to take the request.
    hold_created_s: float = 2.0
    event_names: Names = "openai"
    approval_rules: Sequence[Rule] = ()
    untrusted_text: Untrusted = "allow"


class Runner:
    """Owner of the tasks of all responses in this process."""

    def __init__(
        self, archive: Archive, models: Models, tools: Sequence[HostedTool], seal: Seal, limits: Limits
    ) -> None:
        self.archive = archive
        self._models = models
        self._tools = tools
        self.seal = seal
        self._limits = limits
        self._running: dict[str, Running] = {}
        self._closing = False
        self.meter: Meter = NoMeter()
        self.attachments: Attachments = NoAttachments()
        machine = build([tool.kind for tool in tools])
        self.stored = machine.compile(checkpointer=archive.checkpointer)
        self.maker = Maker(archive, self.stored, machine.compile())

    # ------------------------------------------------------------ responses

    async def start(self, ask: Ask) -> Running:
        """Begin a response. Raises `RequestError` for what can be seen before it runs."""
        self.check_open()
        id = ask.response_id or new_id("resp_")
        emitter = self.emitter(id, EventLog(kept=ask.resumable))
        run = await self.open(ask, emitter, id)
        head = await self.head(ask, id)
        run.expected_items = head.length
        running = Running(id, ask, head, emitter, run, self._hold(ask, id, emitter.log))
        self.let_go(running)
        return running

    def let_go(self, running: Running) -> None:
        """Make a response in a task of its own."""
        self._running[running.id] = running
        running.task = asyncio.get_running_loop().create_task(self.maker.make(running))
        running.task.add_done_callback(partial(self._ended, running, self.meter.begun(running.ask.model)))

    async def run(self, running: Running) -> None:
        """Make a response and wait for its end. Raises `StoreUnavailable`."""
        self.let_go(running)
        if running.task:
            await asyncio.wait([running.task])
            if not running.task.cancelled() and (error := running.task.exception()):
                raise error

    def _ended(self, running: Running, ended: Ended, task: asyncio.Task[None]) -> None:
        if self._running.get(running.id) is running:
            del self._running[running.id]
        if not task.cancelled():
            task.exception()  # seen here; whoever awaits the task hears of it
        ended(running.outcome, (running.log.response or {}).get("usage"))

    def _hold(self, ask: Ask, id: str, log: EventLog) -> Hold | None:
        """A response whose steps are kept while it is made is held, so that no two processes write it."""
        hosted = any(serves(tool, given) for given in ask.declared for tool in self._tools)
        if not ask.kept or not (hosted or ask.resumable):
            return None
        return Hold(Lease(id, self.archive.worker, 0), ask.owner, log)

    async def begun(self, running: Running) -> None:
        """Wait until the response may be shown: the model server has the request, or time is up."""
        timer = asyncio.get_running_loop().call_later(self._limits.hold_created_s, running.log.release_begun)
        try:
            await running.log.begun()
        finally:
            timer.cancel()

    def leave(self, running: Running) -> None:
        """Its only reader has gone: stop the response and leave nothing of it, unless it can be read again."""
        if running.task and not running.task.done() and not running.recorded:
            self.archive.fence(running.id)
            running.stop("left")

    async def follow(self, response_id: str, after: int = -1) -> AsyncIterator[list[bytes]]:
        """Its kept events above `after`, in batches, wherever it is made, until the last.

        Ends early when the server is stopped: the rest can be read from another, or later.
        """
        running = self._running.get(response_id)
        if running and running.recorded:
            async for frames in running.log.follow(after):
                after += len(frames)
                yield frames
            if not running.log.lost:
                return
        async for frames in self.archive.follow(response_id, after):
            if frames:
                yield frames
            elif self._closing:
                return

    def find(self, response_id: str) -> Running | None:
        """A response that is being made here."""
        return self._running.get(response_id)

    def held(self) -> dict[str, int]:
        """Response id → epoch of the lease, of all that is held here."""
        return {id: one.hold.lease.epoch for id, one in self._running.items() if one.hold and one.hold.entered}

    async def lose(self, response_id: str) -> None:
        """Stop writing a response that is another's now; returns when nothing of it runs here."""
        running = self._running.get(response_id)
        if running and running.task:
            running.stop("lost")
            await asyncio.wait([running.task])

    async def close(self, grace_s: float) -> None:
        """Take no more work; give what runs `grace_s` seconds, then end it, or leave it to others."""
        self._closing = True
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=grace_s)
        for running in list(self._running.values()):
            running.stop("closing")
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=5)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [running.task for running in self._running.values() if running.task]

    def check_open(self) -> None:
        """Raises `Unavailable` when no more work is taken."""
        if self._closing:
            raise Unavailable("The server is shutting down.", retry_after_s=5)

    async def count_tokens(self, ask: Ask) -> int:
        """Input tokens of the prompt that `ask` would make; nothing is stored and nothing answered."""
        run = await self.open_loose(ask)
        entries = await self._conversation(ask, run)
        await run.open_tools(entries)
        record = run.begin(ask.request, len(entries), [])
        state: State = {"input": [], "request": ask.request, "response": record, "items": entries, "outlook": {}}
        return await run.model.count_tokens(run.prompt(state, entries, None))

    async def compact(self, ask: Ask) -> Json:
        """The conversation in fewer words, as a `response.compaction`; nothing is stored."""
        run = await self.open_loose(ask)
        return await compacted(run, await self._conversation(ask, run), ask.request.get("instructions"))

    async def history(self, head: Head) -> list[Entry]:
        return await self.archive.history(head)

    async def edit(self, conversation: Located, entries: list[Entry], replace: bool = False) -> None:
        """Append to a conversation between its responses, or give it other items. Raises when one is being made."""
        holder = new_id("edit_")
        head = await self._locked(conversation.owner, conversation.id, holder)
        try:
            config = config_of(head, conversation_id=conversation.id)
            items = Overwrite(entries) if replace else entries
            await self.stored.aupdate_state(config, {"items": items}, as_node="persist")
        finally:
            await self.archive.unlock(conversation.id, holder)

    # ------------------------------------------------------------ what a run is made with

    def emitter(self, response_id: str, log: EventLog) -> Emitter:
        return Emitter(log, item_ids(response_id), self._limits.event_names)

    async def open(self, ask: Ask, emitter: Emitter, response_id: str) -> Run:
        """Raises `RequestError` when the model is not there."""
        model = await self._models.find(ask.model)
        return Run(
            response_id=response_id,
            owner=ask.owner,
            emitter=emitter,
            model=model,
            model_name=ask.model,
            seal=self.seal,
            profile=await model.profile(json_schema=Shape.of(ask.request) is not None),
            find_item=lambda item_id: self.archive.find_item(ask.owner, item_id),
            attachments=self.attachments,
            approvals=self.archive.approvals,
            guard=Guard(ask.owner, self._limits.approval_rules, self._limits.untrusted_text),
            hosted=self._tools,
            declared=ask.declared,
            include=ask.request.get("include") or (),
            previous_response_id=ask.previous_response_id,
            conversation=ask.conversation,
            max_turns=self._limits.max_turns,
            replay=ask.replay,
        )

    async def open_loose(self, ask: Ask, response_id: str | None = None) -> Run:
        """A run whose events nobody but its own process reads; of an id of its own, or of the one it goes on with."""
        id = response_id or new_id("resp_")
        return await self.open(ask, self.emitter(id, EventLog()), id)

    async def fail_loose(self, ask: Ask, run: Run, failure: Failure) -> None:
        """End a response that was made without a task of ours."""
        await self.maker.fail(Running(run.response_id, ask, Head(""), run.emitter, run), failure)

    async def _conversation(self, ask: Ask, run: Run) -> list[Entry]:
        """What `ask` puts before the model, without a run."""
        if ask.history is not None:
            return [*ask.history, *await entries_of(ask.input, run)]
        head = Head("")
        if ask.previous_response_id is not None:
            head = await self._parent(ask.owner, ask.previous_response_id)
        elif ask.conversation:
            head = await self.archive.head_of_conversation(ask.owner, ask.conversation) or head
        return [*await self.archive.history(head), *await entries_of(ask.input, run)]

    async def head(self, ask: Ask, response_id: str) -> Head:
        """Where a response goes on from; its conversation is locked for it. Raises `RequestError`."""
        if ask.history is not None:
            return Head(str(uuid.uuid4()))
        if ask.previous_response_id is not None:
            return await self._parent(ask.owner, ask.previous_response_id)
        if ask.conversation:
            return await self._locked(ask.owner, ask.conversation, response_id)
        return Head(str(uuid.uuid4()))

    async def _parent(self, owner: str, parent_id: str) -> Head:
        found = await self.archive.head_of_response(owner, parent_id)
        if found is None:
            raise unknown_parent(parent_id)
        head, record = found
        if record["status"] not in ("completed", "incomplete"):
            raise RequestError(
                f"Previous response with id '{parent_id}' is {record['status']}; only a completed or incomplete one "
                "can be continued.",
                param="previous_response_id",
            )
        return head

    async def _locked(self, owner: str, conversation_id: str, response_id: str) -> Head:
        if not await self.archive.lock(owner, conversation_id, response_id):
            raise conversation_locked()
        head = await self.archive.head_of_conversation(owner, conversation_id)
        if head is None:
            raise NotFound(f"Conversation with id '{conversation_id}' not found.", param="conversation")
        return head
