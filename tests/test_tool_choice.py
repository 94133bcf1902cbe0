"""Which tools a model must, may and may not call."""

from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.conftest import Tell
from tests.contract import promise
from tests.test_tools import TIME, WEATHER, refusal
from tests.told import output
from tests.upstream import Script, calls, says


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
@promise("tool_choice.modes")
def test_a_choice_is_passed_on_and_echoed(client: OpenAI, script: Script, model: str, choice: Any) -> None:
    script.will(says("ok") if choice != "required" else calls("weather", city="Paris"))
    response = client.responses.create(model=model, input="q", tools=[WEATHER], tool_choice=choice)
    assert response.tool_choice == choice
    assert script.last.body.get("tool_choice", "auto") == choice


@promise("tool_choice.function")
def test_one_function_can_be_forced(client: OpenAI, script: Script, model: str) -> None:
    script.will(calls("time", city="Rome"))
    choice: Any = {"type": "function", "name": "time"}
    response = client.responses.create(model=model, input="q", tools=[WEATHER, TIME], tool_choice=choice)
    assert script.last.body["tool_choice"] == {"type": "function", "function": {"name": "time"}}
    assert response.to_dict()["tool_choice"] == choice


@pytest.mark.parametrize(("tool", "choice"), [
    ({"type": "custom", "name": "sql"}, {"type": "custom", "name": "sql"}),
    ({"type": "shell", "environment": {"type": "local"}}, {"type": "shell"}),
    ({"type": "apply_patch"}, {"type": "apply_patch"}),
    ({"type": "computer"}, {"type": "computer"}),
])  # fmt: skip
@promise("tool_choice.types")
def test_a_tool_of_any_type_can_be_forced(client: OpenAI, script: Script, model: str, tool: Any, choice: Any) -> None:
    script.will(says("ok"))
    client.responses.create(model=model, input="q", tools=[WEATHER, tool], tool_choice=choice)
    (_, other) = script.last.tool_names()
    assert script.last.body["tool_choice"] == {"type": "function", "function": {"name": other}}


@promise("tool_choice.allowed_tools")
def test_allowed_tools_are_a_hard_filter_while_tools_stay_as_they_are(tell: Tell, script: Script) -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "time"}]}
    script.will(calls("time", city="Rome"))
    events = tell(input="q", tools=[WEATHER, TIME], tool_choice=allowed)
    response = events[-1]["response"]
    assert [tool["name"] for tool in response["tools"]] == ["weather", "time"]
    assert response["tool_choice"] == allowed
    assert script.last.body["tool_choice"] in ("required", {"type": "function", "function": {"name": "time"}})


@promise("tool_choice.allowed_tools")
def test_a_call_to_a_tool_that_is_not_allowed_is_not_made(tell: Tell, script: Script) -> None:
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "time"}]}
    script.will(calls("weather", city="Paris"), calls("time", city="Rome"))
    called = output(tell(input="q", tools=[WEATHER, TIME], tool_choice=allowed))
    assert [item["name"] for item in called if item["type"] == "function_call"] == ["time"]


@pytest.mark.parametrize("choice", [
    {"type": "function", "name": "nobody"}, {"type": "nonsense"}, "sometimes", 7, {"type": "function"},
    {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "nobody"}]},
    {"type": "allowed_tools", "mode": "perhaps", "tools": [{"type": "function", "name": "weather"}]},
])  # fmt: skip
@promise("tool_choice.checked")
def test_a_choice_that_means_nothing_is_refused(http: httpx2.Client, model: str, choice: Any) -> None:
    assert refusal(http, model, tools=[WEATHER], tool_choice=choice)["param"].startswith("tool_choice")
