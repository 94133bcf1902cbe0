"""MCP servers that fail, die, stall or leave: what the caller sees, and what the model is told."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests import mcp_servers
from tests.conftest import Tell, client_of
from tests.contract import promise
from tests.mcp.told import told
from tests.process import Server
from tests.recorder import Recorder
from tests.told import kinds, output
from tests.upstream import Script, Upstream, calls, says, together

Json = dict[str, Any]
ARGUMENTS = ["mcp_call_arguments.delta", "mcp_call_arguments.done"]
FAILED_CALL = ["output_item.added", "mcp_call.in_progress", *ARGUMENTS, "mcp_call.failed", "output_item.done"]


def wait_until(holds: Callable[[], bool], limit_s: float = 10) -> None:
    until = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.02)


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
    assert "The fuse is wet." in told(script)[0]
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
        assert refused["error"]["message"] in (
            "The MCP server could not be reached.",
            "The connection to the MCP server was lost.",
        )  # type: ignore[index]
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


# ---------------------------------------------------------------- a server of ours without patience


@pytest.fixture(scope="module")
def hasty(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    impatience = {"GRAPHNEXUS_MCP_CONNECT_TIMEOUT_S": "1", "GRAPHNEXUS_MCP_CALL_TIMEOUT_S": "1"}
    ours = Server(tmp_path_factory.mktemp("hasty"), upstream.url, "--hold-created-s", "0", **impatience).start()
    yield ours
    ours.stop()


@promise("mcp.timeout")
def test_a_call_that_takes_too_long_is_given_up_and_told_to_the_model(
    hasty: Server, recorder: Recorder, script: Script, model: str, slow: mcp_servers.Server
) -> None:
    script.will(calls("slow_tool", seconds=60), says("Too slow."))
    before = slow.counts()
    with client_of(hasty, recorder) as client:
        response = client.responses.create(model=model, input="q", tools=[slow.tool()])  # type: ignore[list-item]
    message = "The MCP server did not answer within 1 s."
    assert response.output[1].to_dict()["error"] == {"type": "mcp_protocol_error", "code": -32001, "message": message}
    assert told(script) == [message]
    wait_until(lambda: (slow.counts() - before)["cancelled"] == 1)


@promise("mcp.unreachable", "stream.order.mcp_list_tools")
def test_a_listing_that_fails_after_created_is_an_event(hasty: Server, recorder: Recorder, model: str) -> None:
    with client_of(hasty, recorder) as client, socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/mcp"
        tool: Any = {"type": "mcp", "server_label": "mute", "server_url": url, "require_approval": "never"}
        with pytest.raises(openai.APIError, match="Error retrieving tool list from MCP server: 'mute'"):
            list(client.responses.create(model=model, input="q", tools=[tool], stream=True))
        events = recorder.last.grammar().events
        kept = client.responses.retrieve(events[0]["response"]["id"])
    assert [kept.status, kept.output[0].type] == ["failed", "mcp_list_tools"]
    failed = ["output_item.added", "mcp_list_tools.in_progress", "mcp_list_tools.failed", "output_item.done"]
    assert kinds(events)[:6] == ["created", "in_progress", *failed]
    assert events[5]["item"]["error"] == "The MCP server did not answer within 1 s."
