"""Runs responses: opens what a run needs, lets the machine go, says the last word, cleans up.

Every response is one task that writes one event log; streaming, waiting and background differ only in how the log is
read. `completed` is said when the checkpoint is on disk, never before.
"""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Overwrite

from graph.ask import Ask
from graph.compaction import compacted
from graph.errors import Failure, Json, NotFound, RequestError, Unavailable
from graph.events import Emitter, Names
from graph.ids import item_ids, new_id
from graph.input import entries_of
from graph.log import EventLog
from graph.machine import build
from graph.ports import Archive, Head, HostedTool, Located, Models
from graph.run import Run
from graph.seal import Seal
from graph.shape import Shape
from graph.snapshot import output_of, snapshot
from graph.state import Entry, Record, State

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    max_turns: int = 50
    #: Seconds `response.created` waits for the model server to take the request.
    hold_created_s: float = 2.0
    event_names: Names = "openai"


@dataclass(slots=True)
class Running:
    """A response that is being made, or has just been."""

    id: str
    log: EventLog
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Runner:
    """Owner of the tasks of all responses in this process."""

    def __init__(
        self, archive: Archive, models: Models, tools: Sequence[HostedTool], seal: Seal, limits: Limits
    ) -> None:
        self._archive = archive
        self._models = models
        self._tools = tools
        self._seal = seal
        self._limits = limits
        self._running: set[asyncio.Task[None]] = set()
        self._closing = False
        machine = build([tool.kind for tool in tools])
        self.stored = machine.compile(checkpointer=archive.checkpointer)
        self.unstored = machine.compile()

    async def start(self, ask: Ask) -> Running:
        """Begin a response. Raises `RequestError` for what can be seen before it runs."""
        if self._closing:
            raise Unavailable("The server is shutting down.", retry_after_s=5)
        run = await self.open(ask)
        running = Running(run.response_id, run.emitter.log)
        head = await self._head(ask, running.id)
        running.task = asyncio.get_running_loop().create_task(self._make(ask, head, run))
        self._running.add(running.task)
        running.task.add_done_callback(self._running.discard)
        return running

    async def begun(self, running: Running) -> None:
        """Wait until the response may be shown: the model server has the request, or time is up."""
        timer = asyncio.get_running_loop().call_later(self._limits.hold_created_s, running.log.release)
        try:
            await running.log.begun()
        finally:
            timer.cancel()

    def leave(self, running: Running) -> None:
        """Its only reader has gone: stop the response and leave nothing of it."""
        if running.task and not running.task.done():
            self._archive.fence(running.id)
            running.task.cancel()

    async def count_tokens(self, ask: Ask) -> int:
        """Input tokens of the prompt that `ask` would make; nothing is stored and nothing answered."""
        run = await self.open(ask)
        entries = await self._conversation(ask, run)
        await run.open_tools(entries)
        record = run.begin(ask.request, len(entries), [])
        state: State = {"input": [], "request": ask.request, "response": record, "items": entries, "outlook": {}}
        return await run.model.count_tokens(run.prompt(state, entries, None))

    async def compact(self, ask: Ask) -> Json:
        """The conversation in fewer words, as a `response.compaction`; nothing is stored."""
        run = await self.open(ask)
        return await compacted(run, await self._conversation(ask, run), ask.request.get("instructions"))

    async def history(self, head: Head) -> list[Entry]:
        return await self._archive.history(head)

    async def edit(self, conversation: Located, entries: list[Entry], replace: bool = False) -> None:
        """Append to a conversation between its responses, or give it other items. Raises when one is being made."""
        holder = new_id("edit_")
        head = await self._locked(conversation.owner, conversation.id, holder)
        try:
            config = _config(head, conversation_id=conversation.id)
            items = Overwrite(entries) if replace else entries
            await self.stored.aupdate_state(config, {"items": items}, as_node="persist")
        finally:
            await self._archive.unlock(conversation.id, holder)

    async def close(self, grace_s: float) -> None:
        """Take no more work; give what runs `grace_s` seconds, then end it."""
        self._closing = True
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=5)

    async def open(self, ask: Ask, response_id: str | None = None) -> Run:
        """A run of its own id, or of the one it goes on with."""
        model = await self._models.find(ask.model)
        id = response_id or new_id("resp_")
        return Run(
            response_id=id,
            owner=ask.owner,
            emitter=Emitter(EventLog(), item_ids(id), self._limits.event_names),
            model=model,
            model_name=ask.model,
            seal=self._seal,
            profile=await model.profile(json_schema=Shape.of(ask.request) is not None),
            find_item=lambda item_id: self._archive.find_item(ask.owner, item_id),
            hosted=self._tools,
            declared=ask.declared,
            previous_response_id=ask.previous_response_id,
            conversation=ask.conversation,
            max_turns=self._limits.max_turns,
        )

    async def _conversation(self, ask: Ask, run: Run) -> list[Entry]:
        """What `ask` puts before the model, without a run."""
        head = Head("")
        if ask.previous_response_id is not None:
            head = await self._parent(ask.owner, ask.previous_response_id)
        elif ask.conversation:
            head = await self._archive.head_of_conversation(ask.owner, ask.conversation) or head
        return [*await self._archive.history(head), *await entries_of(ask.input, run)]

    async def _head(self, ask: Ask, response_id: str) -> Head:
        if ask.previous_response_id is not None:
            return await self._parent(ask.owner, ask.previous_response_id)
        if ask.conversation:
            return await self._locked(ask.owner, ask.conversation, response_id)
        return Head(str(uuid.uuid4()))

    async def _parent(self, owner: str, parent_id: str) -> Head:
        found = await self._archive.head_of_response(owner, parent_id)
        if found is None:
            raise RequestError(
                f"Previous response with id '{parent_id}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        head, record = found
        if record["status"] not in ("completed", "incomplete"):
            raise RequestError(
                f"Previous response with id '{parent_id}' is {record['status']}; only a completed or incomplete one "
                "can be continued.",
                param="previous_response_id",
            )
        return head

    async def _locked(self, owner: str, conversation_id: str, response_id: str) -> Head:
        if not await self._archive.lock(owner, conversation_id, response_id):
            message = "Another process is currently operating on this conversation. Please retry in a few seconds."
            raise RequestError(message, param="conversation", code="conversation_locked")
        head = await self._archive.head_of_conversation(owner, conversation_id)
        if head is None:
            raise NotFound(f"Conversation with id '{conversation_id}' not found.", param="conversation")
        return head

    async def _make(self, ask: Ask, head: Head, run: Run) -> None:
        """The task of one response. Whatever happens, its log ends and its conversation is free again."""
        log = run.emitter.log
        try:
            log.end(await self._complete(ask, head, run))
        except asyncio.CancelledError:
            if self._closing:
                await self.fail(ask, head, run, Unavailable("The server was stopped while it made this response."))
            else:
                await self._discard(ask, run)
                log.end(None)
        except Failure as failure:
            await self.fail(ask, head, run, failure)
        except Exception:
            logger.exception("A response failed on a bug", extra={"response_id": run.response_id})
            await self.fail(ask, head, run, Failure("The server had an error while making this response."))
        finally:
            log.end(None)  # whatever failed while failing, no reader waits for ever
            self._archive.unfence(run.response_id)
            if ask.conversation:
                await self._archive.unlock(ask.conversation, run.response_id)

    async def _complete(self, ask: Ask, head: Head, run: Run) -> Json:
        state = await self._invoke(ask, head, run)
        if ask.kept and not ask.stored:
            await self._archive.forget(ask.owner, run.response_id)
        response = _response_of(state)
        run.emitter.lifecycle(response["status"], response)
        return response

    async def _invoke(self, ask: Ask, head: Head, run: Run) -> State:
        given: Any = {"input": ask.input, "request": ask.request}  # fewer channels than `State` has
        if not ask.kept:
            given["items"] = await self._archive.history(head)
            return (await self.unstored.ainvoke(given, context=run, version="v2")).value
        hosted = any(given["type"] in tool.types for given in ask.declared for tool in self._tools)
        durability = "async" if hosted else "exit"
        config = _config(head, response_id=run.response_id, conversation_id=ask.conversation)
        done = await self.stored.ainvoke(given, config, context=run, durability=durability, version="v2")
        return done.value

    async def _discard(self, ask: Ask, run: Run) -> None:
        if ask.kept:
            await self._archive.discard(run.response_id)

    async def fail(self, ask: Ask, head: Head, run: Run, failure: Failure) -> None:
        """Before the response was shown its failure is the answer; after, an event and a stored response."""
        log = run.emitter.log
        if not log.released:
            await self._discard(ask, run)
            log.refuse(failure)
            return
        run.emitter.abandon()
        response = await self._failed(ask, head, run, failure)
        run.emitter.error(failure)
        run.emitter.lifecycle("failed", response)
        log.end(response, failure)

    async def _failed(self, ask: Ask, head: Head, run: Run, failure: Failure) -> Json:
        """Keep what there is of a failed response; gives it as it is kept."""
        found = await self._archive.head_of_response(ask.owner, run.response_id) if ask.kept else None
        config = _config(found[0] if found else head, response_id=run.response_id)
        state: Any = (await self.stored.aget_state(config)).values if found else run.started(ask.request)
        begun: Record = state["response"]
        record: Record = {**begun, "status": "failed", "error": failure.as_response_error(), "usage": None}
        done, items = run.emitter.done, state["items"]
        kept = {entry.get("at") for entry in items[record["output_at"] :]} if found else set[int]()
        left: list[Entry] = [{"item": done[at], "at": at} for at in sorted(done) if at not in kept]
        change: Json = {"response": record, "outlook": {}, "items": left}
        if not found:
            change |= {"request": state["request"], "items": [*items, *left]}
        if ask.kept and config.get("configurable", {}).get("thread_id"):
            await self.stored.aupdate_state(config, change, as_node="persist")
        return snapshot(record, ask.request, [done[at] for at in sorted(done)])


def _config(head: Head, **facts: str | None) -> RunnableConfig:
    """Where a run reads and writes; `facts` become the metadata of its checkpoints."""
    known = {"thread_id": head.thread_id, "checkpoint_id": head.checkpoint_id, **facts}
    return {"configurable": {key: value for key, value in known.items() if value}, "recursion_limit": 10_000}


def _response_of(state: State) -> Json:
    record = state["response"]
    return snapshot(record, state["request"], output_of(state["items"][record["output_at"] :]))
