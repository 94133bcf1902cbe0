"""Steering a response whose tools run on the server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import mcp_servers
from tests.contract import promise
from tests.process import Server
from tests.sockets import Talk, talking
from tests.told import eventually, text_of
from tests.upstream import Script, says, together

Begin = Callable[..., str]
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}


@pytest.fixture
def talk(server: Server, log_watch: None) -> Iterator[Talk]:
    with talking(server) as opened:
        yield opened


@pytest.fixture
def begin(talk: Talk, script: Script, model: str, slow: mcp_servers.Server) -> Begin:
    """Create a response whose tool runs for some seconds; gives its id."""

    def begun(seconds: float, *more: tuple[str, dict[str, Any]]) -> str:
        script.will(together(("slow_tool", {"seconds": seconds}), *more, ids=["call_1", "call_2"]))
        before = slow.counts()
        talk.create(model=model, input="a", tools=[slow.tool(), WEATHER])
        id = talk.until("response.created")["response"]["id"]

        def called() -> None:
            if not (slow.counts() - before)["tools/call"]:
                raise LookupError

        eventually(called, LookupError)
        return id

    return begun


@promise("websocket.steer")
def test_a_tool_that_runs_is_waited_for(talk: Talk, begin: Begin, script: Script) -> None:
    id = begin(0.5)
    script.will(says("done"))
    talk.steer(id, "b")
    stopped, successor = talk.ended(), talk.ended()
    assert stopped["incomplete_details"] == {"reason": "steered"}
    assert [(item["type"], item.get("output")) for item in stopped["output"][1:]] == [("mcp_call", "slow: 0.5")]
    assert text_of(successor) == "done"
    assert [message["content"] for message in script.last.messages if message["role"] != "assistant"] == [
        "a", "slow: 0.5", "b",
    ]  # fmt: skip


@promise("websocket.steer.failed")
def test_too_much_steering_is_given_back(talk: Talk, begin: Begin, script: Script) -> None:
    id = begin(1.0)
    script.will(says("done"))
    for number in range(17):
        talk.steer(id, str(number))
    failed = talk.until("response.steer.failed")
    assert (failed["error"]["code"], failed["steer"]["input"]) == ("too_many_pending_steers", "16")
    talk.ended()
    assert text_of(talk.ended()) == "done"
    assert [message["content"] for message in script.last.messages][-16:] == [str(number) for number in range(16)]


@promise("websocket.steer.pending")
def test_a_response_that_ends_as_it_would_is_completed_and_its_steering_waits(
    talk: Talk, begin: Begin, script: Script, model: str
) -> None:
    id = begin(0.5, ("weather", {}))
    talk.steer(id, "b")
    ended = talk.ended()
    assert ended["status"] == "completed"
    assert [item["type"] for item in ended["output"]] == ["mcp_list_tools", "mcp_call", "function_call"]
    pending = talk.until("response.steer.pending")
    assert pending["required_input"] == [{"type": "function_call_output", "call_id": "call_2", "name": "weather"}]
    script.will(says("done"))
    answer = {"type": "function_call_output", "call_id": "call_2", "output": "sunny"}
    assert text_of(talk.ask(model=model, input=[answer], previous_response_id=id)) == "done"
    assert [message["content"] for message in script.last.messages][-2:] == ["sunny", "b"]
