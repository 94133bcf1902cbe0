"""Whatever is sent, the answer is a 4xx in OpenAI's shape, the log stays quiet and the store still works."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.contract import promise
from tests.process import Server
from tests.upstream import Script, says

Json = dict[str, Any]
DEEP = "[" * 100_000 + "]" * 100_000
NESTED: Any = "x"
for _ in range(400):
    NESTED = {"a": NESTED}


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


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"hello",
    "half JSON": b'{"model": "m", "input": "q',
    "a list": b"[]",
    "a text": b'"q"',
    "null": b"null",
    "invalid UTF-8": b'{"model": "m", "input": "\xff\xfe"}',
    "UTF-16": '{"model": "m", "input": "q"}'.encode("utf-16"),
    "deep lists": DEEP.encode(),
    "deep input": b'{"model": "m", "input": ' + DEEP.encode() + b"}",
    "NaN": b'{"model": "m", "input": "q", "temperature": NaN}',
    "infinity": b'{"model": "m", "input": "q", "temperature": 1e999}',
    "a huge number": b'{"model": "m", "input": "q", "max_output_tokens": 1' + b"0" * 5000 + b"}",
    "null byte": b'{"model": "m\x00", "input": "q"}',
    "form": b"model=m&input=q",
}


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", ["/responses", "/responses/input_tokens", "/responses/compact", "/conversations"])
@promise("errors.bodies")
def test_a_body_that_is_no_request_is_refused(http: httpx2.Client, raw: bytes, path: str) -> None:
    answer = http.post(path, content=raw, headers={"content-type": "application/json"})
    if path == "/conversations" and raw in (b"", b"null"):
        return  # everything of a conversation may be left out
    body_is_object = raw.startswith(b'{"model": "m\x00"')
    assert 400 <= answer.status_code < 500 or (path == "/conversations" and body_is_object), answer.text[:300]


def horrors(model: str) -> Iterator[tuple[str, Json]]:
    """Requests that are odd but may be meant; each may be answered or refused, but never breaks anything."""
    ten_mb = "x" * 10_000_000
    message: Json = {"role": "user", "content": "q"}
    yield "10 MB of text", {"input": ten_mb}
    yield "11 MB of text", {"input": ten_mb + "x" * 1_000_000}
    yield "10 MB of instructions", {"input": "q", "instructions": ten_mb}
    yield "10 MB of metadata", {"input": "q", "metadata": {"k": ten_mb}}
    yield "a key of 10 MB", {"input": "q", ten_mb: 1}
    yield "10,000 items", {"input": [message] * 10_000}
    yield "10,000 parts", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "q"}] * 10_000}]}
    yield "10,000 tools", {"input": "q", "tools": [{"type": "function", "name": f"f{n}"} for n in range(10_000)]}
    yield "two tools of one name", {"input": "q", "tools": [{"type": "function", "name": "f"}] * 2}
    yield "deep metadata", {"input": "q", "metadata": NESTED}
    yield "a deep schema", {"input": "q", "tools": [{"type": "function", "name": "f", "parameters": NESTED}]}
    yield "a deep format", {"input": "q", "text": {"format": {"type": "json_schema", "name": "x", "schema": NESTED}}}
    yield "a deep extra", {"input": "q", "extra": NESTED}
    yield "null bytes", {"input": "a\x00b", "instructions": "\x00", "metadata": {"k\x00": "v\x00"}, "user": "\x00"}
    yield "null bytes in items", {"input": [{"role": "user", "id": "msg_\x00", "content": "a\x00"}]}
    yield "lone surrogates", {"input": "a\ud800b", "metadata": {"k": "\udfff"}, "instructions": "\ud83d"}
    yield "lone surrogates in keys", {"input": "q", "metadata": {"\ud800": "v"}, "\ud800": 1}
    yield "odd spaces", {"input": "\u2028\u2029\x85\ufeff\u202e"}
    yield "empty input", {"input": ""}
    yield "no items", {"input": []}
    yield "an empty message", {"input": [{"role": "user", "content": []}]}
    yield "an id used twice", {"input": [{**message, "id": "msg_1"}, {**message, "id": "msg_1"}]}
    yield "a foreign id", {"input": [{**message, "id": "../../etc/passwd"}]}
    yield "a very long id", {"input": [{**message, "id": "msg_" + "x" * 100_000}]}
    yield "a recursive schema", {"input": "q", "tools": [
        {"type": "function", "name": "f", "parameters": {"$ref": "#"}}]}  # fmt: skip
    yield "a remote schema", {"input": "q", "text": {"format": {
        "type": "json_schema", "name": "x", "schema": {"$ref": "http://127.0.0.1:9/x.json"}}}}  # fmt: skip
    yield "a broken data URL", {"input": [
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,%%%"}]}]}  # fmt: skip
    yield "a local file", {"input": [
        {"role": "user", "content": [{"type": "input_image", "image_url": "file:///etc/passwd"}]}]}  # fmt: skip
    yield "a file id nobody has", {"input": [
        {"role": "user", "content": [{"type": "input_file", "file_id": "file-x"}]}]}  # fmt: skip
    yield "an image without source", {"input": [{"role": "user", "content": [{"type": "input_image"}]}]}
    yield "a huge integer", {"input": "q", "max_output_tokens": 10**30}
    yield "a model of 1 MB", {"input": "q", "model": "m" * 1_000_000}
    yield "a compaction nobody made", {"input": [{"type": "compaction", "encrypted_content": "x"}, message]}
    yield "an approval of nothing", {"input": [
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_x", "approve": True}, message]}  # fmt: skip
    yield "a call whose output comes first", {"input": [
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]}  # fmt: skip
    yield "two outputs of one call", {"input": [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        *[{"type": "function_call_output", "call_id": "c", "output": "1"}] * 2]}  # fmt: skip
    yield "a call with broken arguments", {"input": [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"},
        {"type": "function_call_output", "call_id": "c", "output": "1"}]}  # fmt: skip
    yield "a prompt template", {"input": "q", "prompt": {"id": "pmpt_x"}}
    yield "background", {"input": "q", "background": True, "store": False, "stream": False}


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


@promise("errors.schemathesis")
def test_no_request_our_own_document_describes_gives_5xx(server: Server, log_watch: None) -> None:
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{server.origin}/openapi.json", "--checks",
        "not_a_server_error", "--max-examples", "10", "--phases", "examples,coverage,fuzzing", "--seed", "1",
        "--suppress-health-check", "all", "--include-path-regex", "^/v1/", "--generation-database", "none",
        "--no-shrink", "--continue-on-failure", "--request-timeout", "10",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
