"""The hosted tool `mcp`, against real MCP servers: what is listed, called, shown, and told to the model."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from nodes.mcp.addresses import Reach, is_public
from tests import mcp_servers
from tests.conftest import StartServer, Tell, client_of
from tests.contract import promise
from tests.mcp_servers import PIXEL
from tests.process import Server
from tests.recorder import Recorder
from tests.told import kinds, output, text_of
from tests.upstream import Script, calls, says, together

Json = dict[str, Any]
SECRET = "sk-mcp-8e1f2a6b9c"
LIST = ["output_item.added", "mcp_list_tools.in_progress", "mcp_list_tools.completed", "output_item.done"]
ARGUMENTS = ["mcp_call_arguments.delta", "mcp_call_arguments.done"]
CALL = ["output_item.added", "mcp_call.in_progress", *ARGUMENTS, "mcp_call.completed", "output_item.done"]
FAILED_CALL = ["output_item.added", "mcp_call.in_progress", *ARGUMENTS, "mcp_call.failed", "output_item.done"]


@pytest.fixture(scope="module")
def fast() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("fast") as server:
        yield server


@pytest.fixture(scope="module")
def slow() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("slow") as server:
        yield server


@pytest.fixture(scope="module")
def failing() -> Iterator[mcp_servers.Server]:
    with mcp_servers.serve("failing") as server:
        yield server


def answers_told(script: Script) -> list[str]:
    """What the tools said, as the model was last told."""
    return [message["content"] for message in script.last.messages if message["role"] == "tool"]


def wait_until(holds: Callable[[], bool], limit_s: float = 10) -> None:
    until = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.02)


# ---------------------------------------------------------------- listing and calling


@promise("mcp.parallel", "stream.order.mcp_call", "stream.order.mcp_list_tools")
def test_calls_of_one_turn_run_at_once_and_are_shown_one_after_the_other(
    tell: Tell, script: Script, fast: mcp_servers.Server, slow: mcp_servers.Server
) -> None:
    asked = (("slow_tool", {"seconds": 1.2}), ("fast_tool", {"text": "a", "seconds": 0.8}))
    script.will(together(*asked, interleave=True), says("Both answered."))
    events = tell(input="q", tools=[slow.tool(), fast.tool()])
    asked_first, asked_again = script.seen
    assert 1.2 < asked_again.at - asked_first.at < 1.9, "one after the other would take 2 s"
    message = kinds(events)[2 + 2 * len(LIST) + 2 * len(CALL) : -1]
    assert kinds(events) == ["created", "in_progress", *LIST, *LIST, *CALL, *CALL, *message, "completed"]
    assert [item["type"] for item in output(events)] == ["mcp_list_tools"] * 2 + ["mcp_call"] * 2 + ["message"]
    shown = [(item["server_label"], item["name"], item["output"]) for item in output(events)[2:4]]
    assert shown == [("slow", "slow_tool", "slow: 1.2"), ("fast", "fast_tool", "fast: a")]
    assert text_of(events[-1]["response"]) == "Both answered."


@promise("mcp.call")
def test_the_model_reads_what_the_tools_said_in_its_next_turn(
    client: OpenAI, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    asked = (("fast_tool", {"text": "a"}), ("fast_tool", {"text": "b"}))
    script.will(together(*asked), says("a and b"))
    response = client.responses.create(model=model, input="q", tools=[fast.tool()])  # type: ignore[list-item]
    _, assistant, *answers = script.last.messages
    assert [call["function"]["name"] for call in assistant["tool_calls"]] == ["fast_tool", "fast_tool"]
    assert [call["id"] for call in assistant["tool_calls"]] == [answer["tool_call_id"] for answer in answers]
    assert [answer["content"] for answer in answers] == ["fast: a", "fast: b"]
    assert response.output_text == "a and b"


@promise("mcp.list")
def test_listed_tools_are_shown_and_offered_with_their_schema(
    tell: Tell, script: Script, fast: mcp_servers.Server
) -> None:
    script.will(says("Hello."))
    listed = output(tell(input="q", tools=[fast.tool()]))[0]
    tools = {tool["name"]: tool for tool in listed["tools"]}
    assert listed["server_label"] == "fast"
    assert (tools["fast_tool"]["annotations"], tools["both"]["annotations"]) == (
        {"read_only": True},
        {"read_only": False},
    )
    offered = script.last.tool("fast_tool")
    assert offered["parameters"] == tools["fast_tool"]["input_schema"]
    assert offered["description"] == "Answers at once, unless asked to take its time."


@promise("mcp.list.once", "mcp.session.kept")
def test_tools_are_listed_once_and_the_session_is_kept_between_calls_and_responses(
    client: OpenAI, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    once = calls("fast_tool", text="x")
    script.will(once, once, says("First."), once, says("Second."), once, says("Third."))
    tools: Any = [fast.tool()]
    before = fast.counts()
    first = client.responses.create(model=model, input="q", tools=tools)
    listed = fast.counts() - before
    assert (listed["tools/list"], listed["tools/call"]) == (1, 2)
    second = client.responses.create(model=model, input="again", tools=tools, previous_response_id=first.id)
    given: Any = [*first.to_dict()["output"], {"role": "user", "content": "again"}]  # type: ignore[misc]
    third = client.responses.create(model=model, input=given, tools=tools, store=False)
    grown = fast.counts() - before
    assert (grown["tools/list"], grown["tools/call"]) == (1, 4)
    assert grown["initialize"] <= 1
    for response in (second, third):
        assert [item.type for item in response.output] == ["mcp_call", "message"]


@promise("mcp.allowed_tools")
@pytest.mark.parametrize(
    ("allowed", "names"),
    [(["both", "long"], ["both", "long"]), ({"tool_names": ["long"]}, ["long"]), ({"read_only": True}, ["fast_tool"])],
)
def test_only_allowed_tools_are_listed_and_offered(
    tell: Tell, script: Script, fast: mcp_servers.Server, allowed: Any, names: list[str]
) -> None:
    script.will(calls("picture"), says("Then not."))
    events = tell(input="q", tools=[fast.tool(allowed_tools=allowed)])
    assert [tool["name"] for tool in output(events)[0]["tools"]] == names == script.last.tool_names()
    assert [item["type"] for item in output(events)] == ["mcp_list_tools", "message"]


@promise("mcp.names")
def test_tools_of_one_name_are_told_apart_for_the_model_and_keep_it_on_the_wire(
    tell: Tell, script: Script, fast: mcp_servers.Server, slow: mcp_servers.Server, failing: mcp_servers.Server
) -> None:
    script.will(
        together(("fast__both", {"text": "1"}), ("slow__both", {"text": "2"}), ("failing__odd_name__", {})), says(".")
    )
    shown = output(tell(input="q", tools=[fast.tool(), slow.tool(), failing.tool()]))[3:6]
    assert [(item["server_label"], item["name"]) for item in shown] == [
        ("fast", "both"), ("slow", "both"), ("failing", "odd name/ü"),
    ]  # fmt: skip
    assert [item["output"] for item in shown] == ["fast both: 1", "slow both: 2", "nul::"]


@promise("mcp.names")
def test_a_tool_does_not_take_the_name_of_a_function_of_the_caller(
    client: OpenAI, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(together(("fast__both", {"text": "1"}), ("both", {})))
    own: Any = {"type": "function", "name": "both", "parameters": {"type": "object", "properties": {}}}
    response = client.responses.create(model=model, input="q", tools=[own, fast.tool()])
    assert sorted(script.last.tool_names()) == ["both", "fast__both", "fast_tool", "long", "picture"]
    assert [(item.type, getattr(item, "name", None)) for item in response.output] == [
        ("mcp_list_tools", None), ("mcp_call", "both"), ("function_call", "both"),
    ]  # fmt: skip


@promise("mcp.images")
def test_an_image_a_tool_returns_reaches_the_model(tell: Tell, script: Script, fast: mcp_servers.Server) -> None:
    script.will(calls("picture"), says("A pixel."))
    call = output(tell(input="q", tools=[fast.tool()]))[1]
    assert call["output"].startswith("Look:\n[image: image/png, ")
    assert PIXEL in json.dumps(script.last.messages)
    assert PIXEL not in json.dumps(call)


@promise("mcp.capped")
def test_a_long_result_is_cut_and_says_how_much_is_missing(
    tell: Tell, script: Script, fast: mcp_servers.Server
) -> None:
    script.will(calls("long", chars=1_200_000), says("Long."))
    call = output(tell(input="q", tools=[fast.tool()]))[1]
    assert call["output"].endswith("\n[cut: 200000 of 1200000 characters are not shown]")
    assert answers_told(script)[0].endswith("\n[cut: 1100000 of 1200000 characters are not shown]")


# ---------------------------------------------------------------- failures


@promise("mcp.failure.told")
def test_a_tool_that_fails_is_told_to_the_model_and_the_response_completes(
    tell: Tell, script: Script, failing: mcp_servers.Server
) -> None:
    script.will(calls("explode"), says("It failed."))
    events = tell(input="q", tools=[failing.tool()])
    call = output(events)[1]
    assert kinds(events)[6:12] == FAILED_CALL
    assert (call["status"], call["output"], call["error"]["type"]) == ("failed", None, "mcp_tool_execution_error")
    assert "The fuse is wet." in call["error"]["content"][0]["text"]
    assert "The fuse is wet." in answers_told(script)[0]
    assert events[-1]["response"]["status"] == "completed"


@promise("mcp.failure.told")
def test_one_http_error_leaves_the_other_calls_of_the_session_alone(
    tell: Tell, script: Script, failing: mcp_servers.Server
) -> None:
    script.will(together(("patient", {"seconds": 0.5}), ("http_500", {})), says("One of two."))
    before = failing.counts()
    patient, broken = output(tell(input="q", tools=[failing.tool()]))[1:3]
    assert patient["output"] == "patient"
    message = "The MCP server answered with HTTP status 500 (Internal Server Error)."
    assert broken["error"] == {"type": "http_error", "code": 500, "message": message}
    assert (failing.counts() - before)["initialize"] <= 1


@promise("mcp.failure.told")
def test_arguments_that_are_not_json_fail_the_call_and_the_model_may_try_again(
    tell: Tell, script: Script, fast: mcp_servers.Server
) -> None:
    script.will(calls("fast_tool", '{"text": '), calls("fast_tool", text="better"), says("Better."))
    before = fast.counts()
    broken, mended = output(tell(input="q", tools=[fast.tool()]))[1:3]
    assert (broken["status"], broken["arguments"]) == ("failed", '{"text": ')
    assert mended["output"] == "fast: better"
    assert (fast.counts() - before)["tools/call"] == 1


@promise("mcp.failure.lost", "mcp.session.renewed")
def test_a_server_that_dies_in_a_call_is_told_to_the_model_and_works_again_when_it_is_back(
    client: OpenAI, script: Script, model: str
) -> None:
    with mcp_servers.serve("failing") as doomed:
        script.will(calls("die"), calls("patient"), says("Gone."), calls("patient", seconds=0), says("Back."))
        tools: Any = [doomed.tool()]
        first = client.responses.create(model=model, input="q", tools=tools)
        lost, refused = first.to_dict()["output"][1:3]  # type: ignore[index]
        assert lost["error"]["message"] == "The connection to the MCP server was lost."  # type: ignore[index]
        assert refused["error"]["message"] == "The MCP server could not be reached."  # type: ignore[index]
        doomed.restart()
        second = client.responses.create(model=model, input="q", tools=tools, previous_response_id=first.id)
        assert second.to_dict()["output"][0]["output"] == "patient"  # type: ignore[index]


@promise("mcp.session.renewed")
def test_a_server_that_was_restarted_gets_one_new_session(client: OpenAI, script: Script, model: str) -> None:
    with mcp_servers.serve("fast") as moody:
        script.will(
            calls("fast_tool", text="a"), says("."), together(("fast_tool", {"text": "b"}), ("both", {})), says(".")
        )
        tools: Any = [moody.tool()]
        first = client.responses.create(model=model, input="q", tools=tools)
        moody.restart()
        second = client.responses.create(model=model, input="q", tools=tools, previous_response_id=first.id)
        assert [item.to_dict().get("output") for item in second.output[:2]] == ["fast: b", "fast both: "]
        assert moody.counts()["initialize"] == 1


@promise("mcp.unreachable")
@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_is_down_is_a_424_before_the_stream(
    client: OpenAI, model: str, slow: mcp_servers.Server, stream: bool
) -> None:
    down = {**slow.tool(), "server_label": "down", "server_url": "http://127.0.0.1:9/mcp"}
    with pytest.raises(openai.APIStatusError) as failed:
        client.responses.create(model=model, input="q", tools=[slow.tool(), down], stream=stream)  # type: ignore[call-overload]
    error: Json = failed.value.body  # type: ignore[assignment]
    assert failed.value.status_code == 424
    assert (error["type"], error["code"], error["param"]) == ("external_connector_error", "http_error", "tools")
    assert error["message"].startswith(
        "Error retrieving tool list from MCP server: 'down'. Http status code: 424 (Failed Dependency)"
    )


@promise("mcp.cancel")
def test_a_reader_who_leaves_cancels_the_call_at_the_server(
    client: OpenAI, script: Script, model: str, slow: mcp_servers.Server
) -> None:
    script.will(calls("slow_tool", seconds=60))
    before = slow.counts()
    with client.responses.create(model=model, input="q", tools=[slow.tool()], stream=True) as events:  # type: ignore[call-overload]
        next(event for event in events if event.type == "response.mcp_call_arguments.done")
        wait_until(lambda: (slow.counts() - before)["tools/call"] == 1)
    wait_until(lambda: (slow.counts() - before)["cancelled"] == 1)
    assert (slow.counts() - before)["notifications/cancelled"] == 1


# ---------------------------------------------------------------- what may be declared


@promise("mcp.secrets")
def test_credentials_reach_the_server_and_nothing_else(
    client: OpenAI, script: Script, model: str, server: Server
) -> None:
    script.will(calls("fast_tool", text="a"), says("Done."))
    with mcp_servers.serve("fast", token=SECRET) as guarded:
        tool: Any = guarded.tool(authorization=SECRET, headers={"X-Api-Key": f"{SECRET}-2"})
        response = client.responses.create(model=model, input="q", tools=[tool])
        stored = client.responses.retrieve(response.id)
        refused: Any = guarded.tool(headers={"Authorization": f"Bearer {SECRET}-wrong"})
        with pytest.raises(openai.APIStatusError, match="401") as failed:
            client.responses.create(model=model, input="q", tools=[refused])
    echoed = response.tools[0].to_dict()
    assert echoed == {
        "type": "mcp", "server_label": "fast", "server_url": guarded.url, "server_description": None,
        "allowed_tools": None, "headers": None, "require_approval": "never",
    }  # fmt: skip
    said = [
        response.to_json(),
        stored.to_json(),
        failed.value.response.text,
        json.dumps([ask.body for ask in script.seen]),
    ]
    assert not any(SECRET in text for text in said)
    kept = [path for path in server.data_dir.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]


@promise("mcp.checked")
@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"server_label": None}, "server_label", "missing_required_parameter"),
        ({"server_label": "1st server"}, "server_label", "invalid_value"),
        ({"server_label": 5}, "server_label", "invalid_type"),
        ({"server_url": None}, "server_url", "missing_required_parameter"),
        ({"server_url": "ftp://example.com/"}, "server_url", "invalid_value"),
        ({"server_url": "http://[::1/"}, "server_url", "invalid_value"),
        ({"server_url": "https://user:pass@example.com/mcp"}, "server_url", "invalid_value"),
        ({"server_url": None, "connector_id": "connector_gmail"}, "connector_id", "unsupported_parameter"),
        ({"server_url": None, "tunnel_id": "t"}, "tunnel_id", "unsupported_parameter"),
        ({"connector_id": "connector_gmail"}, "connector_id", "mutually_exclusive_parameters"),
        ({"require_approval": None}, "require_approval", "unsupported_value"),
        ({"require_approval": "always"}, "require_approval", "unsupported_value"),
        ({"require_approval": "sometimes"}, "require_approval", "invalid_value"),
        ({"require_approval": {"never": {"tool_names": ["a"]}}}, "require_approval", "unsupported_value"),
        ({"require_approval": {"never": {"tool_names": "a"}}}, "require_approval.never.tool_names", "invalid_type"),
        ({"allowed_tools": "fast_tool"}, "allowed_tools", "invalid_type"),
        ({"allowed_tools": {"read_only": "yes"}}, "allowed_tools.read_only", "invalid_type"),
        ({"headers": ["a"]}, "headers", "invalid_type"),
        ({"headers": {"a": 1}}, "headers", "invalid_type"),
        ({"headers": {"a": "b\r\nc: d"}}, "headers", "invalid_value"),
        ({"headers": {"Host": "example.com"}}, "headers", "invalid_value"),
        ({"authorization": 5}, "authorization", "invalid_type"),
        ({"authorization": "t", "headers": {"authorization": "u"}}, "authorization", "mutually_exclusive_parameters"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused_by_name(
    http: httpx2.Client, model: str, change: Json, param: str, code: str
) -> None:
    tool = {"type": "mcp", "server_label": "a", "server_url": "http://127.0.0.1:9/mcp", "require_approval": "never"}
    body = {"model": model, "input": "q", "tools": [{**tool, **change}]}
    answer = http.post("/responses", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (f"tools[0].{param}", code)


@promise("mcp.checked")
def test_approval_rules_that_leave_every_allowed_tool_free_are_accepted(
    client: OpenAI, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(says("1"), says("2"))
    for rule, allowed in (
        ({"never": {"tool_names": ["both", "long"]}}, ["both"]),
        ({"never": {"read_only": True}}, {"read_only": True}),
    ):
        tool: Any = fast.tool(require_approval=rule, allowed_tools=allowed)
        response = client.responses.create(model=model, input="q", tools=[tool])
        assert response.tools[0].to_dict()["require_approval"] == rule


@promise("mcp.checked")
def test_two_servers_of_one_label_are_refused(http: httpx2.Client, model: str, fast: mcp_servers.Server) -> None:
    answer = http.post("/responses", json={"model": model, "input": "q", "tools": [fast.tool(), fast.tool()]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tools")
    assert "'fast'" in answer.json()["error"]["message"]


@promise("mcp.private")
def test_private_addresses_are_refused_where_the_operator_says_so(
    start_server: StartServer, recorder: Recorder, model: str, fast: mcp_servers.Server
) -> None:
    ours = start_server(GRAPHNEXUS_MCP_ALLOW_PRIVATE="false")
    with client_of(ours, recorder) as careful:
        for host in ("127.0.0.1", "localhost", "2130706433"):
            tool: Any = fast.tool(server_url=f"http://{host}:{fast.port}/mcp")
            with pytest.raises(openai.BadRequestError, match="mcp_allow_private") as refused:
                careful.responses.create(model=model, input="q", tools=[tool])
            assert refused.value.param == "tools[0].server_url"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001::1",
    ],
)
def test_addresses_that_lead_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "017700000001", "localhost", "a.localhost.", "::1"])
def test_every_spelling_of_this_machine_is_seen(host: str) -> None:
    assert Reach().plainly_excludes(host)
    assert not Reach(loopback=True).plainly_excludes(host)


def test_loopback_does_not_open_the_rest_of_the_network() -> None:
    assert [Reach(loopback=True).covers(at) for at in ("127.0.0.1", "::1", "10.0.0.1")] == [True, True, False]
    assert Reach(private=True).covers("10.0.0.1")
