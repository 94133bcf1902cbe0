"""Lets the machine go for one response, says the last word, keeps what is to be kept.

`completed` is said when the checkpoint is on disk, never before. Of a response whose events are kept, the last event
ends the run: until it is written, any process may take the response over and say it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph  # pyright: ignore[reportMissingTypeStubs]

from graph.archive import Archive, Head
from graph.errors import Failure, Json, LeaseLost, StoreUnavailable, Unavailable
from graph.recording import turns_told
from graph.running import Running
from graph.snapshot import output_of, snapshot
from graph.state import Entry, Record, State

logger = logging.getLogger(__name__)

#: Seconds that events may wait to be written down together.
_FLUSH_S = 0.02
#: Seconds a background response can be read that was not to be stored.
#: Source: CONTRACT of the Responses API, "Background, resume, cancel, webhooks".
UNSTORED_S = 600
#: Seconds before events are written again when the store was away.
_AGAIN_S = 0.5

Graph = CompiledStateGraph[Any, Any, Any, Any]


class Maker:
    def __init__(self, archive: Archive, stored: Graph, unstored: Graph) -> None:
        self._archive = archive
        self.stored = stored
        self._unstored = unstored

    async def make(self, running: Running) -> None:
        """The task of one response. Whatever happens, its log ends and its conversation is free again.

        Raises `StoreUnavailable` when a response that others could go on with cannot be kept.
        """
        log, ask = running.log, running.ask
        try:
            async with self._held(running):
                await self._make(running)
        finally:
            log.end(None)  # whatever failed while failing, no reader waits for ever
            self._archive.unfence(running.id)
            if ask.conversation and not log.lost:
                await self._archive.unlock(ask.conversation, running.id)

    async def _make(self, running: Running) -> None:
        try:
            await self._attempt(running)
        except LeaseLost:
            self._give_up(running)
        except StoreUnavailable as failure:
            if not running.recorded:
                raise
            running.log.lose()
            raise failure

    def _give_up(self, running: Running) -> None:
        """Another has the response: it says the rest where events are kept, and its end is told to a reader here."""
        if running.recorded or running.run is None:
            running.log.lose()
            return
        failure = Unavailable("The response was interrupted: the server did not answer for a while.")
        if not running.log.released:
            running.log.refuse(failure)
            return
        running.emitter.abandon()
        response = _unkept(running, {"status": "failed", "error": failure.as_response_error(), "usage": None})
        running.emitter.error(failure)
        running.emitter.lifecycle("failed", response)
        running.log.end(response, failure)

    async def _attempt(self, running: Running) -> None:
        try:
            if running.ending is not None:
                running.log.end(await self.end_as(running, running.ending))
            else:
                running.log.end(await self._complete(running))
        except asyncio.CancelledError:
            await self._stopped(running)
        except (LeaseLost, StoreUnavailable) as error:
            if running.recorded or isinstance(error, LeaseLost):
                raise
            await self.fail(running, error)
        except Failure as failure:
            await self.fail(running, failure)
        except Exception:
            logger.exception("A response failed on a bug", extra={"response_id": running.id})
            await self.fail(running, Failure("The server had an error while making this response."))

    # ------------------------------------------------------------ to the end

    async def _complete(self, running: Running) -> Json:
        state = await self._invoke(running)
        ask = running.ask
        if ask.kept and not ask.stored and not ask.background:
            await self._archive.forget(ask.owner, running.id)
        running.conversation = state["items"]
        record = state["response"]
        made = state["items"][record["output_at"] :]
        response = snapshot(record, state["request"], output_of(made))
        if ask.replay:
            response["replay"] = {"turns": turns_told(made)}
        await self._say_end(running, response)
        return response

    async def _invoke(self, running: Running) -> State:
        ask = running.ask
        if running.opening:
            await running.opening(running)
            return await self._go_on(running)
        given: Any = {"input": ask.input, "request": ask.request}  # fewer channels than `State` has
        if ask.history is not None:
            given["items"] = ask.history
        elif not ask.kept:
            given["items"] = await self._archive.history(running.head)
        if not ask.kept:
            return (await self._unstored.ainvoke(given, context=running.run, version="v2")).value
        durability = "exit" if running.hold is None else "async"
        done = await self.stored.ainvoke(
            given, _config(running), context=running.run, durability=durability, version="v2"
        )
        return done.value

    async def _go_on(self, running: Running) -> State:
        """Without input the machine goes on behind its checkpoint, and makes every step anew that was not written."""
        done = await self.stored.ainvoke(None, _config(running), context=running.run, durability="async", version="v2")
        return done.value

    async def _say_end(self, running: Running, response: Json) -> None:
        running.emitter.lifecycle(response["status"], response)
        if running.ask.background and not running.ask.stored:
            await self._archive.expire(running.id, UNSTORED_S)
        if running.hold and running.recorded:
            async with running.hold.along() as batch:
                await self._archive.finish(running.hold, batch)

    # ------------------------------------------------------------ to another end

    async def _stopped(self, running: Running) -> None:
        """Ours to finish and told to stop, or somebody else's now."""
        if running.stopped == "closing" and not running.ask.background:
            await self.fail(running, Unavailable("The server was stopped while it made this response."))
        elif running.stopped == "left":
            await self._discard(running)
            running.log.end(None)
        else:
            running.log.lose()

    async def _discard(self, running: Running) -> None:
        if running.ask.kept:
            await self._archive.discard(running.id)

    async def fail(self, running: Running, failure: Failure) -> None:
        """Before the response was shown its failure is the answer; after, an event and a stored response."""
        if not running.log.released:
            try:
                await self._discard(running)
            finally:
                running.log.refuse(failure)
            return
        change: Json = {"status": "failed", "error": failure.as_response_error(), "usage": None}
        running.log.end(await self.end_as(running, change, failure), failure)

    async def end_as(self, running: Running, change: Json, failure: Failure | None = None) -> Json:
        """End a response whose machine does not go on: close what is open, keep what there is, say the last word."""
        running.emitter.abandon()
        try:
            response = await self._kept(running, change)
        except StoreUnavailable:
            if running.recorded:
                raise
            response = _unkept(running, change)
        if response["status"] == "failed":
            running.emitter.error(failure or Failure(response["error"]["message"]))
        await self._say_end(running, response)
        return response

    async def _kept(self, running: Running, change: Json) -> Json:
        """Keep what there is of a response; gives it as it is kept."""
        ask, done = running.ask, running.emitter.done
        found = await self._archive.head_of_response(ask.owner, running.id) if ask.kept else None
        config = config_of(found[0] if found else running.head, response_id=running.id)
        state: Any = (await self.stored.aget_state(config)).values if found else _started(running)
        begun: Record = found[1] if found else state["response"]
        record: Json = {**begun, **change}
        items = state["items"]
        kept = {entry.get("at") for entry in items[begun["output_at"] :]} if found else set[int]()
        left: list[Entry] = [{"item": done[at], "at": at} for at in sorted(done) if at not in kept]
        written: Json = {"response": record, "outlook": {}, "items": left}
        if not found:
            written |= {"request": state["request"], "items": [*items, *left]}
        if ask.kept and (change or left or not found) and config.get("configurable", {}).get("thread_id"):
            await self.stored.aupdate_state(config, written, as_node="persist")
        return snapshot(record, ask.request, [done[at] for at in sorted(done)])  # pyright: ignore[reportArgumentType]  # a record, changed

    # ------------------------------------------------------------ held

    @asynccontextmanager
    async def _held(self, running: Running) -> AsyncGenerator[None]:
        """Write under the lease, and events as they come."""
        hold = running.hold
        if hold is None:
            yield
            return
        self._archive.hold(hold)
        keeping = asyncio.create_task(self._keep(running)) if hold.recorded else None
        try:
            yield
        finally:
            if keeping:
                keeping.cancel()
                await asyncio.wait([keeping])
            self._archive.let_go(hold)

    async def _keep(self, running: Running) -> None:
        """Write events down, those of some milliseconds together."""
        hold = running.hold
        while hold:
            await hold.known.wait()
            await running.log.grown()
            await asyncio.sleep(_FLUSH_S)
            try:
                async with hold.along() as batch:
                    if batch.frames:
                        await self._archive.append(hold, batch)
            except LeaseLost:
                running.stop("lost")
                return
            except StoreUnavailable:
                await asyncio.sleep(_AGAIN_S)


def config_of(head: Head, **facts: str | None) -> RunnableConfig:
    """Where a run reads and writes; `facts` become the metadata of its checkpoints."""
    known = {"thread_id": head.thread_id, "checkpoint_id": head.checkpoint_id, **facts}
    return {"configurable": {key: value for key, value in known.items() if value}, "recursion_limit": 10_000}


def _config(running: Running) -> RunnableConfig:
    return config_of(running.head, response_id=running.id, conversation_id=running.ask.conversation)


def _started(running: Running) -> Any:
    if running.run is None:
        raise RuntimeError("A response that goes on has a checkpoint.")
    return running.run.started(running.ask.request)


def _unkept(running: Running, change: Json) -> Json:
    """A response that its reader is told of and nobody else, the store being away."""
    record, done = _started(running)["response"], running.emitter.done
    return snapshot({**record, **change}, running.ask.request, [done[at] for at in sorted(done)])  # pyright: ignore[reportArgumentType]  # a record, changed
