"""Approvals over time: restarts and crashes between asking, answering and calling; what goes when nobody needs it."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2

from checkpoints import Conversation, open_sqlite
from checkpoints.approvals import KEPT_S
from checkpoints.retention import Ages
from graph.approvals import Answer, Decision
from graph.hold import Batch, Hold, Lease
from graph.ids import new_id
from graph.log import EventLog
from tests import mcp_servers
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.forest import query
from tests.mcp.approving import answer, decide, guarded, ids, listed, requests_of, types
from tests.mcp.told import told
from tests.recorder import Recorder
from tests.store_graph import Caller, opened
from tests.told import ended, eventually
from tests.upstream import Script, calls, says

Json = dict[str, Any]


@promise("approvals.durable")
async def test_kill_9_between_asking_deciding_calling_and_answering(
    start_server: StartServer,
    recorder: Recorder,
    script: Script,
    model: str,
    fast: mcp_servers.Server,
    slow: mcp_servers.Server,
) -> None:
    server = start_server()
    client = client_of(server, recorder)
    script.will(calls("fast_tool", text="later"), calls("slow_tool", seconds=20))
    later = client.responses.create(model=model, input="q", tools=[guarded(fast)])
    made = client.responses.create(model=model, input="q", tools=[guarded(slow)], background=True)
    (waiting,) = requests_of(ended(client, made.id))
    server.kill()

    # As a process leaves it that dies between its decision and what it has begun of it.
    next_id = new_id("resp_")
    async with open_sqlite(server.data_dir / "kept" / "graphnexus.db") as store:
        decided = await store.approvals.resolve("local", waiting, Decision(True, door="endpoint"), next_id)
        assert decided and decided.due and decided.due.next_response_id == next_id
    before = slow.counts()["tools/call"]
    server.start()
    eventually(lambda: one_more(slow, before), AssertionError)
    server.kill()

    script.will(says("I do not know."), says("Done."))
    server.start()
    followed: Any = ended(client, next_id)
    assert types(followed) == ["mcp_call", "message"]
    call = followed.output[0]
    assert (call.status, call.approval_request_id) == ("failed", waiting)
    assert "not known to be safe to repeat" in call.error.message
    assert slow.counts()["tools/call"] == before + 1

    plain = httpx2.Client(base_url=server.url)
    assert ids(listed(plain)) == requests_of(later)
    done = client.responses.create(
        model=model, previous_response_id=later.id, input=[answer(later.output[-1])], tools=[guarded(fast)]
    )
    assert types(done) == ["mcp_call", "message"]
    assert told(script) == ["fast: later"]
    assert decide(plain, waiting)["next_response_id"] == next_id


def one_more(server: mcp_servers.Server, before: int) -> None:
    assert server.counts()["tools/call"] == before + 1


@promise("approvals.retained")
async def test_requests_go_with_their_response_and_loose_decisions_later(
    caller: Caller, name: str, tmp_path: Path
) -> None:
    store = caller.store
    asking = (await caller.ask("Question")).record["id"]
    await store.approvals.ask("local", asking, [request("mcpr_listed")], alone=True)
    await store.approvals.decide("local", [Answer(request("mcpr_\0loose"), Decision(True, "for\0ever"))])
    assert await store.approvals.use("local", "mcpr_\0loose", "mcp_1") == "mcp_1"
    assert await store.approvals.use("local", "mcpr_\0loose", "mcp_2") == "mcp_1"
    assert await store.approvals.find("local", "mcpr_listed")
    assert await store.approvals.find("other", "mcpr_listed") is None
    await store.retention.prune(Ages())
    assert await store.approvals.find("local", "mcpr_\0loose")
    old = KEPT_S + 60
    query(name, tmp_path / "store.db", f"UPDATE approval SET decided_at = decided_at - {old}, created_at = 0")
    assert (await store.retention.prune(Ages())).leftovers == 1
    assert await store.approvals.find("local", "mcpr_\0loose") is None
    assert await store.approvals.find("local", "mcpr_listed")
    await store.responses.expire(asking, -60)
    await store.retention.prune(Ages())
    assert query(name, tmp_path / "store.db", "SELECT COUNT(*) FROM approval")[0][0] == 0


@promise("approvals.background", "approvals.replicas")
async def test_of_two_who_decide_the_last_at_once_one_names_what_follows(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(name, path) as here, opened(name, path) as there:
        for turn in range(6):
            asking = (await here.ask("Question")).record["id"]
            hold = Hold(Lease(asking, None, 0), "local", EventLog(), background=True, sealed=b"sealed")
            await here.store.runs.append(hold, Batch(0, [b"event: a\n\n"]))
            both = [f"mcpr_{turn}_a", f"mcpr_{turn}_b"]
            await here.store.approvals.ask("local", asking, [request(id) for id in both], alone=True)
            yes = Decision(approve=True)
            decided = await asyncio.gather(
                here.store.approvals.resolve("local", both[0], yes, "resp_1"),
                there.store.approvals.resolve("local", both[1], yes, "resp_2"),
            )
            assert len([one for one in decided if one and one.due]) == 1
            (due,) = await here.store.approvals.due()
            assert (due.response_id, due.sealed) == (asking, "sealed")
            await there.store.approvals.give_up(due.next_response_id)
            assert not await here.store.approvals.due()
            after = await here.store.approvals.find("local", both[0])
            assert after and after.next_response_id is None


@promise("approvals.replicas")
async def test_who_comes_second_leaves_the_first_its_conversation(caller: Caller) -> None:
    store, conversation = caller.store, Conversation("conv_1", "local", "thread", None, {}, 1)
    await store.conversations.create(conversation)
    for holder in ("resp_made", "resp_nobodys"):
        assert await store.conversations.lock("local", "conv_1", holder)
        if holder == "resp_made":
            hold = Hold(Lease(holder, None, 0), "local", EventLog(), background=True)
            await store.runs.append(hold, Batch(0, [b"event: a\n\n"]))
        await store.conversations.unlock("conv_1", holder, unless_made=True)
        assert await store.conversations.lock("local", "conv_1", "resp_other") is (holder == "resp_nobodys")
        await store.conversations.unlock("conv_1", holder)


def request(id: str) -> Json:
    return {"id": id, "type": "mcp_approval_request", "server_label": "a", "name": "b", "arguments": "{}"}
