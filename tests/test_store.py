"""Every store keeps conversations as they were: chains, branches, edits, deletes, crashes."""

import asyncio
import os
import statistics
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Interrupt, Overwrite, Send

from checkpoints import STORES
from graph.errors import NotFound, ToolFailed
from graph.state import ItemLog
from tests.store_graph import Caller, message, opened, texts, used_bytes

ROOT = Path(__file__).parent.parent


@pytest.fixture(params=STORES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def caller(name: str, tmp_path: Path) -> AsyncIterator[Caller]:
    async with opened(name, tmp_path / "store.db") as caller:
        yield caller


async def state_at(caller: Caller, config: Any) -> Any:
    return (await caller.graph.aget_state(config)).values


# ---------------------------------------------------------------- chains and branches


async def test_thousand_turns_cost_what_they_add_and_fork_anywhere(name: str, tmp_path: Path) -> None:
    path, costs, chain = tmp_path / "store.db", list[float](), list[Any]()
    async with opened(name, path) as caller:
        for turn in range(1000):
            began = time.process_time()
            chain.append(await caller.ask(f"Question {turn}", chain[-1] if chain else None))
            costs.append(time.process_time() - began)
    whole = used_bytes(path)
    assert whole / 1000 <= 3500
    assert statistics.median(costs[-50:]) <= 2 * statistics.median(costs[5:55])
    async with opened(name, path) as caller:
        fork = await caller.ask("Another way", await caller.stored(chain[499].record["id"]))
    assert used_bytes(path) - whole <= 32 * 1024
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
    before = used_bytes(path)
    async with opened(name, path) as caller:
        await caller.ask("With every step stored", chain[100], durability="sync")
    assert used_bytes(path) - before <= 80 * 1024, "the 100 turns before the fork were stored again"


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


# ---------------------------------------------------------------- deleting


async def test_deleting_the_middle_of_a_chain_leaves_its_children(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        chain = await caller.chain(4)
        asked = (await caller.store.responses.own_items(chain[1]))[0]["item"]["id"]
        assert await caller.store.responses.find_item("local", asked)
        assert await caller.store.responses.delete("local", chain[1].record["id"])
        assert await caller.store.responses.find("local", chain[1].record["id"]) is None
        assert await caller.store.responses.find_item("local", asked) is None
        assert not await caller.store.responses.delete("local", chain[1].record["id"])
        leaf = await caller.ask("Leaf", chain[3])
    async with opened(name, path) as caller:
        assert await caller.questions(leaf) == ["Question 0", "Question 1", "Question 2", "Question 3", "Leaf"]
        gone = {"configurable": {"thread_id": leaf.thread_id, "checkpoint_id": chain[1].checkpoint_id}}
        assert await state_at(caller, gone) == {}


async def test_deleted_leaf_gives_its_place_to_nobody_else(caller: Caller) -> None:
    chain = await caller.chain(3)
    deleted = await caller.ask("Deleted", chain[-1])
    assert await caller.store.responses.delete("local", deleted.record["id"])
    again = await caller.ask("Again", chain[-1])
    assert await caller.questions(again) == ["Question 0", "Question 1", "Question 2", "Again"]
    with pytest.raises(NotFound):
        await caller.store.responses.items(deleted)
    with pytest.raises(NotFound):
        await caller.store.responses.own_items(deleted)


@pytest.mark.parametrize("how", ["delete", "thread", "prune", "keep_latest", "runs"])
async def test_deleting_frees_what_nobody_needs(name: str, tmp_path: Path, how: str) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        empty = used_bytes(path)
        request = {"instructions": os.urandom(8000).hex()}
        chain = await caller.chain(60, request=request, project="one")
        fork = await caller.ask("Fork", chain[30], request=request, project="one")
        other = await caller.ask("Stays")
        full = used_bytes(path)
        saver, thread_id = caller.store.saver, chain[0].thread_id
        match how:
            case "delete":
                found = [found.metadata async for found in saver.alist(None, filter={"project": "one"})]
                for metadata in found:
                    assert await caller.store.responses.delete("local", metadata["response_id"])
            case "thread":
                await saver.adelete_thread(thread_id)
            case "prune":
                await saver.aprune([thread_id], strategy="delete")
            case "keep_latest":
                await saver.aprune([thread_id])
            case _:
                await saver.adelete_for_runs([stored.record["id"] + "-run" for stored in [*chain, fork]])
        assert await caller.store.responses.find("local", chain[5].record["id"]) is None
        assert await caller.questions(other) == ["Stays"]
        left = [found async for found in saver.alist({"configurable": {"thread_id": thread_id}})]
        if how == "keep_latest":
            expected = [f"Question {turn}" for turn in range(31)] + ["Fork"]
            assert texts(left[0].checkpoint["channel_values"]["items"])[::2] == expected
            assert used_bytes(path) < full - 60_000
        else:
            assert left == []
            assert used_bytes(path) <= empty + 64 * 1024, "rows, chunks or blobs stayed behind"


async def test_copied_thread_outlives_its_source(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        chain = await caller.chain(5)
        await caller.store.saver.acopy_thread(chain[0].thread_id, "copy")
        for stored in chain:
            await caller.store.responses.delete("local", stored.record["id"])
        await caller.store.saver.adelete_thread(chain[0].thread_id)
    async with opened(name, path) as caller:
        state = await state_at(caller, {"configurable": {"thread_id": "copy"}})
        assert texts(state["items"])[::2] == [f"Question {turn}" for turn in range(5)]
        assert state["request"] == chain[0].request


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
    command = [sys.executable, "-c", code, name, str(tmp_path / "store.db")]
    said = [subprocess.check_output(command, cwd=ROOT, text=True).strip() for _ in range(2)]
    assert said == ["True", "False"]
