"""`/v1/approvals`: what waits is listed, and decided there; background responses then go on by themselves."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests import mcp_servers
from tests.contract import promise
from tests.mcp.approving import answer, decide, guarded, ids, listed, requests_of, types
from tests.mcp.told import told
from tests.process import Server
from tests.told import ended
from tests.upstream import Script, calls, says, together

Json = dict[str, Any]
TOKEN = "tok-never-to-be-seen"
WEATHER: Any = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture(scope="module")
def locked() -> Iterator[mcp_servers.Server]:
    """An MCP server that wants a token."""
    with mcp_servers.serve("sums", TOKEN) as server:
        yield server


def audit(server: Server, since: int, request_id: str) -> list[Json]:
    """The audit lines about one request."""
    lines = [line for line in server.log(since).splitlines() if "graph.audit" in line and request_id in line]
    said = re.compile(r"graph\.audit: (.*?) (owner=.*)")
    found = [match.groups() for line in lines if (match := said.search(line))]
    return [{"what": what, **dict(fact.split("=", 1) for fact in facts.split())} for what, facts in found]


# ---------------------------------------------------------------- listed


@promise("approvals.listed")
def test_what_waits_is_listed_until_it_is_decided(
    client: OpenAI, http: httpx2.Client, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(together(*[("fast_tool", {"text": text}) for text in "abc"]))
    asked = client.responses.create(model=model, input="Use the tools.", tools=[guarded(fast)])
    waiting = requests_of(asked)
    newest = listed(http, limit=3)
    assert sorted(ids(newest)) == sorted(waiting)
    first = listed(http, limit=1)
    second = listed(http, limit=2, after=first["last_id"])
    assert ids(first) + ids(second) == ids(newest)
    assert first["has_more"] is True
    backwards = listed(http, order="asc", after=newest["data"][2]["id"])
    assert ids(backwards) == ids(newest)[1::-1]
    assert backwards["has_more"] is False

    shown = http.get(f"/approvals/{waiting[0]}").json()
    assert shown == next(one for one in newest["data"] if one["id"] == waiting[0])
    assert shown == {
        "object": "approval", "id": waiting[0], "response_id": asked.id, "server_label": "fast", "name": "fast_tool",
        "arguments": '{"text": "a"}', "status": "pending", "reason": None, "created_at": shown["created_at"],
        "decided_at": None, "item_id": None, "next_response_id": None,
    }  # fmt: skip
    denied = decide(http, waiting[0], False, reason="No.")
    assert (denied["status"], denied["reason"]) == ("denied", "No.")
    assert denied["decided_at"] >= shown["created_at"]
    assert waiting[0] not in ids(listed(http, limit=100))
    assert ids(listed(http, status="denied", limit=1)) == [waiting[0]]
    client.responses.delete(asked.id)
    assert http.get(f"/approvals/{waiting[1]}").status_code == 404
    assert waiting[1] not in ids(listed(http, limit=100))


@promise("approvals.listed")
def test_what_is_not_stored_is_not_listed(
    client: OpenAI, http: httpx2.Client, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(calls("fast_tool", text="b"), says("Done."))
    tools = [guarded(fast)]
    asked = client.responses.create(model=model, input="Use the tool.", tools=tools, store=False)
    (waiting,) = requests_of(asked)
    assert http.get(f"/approvals/{waiting}").status_code == 404
    assert http.post(f"/approvals/{waiting}", json={"approve": True}).status_code == 404
    history: list[Any] = [{"role": "user", "content": "Use the tool."}, *(item.to_dict() for item in asked.output)]
    client.responses.create(model=model, input=[*history, answer(waiting)], tools=tools, store=False)
    kept = http.get(f"/approvals/{waiting}").json()
    assert (kept["status"], kept["response_id"]) == ("approved", None)


# ---------------------------------------------------------------- decided


@promise("approvals.decided", "approvals.audit")
def test_who_continues_need_not_repeat_what_was_decided(
    client: OpenAI, http: httpx2.Client, server: Server, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(together(("fast_tool", {"text": "yes"}), ("fast_tool", {"text": "no"}), ids=["call_1", "call_2"]))
    asked = client.responses.create(model=model, input="Use the tool.", tools=[guarded(fast)])
    yes, no = requests_of(asked)
    since = server.log_size()
    assert decide(http, yes)["next_response_id"] is None
    decide(http, no, approve=False, reason="Hush.")
    script.will(says("Done."))
    response = client.responses.create(model=model, previous_response_id=asked.id, tools=[guarded(fast)])
    assert types(response) == ["mcp_call", "message"]
    call: Any = response.output[0]
    assert (call.approval_request_id, call.output) == (yes, "fast: yes")
    assert set(told(script)) == {"fast: yes", "The user did not approve this call. Reason: Hush."}
    given = [item.to_dict() for item in client.responses.input_items.list(response.id, order="asc").data]
    assert [(item["approval_request_id"], item["approve"]) for item in given] == [(yes, True), (no, False)]
    assert http.get(f"/approvals/{yes}").json()["item_id"] == call.id

    about = {"owner": "local", "server_label": "fast", "tool": "fast_tool", "door": "endpoint"}
    decided = {**about, "approval_request_id": yes, "response_id": asked.id}
    assert audit(server, since, yes) == [
        {"what": "Call approved", **decided},
        {"what": "Approved call made", **decided, "response_id": response.id},
    ]
    assert [line["what"] for line in audit(server, since, no)] == ["Call denied"]
    assert "Hush" not in server.log(since)


@promise("approvals.audit")
def test_decisions_in_requests_are_audited_too(
    client: OpenAI, server: Server, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(calls("fast_tool", text="quiet"), says("Done."))
    asked = client.responses.create(model=model, input="Use the tool.", tools=[guarded(fast)])
    (waiting,) = requests_of(asked)
    since = server.log_size()
    again: Any = {"model": model, "previous_response_id": asked.id, "tools": [guarded(fast)]}
    client.responses.create(**again, input=[answer(waiting, reason="Hush.")])
    lines = audit(server, since, waiting)
    assert [(line["what"], line["door"]) for line in lines] == [
        ("Call approved", "request"), ("Approved call made", "request")
    ]  # fmt: skip
    assert "Hush" not in server.log(since)
    assert "quiet" not in server.log(since)


@promise("approvals.decided")
def test_one_decision_counts_and_nonsense_is_refused(
    client: OpenAI, http: httpx2.Client, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(calls("fast_tool", text="c"))
    asked = client.responses.create(model=model, input="Use the tool.", tools=[guarded(fast)])
    (waiting,) = requests_of(asked)
    first = decide(http, waiting, reason="Why not.")
    assert decide(http, waiting, reason="Another.") == first
    changed = http.post(f"/approvals/{waiting}", json={"approve": False})
    assert (changed.status_code, changed.headers["x-should-retry"]) == (409, "false")
    assert (changed.json()["error"]["code"], changed.json()["error"]["param"]) == ("already_decided", "approve")
    for method, path, body, status, param in (
        ("POST", "/approvals/mcpr_nobody", {"approve": True}, 404, None),
        ("GET", "/approvals/mcpr_nobody", None, 404, None),
        ("POST", f"/approvals/{waiting}", {}, 400, "approve"),
        ("POST", f"/approvals/{waiting}", {"approve": "yes"}, 400, "approve"),
        ("POST", f"/approvals/{waiting}", {"approve": True, "reason": 7}, 400, "reason"),
        ("POST", f"/approvals/{waiting}", {"approve": True, "values": []}, 400, "values"),
        ("GET", "/approvals?status=perhaps", None, 400, "status"),
        ("GET", "/approvals?limit=0", None, 400, "limit"),
        ("GET", "/approvals?after=mcpr_nobody", None, 400, "after"),
    ):
        refused = http.request(method, path, json=body) if body is not None else http.request(method, path)
        assert (refused.status_code, refused.json()["error"]["param"]) == (status, param), path


# ---------------------------------------------------------------- going on


@promise("approvals.background")
def test_a_background_response_goes_on_when_all_is_decided(
    client: OpenAI, http: httpx2.Client, server: Server, script: Script, model: str, locked: mcp_servers.Server
) -> None:
    tool = guarded(locked, authorization=TOKEN)
    script.will(together(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}), ids=["call_1", "call_2"]))
    choice: Any = {"type": "mcp", "server_label": "sums"}
    made = client.responses.create(
        model=model, input="Add.", tools=[tool], background=True, tool_choice=choice, metadata={"for": "me"}
    )
    asked = ended(client, made.id)
    yes, no = requests_of(asked)
    assert decide(http, no, approve=False)["next_response_id"] is None
    script.will(says("Three."))
    next_id = decide(http, yes)["next_response_id"]
    followed = ended(client, next_id)
    assert types(followed) == ["mcp_call", "message"]
    assert (followed.previous_response_id, followed.background) == (asked.id, True)
    assert (followed.metadata, followed.tool_choice) == ({"for": "me"}, "auto")
    assert "tool_choice" not in script.last.body
    assert sorted(told(script)) == ["3", "The user did not approve this call."]
    assert decide(http, yes)["next_response_id"] == next_id

    for path in server.data_dir.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    with closing(sqlite3.connect(server.data_dir / "kept" / "graphnexus.db")) as database:
        left = database.execute("SELECT COUNT(*) FROM approval WHERE sealed IS NOT NULL AND approve IS NOT NULL")
        assert left.fetchone() == (0,)


@promise("approvals.background")
def test_it_goes_on_in_its_conversation(
    client: OpenAI, http: httpx2.Client, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    conversation = client.conversations.create()
    script.will(calls("fast_tool", text="d"), says("Done."))
    made = client.responses.create(
        model=model, input="Use it.", tools=[guarded(fast)], background=True, conversation=conversation.id
    )
    (waiting,) = requests_of(ended(client, made.id))
    next_id = decide(http, waiting)["next_response_id"]
    followed = ended(client, next_id)
    assert followed.conversation
    assert (followed.conversation.id, types(followed)) == (conversation.id, ["mcp_call", "message"])
    kept = [item.type for item in client.conversations.items.list(conversation.id, order="asc")]
    assert kept[-4:] == ["mcp_approval_request", "mcp_approval_response", "mcp_call", "message"]
    script.will(says("You are welcome."))
    assert client.responses.create(model=model, input="Thanks.", conversation=conversation.id).output_text


@promise("approvals.background")
def test_it_does_not_go_on_where_the_client_has_more_to_say_or_has_said_it(
    client: OpenAI, http: httpx2.Client, server: Server, script: Script, fast: mcp_servers.Server
) -> None:
    tools, model, since = [guarded(fast), WEATHER], script.model, server.log_size()
    script.will(together(("fast_tool", {"text": "e"}), ("weather", {}), ids=["call_1", "call_2"]))
    both = ended(client, client.responses.create(model=model, input="q", tools=tools, background=True).id)
    assert types(both) == ["mcp_list_tools", "mcp_approval_request", "function_call"]
    assert decide(http, requests_of(both)[0])["next_response_id"] is None
    script.will(says("Done."))
    sunny: Any = {"type": "function_call_output", "call_id": "call_2", "output": "sunny"}
    response = client.responses.create(model=model, previous_response_id=both.id, input=[sunny], tools=tools)
    assert types(response) == ["mcp_call", "message"]
    assert sorted(told(script)) == ["fast: e", "sunny"]

    script.will(calls("fast_tool", text="f"), says("Done."))
    asked = ended(client, client.responses.create(model=model, input="q", tools=tools, background=True).id)
    (waiting,) = requests_of(asked)
    client.responses.create(model=model, previous_response_id=asked.id, input=[answer(waiting)], tools=tools)
    assert decide(http, waiting)["next_response_id"] is None
    assert "go on" not in server.log(since)


@promise("approvals.background")
def test_what_cannot_go_on_says_so_and_leaves_its_conversation_free(
    client: OpenAI, http: httpx2.Client, server: Server, script: Script, fast: mcp_servers.Server
) -> None:
    conversation, since = client.conversations.create().id, server.log_size()
    script.will(calls("fast_tool", text="g"), says("Fine."))
    asking: Any = {"model": script.model, "tools": [guarded(fast)], "conversation": conversation}
    (waiting,) = requests_of(ended(client, client.responses.create(**asking, input="q", background=True).id))
    client.conversations.items.delete(waiting, conversation_id=conversation)
    decided = decide(http, waiting)
    assert (decided["status"], decided["next_response_id"]) == ("approved", None)
    assert "A response cannot go on by itself" in server.log(since)
    assert client.responses.create(**asking, input="And now?").output_text == "Fine."


@promise("approvals.listed")
def test_the_endpoints_are_described(http: httpx2.Client, server: Server) -> None:
    paths = http.get(f"{server.origin}/openapi.json").json()["paths"]
    assert paths["/v1/approvals"].keys() == {"get"}
    assert paths["/v1/approvals/{approval_id}"].keys() == {"get", "post"}
    body = paths["/v1/approvals/{approval_id}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert (body["required"], body["properties"].keys()) == (["approve"], {"approve", "reason", "values"})
