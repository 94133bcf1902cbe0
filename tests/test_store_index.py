"""Every store finds responses, items, conversations and keys for their owner, and for nobody else."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from checkpoints import Conversation
from graph.errors import ToolFailed
from graph.ids import new_id
from tests.store_graph import REQUEST, Caller, message, opened, texts


async def conversation(caller: Caller, owner: str = "local") -> Conversation:
    made = Conversation(new_id("conv_"), owner, "thread of it", None, {"topic": "tea"}, 1_795_000_000)
    await caller.store.conversations.create(made)
    return made


async def head(caller: Caller, made: Conversation) -> Conversation:
    found = await caller.store.conversations.find(made.owner, made.id)
    assert found
    return found


async def said(caller: Caller, made: Conversation) -> list[str]:
    """What was asked in a conversation up to its head."""
    at = await head(caller, made)
    if at.checkpoint_id is None:
        return []
    config = {"configurable": {"thread_id": at.thread_id, "checkpoint_id": at.checkpoint_id}}
    state = (await caller.graph.aget_state(config)).values
    return [text for text in texts(state["items"]) if not text.startswith("An answer")]


async def talk(caller: Caller, made: Conversation, text: str, durability: str = "exit") -> Any:
    at = await head(caller, made)
    facts = {"thread_id": at.thread_id, "conversation_id": made.id}
    place = {"checkpoint_id": at.checkpoint_id} if at.checkpoint_id else {}
    return await caller.ask(text, durability=durability, **facts, **place)


# ---------------------------------------------------------------- responses


@pytest.mark.parametrize("durability", ["exit", "async", "sync"])
async def test_response_is_there_when_its_run_has_ended(caller: Caller, durability: str) -> None:
    first = await caller.ask("Hello", durability=durability)
    second = await caller.ask("And again", first, durability, previous=first.record["id"])
    assert second.record["status"] == "completed"
    assert second.record["previous_response_id"] == first.record["id"]
    assert second.request == REQUEST
    assert (await caller.stored(first.record["id"])) == first, "a later run moved an earlier response"
    own = await caller.store.responses.own_items(second)
    assert texts(own)[0] == "And again"
    assert texts(await caller.store.responses.items(first))[0] == "Hello"
    for entry in own:
        assert await caller.store.responses.find_item("local", entry["item"]["id"]) == entry
    assert await caller.store.responses.find_item("local", "msg_" + "0" * 48) is None
    assert await caller.store.responses.find("local", "resp_" + "0" * 48) is None


async def test_run_of_studio_is_a_response_too(caller: Caller) -> None:
    config = {"configurable": {"thread_id": "studio"}}
    ids = [(await caller.graph.ainvoke({"input": text}, config))["response"]["id"] for text in ("One", "Two")]
    for text, id in zip(("One", "Two"), ids, strict=True):
        own = await caller.store.responses.own_items(await caller.stored(id))
        assert texts(own)[0] == text
        assert len(own) == 2


async def test_other_owner_finds_nothing(caller: Caller) -> None:
    stored = await caller.ask("Mine")
    made = await conversation(caller)
    responses, conversations = caller.store.responses, caller.store.conversations
    item = (await responses.own_items(stored))[0]["item"]["id"]
    assert await responses.find("other", stored.record["id"]) is None
    assert await responses.find_item("other", item) is None
    assert not await responses.delete("other", stored.record["id"])
    assert await conversations.find("other", made.id) is None
    assert await conversations.update("other", made.id, {"topic": "theft"}) is None
    assert not await conversations.lock("other", made.id, "resp_1")
    assert not await conversations.delete("other", made.id)
    assert await responses.find("local", stored.record["id"]) == stored
    assert await responses.find_item("local", item)
    assert await head(caller, made) == made


async def test_nobody_writes_over_the_response_of_another_owner(caller: Caller) -> None:
    stored = await caller.ask("Mine")
    thief = Caller(caller.store, "other")
    config = {"configurable": {"thread_id": "t", "user": "other", "response_id": stored.record["id"]}}
    await thief.graph.ainvoke({"input": "Theirs"}, config)
    assert await caller.store.responses.find("other", stored.record["id"]) is None
    assert await caller.stored(stored.record["id"]) == stored


@pytest.mark.parametrize("durability", ["exit", "async"])
async def test_discarded_run_leaves_nothing(caller: Caller, durability: str) -> None:
    parent = await caller.ask("Parent")
    made = await conversation(caller)
    await talk(caller, made, "Before")
    locked = await caller.ask("In conversation", await talk(caller, made, "Last"), durability, conversation_id=made.id)
    failing = new_id("resp_")
    with pytest.raises(ToolFailed):
        await caller.ask("fail", parent, durability, response_id=failing)
    await caller.store.responses.discard(failing)
    assert await caller.store.responses.find("local", failing) is None
    assert await caller.store.conversations.lock("local", made.id, locked.record["id"])
    await caller.store.responses.discard(locked.record["id"])
    assert await said(caller, made) == ["Before", "Last"], "the conversation must be where it was before"
    assert await caller.store.conversations.lock("local", made.id, "resp_next")
    ids = {tuple_.metadata.get("response_id") async for tuple_ in caller.store.saver.alist(None)}
    assert not ids & {failing, locked.record["id"]}
    assert await caller.questions(parent) == ["Parent"]


async def test_sweep_ends_what_a_crash_left(name: str, tmp_path: Path) -> None:
    path, id, unborn = tmp_path / "store.db", new_id("resp_"), new_id("resp_")
    async with opened(name, path) as caller:
        made = await conversation(caller)
        done = await caller.ask("Done")
        facts = {"user": "local", "thread_id": "thread"}
        for response_id, stop in ((id, "persist"), (unborn, "load")):
            config = {"configurable": {**facts, "response_id": response_id}}
            await caller.graph.ainvoke({"input": "Hi"}, config, interrupt_before=[stop], durability="sync")
        assert (await caller.stored(id)).record["status"] == "in_progress"
        assert await caller.store.conversations.lock("local", made.id, id)
    async with opened(name, path) as caller:
        assert (await caller.store.workers.sweep(0)).ended == 2
        swept = await caller.stored(id)
        assert swept.record["status"] == "failed"
        assert swept.record["completed_at"] is None
        assert swept.record["error"]
        assert swept.record["error"]["code"] == "server_error"
        assert texts(await caller.store.responses.own_items(swept))[0] == "Hi"
        assert await caller.stored(done.record["id"]) == done
        assert await caller.store.conversations.lock("local", made.id, "resp_next")
        ids = {tuple_.metadata.get("response_id") async for tuple_ in caller.store.saver.alist(None)}
        assert ids == {id, done.record["id"]}, "a run that never had a record must be gone"
        assert (await caller.store.workers.sweep(0)).ended == 0


# ---------------------------------------------------------------- conversations


@pytest.mark.parametrize("durability", ["exit", "async"])
async def test_head_follows_finished_responses_and_edits(caller: Caller, durability: str) -> None:
    made = await conversation(caller)
    first = await talk(caller, made, "One", durability)
    assert (await head(caller, made)).checkpoint_id == first.checkpoint_id
    with pytest.raises(ToolFailed):
        await talk(caller, made, "fail", durability)
    assert await said(caller, made) == ["One"]
    await talk(caller, made, "Two", durability)
    at = await head(caller, made)
    place = {"thread_id": at.thread_id, "checkpoint_id": at.checkpoint_id, "conversation_id": made.id}
    added = message(made.id, "user", "Added")
    await caller.graph.aupdate_state({"configurable": place}, {"items": [added]}, as_node="persist")
    assert await said(caller, made) == ["One", "Two", "Added"]
    assert await caller.store.responses.find_item("local", added["item"]["id"]) == added
    assert await caller.store.responses.find_item("other", added["item"]["id"]) is None
    assert len(await caller.store.responses.own_items(await caller.stored(first.record["id"]))) == 2
    assert texts(await caller.store.responses.own_items(await talk(caller, made, "Three")))[0] == "Three"


@pytest.mark.parametrize("durability", ["exit", "async"])
async def test_conversation_begins_anew_after_a_first_response_that_failed(caller: Caller, durability: str) -> None:
    made = await conversation(caller)
    with pytest.raises(ToolFailed):
        await talk(caller, made, "fail", durability)
    assert await said(caller, made) == []
    await talk(caller, made, "One", durability)
    assert await said(caller, made) == ["One"]


async def test_conversation_moves_to_the_thread_of_its_head(caller: Caller) -> None:
    made = await conversation(caller)
    stored = await caller.ask("Elsewhere", conversation_id=made.id)
    at = await head(caller, made)
    assert (at.thread_id, at.checkpoint_id) == (stored.thread_id, stored.checkpoint_id)


async def test_deleted_response_stays_said_in_its_conversation(caller: Caller) -> None:
    made = await conversation(caller)
    for text in ("One", "Two"):
        stored = await talk(caller, made, text)
    assert await caller.store.responses.delete("local", stored.record["id"])
    assert await said(caller, made) == ["One", "Two"]
    await talk(caller, made, "Three")
    assert await said(caller, made) == ["One", "Two", "Three"]
    gone = {"configurable": {"thread_id": stored.thread_id, "checkpoint_id": stored.checkpoint_id}}
    assert (await caller.graph.aget_state(gone)).values == {}, "once the head has moved on nobody needs it"


async def test_deleted_conversation_leaves_its_responses(caller: Caller) -> None:
    made = await conversation(caller)
    stored = await talk(caller, made, "One", "sync")
    thread = {"configurable": {"thread_id": stored.thread_id}}
    steps = [state.config async for state in caller.graph.aget_state_history(thread)]
    place = {"thread_id": stored.thread_id, "checkpoint_id": stored.checkpoint_id, "conversation_id": made.id}
    added = message(made.id, "user", "Added")
    edited = await caller.graph.aupdate_state({"configurable": place}, {"items": [added]}, as_node="persist")
    assert await caller.store.conversations.delete("local", made.id)
    assert await caller.store.conversations.find("local", made.id) is None
    assert not await caller.store.conversations.delete("local", made.id)
    assert texts(await caller.store.responses.items(stored))[0] == "One"
    assert await caller.store.responses.find_item("local", added["item"]["id"]) is None
    assert (await caller.graph.aget_state(edited)).values == {}
    assert [state.config async for state in caller.graph.aget_state_history(thread)] == steps


async def test_conversation_is_locked_by_one_response(caller: Caller) -> None:
    made = await conversation(caller)
    conversations = caller.store.conversations
    holders = [new_id("resp_") for _ in range(8)]
    got = await asyncio.gather(*(conversations.lock("local", made.id, holder) for holder in holders))
    assert got.count(True) == 1
    holder = holders[got.index(True)]
    await conversations.unlock(made.id, "resp_other")
    assert not await conversations.lock("local", made.id, "resp_other")
    await conversations.unlock(made.id, holder)
    assert await conversations.lock("local", made.id, "resp_other")
    assert not await conversations.lock("local", new_id("conv_"), holder)


async def test_a_response_that_has_ended_locks_no_conversation(caller: Caller) -> None:
    made, ended = await conversation(caller), await caller.ask("One")
    conversations = caller.store.conversations
    assert await conversations.lock("local", made.id, ended.record["id"])
    assert await conversations.lock("local", made.id, "resp_next")
    assert not await conversations.lock("local", made.id, ended.record["id"])


async def test_metadata_is_replaced(caller: Caller) -> None:
    made = await conversation(caller)
    updated = await caller.store.conversations.update("local", made.id, {"mood": "good"})
    assert updated
    assert updated.metadata == {"mood": "good"}
    assert await head(caller, made) == updated


# ---------------------------------------------------------------- keys


async def test_key_is_known_by_its_secret_until_revoked(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        secrets = [await caller.store.keys.create(owner, "laptop") for owner in ("ann", "bob")]
        assert [await caller.store.keys.owner_of(secret) for secret in secrets] == ["ann", "bob"]
        listed = await caller.store.keys.list()
        assert {(key.owner, key.label, key.revoked_at) for key in listed} == {
            (o, "laptop", None) for o in ("ann", "bob")
        }
        anns = next(key.id for key in listed if key.owner == "ann")
        assert await caller.store.keys.revoke(anns)
        assert not await caller.store.keys.revoke(anns)
        assert [await caller.store.keys.owner_of(secret) for secret in secrets] == [None, "bob"]
        for wrong in ("", "gnx_", secrets[1][:-1], secrets[1] + "x", "\ud800"):
            assert await caller.store.keys.owner_of(wrong) is None
    kept = b"".join(part.read_bytes() for part in path.parent.iterdir())
    assert secrets[0].startswith("gnx_")
    assert not any(secret.encode() in kept for secret in secrets)


async def test_key_revoked_by_another_process_stops_working_soon(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as ours, opened(name, path) as theirs:
        secret = await ours.store.keys.create("ann", "laptop")
        assert await ours.store.keys.owner_of(secret) == "ann"
        (key,) = await theirs.store.keys.list()
        assert await theirs.store.keys.revoke(key.id)
        async with asyncio.timeout(8):
            while await ours.store.keys.owner_of(secret):
                await asyncio.sleep(0.1)


async def test_file_is_nobody_elses(name: str, tmp_path: Path) -> None:
    async with opened(name, tmp_path / "store.db") as caller:
        await caller.ask("Secret")
        modes = await asyncio.to_thread(lambda: [file.stat().st_mode & 0o077 for file in tmp_path.iterdir()])
        assert set(modes) <= {0}


async def test_two_processes_continue_each_other(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as ours, opened(name, path) as theirs:
        stored = await ours.ask("Question 0")
        for turn in range(1, 7):
            caller = (ours, theirs)[turn % 2]
            stored = await caller.ask(f"Question {turn}", stored)
        both = [await caller.questions(stored) for caller in (ours, theirs)]
        deleted = await ours.ask("Deleted", stored)
        assert await theirs.questions(deleted)
        assert await ours.store.responses.delete("local", deleted.record["id"])
        again = await ours.ask("Again", stored)
        assert (await theirs.questions(again))[-1] == "Again"
    assert both == [[f"Question {turn}" for turn in range(7)]] * 2
