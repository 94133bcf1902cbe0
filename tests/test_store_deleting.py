"""Every store frees what is deleted, and nothing that something alive needs."""

import os
from pathlib import Path

import pytest

from graph.errors import NotFound
from tests.store_graph import Caller, opened, state_at, texts, used_bytes


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
        other = await caller.ask("Stays")
        empty = used_bytes(name, path)
        request = {"instructions": os.urandom(8000).hex()}
        chain = await caller.chain(60, request=request, project="one")
        fork = await caller.ask("Fork", chain[30], request=request, project="one")
        full = used_bytes(name, path)
        assert full - empty < 400_000, "a request that repeats is stored once"
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
            assert used_bytes(name, path) < full - 60_000
        else:
            assert left == []
            assert used_bytes(name, path) <= empty + 64 * 1024, "rows, chunks or blobs stayed behind"


async def test_copied_thread_outlives_its_source(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        chain = await caller.chain(5)
        await caller.store.saver.acopy_thread(chain[0].thread_id, "copy")
        for stored in chain:
            await caller.store.responses.delete("local", stored.record["id"])
            await caller.store.responses.discard(stored.record["id"])
        await caller.store.saver.adelete_thread(chain[0].thread_id)
    async with opened(name, path) as caller:
        state = await state_at(caller, {"configurable": {"thread_id": "copy"}})
        assert texts(state["items"])[::2] == [f"Question {turn}" for turn in range(5)]
        assert state["request"] == chain[0].request
