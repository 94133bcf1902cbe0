"""The hosted tool `mcp`, against real servers: what is listed, called, shown, and told to the model."""

import json
from typing import Any

import pytest
from openai import OpenAI

from tests import mcp_servers
from tests.conftest import Tell
from tests.contract import promise
from tests.mcp.told import told
from tests.mcp_servers import PIXEL
from tests.told import kinds, output, text_of
from tests.upstream import Script, calls, says, together

LIST = ["output_item.added", "mcp_list_tools.in_progress", "mcp_list_tools.completed", "output_item.done"]
ARGUMENTS = ["mcp_call_arguments.delta", "mcp_call_arguments.done"]
CALL = ["output_item.added", "mcp_call.in_progress", *ARGUMENTS, "mcp_call.completed", "output_item.done"]


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
    tools: Any = [fast.tool(headers={"X-Key": "of its own"})]
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
    assert told(script)[0].endswith("\n[cut: 1100000 of 1200000 characters are not shown]")
