"""Random trees of responses and conversations, cut at random, beside a model of what each must still read."""

import asyncio
import itertools
import sqlite3
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from langgraph.types import Overwrite

from checkpoints import Conversation
from checkpoints.retention import Ages, Pruned
from graph.errors import ToolFailed
from graph.ids import new_id
from graph.state import Entry
from tests.store_graph import Caller, message, opened, place_of, state_at

T = TypeVar("T")
#: One of the newest.
PICK = st.integers(0, 7)
#: What grows next, with or without a tool, and where.
PLAN = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "say", "say", "edit", "cut", "begin", "converse"]), st.booleans(), PICK
    ),
    min_size=3,
    max_size=9,
)


class Forest(RuleBasedStateMachine):
    """Two processes on one database, of which one remembers everything and the other nothing."""

    name: str
    path: Path

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.responses: dict[str, list[Entry]] = {}
        self.unended: dict[str, list[Entry]] = {}
        self.conversations: dict[str, list[Entry]] = {}
        self.locked: set[str] = set()
        self.numbers = itertools.count()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @initialize(plan=PLAN)
    def open(self, plan: list[Any]) -> None:
        self.run(self._open())
        self.run(self._grow(plan))

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        self.here: Caller = await self.stack.enter_async_context(opened(self.name, self.path))
        self.there: Caller = await self.stack.enter_async_context(opened(self.name, self.path, cache_bytes=0))

    def pick(self, among: Any, at: int) -> Any:
        return list(among)[-1 - at % len(among)]

    @property
    def free(self) -> list[str]:
        """Conversations in which nothing is being made."""
        return [id for id in self.conversations if id not in self.locked]

    # ------------------------------------------------------------ what grows

    @rule(plan=PLAN)
    def grow(self, plan: list[Any]) -> None:
        self.run(self._grow(plan))

    async def _grow(self, plan: list[tuple[str, bool, int]]) -> None:
        for kind, tool, at in plan:
            match kind:
                case "ask":
                    await self._ask(tool, self.pick([None, *self.responses], at))
                case "begin":
                    await self._begin(self.pick([None, *self.responses], at))
                case "converse":
                    await self._converse()
                case "say" if self.free:
                    await self._say(tool, self.pick(self.free, at))
                case "edit" | "cut" if self.free:
                    await self._edit(kind == "cut", self.pick(self.free, at))
                case _:
                    pass

    async def _ask(self, tool: bool, parent: str | None) -> None:
        """A response after another, or the first of a tree."""
        after = await self.here.stored(parent) if parent else None
        made = await self.here.ask(self.question(tool), after, "async" if tool else "exit")
        await self.keep(made.record["id"], self.responses[parent] if parent else [])

    async def keep(self, response_id: str, before: list[Entry]) -> None:
        stored = await self.here.stored(response_id)
        read = list(await self.here.store.responses.items(stored))
        assert read[: len(before)] == before
        assert len(read) > len(before)
        self.responses[response_id] = read

    def question(self, tool: bool) -> str:
        return f"tool {next(self.numbers)}" if tool else f"Question {next(self.numbers)}"

    async def _begin(self, parent: str | None) -> None:
        """A response that is being made by a process that says nothing any more."""
        id = new_id("resp_")
        after = await self.here.stored(parent) if parent else None
        try:
            await self.here.ask("fail", after, "async", response_id=id)
        except ToolFailed:
            stored = await self.here.stored(id)
            self.unended[id] = list(await self.here.store.responses.items(stored))
            assert self.unended[id][:-1] == (self.responses[parent] if parent else [])

    async def _converse(self) -> None:
        id = new_id("conv_")
        await self.here.store.conversations.create(Conversation(id, "local", str(uuid.uuid4()), None, {}, 1))
        self.conversations[id] = []

    async def _say(self, tool: bool, id: str) -> None:
        """A response in a conversation."""
        place = await self.place(id)
        made = await self.here.ask(self.question(tool), None, "async" if tool else "exit", conversation_id=id, **place)
        await self.keep(made.record["id"], self.conversations[id])
        self.conversations[id] = self.responses[made.record["id"]]

    async def place(self, id: str) -> dict[str, Any]:
        found = await self.here.store.conversations.find("local", id)
        assert found
        return {"thread_id": found.thread_id, **({"checkpoint_id": found.checkpoint_id} if found.checkpoint_id else {})}

    async def _edit(self, replace: bool, id: str) -> None:
        """Items are added to a conversation, or it loses its first one."""
        added = [message(uuid.uuid4().hex, "user", f"Edit {next(self.numbers)}")]
        now = [*self.conversations[id][1:], *added] if replace else [*self.conversations[id], *added]
        config = {"configurable": {**await self.place(id), "conversation_id": id}}
        change = {"items": Overwrite(now) if replace else added}
        await self.here.graph.aupdate_state(config, change, as_node="persist")
        self.conversations[id] = now

    # ------------------------------------------------------------ what goes

    @precondition(lambda self: self.responses)
    @rule(at=PICK)
    def delete(self, at: int) -> None:
        id = self.pick(self.responses, at)
        assert self.run(self.here.store.responses.delete("local", id))
        del self.responses[id]

    @precondition(lambda self: self.conversations)
    @rule(at=PICK)
    def forget_conversation(self, at: int) -> None:
        id = self.pick(self.conversations, at)
        assert self.run(self.here.store.conversations.delete("local", id))
        del self.conversations[id]
        self.locked.discard(id)

    @precondition(lambda self: self.conversations)
    @rule(at=PICK)
    def lock(self, at: int) -> None:
        id = self.pick(self.conversations, at)
        assert self.run(self.here.store.conversations.lock("local", id, "resp_holder"))
        self.locked.add(id)

    @rule(over=st.lists(PICK, max_size=6), silence=st.booleans(), elsewhere=st.booleans())
    def prune(self, over: list[int], silence: bool, elsewhere: bool) -> None:
        """Some responses have expired, and perhaps nobody has spoken in any conversation for long."""
        self.run(self._prune(over, silence, self.there if elsewhere else self.here))

    async def _prune(self, over: list[int], silence: bool, caller: Caller) -> None:
        known = [*self.responses, *self.unended]
        expired = {self.pick(known, at) for at in over} if known else set[str]()
        for id in expired:
            await self.here.store.responses.expire(id, -60)
        ages = Ages(conversation_s=-60 if silence else None, event_s=-60, step_s=-60)
        expected = await caller.store.retention.prune(ages, dry=True)
        pruned = await caller.store.retention.prune(ages)
        assert pruned == expected
        gone = set[str]() if not silence else self.conversations.keys() - self.locked
        over_now = [id for id in expired if id in self.responses]
        assert (pruned.responses, pruned.conversations) == (len(over_now), len(gone))
        self.responses = {id: items for id, items in self.responses.items() if id not in expired}
        self.conversations = {id: items for id, items in self.conversations.items() if id not in gone}
        assert (await caller.store.retention.prune(ages)) == Pruned()

    @rule()
    def restart(self) -> None:
        """Nothing is remembered."""
        self.run(self.stack.aclose())
        self.run(self._open())

    # ------------------------------------------------------------ what holds

    @invariant()
    def everything_reads_as_before(self) -> None:
        if hasattr(self, "here"):
            self.run(self._read(self.here))
            self.run(self._read(self.there))

    async def _read(self, caller: Caller) -> None:
        for id, items in (self.responses | self.unended).items():
            stored = await caller.stored(id)
            assert list(await caller.store.responses.items(stored)) == items
            assert await caller.store.responses.own_items(stored) == items[stored.record["input_at"] :]
            state = await state_at(caller, _config(stored.thread_id, stored.checkpoint_id))
            assert (state["items"], state["request"]) == (items, stored.request)
        for id, items in self.conversations.items():
            found = await caller.store.conversations.find("local", id)
            assert found and bool(found.checkpoint_id) == bool(items)
            if found.checkpoint_id:
                state = await state_at(caller, _config(found.thread_id, found.checkpoint_id))
                assert state["items"] == items

    def teardown(self) -> None:
        """When all has gone, nothing is left of it."""
        if hasattr(self, "here"):
            self.run(self._end())
        self.loop.close()

    async def _end(self) -> None:
        async with self.stack:
            for id in self.unended:
                await self.here.store.responses.discard(id)
            for id in self.locked:
                await self.here.store.conversations.unlock(id, "resp_holder")
            await self.there.store.retention.prune(Ages(-1e9, -1e9, -60, -60))
            assert [found async for found in self.here.store.saver.alist(None)] == []
        assert rows_of(self.name, self.path).keys() <= {"alembic_version", "job", "fact"}


def _config(thread_id: str, checkpoint_id: str) -> Any:
    return {"configurable": {"thread_id": thread_id, "checkpoint_id": checkpoint_id}}


def rows_of(name: str, path: Path) -> dict[str, int]:
    """How many rows each table has, those with none left out."""
    tables = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "AND name NOT LIKE 'search_words_%'"  # how the index of words keeps itself
    )
    if name == "postgresql":
        tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    names = [name for (name,) in query(name, path, tables)]
    return {table: count for table in names if (count := query(name, path, f"SELECT COUNT(*) FROM {table}")[0][0])}


def query(name: str, path: Path, sql: str) -> list[Any]:
    """What a statement finds or does, seen from outside."""
    connect: Any = psycopg.connect if name == "postgresql" else sqlite3.connect
    with closing(connect(place_of(name, path))) as connection, connection:
        found = connection.execute(sql)
        return found.fetchall() if found.description else []
