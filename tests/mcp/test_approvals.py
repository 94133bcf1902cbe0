"""Calls that wait for a yes: with a stored history, with one of the client's own, and answered more than once."""

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests import mcp_servers
from tests.conftest import Tell
from tests.contract import promise
from tests.mcp.approving import answer, guarded, types
from tests.mcp.told import told
from tests.process import Server
from tests.sockets import talking
from tests.told import final, kinds
from tests.upstream import Script, calls, says, together

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def asked(client: OpenAI, script: Script, model: str, fast: mcp_servers.Server) -> Any:
    """A response that waits for a yes."""
    script.will(calls("fast_tool", text="a"))
    return client.responses.create(model=model, input="Use the tool.", tools=[guarded(fast)])


@promise("approvals.asked")
def test_a_call_that_needs_a_yes_ends_the_response(asked: Any, fast: mcp_servers.Server) -> None:
    assert types(asked) == ["mcp_list_tools", "mcp_approval_request"]
    assert asked.status == "completed"
    request = asked.output[-1]
    assert (request.name, request.server_label, request.arguments) == ("fast_tool", "fast", '{"text": "a"}')
    assert request.id.startswith("mcpr_")


@promise("approvals.answered")
def test_a_yes_makes_the_call(client: OpenAI, script: Script, model: str, asked: Any, fast: mcp_servers.Server) -> None:
    script.will(says("Done."))
    request = asked.output[-1]
    response = client.responses.create(
        model=model, previous_response_id=asked.id, input=[answer(request)], tools=[guarded(fast)]
    )
    assert types(response) == ["mcp_call", "message"]
    call = response.output[0]
    assert (call.approval_request_id, call.status, call.output) == (request.id, "completed", "fast: a")
    assert told(script) == ["fast: a"]


@promise("approvals.answered")
def test_a_no_is_told_to_the_model(
    client: OpenAI, script: Script, model: str, asked: Any, fast: mcp_servers.Server
) -> None:
    script.will(says("As you wish."))
    no = answer(asked.output[-1], approve=False, reason="Too dear.")
    response = client.responses.create(model=model, previous_response_id=asked.id, input=[no])
    assert types(response) == ["message"]
    assert told(script) == ["The user did not approve this call. Reason: Too dear."]


@promise("approvals.stateless")
def test_a_client_may_keep_the_history_itself(
    client: OpenAI, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    tool = guarded(fast)
    script.will(calls("fast_tool", text="b"), says("Done."), says("Again."))
    given: list[Any] = [{"role": "user", "content": "Use the tool."}]
    first = client.responses.create(model=model, input=given, tools=[tool], store=False)
    given += [item.to_dict() for item in first.output] + [answer(first.output[-1])]
    second = client.responses.create(model=model, input=given, tools=[tool], store=False)
    assert types(second) == ["mcp_call", "message"]
    given += [item.to_dict() for item in second.output] + [{"role": "user", "content": "And?"}]
    third = client.responses.create(model=model, input=given, tools=[tool], store=False)
    assert types(third) == ["message"]
    assert told(script) == ["fast: b"]


@promise("approvals.once")
def test_one_answer_counts_once(
    client: OpenAI, script: Script, model: str, asked: Any, fast: mcp_servers.Server
) -> None:
    request, before = asked.output[-1], fast.counts()["tools/call"]
    again: Any = {"model": model, "previous_response_id": asked.id, "tools": [guarded(fast)]}
    script.will(says("Done."), says("Done again."))
    first = client.responses.create(**again, input=[answer(request)])
    second = client.responses.create(**again, input=[answer(request)])
    assert second.output[0].to_dict() | {"id": ""} == first.output[0].to_dict() | {"id": ""}
    assert fast.counts()["tools/call"] == before + 1
    with pytest.raises(openai.BadRequestError, match="was already approved") as refused:
        client.responses.create(**again, input=[answer(request, approve=False)])
    assert refused.value.param == "input"


@promise("approvals.checked")
def test_an_unanswered_request_and_an_answer_to_nothing_are_refused(
    client: OpenAI, model: str, asked: Any, fast: mcp_servers.Server
) -> None:
    again: Any = {"model": model, "previous_response_id": asked.id, "tools": [guarded(fast)]}
    with pytest.raises(openai.BadRequestError, match="No approval response found for approval request mcpr_"):
        client.responses.create(**again, input="Never mind.")
    nobody = {"type": "mcp_approval_response", "approval_request_id": "mcpr_nobody", "approve": True}
    with pytest.raises(openai.BadRequestError, match="No approval request found for approval response"):
        client.responses.create(**again, input=[nobody])
    with pytest.raises(openai.BadRequestError, match="expected an object") as refused:
        client.responses.create(**again, input=[answer(asked.output[-1], values="x")])
    assert refused.value.param == "input[0].values"
    with pytest.raises(openai.BadRequestError, match="is not among the 'tools'"):
        client.responses.create(model=model, previous_response_id=asked.id, input=[answer(asked.output[-1])])


# ---------------------------------------------------------------- side by side


@promise("approvals.mixed", "stream.order.mcp_call")
def test_calls_of_one_turn_wait_or_run_each_for_itself(
    client: OpenAI, tell: Tell, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    tools = [fast.tool(require_approval={"always": {"tool_names": ["both"]}, "never": {"read_only": True}}), WEATHER]
    script.will(
        together(("both", {"text": "1"}), ("fast_tool", {"text": "2"}), ("weather", {}), ("both", {"text": "3"}))
    )
    events = tell(input="Use the tools.", tools=tools)
    asked = final(events)
    assert [item["type"] for item in asked["output"]] == [
        "mcp_list_tools", "mcp_approval_request", "mcp_call", "function_call", "mcp_approval_request"
    ]  # fmt: skip
    for request in (asked["output"][1], asked["output"][4]):
        about = [event for event in events if event.get("item", {}).get("id") == request["id"]]
        assert [event["type"] for event in about] == ["response.output_item.added", "response.output_item.done"]
        assert about[0]["item"] == about[1]["item"] == request
        assert not [event for event in events if event.get("item_id") == request["id"]]

    one, sunny, three = asked["output"][1], asked["output"][3]["call_id"], asked["output"][4]
    answers: Any = [answer(three["id"]), answer(one["id"], approve=False)]
    again: Any = {"model": model, "previous_response_id": asked["id"], "tools": tools}
    with pytest.raises(openai.BadRequestError, match="No tool output found for function call"):
        client.responses.create(**again, input=answers)
    output: Any = {"type": "function_call_output", "call_id": sunny, "output": "sunny"}
    with pytest.raises(openai.BadRequestError, match="No approval response found for approval request"):
        client.responses.create(**again, input=[output, answer(one["id"], approve=False)])
    script.will(says("Done."))
    response = client.responses.create(**again, input=[output, answer(one["id"]), answer(three["id"], approve=False)])
    assert types(response) == ["mcp_call", "message"]  # what was refused as a whole has decided nothing
    assert set(told(script)) == {"fast both: 1", "fast: 2", "sunny", "The user did not approve this call."}


@promise("approvals.mixed", "stream.order.mcp_call")
def test_the_call_comes_first_in_the_stream_that_brings_the_yes(
    tell: Tell, script: Script, asked: Any, fast: mcp_servers.Server
) -> None:
    script.will(says("Done."))
    events = tell(previous_response_id=asked.id, input=[answer(asked.output[-1])], tools=[guarded(fast)])
    assert kinds(events)[:9] == [
        "created", "in_progress", "output_item.added", "mcp_call.in_progress", "mcp_call_arguments.delta",
        "mcp_call_arguments.done", "mcp_call.completed", "output_item.done", "output_item.added",
    ]  # fmt: skip
    assert events[2]["item"]["approval_request_id"] == asked.output[-1].id


@promise("approvals.mixed")
def test_an_approved_call_counts_and_obeys_a_choice(
    client: OpenAI, script: Script, model: str, asked: Any, fast: mcp_servers.Server
) -> None:
    script.will(calls("fast_tool", text="more"), says("Done."))
    choice: Any = {"type": "mcp", "server_label": "fast", "name": "fast_tool"}
    again: Any = {"model": model, "previous_response_id": asked.id, "tools": [fast.tool()]}
    response = client.responses.create(**again, input=[answer(asked.output[-1])], max_tool_calls=1, tool_choice=choice)
    assert types(response) == ["mcp_call", "message"]
    assert "tool_choice" not in script.last.body
    script.will(calls("fast_tool", text="forced"))
    forced = client.responses.create(model=model, input="q", tools=[guarded(fast)], tool_choice=choice)
    assert script.last.body["tool_choice"]["function"]["name"] == "fast_tool"
    assert types(forced) == ["mcp_list_tools", "mcp_approval_request"]


@promise("approvals.answered", "approvals.once")
def test_branches_and_conversations_go_on_from_one_yes(
    client: OpenAI, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    conversation = client.conversations.create().id
    script.will(calls("both", text="c"), says("Done."), says("And?"), says("Branch."))
    tools = [guarded(fast)]
    asked = client.responses.create(model=model, input="Use it.", tools=tools, conversation=conversation)
    aside: Any = {"type": "message", "role": "user", "content": "By the way."}
    client.conversations.items.create(conversation, items=[aside])
    before = fast.counts()["tools/call"]
    yes = answer(asked.output[-1])
    response = client.responses.create(model=model, input=[yes], tools=tools, conversation=conversation)
    assert types(response) == ["mcp_call", "message"]
    assert [message["role"] for message in script.last.messages] == ["user", "assistant", "tool", "user"]
    more = client.responses.create(model=model, input="And?", tools=tools, conversation=conversation)
    assert types(more) == ["message"]
    branch = client.responses.create(model=model, previous_response_id=asked.id, tools=tools)
    assert types(branch) == ["mcp_call", "message"]
    assert told(script) == ["fast both: c"]
    assert fast.counts()["tools/call"] == before + 1

    script.will(calls("both", text="d"), says("Done."))
    asked = client.responses.create(model=model, input="Again.", tools=tools, conversation=conversation)
    given: Any = [answer(asked.output[-1])]
    client.conversations.items.create(conversation, items=given)
    response = client.responses.create(model=model, input="Go on.", tools=tools, conversation=conversation)
    assert types(response) == ["mcp_call", "message"]
    assert told(script)[-1] == "fast both: d"


@promise("approvals.stateless")
def test_a_web_socket_asks_and_is_answered(
    server: Server, log_watch: None, script: Script, model: str, fast: mcp_servers.Server
) -> None:
    script.will(calls("fast_tool", text="w"), says("Done."))
    with talking(server) as talk:
        asked = talk.ask(model=model, input="Use it.", tools=[guarded(fast)], store=False)
        yes = answer(asked["output"][-1]["id"])
        done = talk.ask(model=model, input=[yes], tools=[guarded(fast)], store=False, previous_response_id=asked["id"])
    assert [item["type"] for item in done["output"]] == ["mcp_call", "message"]
    assert done["output"][0]["output"] == "fast: w"


@promise("approvals.sdk")
@pytest.mark.parametrize("approve", [True, False])
async def test_openai_agents_asks_its_function(
    async_client: AsyncOpenAI, script: Script, model: str, fast: mcp_servers.Server, approve: bool
) -> None:
    from agents import Agent, HostedMCPTool, OpenAIResponsesModel, RunConfig, Runner

    seen: list[Any] = []

    def decide(request: Any) -> Any:
        seen.append((request.data.name, request.data.arguments))
        return {"approve": approve, **({} if approve else {"reason": "Not today."})}

    hosted = HostedMCPTool(tool_config=guarded(fast), on_approval_request=decide)
    responses = OpenAIResponsesModel(model=model, openai_client=async_client)
    agent = Agent(name="Careful", model=responses, tools=[hosted])
    script.will(calls("fast_tool", text="sdk"), says("Done."))
    ran = await Runner.run(agent, "Use the tool.", run_config=RunConfig(tracing_disabled=True))
    assert (ran.final_output, seen) == ("Done.", [("fast_tool", '{"text": "sdk"}')])
    assert told(script) == ["fast: sdk" if approve else "The user did not approve this call. Reason: Not today."]
