"""Whatever is sent, the answer is a 4xx in OpenAI's shape, the log stays quiet and the store still works."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI

from tests.contract import promise
from tests.horrors import BODIES, ODD, RICH, horrors, places
from tests.process import Server
from tests.upstream import Script, says

Json = dict[str, Any]


def wrong(http: httpx2.Client, body: Any, param: str | None = None, code: str | None = None) -> Json:
    answer = http.post("/responses", json=body)
    assert answer.status_code == 400, answer.text[:500]
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    if param is not None:
        assert error["param"] == param, error
    if code is not None:
        assert error["code"] == code, error
    return error


@pytest.mark.parametrize(("body", "param", "code"), [
    ({"input": "q"}, "model", "missing_required_parameter"),
    ({"model": "M"}, "input", "missing_required_parameter"),
    ({"model": "M", "input": 7}, "input", "invalid_type"),
    ({"model": 7, "input": "q"}, "model", "invalid_type"),
    ({"model": "M", "input": "q", "temperature": -1}, "temperature", "decimal_below_min_value"),
    ({"model": "M", "input": "q", "temperature": 2.1}, "temperature", "decimal_above_max_value"),
    ({"model": "M", "input": "q", "temperature": "warm"}, "temperature", "invalid_type"),
    ({"model": "M", "input": "q", "top_p": 1.5}, "top_p", "decimal_above_max_value"),
    ({"model": "M", "input": "q", "max_output_tokens": 10}, "max_output_tokens", "integer_below_min_value"),
    ({"model": "M", "input": "q", "max_output_tokens": 1.5}, "max_output_tokens", "invalid_type"),
    ({"model": "M", "input": "q", "max_tool_calls": 0}, "max_tool_calls", "integer_below_min_value"),
    ({"model": "M", "input": "q", "top_logprobs": 21}, "top_logprobs", None),
    ({"model": "M", "input": "q", "truncation": "maybe"}, "truncation", "invalid_value"),
    ({"model": "M", "input": "q", "stream": "yes"}, "stream", "invalid_type"),
    ({"model": "M", "input": "q", "tools": {}}, "tools", "invalid_type"),
    ({"model": "M", "input": "q", "tools": [7]}, "tools[0]", None),
    ({"model": "M", "input": "q", "tools": [{}]}, "tools[0].type", "missing_required_parameter"),
    ({"model": "M", "input": "q", "tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
    ({"model": "M", "input": "q", "include": ["everything"]}, "include[0]", "invalid_value"),
    ({"model": "M", "input": "q", "metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length"),
    ({"model": "M", "input": "q", "reasoning": {"effort": "heroic"}}, "reasoning.effort", "invalid_value"),
    ({"model": "M", "input": "q", "text": {"verbosity": "chatty"}}, "text.verbosity", "invalid_value"),
    ({"model": "M", "input": [{"role": "wizard", "content": "q"}]}, "input[0].role", "invalid_value"),
    ({"model": "M", "input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
    ({"model": "M", "input": [{"type": "nonsense"}]}, "input[0].type", "invalid_value"),
    ({"model": "M", "input": [{"role": "user", "content": [{"type": "smell"}]}]}, "input[0].content[0].type", None),
    ({"model": "M", "input": [{"role": "user", "content": [{"type": "input_text"}]}]},
     "input[0].content[0].text", None),
    ({"model": "M", "input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output", None),
    ({"model": "M", "input": "q", "context_management": [{"type": "compaction", "compact_threshold": 1}]},
     "context_management[0].compact_threshold", "integer_below_min_value"),
    ({"model": "M", "input": "q", "stream_options": {"include_obfuscation": True}}, "stream_options", None),
])  # fmt: skip
@promise("errors.param", "errors.code")
def test_an_error_names_what_is_wrong(
    http: httpx2.Client, model: str, body: Json, param: str, code: str | None
) -> None:
    wrong(http, {key: model if value == "M" else value for key, value in body.items()}, param, code)


@promise("errors.model_not_found")
def test_an_unknown_model_is_refused(http: httpx2.Client) -> None:
    error = wrong(http, {"model": "nobody", "input": "q"}, "model", "model_not_found")
    assert "nobody" in error["message"]


@promise("errors.message")
def test_messages_are_those_of_openai(http: httpx2.Client, model: str) -> None:
    few = "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 10 instead."
    assert wrong(http, {"model": model, "input": "q", "max_output_tokens": 10})["message"] == few
    cold = wrong(http, {"model": model, "input": "q", "temperature": -1})["message"]
    assert cold == "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead."
    assert wrong(http, {"input": "q"})["message"] == "Missing required parameter: 'model'."


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", ["/responses", "/responses/input_tokens", "/responses/compact", "/conversations"])
@promise("errors.bodies")
def test_a_body_that_is_no_request_is_refused(http: httpx2.Client, raw: bytes, path: str) -> None:
    answer = http.post(path, content=raw, headers={"content-type": "application/json"})
    if path == "/conversations" and raw in (b"", b"null"):
        return  # everything of a conversation may be left out
    body_is_object = raw.startswith(b'{"model": "m\x00"')
    assert 400 <= answer.status_code < 500 or (path == "/conversations" and body_is_object), answer.text[:300]


NAMES = [name for name, _ in horrors("")]


@pytest.mark.parametrize("name", NAMES)
@promise("errors.horrors")
def test_horrors_are_answered_or_refused_and_break_nothing(
    http: httpx2.Client, client: OpenAI, script: Script, model: str, name: str
) -> None:
    body = dict(horrors(model))[name]
    script.will(*[says("{}")] * 8)
    raw = json.dumps({"model": model, **body}).encode()
    answer = http.post("/responses", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text[:500]
    if answer.status_code == 200 and answer.json()["store"]:
        id = answer.json()["id"]
        assert http.get(f"/responses/{id}").json() == answer.json()
        assert http.get(f"/responses/{id}/input_items?limit=100").status_code == 200
    assert client.responses.create(model=model, input="Are you well?").output_text == "{}"
    script.forget()


@pytest.mark.parametrize("name", ["null bytes", "lone surrogates"])
@promise("store.any_text")
def test_odd_characters_do_not_break_a_conversation(
    http: httpx2.Client, client: OpenAI, script: Script, model: str, name: str
) -> None:
    script.will(says("one\x00"), says("two"))
    raw = json.dumps({"model": model, **dict(horrors(model))[name]}).encode()
    first = http.post("/responses", content=raw, headers={"content-type": "application/json"})
    if first.status_code != 200:
        assert 400 <= first.status_code < 500
        script.forget()
        return
    answer = client.responses.create(model=model, input="on", previous_response_id=first.json()["id"])
    assert answer.output_text == "two"


@pytest.mark.parametrize("path", [
    "/responses/%00", "/responses/%ED%A0%80", "/responses/%ff", "/responses/" + "x" * 5000, "/responses/..%2f..%2fetc",
    "/responses/resp_x?include=%00", "/responses/resp_x?include[]=everything", "/responses/resp_x?stream=true",
    "/responses/resp_x/input_items?limit=99999999999999999999", "/responses/resp_x/input_items?after=%00",
    "/conversations/%00", "/conversations/%ff/items", "/conversations/conv_x/items/%00", "/models/%00", "/models/a/b",
    "/nowhere", "/", "/responses/",
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "PATCH", "OPTIONS"])
@promise("errors.paths")
def test_odd_paths_are_4xx_in_openais_shape(http: httpx2.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code < 500, answer.text
    if method != "OPTIONS":
        assert answer.status_code >= 400 or answer.status_code == 307, answer.text


PLACES = list(places(RICH))


@pytest.mark.parametrize("remove", [False, True])
@promise("errors.mutations")
def test_a_rich_request_with_anything_replaced_or_removed_breaks_nothing(
    http: httpx2.Client, script: Script, model: str, remove: bool
) -> None:
    script.always(says("{}")).ignores_schemas()
    send = {"content-type": "application/json"}
    whole = http.post("/responses", json={"model": model, **RICH})
    assert whole.status_code == 200, whole.text

    @given(st.sampled_from(PLACES), ODD)
    @settings(max_examples=len(PLACES) if remove else 150, deadline=None, database=None)
    def holds(path: tuple[Any, ...], odd: Any) -> None:
        body = json.loads(json.dumps({"model": model, **RICH}))
        place = body
        for step in path[:-1]:
            place = place[step]
        if remove:
            del place[path[-1]]
        else:
            place[path[-1]] = odd
        answer = http.post("/responses", content=json.dumps(body).encode(), headers=send)
        assert answer.status_code == 200 or 400 <= answer.status_code < 500, f"{path} {odd!r}: {answer.text}"

    holds()


@promise("errors.schemathesis")
def test_no_request_our_own_document_describes_gives_5xx(server: Server, log_watch: None) -> None:
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{server.origin}/openapi.json", "--checks",
        "not_a_server_error", "--max-examples", "5", "--phases", "fuzzing", "--seed", "1",
        "--suppress-health-check", "all", "--include-path-regex", "^/v1/", "--generation-database", "none",
        "--no-shrink", "--continue-on-failure", "--request-timeout", "10",
    ]  # fmt: skip
    # On CI Hypothesis has other settings, which count examples that were thrown away as an error.
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ran = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
