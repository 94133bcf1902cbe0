"""Answers of a given shape: enforced by the model server, or explained, validated and asked for once more."""

import json
import time
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.conftest import Tell
from tests.contract import promise
from tests.told import final, text_of
from tests.upstream import Script, calls, refuses, says

Json = dict[str, Any]


class Person(BaseModel):
    name: str
    age: int


SCHEMA: Json = {
    "type": "json_schema", "name": "person", "strict": True,
    "schema": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
               "required": ["name", "age"], "additionalProperties": False},
}  # fmt: skip


@promise("structured.native", "sdk.parse_helper")
def test_a_schema_is_given_to_a_model_server_that_can_enforce_it(client: OpenAI, script: Script, model: str) -> None:
    script.will(says('{"name": "Ada", "age": 36}'))
    response = client.responses.parse(model=model, input="Who?", text_format=Person)
    assert response.output_parsed == Person(name="Ada", age=36)
    asked = script.last.body["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["schema"]["required"] == ["name", "age"]
    assert response.text.to_dict()["format"]["schema"] == asked["json_schema"]["schema"]  # type: ignore[union-attr]


@pytest.mark.parametrize("rejected", [True, False])
@promise("structured.emulated")
def test_a_schema_is_explained_to_a_model_whose_server_cannot_enforce_it(
    client: OpenAI, script: Script, model: str, rejected: bool
) -> None:
    if not rejected:
        script.ignores_schemas()
    else:
        script.rejects("response_format")
    script.will(says('```json\n{"name": "Ada", "age": 36}\n```'))
    response = client.responses.parse(model=model, input="Who?", text_format=Person)
    assert response.output_parsed == Person(name="Ada", age=36)
    assert "response_format" not in script.last.body
    assert '"age"' in json.dumps(script.last.messages).replace("\\", "")


@promise("structured.repair")
def test_an_answer_of_the_wrong_shape_is_asked_for_once_more(tell: Tell, script: Script) -> None:
    script.rejects("response_format")
    cost = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    script.will(says('{"name": "Ada"}', usage=cost), says('{"name": "Ada", "age": 36}', usage=cost))
    events = tell(input="Who?", text={"format": SCHEMA})
    assert json.loads(text_of(final(events))) == {"name": "Ada", "age": 36}
    assert len(final(events)["output"]) == 1, "the answer that was of no use is not shown"
    assert "age" in json.dumps(script.last.messages[-1])
    usage = final(events)["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (20, 10, 30), "both are paid for"


@promise("structured.repair")
def test_an_answer_twice_of_the_wrong_shape_fails(tell: Tell, script: Script) -> None:
    script.rejects("response_format")
    script.will(says("no"), says("still no"))
    events = tell(input="Who?", text={"format": SCHEMA})
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]


@pytest.mark.parametrize("enforced", [True, False])
@promise("structured.refusal")
def test_a_refusal_is_no_answer_of_the_wrong_shape(client: OpenAI, script: Script, model: str, enforced: bool) -> None:
    script.will(refuses("I will not."))
    if not enforced:
        script.ignores_schemas()
    response = client.responses.parse(model=model, input="Who?", text_format=Person)
    assert response.output_parsed is None
    assert response.output[0].content[0].to_dict() == {"type": "refusal", "refusal": "I will not."}  # type: ignore[union-attr]


@promise("structured.calls")
def test_a_call_before_the_answer_is_no_answer_of_the_wrong_shape(tell: Tell, script: Script) -> None:
    script.ignores_schemas()
    script.will(calls("f", x=1))
    tool = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    events = tell(input="Who?", tools=[tool], text={"format": SCHEMA})
    assert [item["type"] for item in final(events)["output"]] == ["function_call"]


@promise("structured.json_object")
def test_json_mode_gives_json(client: OpenAI, script: Script, model: str) -> None:
    script.will(says('{"a": 1}'))
    response = client.responses.create(model=model, input="Answer in JSON.", text={"format": {"type": "json_object"}})
    assert json.loads(response.output_text) == {"a": 1}
    assert script.last.body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("format", [
    {"type": "json_schema", "schema": {"type": "object"}},
    {"type": "json_schema", "name": "x"},
    {"type": "json_schema", "name": "has space", "schema": {}},
    {"type": "json_schema", "name": "x", "schema": {"type": "nonsense"}},
    {"type": "json_schema", "name": "x", "schema": {"type": "string", "pattern": "("}},
    {"type": "json_schema", "name": "x", "schema": {"type": "string", "pattern": "((((a{1000}){1000}){1000}){1000})"}},
    {"type": "json_schema", "name": "x", "schema": {"type": "string", "pattern": "(" * 5000 + ")" * 5000}},
    {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
    {"type": "xml"}, {}, "text",
])  # fmt: skip
@promise("structured.checked")
def test_a_format_that_means_nothing_is_refused(http: httpx2.Client, model: str, format: Any) -> None:
    answer = http.post("/responses", json={"model": model, "input": "q", "text": {"format": format}})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("text.format")


@promise("structured.emulated")
def test_a_pattern_that_takes_for_ever_does_not_hold_the_server_up(client: OpenAI, script: Script, model: str) -> None:
    script.ignores_schemas()
    script.will(says(f'"{"a" * 40}!"'), says('"aa"'))
    slow = {"format": {"type": "json_schema", "name": "x", "schema": {"type": "string", "pattern": "^(a|aa|a?b?a)+$"}}}
    began = time.monotonic()
    answer = client.responses.create(model=model, input="q", text=slow)  # type: ignore[arg-type]
    assert answer.output_text == '"aa"'
    assert time.monotonic() - began < 5
