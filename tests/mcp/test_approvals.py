"""Calls that wait for a yes: with a stored history, with one of the client's own, and answered more than once."""

from typing import Any

import openai
import pytest
from openai import OpenAI

from tests import mcp_servers
from tests.contract import promise
from tests.mcp.approving import answer, guarded, types
from tests.mcp.told import told
from tests.upstream import Script, calls, says


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
    with pytest.raises(openai.BadRequestError, match="is not among the 'tools'"):
        client.responses.create(model=model, previous_response_id=asked.id, input=[answer(asked.output[-1])])
