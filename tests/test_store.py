"""Every store keeps conversations as they were: chains, branches, edits, crashes."""

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Overwrite

from graph.errors import ToolFailed
from graph.state import ItemLog
from tests.store_graph import Caller, message, opened, state_at, texts, used_bytes

ROOT = Path(__file__).parent.parent


# ---------------------------------------------------------------- chains and branches


async def test_thousand_turns_cost_what_they_add_and_fork_anywhere(name: str, tmp_path: Path) -> None:
    path, costs, chain = tmp_path / "store.db", list[float](), list[Any]()
    async with opened(name, path) as caller:
        empty = used_bytes(name, path)
        for turn in range(1000):
            began = time.process_time()
            chain.append(await caller.ask(f"Question {turn}", chain[-1] if chain else None))
            costs.append(time.process_time() - began)
    whole = used_bytes(name, path)
    assert (whole - empty) / 1000 <= 3500
    assert statistics.median(costs[-50:]) <= 2 * statistics.median(costs[5:55])
    async with opened(name, path) as caller:
        fork = await caller.ask("Another way", await caller.stored(chain[499].record["id"]))
    assert used_bytes(name, path) - whole <= 32 * 1024
    async with opened(name, path) as caller:
        expected = [f"Question {turn}" for turn in range(1000)]
        assert await caller.questions(fork) == [*expected[:500], "Another way"]
        assert await caller.questions(chain[-1]) == expected
        own = await caller.store.responses.own_items(await caller.stored(chain[700].record["id"]))
        assert texts(own)[0] == "Question 700"
        assert len(own) == 2


@pytest.mark.parametrize("durability", ["exit", "async"])
async def test_concurrent_continuations_of_one_head_are_branches(name: str, tmp_path: Path, durability: str) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        head = (await caller.chain(3))[-1]
        asked = [f"Branch {number}" for number in range(6)]
        branches = await asyncio.gather(*(caller.ask(text, head, durability) for text in asked))
        leaves = [await caller.ask(f"Leaf of {text}", branch) for text, branch in zip(asked, branches, strict=True)]
    async with opened(name, path) as caller:
        for text, leaf in zip(asked, leaves, strict=True):
            expected = ["Question 0", "Question 1", "Question 2", text, f"Leaf of {text}"]
            assert await caller.questions(leaf) == expected
            assert texts(await caller.store.responses.own_items(leaf))[0] == f"Leaf of {text}"


async def test_branch_of_many_steps_is_stored_once(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        chain = await caller.chain(200)
    before = used_bytes(name, path)
    async with opened(name, path) as caller:
        await caller.ask("With every step stored", chain[100], durability="sync")
    assert used_bytes(name, path) - before <= 80 * 1024, "the 100 turns before the fork were stored again"


async def test_edit_starts_a_log_of_its_own_and_leaves_the_old_one(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        chain = await caller.chain(3)
        config = {"configurable": {"thread_id": chain[-1].thread_id, "checkpoint_id": chain[-1].checkpoint_id}}
        kept = (await caller.store.responses.items(chain[-1]))[2:]
        edited = await caller.graph.aupdate_state(config, {"items": Overwrite(list(kept))}, as_node="persist")
        await caller.graph.ainvoke({"input": "After the edit"}, edited)
    async with opened(name, path) as caller:
        thread = {"configurable": {"thread_id": chain[-1].thread_id}}
        assert texts((await state_at(caller, thread))["items"])[::2] == ["Question 1", "Question 2", "After the edit"]
        assert await caller.questions(chain[-1]) == ["Question 0", "Question 1", "Question 2"]
        unmoved = await caller.stored(chain[-1].record["id"])
        assert unmoved.checkpoint_id == chain[-1].checkpoint_id, "an edit must not move the response"


async def test_shortened_log_is_read_back_short(caller: Caller) -> None:
    head = (await caller.chain(3))[-1]
    config = {"configurable": {"thread_id": head.thread_id, "checkpoint_id": head.checkpoint_id}}
    log = await caller.store.responses.items(head)
    shorter = Overwrite(ItemLog(log[:3], log.epoch))
    edited = await caller.graph.aupdate_state(config, {"items": shorter}, as_node="persist")
    added = [message("resp_" + "0" * 48, "user", "More")]
    longer = await caller.graph.aupdate_state(edited, {"items": added}, as_node="persist")
    assert (await state_at(caller, edited))["items"] == log[:3]
    assert (await state_at(caller, longer))["items"] == [*log[:3], *added]
    assert await caller.questions(head) == ["Question 0", "Question 1", "Question 2"]


async def test_log_of_another_branch_is_not_taken_for_a_continuation(name: str, tmp_path: Path) -> None:
    async with opened(name, tmp_path / "store.db") as caller:
        head = await caller.ask("Root")
        one, two = [await caller.ask(text, await caller.ask("Middle " + text, head)) for text in ("one", "two")]
        config = {"configurable": {"thread_id": one.thread_id, "checkpoint_id": one.checkpoint_id}}
        other = await caller.store.responses.items(two)
        moved = await caller.graph.aupdate_state(config, {"items": Overwrite(other)}, as_node="persist")
    async with opened(name, tmp_path / "store.db") as caller:
        assert (await state_at(caller, moved))["items"] == other


# ---------------------------------------------------------------- crashes

ENDLESS = """
import asyncio, sys
from pathlib import Path
from tests.store_graph import opened

async def main(name, path):
    async with opened(name, Path(path)) as caller:
        stored, turn = None, 0
        while True:
            stored = await caller.ask(f"Question {turn}", stored)
            print(stored.record["id"], flush=True)
            turn += 1

asyncio.run(main(*sys.argv[1:]))
"""


async def test_kill_loses_nothing_that_was_acknowledged(name: str, tmp_path: Path) -> None:
    path, acknowledged = tmp_path / "store.db", list[str]()
    command = [sys.executable, "-c", ENDLESS, name, str(path)]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout
    async for line in child.stdout:
        acknowledged.append(line.decode().strip())
        if len(acknowledged) == 25:
            child.kill()
    await child.wait()
    async with opened(name, path) as caller:
        for turn, id in enumerate(acknowledged):
            stored = await caller.stored(id)
            assert stored.record["status"] == "completed"
            assert await caller.questions(stored) == [f"Question {number}" for number in range(turn + 1)]


async def test_step_in_flight_is_all_that_a_failure_loses(name: str, tmp_path: Path) -> None:
    path, config = tmp_path / "store.db", {"configurable": {"thread_id": "thread"}}
    async with opened(name, path) as caller:
        await caller.graph.ainvoke({"input": "tool"}, config, durability="sync", interrupt_before=["tool"])
        first = await caller.graph.aget_state(config)
        assert [task.name for task in first.tasks] == ["tool", "tool"]
    async with opened(name, path) as caller:
        await caller.graph.ainvoke(None, config, durability="sync")
        log = (await state_at(caller, config))["items"]
        assert [entry["item"]["type"] for entry in log] == ["message", "message", "mcp_call", "mcp_call", "message"]


async def test_failed_step_keeps_its_error_as_text(caller: Caller) -> None:
    config = {"configurable": {"thread_id": "thread"}}
    with pytest.raises(ToolFailed):
        await caller.graph.ainvoke({"input": "fail"}, config, durability="sync")
    (task,) = (await caller.graph.aget_state(config)).tasks
    assert "The model said no." in str(task.error)
