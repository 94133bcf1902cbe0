"""The store, as the runner sees it: fits `graph.archive.Archive`."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from langchain_core.runnables import RunnableConfig

from checkpoints import Claimed, Store
from graph.archive import Head
from graph.hold import Batch, Hold
from graph.state import Entry, Record


class StoredArchive:
    def __init__(self, store: Store, kept: Callable[[float], None]) -> None:
        """`kept` is told how long it took to write a batch of events, in seconds."""
        self._store = store
        self._kept = kept
        self.checkpointer: Any = store.saver
        self.approvals = store.approvals
        self.worker = store.runs.worker

    async def head_of_response(self, owner: str, response_id: str) -> tuple[Head, Record] | None:
        stored = await self._store.responses.find(owner, response_id)
        return (Head(stored.thread_id, stored.checkpoint_id, stored.log.length), stored.record) if stored else None

    async def head_of_conversation(self, owner: str, conversation_id: str) -> Head | None:
        conversation = await self._store.conversations.find(owner, conversation_id)
        return Head(conversation.thread_id, conversation.checkpoint_id) if conversation else None

    async def history(self, head: Head) -> list[Entry]:
        if head.checkpoint_id is None:
            return []
        config: RunnableConfig = {
            "configurable": {"thread_id": head.thread_id, "checkpoint_id": head.checkpoint_id, "checkpoint_ns": ""}
        }
        found = await self._store.saver.aget_tuple(config)
        return found.checkpoint["channel_values"].get("items", []) if found else []

    async def find_item(self, owner: str, item_id: str) -> Entry | None:
        return await self._store.responses.find_item(owner, item_id)

    async def lock(self, owner: str, conversation_id: str, holder: str) -> bool:
        return await self._store.conversations.lock(owner, conversation_id, holder)

    async def unlock(self, conversation_id: str, holder: str, *, unless_made: bool = False) -> None:
        await self._store.conversations.unlock(conversation_id, holder, unless_made=unless_made)

    async def forget(self, owner: str, response_id: str) -> None:
        await self._store.responses.delete(owner, response_id)

    def fence(self, response_id: str) -> None:
        self._store.saver.fenced.add(response_id)

    def unfence(self, response_id: str) -> None:
        self._store.saver.fenced.discard(response_id)

    def hold(self, hold: Hold) -> None:
        self._store.saver.holds[hold.lease.response_id] = hold

    def let_go(self, hold: Hold) -> None:
        if self._store.saver.holds.get(hold.lease.response_id) is hold:
            del self._store.saver.holds[hold.lease.response_id]

    def follow(self, response_id: str, after: int) -> AsyncIterator[list[bytes]]:
        return self._store.events.follow(response_id, after)

    async def claim(self, response_id: str) -> Claimed | None:
        return await self._store.runs.claim(response_id)

    async def append(self, hold: Hold, batch: Batch) -> None:
        since = time.perf_counter()
        await self._store.runs.append(hold, batch)
        self._kept(time.perf_counter() - since)

    async def finish(self, hold: Hold, batch: Batch) -> None:
        await self._store.runs.finish(hold, batch)

    async def start_call(self, hold: Hold, item_id: str) -> None:
        await self._store.runs.start_call(hold, item_id)

    async def cancel(self, owner: str, response_id: str) -> bool:
        return await self._store.responses.cancel(owner, response_id)

    async def expire(self, response_id: str, after_s: int) -> None:
        await self._store.responses.expire(response_id, after_s)

    async def discard(self, response_id: str) -> None:
        await self._store.responses.discard(response_id)
