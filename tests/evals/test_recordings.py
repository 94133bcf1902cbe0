"""Stored runs through the server's door: listed, recorded, made again."""

import copy
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests import mcp_servers
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.upstream import Script, Upstream, calls, says, thinks, together

Json = dict[str, Any]


@pytest.fixture(scope="module")
def fast() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("fast") as server:
        yield server


@pytest.fixture
def run(client: OpenAI, script: Script, model: str, fast: mcp_servers.Server) -> Any:
    """A run of three turns with three calls; what its model said was asked for already."""
    script.will(
        thinks("Two at once.", together(("fast_tool", {"text": "a"}), ("fast_tool", {"text": "b"}))),
        calls("fast_tool", text="c"),
        says("a, b and c."),
    )
    first = client.responses.create(
        model=model, input="Call it three times.", tools=[fast.tool()], temperature=0.5, instructions="Be brief."
    )  # type: ignore[call-overload]
    assert [item.type for item in first.output] == [
        "mcp_list_tools", "reasoning", "mcp_call", "mcp_call", "mcp_call", "message",
    ]  # fmt: skip
    return first


def recorded(http: httpx2.Client, id: str) -> Json:
    answer = http.get(f"/responses/{id}/recording")
    assert answer.status_code == 200, answer.text
    return answer.json()


def replayed(http: httpx2.Client, model: str, recording: Json, changed: Json | None = None, **replay: Any) -> Json:
    body = {"model": model, **(changed or {}), "replay": {"recording": recording, **replay}}
    answer = http.post("/responses", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def shown(response: Json) -> list[tuple[str, Any]]:
    """What matters of an output: calls by what they were asked and gave, messages by what they say."""
    found: list[tuple[str, Any]] = []
    for item in response["output"]:
        match item["type"]:
            case "mcp_call":
                found.append((item["name"], (item["arguments"], item["output"], item["status"])))
            case "message":
                found.append(("message", item["content"][0]["text"]))
            case kind:
                found.append((kind, None))
    return found


# ---------------------------------------------------------------- listed


@promise("recordings.list")
def test_stored_responses_are_listed_page_by_page(
    client: OpenAI, http: httpx2.Client, script: Script, model: str
) -> None:
    script.will(*[says(f"{n}") for n in range(5)])
    made = [client.responses.create(model=model, input="q", metadata={"n": str(n % 2)}).id for n in range(4)]
    client.responses.create(model=model, input="q", store=False)
    since = int(time.time()) - 60

    def listed(**query: Any) -> Json:
        answer = http.get("/responses", params={"model": model, "created_after": since, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()

    everything = listed(limit=100)
    assert sorted(one["id"] for one in everything["data"]) == sorted(made)
    assert everything["data"][0]["output"][0]["content"][0]["text"]
    assert len(listed(limit=100, **{"metadata[n]": "1"})["data"]) == 2
    assert listed(limit=100, tool="mcp_call")["data"] == []
    assert listed(limit=100, status="failed")["data"] == []
    assert listed(limit=100, created_before=since)["data"] == []
    seen, page = list[str](), listed(limit=1, order="asc")
    while True:
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        page = listed(limit=1, order="asc", after=page["last_id"])
    assert len(seen) == 4 and set(seen) == set(made)


@promise("recordings.list.checked")
@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"status": "odd"}, "status"),
        ({"created_after": "soon"}, "created_after"),
        ({"after": "resp_none"}, "after"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_a_list_asked_wrongly_names_its_parameter(http: httpx2.Client, query: Json, param: str) -> None:
    answer = http.get("/responses", params=query)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@promise("recordings.owners")
def test_nobody_sees_what_is_anothers(
    start_server: StartServer, upstream: Upstream, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server(GRAPHNEXUS_API_KEYS="ann:sk-ann,bob:sk-bob")
    script.will(says("Ann's."))
    with client_of(server, recorder) as bound:
        made = bound.with_options(api_key="sk-ann").responses.create(model=model, input="q")

    def seen(path: str, key: str) -> httpx2.Response:
        return httpx2.get(f"{server.url}/responses{path}", headers={"authorization": f"Bearer {key}"})

    assert [one["id"] for one in seen("", "sk-ann").json()["data"]] == [made.id]
    assert seen(f"/{made.id}/recording", "sk-ann").status_code == 200
    assert seen("", "sk-bob").json()["data"] == []
    assert seen(f"?after={made.id}", "sk-bob").status_code == 400
    assert seen(f"/{made.id}/recording", "sk-bob").status_code == 404


# ---------------------------------------------------------------- recorded


@promise("recordings.recording")
def test_a_recording_holds_what_the_model_was_told_and_offered(http: httpx2.Client, run: Any) -> None:
    recording = recorded(http, run.id)
    assert [(step["node"], step["turn"], step["output"]) for step in recording["steps"]] == [
        ("load", None, [0]),
        ("call_model", 0, [1, 2, 3]),
        ("mcp", 0, [2]),
        ("mcp", 0, [3]),
        ("call_model", 1, [4]),
        ("mcp", 1, [4]),
        ("call_model", 2, [5]),
        ("persist", None, []),
    ]
    assert recording["output"][2]["call"] == {"name": "fast_tool", "arguments": '{"text": "a"}'}
    assert recording["output"][2]["reply"] == "fast: a"
    assert [entry["item"]["role"] for entry in recording["input"]] == ["user"]
    assert "fast_tool" in [function["name"] for function in recording["functions"]]
    assert (recording["turns"], recording["repairs"]) == (3, 0)
    assert recording["request"]["temperature"] == 0.5


@promise("recordings.recording")
def test_a_recording_has_what_came_before_and_no_secret(
    client: OpenAI, http: httpx2.Client, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(says("First."), calls("fast_tool", text="x"), says("Second."))
    first = client.responses.create(model=model, input="one")
    tool = {**fast.tool(), "authorization": "tok-very-secret", "headers": {"x-key": "header-very-secret"}}
    second = client.responses.create(model=model, input="two", previous_response_id=first.id, tools=[tool])  # type: ignore[list-item]
    recording = recorded(http, second.id)
    assert [entry["item"]["content"][0]["text"] for entry in recording["history"]] == ["one", "First."]
    assert "very-secret" not in str(recording)


# ---------------------------------------------------------------- made again


@promise("recordings.replay", "recordings.replay.unkept")
def test_a_replay_asks_what_was_asked_and_answers_with_what_was_recorded(
    http: httpx2.Client, upstream: Upstream, script: Script, run: Any
) -> None:
    recording = recorded(http, run.id)
    other = upstream.on(f"{script.model}-again")
    other.will(
        together(("fast_tool", {"text": "a"}), ("fast_tool", {"text": "b"})),
        calls("fast_tool", text="c"),
        says("Done."),
    )
    again = replayed(http, other.model, recording)
    asked = [(item["item"]["arguments"], item["item"]["output"]) for item in recording["output"] if item.get("reply")]
    assert [(i["arguments"], i["output"]) for i in again["output"] if i["type"] == "mcp_call"] == asked
    assert shown(again)[-1] == ("message", "Done.")
    assert again["replay"] == {"turns": [0, 0, 1, 2]}
    assert [ask.body.get("tools") for ask in other.seen] == [ask.body.get("tools") for ask in script.seen]
    assert [[m["role"] for m in ask.messages] for ask in other.seen] == [
        [m["role"] for m in ask.messages] for ask in script.seen
    ]
    assert other.seen[0].messages == script.seen[0].messages
    assert {ask.body["temperature"] for ask in other.seen} == {0.5}
    assert again["store"] is False and http.get(f"/responses/{again['id']}").status_code == 404


@promise("recordings.replay.outside")
def test_a_replay_reaches_no_server(http: httpx2.Client, client: OpenAI, upstream: Upstream, script: Script) -> None:
    with mcp_servers.serve("fast") as gone:
        script.will(calls("fast_tool", text="a"), says("Once."))
        made = client.responses.create(model=script.model, input="q", tools=[gone.tool()])  # type: ignore[list-item]
    other = upstream.on(f"{script.model}-later")
    other.will(calls("fast_tool", text="a"), says("Again."))
    again = replayed(http, other.model, recorded(http, made.id))
    assert shown(again) == [("fast_tool", ('{"text": "a"}', "fast: a", "completed")), ("message", "Again.")]


@promise("recordings.replay.step")
@pytest.mark.parametrize(("step", "before"), [(1, ["a", "b"]), (2, ["a", "b", "c"])])
def test_a_replay_goes_on_from_any_turn(
    http: httpx2.Client, upstream: Upstream, script: Script, run: Any, step: int, before: list[str]
) -> None:
    other = upstream.on(f"{script.model}-from-{step}")
    other.will(says("From here."))
    again = replayed(http, other.model, recorded(http, run.id), step=step)
    assert shown(again) == [("message", "From here.")]
    assert other.last.messages == script.seen[step].messages
    assert [m["content"] for m in other.last.messages if m["role"] == "tool"] == [f"fast: {x}" for x in before]


@promise("recordings.replay.step", "recordings.replay")
def test_turns_of_a_replay_stay_apart_from_those_before_it(
    http: httpx2.Client, upstream: Upstream, script: Script, run: Any
) -> None:
    other = upstream.on(f"{script.model}-apart")
    other.will(calls("fast_tool", text="c"), says("End."))
    again = replayed(http, other.model, recorded(http, run.id), step=1)
    assert again["replay"] == {"turns": [0, 1]}
    roles = [message["role"] for message in other.last.messages]
    assert roles == ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]


@promise("recordings.replay.changed")
def test_a_replay_may_say_and_offer_something_else(
    http: httpx2.Client, upstream: Upstream, script: Script, run: Any
) -> None:
    other = upstream.on(f"{script.model}-changed")
    other.will(calls("get_weather", city="Paris"))
    function = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    changed = {"instructions": "Be long.", "tools": [function]}
    again = replayed(http, other.model, recorded(http, run.id), changed)
    assert [item["type"] for item in again["output"]] == ["function_call"]
    assert other.last.messages[0] == {"role": "system", "content": "Be long."}
    assert other.last.tool_names() == ["get_weather"]


@promise("recordings.replay.missing")
@pytest.mark.parametrize("unrecorded", ["stop", "tell"])
def test_a_call_that_was_not_recorded(
    http: httpx2.Client, upstream: Upstream, script: Script, run: Any, unrecorded: str
) -> None:
    other = upstream.on(f"{script.model}-{unrecorded}")
    other.will(calls("fast_tool", text="new"), *([says("Then not.")] if unrecorded == "tell" else []))
    again = replayed(http, other.model, recorded(http, run.id), unrecorded=unrecorded)
    call = again["output"][0]
    assert (call["name"], call["status"]) == ("fast_tool", "failed")
    assert "not recorded" in call["error"]["content"][0]["text"]
    if unrecorded == "stop":
        assert again["incomplete_details"] == {"reason": "unrecorded_call"} and len(again["output"]) == 1
    else:
        assert shown(again)[-1] == ("message", "Then not.")
    assert not other.left


@promise("recordings.replay.live")
def test_with_live_results_calls_are_made(
    http: httpx2.Client, upstream: Upstream, script: Script, run: Any, fast: mcp_servers.Server
) -> None:
    other = upstream.on(f"{script.model}-live")
    other.will(calls("fast_tool", text="new"), says("Made."))
    again = replayed(http, other.model, recorded(http, run.id), {"tools": [fast.tool()]}, results="live")
    assert ("fast_tool", ('{"text": "new"}', "fast: new", "completed")) in shown(again)


@promise("recordings.replay")
def test_other_hosted_calls_are_answered_too(
    client: OpenAI, http: httpx2.Client, upstream: Upstream, script: Script, model: str
) -> None:
    script.will(calls("code_interpreter", code="print(6 * 7)"), says("42."))
    tool = {"type": "code_interpreter", "container": {"type": "auto"}}
    made = client.responses.create(model=model, input="q", tools=[tool])  # type: ignore[list-item]
    client.containers.delete(made.output[0].container_id)  # type: ignore[union-attr]
    name = script.seen[0].tool_names()[0]
    other = upstream.on(f"{model}-code")
    other.will(calls(name, code="print(6 * 7)"), says("Still 42."))
    again = replayed(http, other.model, recorded(http, made.id), {"include": ["code_interpreter_call.outputs"]})
    assert again["output"][0]["outputs"][0]["logs"].strip() == "42"
    assert shown(again)[-1] == ("message", "Still 42.")


@promise("recordings.replay.checked")
@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"step": 9}, "replay.step"),
        ({"step": -1}, "replay.step"),
        ({"results": "odd"}, "replay.results"),
        ({"more": 1}, "replay.more"),
        ({"recording": None}, "replay.recording"),
        ({"recording": {"request": {}, "output": [{"item": {"type": "odd"}}]}}, "replay.recording.output[0].item.type"),
        (
            {"recording": {"request": {}, "input": [{"item": {"type": "item_reference", "id": "x"}}]}},
            "replay.recording.input[0].item",
        ),
        ({"recording": {"request": {}, "functions": [{"name": "x"}]}}, "replay.recording.functions[0].kind"),
        (
            {"recording": {"request": {}, "input": [{"item": {"role": "user", "content": "x"}, "told": {"0": []}}]}},
            "replay.recording.input[0].told.0",
        ),
    ],
)
def test_a_recording_that_is_none_is_refused(
    http: httpx2.Client, client: OpenAI, script: Script, model: str, change: Json, param: str
) -> None:
    script.will(says("One."))
    recording = recorded(http, client.responses.create(model=model, input="q").id)
    body = {"model": model, "replay": {"recording": recording, **copy.deepcopy(change)}}
    answer = http.post("/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text


@promise("recordings.replay.checked")
@pytest.mark.parametrize(
    ("beside", "param"),
    [
        ({"input": "x"}, "input"),
        ({"previous_response_id": "resp_x"}, "previous_response_id"),
        ({"stream": True}, "stream"),
        ({"background": True}, "background"),
        ({"store": True}, "store"),
        ({"conversation": "conv_x"}, "conversation"),
    ],
)
def test_a_replay_has_its_conversation_with_it(
    http: httpx2.Client, client: OpenAI, script: Script, model: str, beside: Json, param: str
) -> None:
    script.will(says("One."))
    recording = recorded(http, client.responses.create(model=model, input="q").id)
    answer = http.post("/responses", json={"model": model, "replay": {"recording": recording}, **beside})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
