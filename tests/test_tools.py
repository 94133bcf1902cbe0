"""Tools the client runs, of every type: how the model is offered them, how its calls come back, how outputs go on."""

import json
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.answers import Ask, Step
from tests.conftest import Tell
from tests.contract import promise
from tests.told import deltas, kinds, output
from tests.upstream import Script, calls, says, together

Json = dict[str, Any]
CITY: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Json = {"type": "function", "name": "weather", "description": "Tell the weather.", "parameters": CITY}
TIME: Json = {"type": "function", "name": "time", "parameters": CITY, "strict": True}


def refusal(http: httpx2.Client, model: str, **body: Any) -> Json:
    answer = http.post("/responses", json={"model": model, "input": "q", **body})
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]


@promise("tools.function", "tools.echo")
def test_a_function_is_offered_as_declared_and_echoed_whole(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("42"))
    response = client.responses.create(model=model, input="q", tools=[WEATHER, TIME])
    offered = script.last.tool("weather")
    assert (offered["description"], offered["parameters"]) == ("Tell the weather.", CITY)
    assert script.last.tool("time")["strict"] is True
    echoed = [tool.to_dict() for tool in response.tools]
    assert echoed == [{**WEATHER, "strict": True}, {**TIME, "description": None}]


@promise("tools.function", "chain.pairing")
def test_an_answered_call_is_put_to_the_model_with_its_answer(client: OpenAI, script: Script, model: str) -> None:
    script.will(calls("weather", city="Paris", id="call_a"), says("It rains."))
    asked = client.responses.create(model=model, input="Weather?", tools=[WEATHER])
    given: Any = [{"type": "function_call_output", "call_id": "call_a", "output": "rain"}]
    answered = client.responses.create(model=model, input=given, previous_response_id=asked.id, tools=[WEATHER])
    user, assistant, tool = script.last.messages
    assert user["role"] == "user"
    assert assistant["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Paris"}'}
    assert (tool["role"], tool["tool_call_id"], tool["content"]) == ("tool", "call_a", "rain")
    assert answered.output_text == "It rains."


@promise("tools.parallel", "chain.pairing")
def test_parallel_calls_are_answered_in_any_order(client: OpenAI, script: Script, model: str) -> None:
    script.will(together(("weather", {"city": "Paris"}), ("time", {"city": "Rome"}), ids=["a", "b"]), says("Done."))
    asked = client.responses.create(model=model, input="q", tools=[WEATHER, TIME])
    given: Any = [{"type": "function_call_output", "call_id": id, "output": f"for {id}"} for id in ("b", "a")]
    client.responses.create(model=model, input=given, previous_response_id=asked.id)
    _, assistant, *answers = script.last.messages
    assert [call["id"] for call in assistant["tool_calls"]] == ["a", "b"]
    assert {answer["tool_call_id"]: answer["content"] for answer in answers} == {"a": "for a", "b": "for b"}


@promise("tools.output_parts")
def test_an_image_a_tool_returns_reaches_the_model(client: OpenAI, script: Script, model: str) -> None:
    script.will(calls("weather", city="Paris", id="a"), says("A cloud."))
    asked = client.responses.create(model=model, input="q", tools=[WEATHER])
    image = "data:image/png;base64,iVBORw0KGgo="
    parts = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": image, "detail": "low"}]
    given: Any = [{"type": "function_call_output", "call_id": "a", "output": parts}]
    client.responses.create(model=model, input=given, previous_response_id=asked.id)
    assert any(m["role"] == "tool" and "see" in json.dumps(m["content"]) for m in script.last.messages)
    assert image in json.dumps(script.last.messages)


@promise("tools.custom")
def test_a_custom_tool_takes_text_in_its_grammar(tell: Tell, script: Script, client: OpenAI, model: str) -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "SELECT" /.+/'}
    sql: Json = {"type": "custom", "name": "sql", "description": "Ask the database.", "format": grammar}

    def query(ask: Ask) -> Step:
        offered = ask.tool("sql")
        assert grammar["definition"] in json.dumps(offered).encode().decode("unicode_escape")
        (field,) = offered["parameters"]["properties"]
        return calls("sql", {field: 'SELECT "x"\n'}, id="call_s")

    script.will(query, says("1"))
    events = tell(input="q", tools=[sql])
    assert kinds(events)[2:-1] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done"
    ]  # fmt: skip
    (call,) = output(events)
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "sql", 'SELECT "x"\n')
    given: Any = [{"type": "custom_tool_call_output", "call_id": "call_s", "output": "one row"}]
    client.responses.create(model=model, input=given, previous_response_id=events[-1]["response"]["id"])
    assert script.last.messages[-1] == {"role": "tool", "tool_call_id": "call_s", "content": "one row"}


@promise("tools.namespace")
def test_members_of_a_namespace_are_flattened_for_the_model_and_restored_for_the_client(
    tell: Tell, script: Script, client: OpenAI, model: str
) -> None:
    note: Json = {"type": "custom", "name": "note"}
    home: Json = {"type": "namespace", "name": "home", "description": "Things at home.", "tools": [WEATHER, note]}

    def both(ask: Ask) -> Step:
        first, second = ask.tool_names()
        assert first.endswith("weather")
        assert second.endswith("note")
        assert first != "weather"
        return together((first, {"city": "Paris"}), (second, {"input": "hi"}), ids=["a", "b"])

    script.will(both, says("ok"))
    events = tell(input="q", tools=[home])
    call, custom = output(events)
    assert (call["type"], call["name"], call["namespace"]) == ("function_call", "weather", "home")
    assert (custom["type"], custom["name"], custom["namespace"], custom["input"]) == (
        "custom_tool_call", "note", "home", "hi"
    )  # fmt: skip
    given: Any = [
        {"type": "function_call_output", "call_id": "a", "output": "rain"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": "noted"},
    ]
    client.responses.create(model=model, input=given, previous_response_id=events[-1]["response"]["id"], tools=[home])
    replayed = [call["function"]["name"] for call in script.last.messages[1]["tool_calls"]]
    assert replayed == script.last.tool_names(), "a replayed call bears the name the model is offered"


@promise("tools.shell", "stream.order.shell_call")
def test_a_shell_of_the_client_is_asked_for_commands(tell: Tell, script: Script, client: OpenAI, model: str) -> None:
    script.will(calls("shell", commands=["ls -la", "pwd"], timeout_ms=1000, id="call_s"), says("ok"))
    events = tell(input="q", tools=[{"type": "shell", "environment": {"type": "local"}}])
    (call,) = output(events)
    assert call["type"] == "shell_call"
    assert call["action"]["commands"] == ["ls -la", "pwd"]
    assert call["action"]["timeout_ms"] == 1000
    assert "".join(deltas(events, "shell_call_command")) == "ls -lapwd"
    ran = [{"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    given: Any = [{"type": "shell_call_output", "call_id": "call_s", "output": ran}]
    client.responses.create(model=model, input=given, previous_response_id=events[-1]["response"]["id"])
    assert "a.txt" in script.last.messages[-1]["content"]


@promise("tools.local_shell")
def test_a_local_shell_is_asked_for_one_command(tell: Tell, script: Script, client: OpenAI, model: str) -> None:
    script.will(calls("local_shell", command=["ls", "-la"], env={"A": "b"}), says("ok"))
    events = tell(input="q", tools=[{"type": "local_shell"}])
    (call,) = output(events)
    assert call["type"] == "local_shell_call"
    assert (call["action"]["type"], call["action"]["command"], call["action"]["env"]) == (
        "exec",
        ["ls", "-la"],
        {"A": "b"},
    )
    given: Any = [{"type": "local_shell_call_output", "id": call["call_id"], "output": '{"output": "a.txt"}'}]
    client.responses.create(model=model, input=given, previous_response_id=events[-1]["response"]["id"])
    assert "a.txt" in script.last.messages[-1]["content"]


@pytest.mark.parametrize("kind", ["create_file", "update_file", "delete_file"])
@promise("tools.apply_patch", "stream.order.apply_patch_call")
def test_a_patch_is_an_operation_on_one_file(tell: Tell, script: Script, client: OpenAI, model: str, kind: str) -> None:
    asked = {"type": kind, "path": "a.txt"} | ({} if kind == "delete_file" else {"diff": "+hello\n"})

    def patch(ask: Ask) -> Step:
        properties = ask.tool("apply_patch")["parameters"]["properties"]
        return calls("apply_patch", {"operation": asked} if "operation" in properties else asked, id="call_p")

    script.will(patch, says("ok"))
    events = tell(input="q", tools=[{"type": "apply_patch"}])
    (call,) = output(events)
    assert (call["type"], call["operation"]) == ("apply_patch_call", asked)
    given: Any = [
        {"type": "apply_patch_call_output", "call_id": "call_p", "status": "failed", "output": "No such file"}
    ]
    client.responses.create(model=model, input=given, previous_response_id=events[-1]["response"]["id"])
    assert "No such file" in script.last.messages[-1]["content"]


@promise("tools.computer")
def test_a_computer_is_asked_for_actions_and_shows_its_screen(
    tell: Tell, script: Script, client: OpenAI, model: str
) -> None:
    actions = [{"type": "click", "button": "left", "x": 1, "y": 2}, {"type": "type", "text": "hi"}]
    script.will(calls("computer", actions=actions, id="call_c"), says("I see."))
    events = tell(input="q", tools=[{"type": "computer"}])
    (call,) = output(events)
    assert (call["type"], call["actions"], call["pending_safety_checks"]) == ("computer_call", actions, [])
    assert call["status"] == "completed"
    screen = {"type": "computer_screenshot", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    given: Any = [{"type": "computer_call_output", "call_id": "call_c", "output": screen}]
    client.responses.create(model=model, input=given, previous_response_id=events[-1]["response"]["id"])
    assert screen["image_url"] in json.dumps(script.last.messages)


@promise("tools.computer")
def test_a_preview_computer_is_asked_for_one_action(tell: Tell, script: Script) -> None:
    tool = {"type": "computer_use_preview", "display_width": 800, "display_height": 600, "environment": "linux"}
    script.will(calls("computer", actions=[{"type": "screenshot"}]))
    (call,) = output(tell(input="q", tools=[tool], truncation="auto"))
    assert call["action"] == {"type": "screenshot"}


@promise("tools.tool_search")
def test_a_search_for_tools_goes_to_the_client_and_what_it_finds_can_be_called(
    tell: Tell, script: Script, client: OpenAI, model: str
) -> None:
    script.will(calls("tool_search", query="weather", id="call_t"), calls("weather", city="Paris"))
    tools: Any = [{"type": "tool_search", "execution": "client"}, {**WEATHER, "defer_loading": True}]
    events = tell(input="q", tools=tools)
    assert script.last.tool_names() == ["tool_search"], "a deferred tool is not offered before it is found"
    (call,) = output(events)
    assert (call["type"], call["execution"], call["arguments"]) == ("tool_search_call", "client", {"query": "weather"})
    found: Any = [{"type": "tool_search_output", "call_id": "call_t", "execution": "client", "tools": [WEATHER]}]
    parent = events[-1]["response"]["id"]
    called = client.responses.create(model=model, input=found, previous_response_id=parent, tools=tools)
    assert "weather" in script.last.tool_names()
    assert called.output[0].type == "function_call"


@pytest.mark.parametrize("kind", ["image_generation", "programmatic_tool_calling", "teleport"])
@promise("tools.unknown")
def test_a_tool_type_we_do_not_have_is_refused_by_name(http: httpx2.Client, model: str, kind: str) -> None:
    error = refusal(http, model, tools=[WEATHER, {"type": kind, "vector_store_ids": ["vs_1"], "container": "cntr_1"}])
    assert kind in error["message"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "tools[1].type")


@promise("tools.chat_style")
def test_a_function_in_the_shape_of_chat_completions_is_refused(http: httpx2.Client, model: str) -> None:
    error = refusal(http, model, tools=[{"type": "function", "function": {"name": "weather", "parameters": CITY}}])
    assert (error["code"], error["param"]) == ("missing_required_parameter", "tools[0].name")


@pytest.mark.parametrize("name", ["", "has space", "ünïcode", "x" * 129])
@promise("tools.names")
def test_a_function_needs_a_name_a_model_can_say(http: httpx2.Client, model: str, name: str) -> None:
    assert refusal(http, model, tools=[{"type": "function", "name": name}])["param"] == "tools[0].name"


@promise("tools.parallel")
def test_without_parallel_calls_a_turn_has_one_call(tell: Tell, script: Script) -> None:
    script.will(together(("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})))
    events = tell(input="q", tools=[WEATHER], parallel_tool_calls=False)
    (call,) = output(events)
    assert json.loads(call["arguments"]) == {"city": "Paris"}
    assert script.last.body["parallel_tool_calls"] is False
    assert events[-1]["response"]["parallel_tool_calls"] is False


@promise("repair.unknown_function")
def test_a_model_that_calls_what_it_was_not_offered_is_told_so(tell: Tell, script: Script) -> None:
    script.will(calls("teleport", to="Mars"), says("Then I walk."))
    events = tell(input="q", tools=[WEATHER])
    assert [item["type"] for item in output(events)] == ["message"]
    assert "teleport" in json.dumps(script.last.messages[-2:])


@promise("repair.unknown_function")
def test_a_call_of_what_is_not_there_does_not_lose_the_call_beside_it(tell: Tell, script: Script) -> None:
    script.will(together(("weather", {"city": "Paris"}), ("nonsense", {})))
    assert [item["name"] for item in output(tell(input="q", tools=[WEATHER]))] == ["weather"]


@promise("repair.shell_arguments")
def test_a_model_that_writes_broken_arguments_for_a_shell_is_told_so(tell: Tell, script: Script) -> None:
    script.will(calls("shell", '{"commands": ["ls"'), calls("shell", commands=["ls"]))
    (call,) = output(tell(input="q", tools=[{"type": "shell", "environment": {"type": "local"}}]))
    assert call["action"]["commands"] == ["ls"]


@promise("repair.call_ids")
def test_calls_without_ids_get_some(tell: Tell, script: Script) -> None:
    whole = together(("weather", {"city": "Paris"}), ("weather", {"city": "Rome"}))
    nameless = json.loads(json.dumps(whole.deltas))
    for choice in nameless:
        choice["delta"]["tool_calls"][0].pop("id", None)
    script.will(type(whole)(tuple(nameless), "tool_calls"))
    first, second = output(tell(input="q", tools=[WEATHER]))
    assert first["call_id"]
    assert second["call_id"]
    assert first["call_id"] != second["call_id"]
