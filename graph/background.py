"""Responses that live on without their caller: queued, made by whichever process is free, taken over, cancelled.

A queued response and one whose process has died are the same thing: a checkpoint to go on from, and the events so far.
"""

import logging
from dataclasses import replace
from functools import partial
from typing import Any

from graph.approvals import Due
from graph.archive import Claimed, Engine
from graph.ask import Ask
from graph.errors import Failure, Json, LeaseLost, RequestError, StoreUnavailable
from graph.hold import Hold, Lease
from graph.ids import new_id
from graph.log import EventLog
from graph.machine import taken
from graph.maker import config_of
from graph.replay import replay
from graph.resume import catch_up
from graph.runner import Runner
from graph.running import Running
from graph.snapshot import snapshot
from graph.state import Record

logger = logging.getLogger(__name__)

_BEGUN = b"event: response.in_progress\n"


class Background:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._archive = runner.archive
        #: Responses between being claimed and being made.
        self._claiming: set[str] = set()

    async def queue(self, ask: Ask, engine: Engine) -> Json:
        """Take a request in and let the engine have it made; the response as it stands, which is on disk.

        Raises `RequestError` for what can be seen before it runs, its input included.
        """
        self._runner.check_open()
        running = await self._taken(ask)
        response = await self._enter(running)
        try:
            await engine.submit(running.id, ask.owner, 0)
        except StoreUnavailable:
            logger.warning("A queued response will be submitted later", extra={"response_id": running.id})
        return response

    async def _taken(self, ask: Ask) -> Running:
        id = ask.response_id or new_id("resp_")
        emitter = self._runner.emitter(id, EventLog(kept=True))
        run = await self._runner.open(ask, emitter, id)
        sealed = self._runner.seal.close({"declared": list(ask.declared)}).encode()
        hold = Hold(Lease(id, None, 0), ask.owner, emitter.log, background=True, sealed=sealed)
        hold.upon_decisions = ask.upon_decisions
        head = await self._runner.head(ask, id)
        run.expected_items = head.length
        return Running(id, ask, head, emitter, run, hold)

    async def _enter(self, running: Running) -> Json:
        """Write the response down as `load` would; whoever makes it goes on behind that."""
        ask, run, hold = running.ask, running.run, running.hold
        assert run and hold  # noqa: S101 (just given)
        self._archive.hold(hold)
        try:
            history = ask.history if ask.history is not None else await self._archive.history(running.head)
            added = await taken(run, list(history), ask.input)
            if ask.upon_decisions and not added:
                raise RequestError("The conversation went on meanwhile.", param="conversation")
            record = run.begin(ask.request, len(history), added)
            queued: Record = {**record, "status": "queued"}
            response = snapshot(queued, ask.request, [])
            for status in ("created", "queued"):
                running.emitter.lifecycle(status, response)
            running.log.release()
            change: Json = {"items": added, "request": ask.request, "response": record, "outlook": {}}
            config = config_of(running.head, response_id=running.id, conversation_id=ask.conversation)
            await self._runner.stored.aupdate_state(config, change, as_node="load")
        except BaseException:
            if ask.conversation:
                await self._archive.unlock(ask.conversation, running.id, unless_made=True)
            raise
        finally:
            self._archive.let_go(hold)
        return response

    # ------------------------------------------------------------ going on by itself

    async def go_on(self, due: Due, engine: Engine) -> None:
        """Let a response be followed by the one that acts upon its decisions, unless it is already.

        What fails for the moment is tried again by who asks for `Approvals.due`; else it is given up.
        """
        about = {"response_id": due.next_response_id, "previous_response_id": due.response_id}
        try:
            if ask := await self._following(due):
                await self.queue(ask, engine)
        except LeaseLost:
            logger.debug("Another process was first", extra=about)
        except Failure as failure:
            if not isinstance(failure, RequestError) or failure.code == "conversation_locked":
                logger.warning("A response will go on later", extra={**about, "why": failure.message})
                return
            if await self._archive.approvals.give_up(due.next_response_id):
                logger.error("A response cannot go on by itself", extra={**about, "why": failure.message})

    async def _following(self, due: Due) -> Ask | None:
        """The same request again, without input; None when the response was deleted meanwhile."""
        found = await self._archive.head_of_response(due.owner, due.response_id)
        if found is None:
            return None
        head, record = found
        sealed = self._runner.seal.open(due.sealed)
        if sealed is None:
            raise RequestError("The tools were sealed with another key: servers must share one `secret_key`.")
        state: Any = (await self._runner.stored.aget_state(config_of(head))).values
        request: Json = {**state["request"], "background": True}
        if _forces(request.get("tool_choice")):
            request["tool_choice"] = "auto"  # it has called what it had to
        return Ask(
            owner=due.owner,
            request=request,
            input=[],
            declared=sealed.get("declared", []),
            previous_response_id=None if record["conversation"] else due.response_id,
            conversation=record["conversation"],
            stored=request.get("store", True),
            background=True,
            response_id=due.next_response_id,
            upon_decisions=True,
        )

    # ------------------------------------------------------------ taken over

    async def resume(self, response_id: str) -> None:
        """Make a response that nobody makes, to its end; returns at once when somebody does, or it has ended.

        Returns also when it was handed on to others. Raises `StoreUnavailable`, after which it may be tried again.
        """
        if response_id in self._claiming or self._runner.find(response_id):
            return
        if (running := await self._claimed(response_id)) is not None:
            await self._runner.run(running)

    async def cancel(self, owner: str, response_id: str) -> bool:
        """Cancel a response, whoever makes it, and say so; False when it had ended before."""
        if not await self._archive.cancel(owner, response_id):
            return False
        await self._runner.lose(response_id)
        try:
            await self.resume(response_id)
        except StoreUnavailable:
            logger.warning("A cancelled response will be closed later", extra={"response_id": response_id})
        return True

    async def abandon(self, response_id: str) -> None:
        """Fail a response that has brought down every process that made it."""
        await self._runner.lose(response_id)
        if running := await self._claimed(response_id):
            if running.ending is None:
                running.ending = _failed(Failure("The server stopped several times while it made this response."))
            await self._runner.run(running)

    async def _claimed(self, response_id: str) -> Running | None:
        """A response that nobody makes, ours now."""
        self._claiming.add(response_id)
        try:
            claimed = await self._archive.claim(response_id)
            return await self._loaded(claimed) if claimed else None
        finally:
            self._claiming.discard(response_id)

    async def _loaded(self, claimed: Claimed) -> Running | None:
        """What is stored of a response; None, and its run ended, when that is nothing."""
        id = claimed.lease.response_id
        log = EventLog(kept=True, before=claimed.frames)
        hold = Hold(claimed.lease, claimed.owner, log, background=claimed.background, sealed=claimed.sealed)
        hold.go_on()
        log.release()
        found = await self._archive.head_of_response(claimed.owner, id)
        if found is None:
            await self._finish(hold)
            return None
        head, record = found
        state = (await self._runner.stored.aget_state(config_of(head))).values
        emitter = self._runner.emitter(id, log)
        replay(emitter, claimed.frames)
        running = Running(id, _ask_of(claimed, record, state["request"]), head, emitter, hold=hold)
        if not any(frame.startswith(_BEGUN) for frame in claimed.frames[:3]) and record["status"] != "cancelled":
            emitter.lifecycle("in_progress", snapshot(state["response"], running.ask.request, []))
        self._settle(running, claimed, record)
        return running

    def _settle(self, running: Running, claimed: Claimed, record: Record) -> None:
        """Whether it goes on, or has ended, or cannot go on."""
        sealed = self._runner.seal.open(claimed.sealed.decode()) if claimed.sealed else {}
        if record["status"] not in ("queued", "in_progress"):
            running.ending = {}
        elif sealed is None:
            message = "The tools of this response were sealed with another key: servers must share one `secret_key`."
            running.ending = _failed(Failure(message))
        else:
            running.ask = replace(running.ask, declared=sealed.get("declared", []))
            running.opening = partial(self._open, claimed)

    async def _finish(self, hold: Hold) -> None:
        try:
            async with hold.along() as batch:
                await self._archive.finish(hold, batch)
        except LeaseLost:
            logger.debug("Deleted while it was taken over", extra={"response_id": hold.lease.response_id})

    async def _open(self, claimed: Claimed, running: Running) -> None:
        """Give a response its run: tools open, items where they were. Raises `Failure`."""
        hold = running.hold
        assert hold  # noqa: S101 (just given)
        saved = await self._runner.stored.aget_state(config_of(running.head))
        state: Any = saved.values
        run = await self._runner.open(running.ask, running.emitter, running.id)
        run.created_at = state["response"]["created_at"]
        run.legacy = replace(run.legacy, started=claimed.started)
        hold.reached(saved.config.get("configurable", {}).get("checkpoint_id", ""))
        run.note_call = partial(self._note_call, hold)
        running.run = run
        await catch_up(run, state, saved.tasks)

    async def _note_call(self, hold: Hold, item_id: str, checkpoint_id: str) -> None:
        """Not before what asked for the call is written down: who takes over would ask again, and not know of it."""
        await hold.stand_on(checkpoint_id)
        await self._archive.start_call(hold, item_id)


def _ask_of(claimed: Claimed, record: Record, request: Json) -> Ask:
    return Ask(
        owner=claimed.owner,
        request=request,
        input=[],
        previous_response_id=record["previous_response_id"],
        conversation=record["conversation"],
        stored=request.get("store", True),
        background=claimed.background,
        resumable=not claimed.background,
    )


def _forces(choice: str | Json | None) -> bool:
    return choice["type"] != "allowed_tools" if isinstance(choice, dict) else choice == "required"


def _failed(failure: Failure) -> Json:
    return {"status": "failed", "error": failure.as_response_error(), "usage": None}
