"""Codex, the agent of OpenAI, does its work through the server; it speaks for a client that keeps its own history."""

import base64
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.asked import roles, tool_texts
from tests.clients.codex import Codex, needs_codex
from tests.clients.running import example
from tests.clients.tap import Tap
from tests.contract import promise
from tests.process import Server
from tests.upstream import Script, Upstream, calls, says, thinks

Json = dict[str, Any]
StartCodex = Callable[[Server, str], Codex]
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PATCH = "*** Begin Patch\n*** Add File: answer.txt\n+forty-two\n*** End Patch\n"


@pytest.fixture
def start_codex(tmp_path: Path) -> Iterator[StartCodex]:
    """Codex for a server and a model; it asked nobody else for anything."""
    started: list[Codex] = []

    def start(server: Server, model: str) -> Codex:
        started.append(Codex(tmp_path, server, model))
        return started[-1]

    yield start
    for codex in started:
        codex.close()
        assert codex.outside.asked == []


@pytest.fixture
def codex(server: Server, script: Script, log_watch: None, start_codex: StartCodex) -> Codex:
    return start_codex(server, script.model)


def items(events: list[Json], type: str) -> list[Json]:
    """The items of one type, as Codex tells of them."""
    return [event["item"] for event in events if event["type"] == "item.completed" and event["item"]["type"] == type]


def said(events: list[Json]) -> list[str]:
    return [item["text"] for item in items(events, "agent_message")]


@needs_codex
def test_codex_does_what_the_docs_tell_it_with_the_built_in_model(
    server: Server, start_codex: StartCodex, log_watch: None
) -> None:
    codex = start_codex(server, "demo")
    key, program, command, *_, prompt = shlex.split(example("Codex", "sh").replace("\\\n", ""))
    assert (key, program, command) == ("GRAPHNEXUS_API_KEY=any", "codex", "exec")
    events = codex.run(prompt)
    assert (codex.workspace / "answer.txt").read_text() == "forty-two\n"
    assert [item["exit_code"] for item in items(events, "command_execution")] == [0, 0]
    assert "forty-two" in said(events)[0]


@needs_codex
def test_codex_writes_a_file_reads_it_back_and_goes_on_later(codex: Codex, script: Script) -> None:
    script.will(
        calls("exec_command", cmd="printf forty-two > answer.txt"),
        calls("exec_command", cmd="cat answer.txt"),
        lambda ask: says("It says forty-two." if "forty-two" in ask.messages[-1]["content"] else "It does not."),
        says("I wrote and I read."),
    )
    events = codex.run("Write forty-two into answer.txt, then read it back.")
    assert (codex.workspace / "answer.txt").read_text() == "forty-two"
    assert [item["exit_code"] for item in items(events, "command_execution")] == [0, 0]
    assert said(events) == ["It says forty-two."]
    later = codex.run("resume", "--last", "What did you do?")
    assert said(later) == ["I wrote and I read."]
    assert roles(script)[-1][-7:] == ["user", "assistant", "tool", "assistant", "tool", "assistant", "user"]


@needs_codex
def test_codex_patches_and_thinks_with_a_model_it_knows(
    server: Server, upstream: Upstream, start_codex: StartCodex, log_watch: None
) -> None:
    script = upstream.on("gpt-5.5").will(
        thinks("A patch will do.", calls("apply_patch", input=PATCH)),
        thinks("Look at it.", calls("exec_command", cmd="cat answer.txt")),
        says("Done."),
    )
    codex = start_codex(server, script.model)
    events = codex.run("Write forty-two into answer.txt, then read it back.")
    assert (codex.workspace / "answer.txt").read_text() == "forty-two\n"
    assert [item["status"] for item in items(events, "file_change")] == ["completed"]
    assert [item["aggregated_output"] for item in items(events, "command_execution")] == ["forty-two\n"]
    thoughts = [message["reasoning_content"] for message in script.last.messages if message["role"] == "assistant"]
    assert thoughts == ["A patch will do.", "Look at it."]
    assert "start: begin_patch hunk+ end_patch" in script.last.tool("apply_patch")["description"]
    assert not script.left and not script.overrun


@needs_codex
def test_codex_calls_tools_in_code_with_a_model_it_knows(
    server: Server, upstream: Upstream, start_codex: StartCodex, log_watch: None
) -> None:
    code = "text((await tools.exec_command({cmd: 'printf forty-two | tee answer.txt'})).output)"
    script = upstream.on("gpt-6-sol").will(calls("functions__exec", input=code), says("Done."))
    codex = start_codex(server, script.model)
    events = codex.run("Write forty-two into answer.txt.")
    assert (codex.workspace / "answer.txt").read_text() == "forty-two"
    assert [item["exit_code"] for item in items(events, "command_execution")] == [0]
    assert "forty-two" in tool_texts(script)[0]
    assert not script.left and not script.overrun


@needs_codex
def test_codex_shows_the_model_an_image_and_gets_an_answer_in_a_shape(
    codex: Codex, script: Script, tmp_path: Path
) -> None:
    schema = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
    (tmp_path / "schema.json").write_text(json.dumps({**schema, "additionalProperties": False}))
    (codex.workspace / "dot.png").write_bytes(base64.b64decode(DOT))
    script.will(calls("view_image", path=str(codex.workspace / "dot.png")), says('{"color": "red"}'))
    events = codex.run("What is in dot.png?", "--output-schema", str(tmp_path / "schema.json"))
    assert said(events) == ['{"color": "red"}']
    assert script.last.messages[-1]["content"][-1]["image_url"]["url"] == f"data:image/png;base64,{DOT}"
    assert script.last.body["response_format"]["json_schema"]["schema"]["required"] == ["color"]


@needs_codex
def test_codex_asks_again_when_the_model_server_hangs_up(codex: Codex, script: Script) -> None:
    script.will(says("Half of it.").cuts(1), says("All of it."))
    assert said(codex.run("Tell me all."))[-1] == "All of it."


@promise("websocket.codex")
@needs_codex
def test_codex_keeps_one_web_socket_for_a_whole_turn(
    server: Server, script: Script, log_watch: None, start_codex: StartCodex
) -> None:
    tap = Tap(server)
    script.will(
        thinks("I write first.", calls("exec_command", cmd="printf forty-two > answer.txt")),
        calls("exec_command", cmd="cat answer.txt"),
        lambda ask: says("It says forty-two." if "forty-two" in ask.messages[-1]["content"] else "It does not."),
    )
    codex = start_codex(tap, script.model)  # type: ignore[arg-type]  # all it needs of a server is the URL
    events = codex.run("Write forty-two into answer.txt, then read it back.", supports_websockets=True)
    tap.close()
    assert [event["message"] for event in events if event["type"] == "error"] == []
    assert said(events) == ["It says forty-two."]
    assert tap.asked == ["GET /v1/responses HTTP/1.1"]
    assert roles(script)[-1][-5:] == ["user", "assistant", "tool", "assistant", "tool"]
    assert [message.get("reasoning_content") for message in script.last.messages][-4:-2] == ["I write first.", None]


@promise("websocket.codex")
@needs_codex
def test_codex_goes_on_later_over_another_web_socket(codex: Codex, script: Script) -> None:
    script.will(says("Hello."), says("I said hello."))
    codex.run("Say hello.", supports_websockets=True)
    later = codex.run("resume", "--last", "What did you say?", supports_websockets=True)
    assert said(later) == ["I said hello."]
    assert roles(script)[-1][-3:] == ["user", "assistant", "user"]


@promise("websocket.codex")
@needs_codex
def test_codex_asks_again_over_a_web_socket_when_the_model_server_hangs_up(codex: Codex, script: Script) -> None:
    script.will(says("Half of it.").cuts(1), says("All of it."))
    assert said(codex.run("Tell me all.", supports_websockets=True))[-1] == "All of it."
