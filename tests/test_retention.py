"""What is over goes and its bytes with it; what is alive reads on."""

import asyncio
import json
import subprocess
import time
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from checkpoints import Conversation, Stored
from checkpoints.idempotency import Attempt
from checkpoints.retention import Ages, Pruned
from graph.hold import Batch, Hold, Lease
from graph.log import EventLog
from server import pruning
from tests.conftest import StartServer
from tests.contract import promise
from tests.forest import Forest, query, rows_of
from tests.process import Server, run_module
from tests.store_graph import Caller, opened, state_at, used_bytes
from tests.upstream import Script, says

#: Everything that may go is old enough.
ALL = Ages(response_s=-1e9, conversation_s=-1e9, event_s=-60, step_s=-60)
STEPS = Ages(step_s=-60)


@promise("retention.reads")
def test_what_stays_reads_what_it_read_whatever_goes(name: str, tmp_path: Path) -> None:
    here = {"name": name, "path": tmp_path / "store.db"}
    limits = settings(max_examples=5, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(type("Here", (Forest,), here), settings=limits)


@promise("retention.reads")
async def test_a_response_reads_on_whose_parent_goes_while_it_is_made(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as here, opened(name, path) as there, opened(name, path, cache_bytes=0) as cold:

        async def remove(stored: Stored, after_s: float) -> None:
            await asyncio.sleep(after_s)
            await there.store.responses.expire(stored.record["id"], -60)
            await there.store.retention.prune(Ages())

        for number in range(40):
            chain = await here.chain(2)
            made, _ = await asyncio.gather(here.ask("Leaf", chain[1]), remove(chain[1], number / 4000))
            assert await there.store.responses.find("local", chain[1].record["id"]) is None
            read = await cold.questions(made)
            assert read in (["Question 0", "Question 1", "Leaf"], ["Leaf"])  # begun before, or after, it was gone


@promise("retention.responses")
async def test_an_expired_response_is_unknown_and_its_children_read_on(caller: Caller) -> None:
    chain = await caller.chain(3)
    await caller.store.responses.expire(chain[0].record["id"], -60)
    await caller.store.responses.expire(chain[1].record["id"], 600)
    assert (await caller.store.retention.prune(Ages())).responses == 1
    assert await caller.store.responses.find("local", chain[0].record["id"]) is None
    assert await caller.questions(chain[1]) == ["Question 0", "Question 1"]
    leaf = await caller.ask("Leaf", chain[2])
    assert await caller.questions(leaf) == ["Question 0", "Question 1", "Question 2", "Leaf"]


@promise("retention.responses")
async def test_responses_are_kept_for_as_long_as_is_said(caller: Caller) -> None:
    made = await caller.ask("Question")
    age_s = time.time() - made.record["created_at"]
    assert await caller.store.retention.prune(Ages(response_s=age_s + 60)) == Pruned()
    assert (await caller.store.retention.prune(Ages(response_s=age_s - 60))).responses == 1


@promise("retention.steps")
async def test_the_steps_of_an_ended_response_go_after_a_while(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        empty = used_bytes(name, path)
        made = [await caller.ask("tool", durability="async") for _ in range(40)]
        steps = [found.config async for found in caller.store.saver.alist({"configurable": _thread(made[0])})]
        head = [found.config async for found in caller.store.saver.alist({"configurable": _thread(made[1])})][-2]
        await caller.store.conversations.create(_conversation(made[1].thread_id, head["configurable"]["checkpoint_id"]))
        full = used_bytes(name, path) - empty
        assert await caller.store.retention.prune(Ages()) == Pruned(), "they can be looked at for an hour"
        pruned = await caller.store.retention.prune(STEPS)
        assert pruned == Pruned(steps=40 * (len(steps) - 1) - 1)
        until = time.monotonic() + 20
        while used_bytes(name, path) - empty >= full * 0.4:  # others may still look at what is gone
            assert time.monotonic() < until
            await asyncio.sleep(0.2)
        left = [found.config async for found in caller.store.saver.alist({"configurable": _thread(made[0])})]
        assert left == steps[:1]
        assert (await state_at(caller, left[0]))["response"]["status"] == "completed"
        leaf = await caller.ask("Leaf", made[0])
        assert (await caller.questions(leaf))[0] == "tool"
        assert (await state_at(caller, head))["input"] == "tool", "a conversation begins there"


def _thread(stored: Stored) -> dict[str, str]:
    return {"thread_id": stored.thread_id}


def _conversation(thread_id: str, checkpoint_id: str | None) -> Conversation:
    return Conversation("conv_kept", "local", thread_id, checkpoint_id, {}, int(time.time()))


@promise("retention.events")
async def test_events_go_after_their_response_has_ended(caller: Caller) -> None:
    store = caller.store
    made = await caller.ask("Question")
    hold = Hold(Lease(made.record["id"], store.runs.worker, 0), "local", EventLog(kept=True))
    frames = [b"event: one\n\n", b"event: two\n\n"]
    await store.runs.append(hold, Batch(0, frames))
    assert await store.retention.prune(ALL) == Pruned(), "it is being made"
    await store.runs.finish(hold, Batch(2, [b"event: three\n\n"]))
    assert await store.retention.prune(Ages()) == Pruned(), "they are kept for a day"
    assert len((await store.events.read(made.record["id"], -1)).frames) == 3
    assert await store.retention.prune(Ages(event_s=-60)) == Pruned(events=1)
    assert not await store.events.any(made.record["id"])
    assert await caller.questions(made) == ["Question"]


@promise("retention.conversations")
async def test_a_conversation_goes_when_nobody_has_used_it_for_long(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        conversations = caller.store.conversations
        await conversations.create(_conversation("there", None))
        made = await caller.ask("Question", thread_id="there", conversation_id="conv_kept")
        for use in (
            lambda: conversations.update("local", "conv_kept", {"a": "b"}),
            lambda: conversations.lock("local", "conv_kept", "resp_1"),
            lambda: caller.ask("Again", made, conversation_id="conv_kept"),
        ):
            query(name, path, "UPDATE conversation SET used_at = 1, holder = NULL")
            await use()
            assert query(name, path, "SELECT used_at FROM conversation")[0][0] > time.time() - 60
            await conversations.unlock("conv_kept", "resp_1")
        assert await caller.store.retention.prune(Ages(conversation_s=60)) == Pruned()
        query(name, path, "UPDATE conversation SET used_at = used_at - 100")
        assert await caller.store.retention.prune(Ages(conversation_s=60)) == Pruned(conversations=1)
        assert await caller.questions(made) == ["Question"]


@promise("retention.leftovers")
async def test_old_keys_and_rows_of_the_dead_go(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        await caller.store.idempotency.take("local", "key", Attempt("resp_1", b"hash", False))
        await caller.store.workers.beat()
        assert await caller.store.retention.prune(Ages()) == Pruned()
        query(name, path, "UPDATE idempotency SET created_at = created_at - 86500")
        query(name, path, "UPDATE worker SET beat_at = beat_at - 86500")
        assert await caller.store.retention.prune(Ages()) == Pruned(leftovers=2)
        assert not rows_of(name, path).keys() & {"idempotency", "worker"}


@promise("retention.bytes")
async def test_the_database_shrinks(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as caller:
        empty = await caller.store.retention.size_bytes()
        for number in range(60):
            await caller.ask("tool", durability="async", request={"instructions": f"{number}" * 30_000})
        full = await caller.store.retention.size_bytes()
        assert full > empty + 2_000_000 * (name == "sqlite")
        await caller.store.retention.prune(ALL)
        await caller.store.retention.vacuum()
        left = await caller.store.retention.size_bytes()
        assert left < empty + 800_000
        assert name == "postgresql" or path.stat().st_size == left


async def test_nobody_waits_long_for_it(name: str, tmp_path: Path) -> None:
    """Another process writes all the while."""
    async with opened(name, tmp_path / "store.db") as caller, opened(name, tmp_path / "store.db") as other:
        for _ in range(100):
            await caller.ask("tool", durability="async")
        pruning = asyncio.create_task(other.store.retention.prune(ALL))
        waits: list[float] = []
        while not pruning.done():
            begun = time.monotonic()
            await caller.store.workers.beat()
            waits.append(time.monotonic() - begun)
            await asyncio.sleep(0.001)
        assert (await pruning).responses == 100
        assert len(waits) > 5
        assert sorted(waits)[len(waits) * 9 // 10] < 0.2


@promise("retention.alone")
async def test_of_two_processes_one_does_it(name: str, tmp_path: Path) -> None:
    async with opened(name, tmp_path / "store.db") as one, opened(name, tmp_path / "store.db") as other:
        assert await one.store.retention.take(3600)
        assert not await other.store.retention.take(3600)
        assert not await one.store.retention.take(3600)
        assert await other.store.retention.take(0)


@promise("retention.unstored")
async def test_the_job_runs_until_it_is_stopped(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "server.pruning")
    assert await caller.store.retention.take(3600)  # another does the rest this hour
    made, other = await caller.ask("Question"), asyncio.Event()
    await caller.store.responses.expire(made.record["id"], -60)

    async def forget() -> None:
        other.set()

    job = asyncio.create_task(pruning.run(caller.store.retention, ALL, forget, every_s=5))
    async with asyncio.timeout(20):
        while await caller.store.responses.find("local", made.record["id"]):
            await asyncio.sleep(0.02)
        assert not caplog.messages
        second = await caller.ask("tool", durability="async")
        await other.wait()
    assert await caller.store.responses.find("local", second.record["id"]) is None
    assert [(record.responses, record.steps) for record in caplog.records] == [(1, 6)]  # pyright: ignore
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job


# ---------------------------------------------------------------- by hand


def _prune(server: Server, *flags: str) -> subprocess.CompletedProcess[str]:
    return run_module("server", "prune", "--data-dir", str(server.data_dir / "kept"), *flags)


@promise("retention.by_hand")
def test_pruning_beside_a_running_server(start_server: StartServer, script: Script, model: str) -> None:
    server = start_server()
    script.will(*[says(f"answer {number}") for number in range(4)])
    with httpx2.Client(base_url=server.url, timeout=30) as http:

        def ask(**body: object) -> str:
            made = http.post("/responses", json={"model": model, **body})
            assert made.status_code == 200, made.text
            return made.json()["id"]

        first = ask(input="one")
        second = ask(input="two", previous_response_id=first)
        conversation = http.post("/conversations", json={}).json()["id"]
        ask(input="three", conversation=conversation)
        time.sleep(1.1)  # times are kept in whole seconds
        dry = _prune(server, "--older-than", "0s", "--dry-run")
        assert ("3  responses" in dry.stdout, "1  conversations" in dry.stdout) == (True, True)
        assert http.get(f"/responses/{second}").status_code == 200
        done = _prune(server, "--older-than", "0s")
        assert ("3  responses" in done.stdout, "1  conversations" in done.stdout) == (True, True)
        assert http.get(f"/responses/{second}").status_code == 404
        assert http.get(f"/conversations/{conversation}").status_code == 404
        refused = http.post("/responses", json={"model": model, "input": "q", "previous_response_id": second})
        assert json.loads(refused.text)["error"]["code"] == "previous_response_not_found"
        again = ask(input="four")
        assert http.get(f"/responses/{again}").json()["status"] == "completed"
    assert server.stop() == 0
    assert "1  responses" in _prune(server, "--older-than", "0s").stdout, "also when it is stopped"


@promise("retention.by_hand")
def test_an_age_that_is_none_is_refused(tmp_path: Path) -> None:
    server = Server(tmp_path, None)
    refused = _prune(server, "--older-than", "soon")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "graphnexus: soon: an age is a number and its unit, such as 30d, 12h, 90m or 45s\n"
