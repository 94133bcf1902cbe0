"""Every store is a saver for any graph: what it takes, what it remembers, who may call it."""

import asyncio
import random
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Interrupt, Overwrite, Send

from graph.state import ItemLog
from tests import postgres
from tests.store_graph import Caller, opened, state_at, texts

ROOT = Path(__file__).parent.parent


# ---------------------------------------------------------------- what may be stored


async def test_writes_come_back_as_they_went(caller: Caller) -> None:
    config = {"configurable": {"thread_id": "thread", "checkpoint_ns": "", "checkpoint_id": "0"}}
    values = [
        Send("tool", {"query": ("a", 1), "~": ["send", "x", {}, None]}, timeout=3),
        (Interrupt({"ask": [1, 2.5, None]}, "id"),),
        Overwrite([{"~": 1}]),
        {"~": ["exception", "not one"]},
        {"lc": 2, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "true"}},
        "!{}",
        "\u2028 and \U0001f600",
    ]
    empty: Any = {"v": 4, "id": "0", "ts": "", "channel_values": {}, "channel_versions": {}, "versions_seen": {}}
    await caller.store.saver.aput({"configurable": {**config["configurable"], "checkpoint_id": None}}, empty, {}, {})
    await caller.store.saver.aput_writes(config, [("channel", value) for value in values], "task")
    found = await caller.store.saver.aget_tuple(config)
    assert found
    assert [write[2] for write in found.pending_writes or []] == values


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", float("nan"), object(), Path("x"), ItemLog, {1: 2}])
async def test_anything_but_json_is_refused(caller: Caller, value: Any) -> None:
    config = {"configurable": {"thread_id": "thread"}}
    with pytest.raises(TypeError):
        await caller.graph.aupdate_state(config, {"request": {"value": value}}, as_node="persist")
    assert await state_at(caller, config) == {}


# ---------------------------------------------------------------- memory, threads, loops


async def test_read_gives_the_log_the_last_turn_left(caller: Caller) -> None:
    stored = (await caller.chain(2))[-1]
    log = await caller.store.responses.items(stored)
    log.memo = "derived"
    assert await caller.store.responses.items(stored) is log
    after = await caller.ask("Next", stored)
    assert (await caller.store.responses.items(after)).memo == "derived"


async def test_cache_is_bounded(name: str, tmp_path: Path) -> None:
    path, limit = tmp_path / "store.db", 2 * 2**20
    async with opened(name, path) as caller:
        logs = [await caller.ask("x" * 300_000) for _ in range(40)]
    async with opened(name, path, cache_bytes=limit) as caller:
        tracemalloc.start()
        try:
            for stored in logs:
                assert len((await caller.questions(stored))[0]) == 300_000
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert 0.1 * limit < kept < 1.5 * limit


async def test_loops_of_several_threads_share_a_store(caller: Caller) -> None:
    found: list[list[str]] = []

    def other() -> None:
        async def talk() -> None:
            found.append(await caller.questions((await caller.chain(5))[-1]))

        asyncio.run(talk())

    threads = [threading.Thread(target=other) for _ in range(3)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    assert found == [[f"Question {turn}" for turn in range(5)]] * 3


class OtherNumbers(BaseCheckpointSaver[str]):
    """A saver behind another one, which numbers versions itself: so does LangGraph's API server."""

    def __init__(self, inner: BaseCheckpointSaver[str]) -> None:
        super().__init__()
        self.aput, self.aput_writes, self.aget_tuple = inner.aput, inner.aput_writes, inner.aget_tuple

    def get_next_version(self, current: str | None, channel: None) -> str:
        return f"{int(current.split('.')[0]) + 1 if current else 1:032}.{random.random():.16f}"


async def test_thread_goes_on_under_other_version_numbers(caller: Caller) -> None:
    config = {"configurable": {"thread_id": "thread"}}
    graphs = [caller.graph.copy({"checkpointer": OtherNumbers(caller.store.saver)}), caller.graph]
    for turn in range(6):
        await graphs[turn % 2].ainvoke({"input": f"Question {turn}"}, config, durability="sync")
    state = await graphs[0].aget_state(config)
    assert texts(state.values["items"])[::2] == [f"Question {turn}" for turn in range(6)]
    assert state.next == ()


async def test_synchronous_callers_are_served(caller: Caller) -> None:
    config = {"configurable": {"thread_id": "thread"}}

    def talk() -> list[str]:
        caller.graph.invoke({"input": "Hello"}, config)
        caller.graph.update_state(config, {"calls": []}, as_node="persist")
        return [texts(state.values["items"])[0] for state in caller.graph.get_state_history(config, limit=2)]

    assert await asyncio.to_thread(talk) == ["Hello", "Hello"]


async def test_long_lists_are_filtered_and_limited_across_pages(caller: Caller) -> None:
    chain = await caller.chain(55)
    config = {"configurable": {"thread_id": chain[0].thread_id}}
    saver = caller.store.saver
    newest_first = [stored.checkpoint_id for stored in reversed(chain)]

    async def listed(**options: Any) -> list[str]:
        return [found.checkpoint["id"] async for found in saver.alist(config, **options)]

    assert await listed() == newest_first
    assert await listed(limit=31) == newest_first[:31]
    oldest = chain[0].record["id"]
    assert await listed(filter={"response_id": oldest}, limit=1) == [chain[0].checkpoint_id]
    before = {"configurable": {**config["configurable"], "checkpoint_id": newest_first[40]}}
    assert await listed(before=before) == newest_first[41:]


def test_second_start_does_not_load_alembic(name: str, tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from tests.store_graph import opened\n"
        "async def main():\n"
        "    async with opened(sys.argv[1], Path(sys.argv[2])): pass\n"
        "asyncio.run(main()); print('alembic' in sys.modules)"
    )
    if name == "postgresql":
        postgres.url_of(tmp_path / "store.db", empty=True)
    command = [sys.executable, "-c", code, name, str(tmp_path / "store.db")]
    said = [subprocess.check_output(command, cwd=ROOT, text=True).strip() for _ in range(2)]
    assert said == ["True", "False"]
