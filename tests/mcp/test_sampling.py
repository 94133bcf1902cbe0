"""MCP servers that ask the response's model during a call: when the operator lets them, and within limits."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from openai import OpenAI

from graph.consulting import Said
from nodes.mcp.attending import Attendant
from nodes.mcp.limits import Limits
from nodes.mcp.sampling import Sampling
from nodes.mcp.session import Sessions
from nodes.mcp.target import Target
from nodes.reach import Reach
from tests import mcp_servers
from tests.conftest import check_log, client_of
from tests.contract import promise
from tests.mcp.approving import answer, guarded, requests_of
from tests.mcp.test_session import text_of
from tests.mcp.told import told
from tests.process import Server
from tests.recorder import Recorder
from tests.upstream import Script, Upstream, calls, fails, says, together

Json = dict[str, Any]
NOTHING = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.fixture(scope="module")
def asked_first(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets MCP servers ask during approved calls."""
    ours = Server(tmp_path_factory.mktemp("asked"), upstream.url, GRAPHNEXUS_MCP_SAMPLING="ask").start()
    yield ours
    ours.kill()
    check_log(ours.log())


@pytest.fixture(scope="module")
def always(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ours = Server(tmp_path_factory.mktemp("always"), upstream.url, GRAPHNEXUS_MCP_SAMPLING="always").start()
    yield ours
    ours.kill()
    check_log(ours.log())


@promise("mcp.sampling.refused")
def test_servers_are_not_told_that_they_may_ask_and_may_not(
    client: OpenAI, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    script.will(together(("may_think", {}), ("think", {})), says("No."))
    client.responses.create(model=model, input="q", tools=[asking.tool()])  # type: ignore[list-item]
    assert told(script) == ["False", "refused: Sampling not supported"]


@promise("mcp.sampling.refused", "mcp.sampling.asked")
def test_during_an_approved_call_they_may_where_that_is_enough(
    asked_first: Server, recorder: Recorder, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    script.will(calls("think"), says("No."), calls("think"), says("A thought."), says("Yes."))
    with client_of(asked_first, recorder) as client:
        client.responses.create(model=model, input="q", tools=[asking.tool()])  # type: ignore[list-item]
        assert told(script) == ["refused: The model may not be asked during this call."]
        asked = client.responses.create(model=model, input="q", tools=[guarded(asking)])
        yes: Any = answer(requests_of(asked)[0])
        client.responses.create(model=model, input=[yes], tools=[guarded(asking)], previous_response_id=asked.id)
    assert told(script) == [f"assistant: A thought. (endTurn, {model})"]


@promise("mcp.sampling.asked")
def test_what_a_server_asks_is_answered_by_the_model_of_the_response_and_counted(
    always: Server, recorder: Recorder, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    cost = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    rest = {"prompt_tokens": 1, "completion_tokens": 7, "total_tokens": 8}
    first = replace(calls("think", tokens=77), usage=NOTHING)
    script.will(first, says("A thought.", usage=cost), says("Done.", usage=rest))
    with client_of(always, recorder) as client:
        response = client.responses.create(model=model, input="q", tools=[asking.tool()])  # type: ignore[list-item]
    question = script.seen[1]
    assert question.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What? xxxxx"},
    ]
    assert {key: question.body.get(key) for key in ("max_tokens", "temperature", "stop", "tools")} == {
        "max_tokens": 77, "temperature": 0.5, "stop": ["END"], "tools": None,
    }  # fmt: skip
    assert told(script) == [f"assistant: A thought. (endTurn, {model})"]
    assert [item.type for item in response.output] == ["mcp_list_tools", "mcp_call", "message"]
    assert response.usage
    assert (response.usage.input_tokens, response.usage.output_tokens) == (101, 17)


@promise("mcp.sampling.asked")
def test_what_a_server_asks_counts_against_the_limit_of_the_response(
    always: Server, recorder: Recorder, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    cost = {"prompt_tokens": 9, "completion_tokens": 60, "total_tokens": 69}
    script.will(replace(calls("think"), usage=NOTHING), says("A long thought.", usage=cost))
    tools: Any = [asking.tool()]
    with client_of(always, recorder) as client:
        response = client.responses.create(model=model, input="q", tools=tools, max_output_tokens=50)
    assert response.incomplete_details and response.incomplete_details.reason == "max_output_tokens"
    assert response.usage and response.usage.output_tokens == 60


@promise("mcp.sampling.asked")
def test_it_counts_too_where_the_model_is_not_asked_again(
    always: Server, recorder: Recorder, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    cost = {"prompt_tokens": 9, "completion_tokens": 60, "total_tokens": 69}
    first = replace(together(("think", {}), ("weather", {})), usage=NOTHING)
    script.will(first, says("A long thought.", usage=cost))
    tools: Any = [asking.tool(), {"type": "function", "name": "weather", "parameters": {"type": "object"}}]
    with client_of(always, recorder) as client:
        response = client.responses.create(model=model, input="q", tools=tools)
    assert response.output[-1].type == "function_call"
    assert response.usage and response.usage.output_tokens == 60


@promise("mcp.sampling.refused")
def test_a_model_that_fails_is_told_to_the_server_and_the_response_goes_on(
    always: Server, recorder: Recorder, script: Script, model: str, asking: mcp_servers.Server
) -> None:
    script.will(calls("think"), fails(400, "secrets of the model server"), says("Done."))
    with client_of(always, recorder) as client:
        response = client.responses.create(model=model, input="q", tools=[asking.tool()])  # type: ignore[list-item]
    assert told(script) == ["refused: The model did not answer."]
    assert response.status == "completed"


@promise("mcp.sampling.bounded")
async def test_a_call_asks_so_much_and_no_more(asking: mcp_servers.Server) -> None:
    asked: list[Json] = []

    async def consult(messages: Any, options: Json) -> Said:
        asked.append(options)
        return Said("Hm.", "length", "m")

    limits = Limits(samples=3, sample_tokens=150, sample_chars=1000)
    opened = Sessions(limits, Reach(loopback=True), sampling=True)
    sampling = Sampling("always", consult, limits)

    async def think(**arguments: int) -> str:
        call = Attendant(sample=sampling.of(Shown()))
        return text_of(await opened.call(Target(asking.url), "think", arguments, call))

    heard, spent = "assistant: Hm. (maxTokens, m)", "refused: This call has asked the model as much as one call may."
    try:
        assert await think(times=5, tokens=10) == "; ".join([heard, heard, heard, spent, spent])
        assert await think(times=3, tokens=100) == "; ".join([heard, heard, spent])
        assert [options["max_tokens"] for options in asked] == [10, 10, 10, 100, 50]
        assert await think(length=1000) == "refused: A question of more than 1000 characters."
        assert "for one token or more" in await think(tokens=0)
    finally:
        await opened.close()


@promise("mcp.sampling.asked", "mcp.cancel")
async def test_while_the_model_thinks_other_calls_go_on_and_a_cancelled_call_asks_no_more(
    asking: mcp_servers.Server,
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def consult(messages: Any, options: Json) -> Said:
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return Said("", None, "m")

    opened = Sessions(Limits(), Reach(loopback=True), sampling=True)
    call = Attendant(sample=Sampling("always", consult, Limits()).of(Shown()))
    try:
        thinking = asyncio.create_task(opened.call(Target(asking.url), "think", {}, call))
        async with asyncio.timeout(5):
            await begun.wait()
            assert text_of(await opened.call(Target(asking.url), "march", {"steps": 1, "step_s": 0})) == "there"
            thinking.cancel()
            await ended.wait()
            assert text_of(await opened.call(Target(asking.url), "march", {"steps": 1, "step_s": 0})) == "there"
    finally:
        await opened.close()


@promise("mcp.sampling.refused")
async def test_a_question_that_goes_wrong_harms_no_other_call(asking: mcp_servers.Server) -> None:
    async def consult(messages: Any, options: Json) -> Said:
        raise LookupError("nobody has thought of this")

    opened = Sessions(Limits(), Reach(loopback=True), sampling=True)
    call = Attendant(sample=Sampling("always", consult, Limits()).of(Shown()))
    try:
        marching = asyncio.create_task(opened.call(Target(asking.url), "march", {"steps": 1, "step_s": 0.5}))
        assert text_of(await opened.call(Target(asking.url), "think", {}, call)) == "refused: The model did not answer."
        assert text_of(await marching) == "there"
    finally:
        await opened.close()


class Shown:
    """The item of a call nobody has approved."""

    id = "mcp_1"
    begun = False
    approved = False
    values = None

    def phase(self, name: str) -> None: ...

    def event(self, stem: str, **fields: Any) -> None: ...
