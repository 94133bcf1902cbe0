"""The hosted shell, asked through the official client; the sandbox is real, the model is scripted."""

import json
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.answers import Answer
from tests.conftest import StartServer, Tell, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.test_code_interpreter import PYTHON, python, told
from tests.told import ended, output
from tests.upstream import Script, calls, says

Json = dict[str, Any]
SHELL: Any = {"type": "shell", "environment": {"type": "container_auto"}}


def shell(*commands: str, **limits: Any) -> Answer:
    return calls("shell", commands=list(commands), **limits)


@promise("shell.stream", "shell.outcomes")
def test_commands_are_shown_and_then_what_they_say_while_they_say_it(tell: Tell, script: Script) -> None:
    script.will(shell("echo one; sleep 0.3; echo two; echo three >&2", "exit 3"), says("Done."))
    events = tell(input="q", tools=[SHELL])
    call, said, message = output(events)
    assert (call["type"], call["status"]) == ("shell_call", "completed")
    assert call["action"]["commands"] == ["echo one; sleep 0.3; echo two; echo three >&2", "exit 3"]
    assert call["environment"]["container_id"].startswith("cntr_")
    assert (said["type"], said["status"], said["call_id"]) == ("shell_call_output", "completed", call["call_id"])
    assert said["output"] == [
        {"stdout": "one\ntwo\n", "stderr": "three\n", "outcome": {"type": "exit", "exit_code": 0}},
        {"stdout": "", "stderr": "", "outcome": {"type": "exit", "exit_code": 3}},
    ]
    deltas = [event["delta"] for event in events if event["type"] == "response.shell_call_output_content.delta"]
    assert {"stdout": "one\n"} in deltas, "it was said before the second"
    assert json.loads(told(script)) == said["output"]
    assert message["content"][0]["text"] == "Done."


@promise("shell.state")
def test_files_stay_beside_those_of_the_code_interpreter(client: OpenAI, script: Script, model: str) -> None:
    tools = [SHELL, PYTHON]
    script.will(shell("echo hello > a.txt"), python("print(open('/mnt/data/a.txt').read())"), says("ok"))
    first = client.responses.create(model=model, input="q", tools=tools)
    assert "hello" in told(script), "two tools of one response have one container"
    script.will(shell("cat a.txt"), says("[a](sandbox:/mnt/data/a.txt)"))
    second = client.responses.create(model=model, input="q", tools=tools, previous_response_id=first.id)
    assert json.loads(told(script))[0]["stdout"] == "hello\n"
    [cited] = second.to_dict()["output"][-1]["content"][0]["annotations"]  # type: ignore[index]
    found = client.containers.files.content.retrieve(cited["file_id"], container_id=cited["container_id"])  # type: ignore[index]
    assert found.read() == b"hello\n"


@promise("shell.outcomes", "shell.length")
def test_a_command_that_takes_too_long_is_stopped_and_long_output_is_cut(tell: Tell, script: Script) -> None:
    script.will(shell("sleep 20", timeout_ms=300), shell("seq 10000", max_output_length=200), says("ok"))
    events = tell(input="q", tools=[SHELL])
    _, stopped, call, cut, _ = output(events)
    assert stopped["output"][0]["outcome"] == {"type": "timeout"}
    assert call["action"]["max_output_length"] == 200
    assert len(cut["output"][0]["stdout"]) <= 200
    assert cut["max_output_length"] == 200
    assert cut["output"][0]["stdout"].endswith("10000\n")


@promise("shell.declared")
@pytest.mark.parametrize(
    ("environment", "param"),
    [
        ({"type": "auto"}, "tools[0].environment.type"),
        ({"type": "container_auto", "memory_limit": "2g"}, "tools[0].environment.memory_limit"),
        ({"type": "container_reference"}, "tools[0].environment.container_id"),
        ({"type": "container_reference", "container_id": "cntr_none"}, "tools[0].environment.container_id"),
        ({"type": "container_auto", "skills": [{"type": "skill_reference", "skill_id": "skill_none"}]},
         "tools[0].environment.skills[0].skill_id"),
    ],
)  # fmt: skip
def test_a_container_that_cannot_be_used_is_refused(client: OpenAI, model: str, environment: Any, param: str) -> None:
    tool: Any = {"type": "shell", "environment": environment}
    with pytest.raises((BadRequestError, NotFoundError)) as refused:
        client.responses.create(model=model, input="q", tools=[tool])
    assert refused.value.param == param


@promise("shell.declared")
def test_a_local_shell_stays_the_clients(client: OpenAI, script: Script, model: str) -> None:
    script.will(shell("ls"))
    tool: Any = {"type": "shell", "environment": {"type": "local"}}
    made = client.responses.create(model=model, input="q", tools=[tool])
    assert [item.type for item in made.output] == ["shell_call"], "it waits for the client's answer"


@promise("shell.replayed")
def test_a_client_that_keeps_its_own_history_sends_calls_back(client: OpenAI, script: Script, model: str) -> None:
    script.will(shell("echo 42"), says("42"))
    first = client.responses.create(model=model, input="q", tools=[SHELL], store=False)
    script.will(says("It was 42."))
    before: Any = [{"role": "user", "content": "q"}, *first.to_dict()["output"]]  # type: ignore[misc]
    client.responses.create(model=model, input=[*before, {"role": "user", "content": "What was it?"}], store=False)
    assert json.loads(told(script))[0]["stdout"] == "42\n"


@promise("shell.length")
def test_numbers_that_make_no_sense_do_no_harm(client: OpenAI, script: Script, model: str) -> None:
    script.will(shell("seq 10000", timeout_ms=10**30, max_output_length=10), shell("echo 1", timeout_ms=-1), says("ok"))
    made = client.responses.create(model=model, input="q", tools=[SHELL]).to_dict()["output"]
    _, cut, _, said, _ = made  # type: ignore[misc]
    assert cut["output"][0]["stdout"] == "999\n10000\n", "no longer than wanted"  # type: ignore[index]
    assert said["output"][0]["stdout"] == "1\n"  # type: ignore[index]


@promise("shell.declared")
def test_the_choice_of_a_hosted_shell_reaches_the_model(client: OpenAI, script: Script, model: str) -> None:
    script.will(shell("echo 1"), says("ok"))
    made = client.responses.create(model=model, input="q", tools=[SHELL], tool_choice={"type": "shell"})
    assert script.seen[0].body["tool_choice"] == {"type": "function", "function": {"name": "shell"}}
    assert [item.type for item in made.output] == ["shell_call", "shell_call_output", "message"]
    assert made.to_dict()["tools"] == [SHELL]


@promise("shell.approved")
def test_an_operators_rule_asks_before_commands_run(
    start_server: StartServer, script: Script, model: str, recorder: Recorder, tmp_path: Any
) -> None:
    config = tmp_path / "graphnexus.toml"
    config.write_text('[[approval]]\npolicy = "always"\ntool = "shell"\n')
    server = start_server("--config", str(config))
    script.will(shell("echo ran"))
    with client_of(server, recorder) as client:
        first = client.responses.create(model=model, input="q", tools=[SHELL])
        asked = first.output[0]
        assert asked.type == "mcp_approval_request"
        assert json.loads(asked.arguments) == {"commands": ["echo ran"]}
        script.will(says("ok"))
        answer: Any = {"type": "mcp_approval_response", "approval_request_id": asked.id, "approve": True}
        again = client.responses.create(model=model, input=[answer], tools=[SHELL], previous_response_id=first.id)
    assert [item.type for item in again.output] == ["shell_call", "shell_call_output", "message"]
    assert json.loads(told(script))[0]["stdout"] == "ran\n"


@promise("shell.interrupted")
def test_commands_that_ran_when_the_server_was_killed_are_not_run_again(
    start_server: StartServer, script: Script, model: str, recorder: Recorder
) -> None:
    server = start_server()
    script.will(shell("echo begun; sleep 60"))
    with client_of(server, recorder) as client:
        made = client.responses.create(model=model, input="q", tools=[SHELL], background=True)

        with client.responses.retrieve(made.id, stream=True) as stream:
            assert any(event.type == "response.shell_call_output_content.delta" for event in stream)
        server.kill()
        script.will(says("I do not know."))
        server.start()
        done = ended(client, made.id)
    assert done.output_text == "I do not know."
    assert "interrupted" in told(script)
    assert [item.type for item in done.output] == ["shell_call", "shell_call_output", "message"]
