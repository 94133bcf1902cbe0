"""A small graph over the state of the real one, and a caller that runs it as the server does."""

import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from checkpoints import STORES, Store, Stored
from graph.errors import ToolFailed
from graph.ids import item_ids, new_id
from graph.state import Call, Entry, InputState, Record, State
from tests import postgres

REQUEST = {"model": "demo", "instructions": "Answer briefly. " * 25, "tools": [], "temperature": 1.0}
ANSWER = "An answer of about two hundred and fifty bytes. " * 4


def load(state: State, config: RunnableConfig) -> State:
    configurable = config.get("configurable", {})
    id = configurable.get("response_id") or new_id("resp_")
    log = state.get("items") or []
    record: Record = {
        "id": id,
        "owner": configurable.get("user", "local"),
        "status": "in_progress",
        "model": "demo",
        "created_at": 1_795_000_000,
        "completed_at": None,
        "previous_response_id": configurable.get("previous"),
        "conversation": configurable.get("conversation_id"),
        "background": False,
        "error": None,
        "incomplete_details": None,
        "usage": None,
        "input_at": len(log),
        "output_at": len(log) + 1,
        "hosted_calls": 0,
        "turns": 0,
    }
    return {"items": [message(id, "user", str(state.get("input")))], "response": record}


def call_model(state: State) -> State:
    record = state["response"]
    if state.get("input") == "fail" or "fail" in texts(state["items"][-1:]):
        raise ToolFailed("The model said no.")
    return {"items": [message(record["id"], "assistant", ANSWER)], "response": {**record, "turns": record["turns"] + 1}}


def route(state: State) -> list[Send] | str:
    called = state["response"]["turns"] == 1 and "tool" in texts(state["items"][-2:-1])
    call: Call = {"item_id": "i", "kind": "tool", "name": "n", "arguments": "{}", "at": 0, "turn": 1}
    return [Send("tool", {**call, "name": name}) for name in "ab"] if called else "persist"


def tool(call: Call) -> State:
    return {"items": [{"item": {"id": call["name"], "type": "mcp_call"}, "reply": "done"}]}


def persist(state: State) -> State:
    usage = {"input_tokens": 1000, "output_tokens": 60, "total_tokens": 1060}
    return {"response": {**state["response"], "status": "completed", "completed_at": 1_795_000_001, "usage": usage}}


def build(store: Store) -> Any:
    graph = StateGraph(State, input_schema=InputState)
    for step in (load, call_model, persist):
        graph.add_node(step.__name__, step)
    graph.add_node("tool", tool, input_schema=Call)
    graph.add_edge(START, "load")
    graph.add_edge("load", "call_model")
    graph.add_conditional_edges("call_model", route, {"tool": "tool", "persist": "persist"})
    graph.add_edge("tool", "call_model")
    graph.add_edge("persist", END)
    return graph.compile(checkpointer=store.saver)


def message(seed: str, role: str, text: str) -> Entry:
    part = {"type": "input_text" if role == "user" else "output_text", "text": text}
    id = item_ids(seed)("message")
    return {"item": {"id": id, "type": "message", "role": role, "status": "completed", "content": [part]}}


def texts(log: list[Entry]) -> list[str]:
    """The text of each message."""
    return [entry["item"]["content"][0]["text"] for entry in log if entry["item"]["type"] == "message"]


class Caller:
    """Runs responses in a store."""

    def __init__(self, store: Store, owner: str = "local") -> None:
        self.store = store
        self.owner = owner
        self.graph = build(store)

    async def ask(
        self, text: str, after: Stored | None = None, durability: str = "exit", request: Any = REQUEST, **facts: Any
    ) -> Stored:
        """One stored response, as the index has it."""
        id = facts.pop("response_id", None) or new_id("resp_")
        facts = {"response_id": id, "run_id": id + "-run", "user": self.owner, **facts}
        place = {"thread_id": after.thread_id, "checkpoint_id": after.checkpoint_id} if after else {}
        configurable = {"thread_id": str(uuid.uuid4()), **place, **facts}
        if held := facts.get("conversation_id"):
            assert await self.store.conversations.lock(self.owner, held, id)
        try:
            await self.graph.ainvoke(
                {"input": text, "request": request}, {"configurable": configurable}, durability=durability
            )
        finally:
            if held:
                await self.store.conversations.unlock(held, id)
        return await self.stored(id)

    async def chain(self, turns: int, **options: Any) -> list[Stored]:
        made: list[Stored] = []
        for turn in range(turns):
            made.append(await self.ask(f"Question {turn}", made[-1] if made else None, **options))
        return made

    async def stored(self, response_id: str) -> Stored:
        found = await self.store.responses.find(self.owner, response_id)
        assert found is not None
        return found

    async def questions(self, stored: Stored) -> list[str]:
        """What was asked up to `stored`."""
        return texts(await self.store.responses.items(stored))[::2]


@asynccontextmanager
async def opened(name: str, path: Path, **options: Any) -> AsyncIterator[Caller]:
    async with STORES[name](place_of(name, path), **options) as store:
        yield Caller(store)


def place_of(name: str, path: Path) -> Path | str:
    """What a kind of store opens that goes by this path here."""
    return postgres.url_of(path) if name == "postgresql" else path


async def state_at(caller: Caller, config: Any) -> Any:
    """The state of a checkpoint or thread; empty when there is none."""
    return (await caller.graph.aget_state(config)).values


def used_bytes(name: str, path: Path) -> int:
    """What is kept, room for more not counted."""
    if name == "postgresql":
        return postgres.used_bytes(postgres.url_of(path))
    connection = sqlite3.connect(path)
    try:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size
    finally:
        connection.close()
