"""Responses as resources: made, read, listed, counted, compacted, deleted; their shape and their structured output."""

import base64
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.conftest import StartServer, Tell
from tests.contract import promise
from tests.told import final
from tests.upstream import Script, Upstream, calls, says, thinks

Json = dict[str, Any]
#: Fields that may be null, which is as good as left out.
NULLABLE = (
    "instructions", "previous_response_id", "conversation", "store", "stream", "stream_options", "background", "tools",
    "tool_choice", "parallel_tool_calls", "max_tool_calls", "max_output_tokens", "temperature", "top_p", "top_logprobs",
    "text", "reasoning", "include", "metadata", "truncation", "context_management", "prompt", "prompt_cache_key",
    "safety_identifier", "user", "service_tier",
)  # fmt: skip
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@promise("response.create", "response.request_id")
def test_a_response_is_made_in_one_answer(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("The answer is 42."))
    response = client.responses.create(model=model, input="What is the answer?")
    assert (response.status, response.model, response.output_text) == ("completed", model, "The answer is 42.")
    assert response._request_id
    assert response._request_id.startswith("req_")
    assert script.last.messages == [{"role": "user", "content": "What is the answer?"}]


@promise("response.same_path")
def test_waiting_and_streaming_give_the_same_response(client: OpenAI, tell: Tell, script: Script, model: str) -> None:
    answer = thinks("Hm.", calls("f", x=1, id="call_f"))
    script.will(answer, answer)
    body: Json = {"input": "q", "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]}
    waited = client.responses.create(model=model, **body).to_dict()
    told = final(tell(**body))
    unlike = {key for key in told if told[key] != waited[key]} - {"created_at", "completed_at"}
    assert unlike == {"id", "output"}
    assert [{**item, "id": 0} for item in told["output"]] == [{**item, "id": 0} for item in waited["output"]]  # type: ignore[union-attr]


@promise("response.echo")
def test_what_was_asked_is_echoed(http: httpx2.Client, script: Script, model: str) -> None:
    script.will(says("ok"))
    asked: Json = {
        "instructions": "Be brief.", "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 50, "max_tool_calls": 3,
        "metadata": {"a": "b"}, "truncation": "auto", "user": "u", "safety_identifier": "s", "prompt_cache_key": "k",
        "top_logprobs": 0, "parallel_tool_calls": False, "presence_penalty": 0.1, "frequency_penalty": 0.2,
        "text": {"format": {"type": "text"}, "verbosity": "low"}, "store": True, "tool_choice": "auto",
    }  # fmt: skip
    answer = http.post("/responses", json={"model": model, "input": "q", **asked}).json()
    assert {key: answer[key] for key in asked} == asked
    assert answer["service_tier"] == "default"


@promise("response.options")
def test_sampling_options_reach_the_model(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"), says("ok"))
    client.responses.create(model=model, input="q", temperature=0.5, top_p=0.9, max_output_tokens=50,
                            reasoning={"effort": "low"})  # fmt: skip
    body = script.last.body
    assert (body["temperature"], body["top_p"], body["reasoning_effort"]) == (0.5, 0.9, "low")
    assert 50 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    client.responses.create(model=model, input="q")
    silent = {"temperature", "top_p", "max_tokens", "max_completion_tokens", "reasoning_effort", "tools", "logprobs"}
    assert not silent & script.last.body.keys()


@promise("response.defaults")
def test_null_means_left_out(http: httpx2.Client, script: Script, model: str) -> None:
    script.will(says("ok"))
    nulls = dict.fromkeys(NULLABLE)
    answer = http.post("/responses", json={"model": model, "input": "q", **nulls})
    assert answer.status_code == 200, answer.text
    assert answer.json()["store"] is True


@promise("response.unknown_fields")
def test_unknown_fields_are_let_through(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    extra = {"foo": 1, "client_metadata": {"x": "y"}, "moderation": None, "billing": {"payer": "developer"}}
    response = client.responses.create(model=model, input="q", extra_body=extra)
    assert response.output_text == "ok"
    assert "foo" not in script.last.body


@promise("response.strict")
def test_a_strict_server_refuses_unknown_fields(start_server: StartServer, script: Script, model: str) -> None:
    script.will(says("ok"))
    with httpx2.Client(base_url=start_server("--strict").url, timeout=30) as http:
        refused = http.post("/responses", json={"model": model, "input": "q", "foo": 1})
        assert refused.status_code == 400
        assert refused.json()["error"] == {
            "message": "Unknown parameter: 'foo'.", "type": "invalid_request_error", "param": "foo",
            "code": "unknown_parameter",
        }  # fmt: skip
        assert http.post("/responses", json={"model": model, "input": "q"}).status_code == 200


@promise("response.input_shapes")
def test_messages_are_understood_in_all_their_shapes(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    given: Any = [
        {"role": "developer", "content": "Be kind."},
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
         "content": [{"type": "output_text", "text": "c", "annotations": [], "logprobs": []},
                     {"type": "refusal", "refusal": "d"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "e"}]},
    ]  # fmt: skip
    client.responses.create(model=model, input=given)
    roles = [message["role"] for message in script.last.messages]
    assert roles[0] in ("developer", "system")
    assert roles[-1] == "user"
    assert "".join(m["content"] for m in script.last.messages if m["role"] == "assistant") == "bcd"


@promise("response.input_shapes")
def test_every_output_item_is_taken_as_input(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    given: Any = [
        {"role": "user", "content": "a"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "content": []},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["x"], "results": None},
        {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1", "container_id": "cntr_1",
         "outputs": None},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aGk="},
        {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": []},
        {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "t", "arguments": "{}", "output": "42"},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
         "content": [{"type": "output_text", "text": "b", "annotations": []}]},
        {"role": "user", "content": "c"},
    ]  # fmt: skip
    response = client.responses.create(model=model, input=given)
    assert response.output_text == "ok"
    listed = client.responses.input_items.list(response.id, order="asc", limit=100).data
    assert [item.type for item in listed] == [item.get("type", "message") for item in given]


@promise("response.images")
def test_an_image_reaches_the_model(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("A pixel."), says("A cat."))
    for url, detail in ((PIXEL, "low"), ("https://example.com/cat.png", "auto")):
        parts = [
            {"type": "input_text", "text": "What is it?"},
            {"type": "input_image", "image_url": url, "detail": detail},
        ]
        client.responses.create(model=model, input=[{"role": "user", "content": parts}])  # type: ignore[misc, list-item]
        text, image = script.last.messages[0]["content"]
        assert text == {"type": "text", "text": "What is it?"}
        assert (image["type"], image["image_url"]["url"]) == ("image_url", url)


# ---------------------------------------------------------------- resources


@promise("retrieve")
def test_a_response_can_be_read_again(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    made = client.responses.create(model=model, input="q", metadata={"k": "v"})
    assert client.responses.retrieve(made.id).to_dict() == made.to_dict()


@promise("retrieve", "delete", "errors.not_found")
def test_an_unknown_response_is_404(http: httpx2.Client) -> None:
    for id in ("resp_" + "0" * 48, "resp_x", "nonsense"):
        answers = [
            http.get(f"/responses/{id}"), http.delete(f"/responses/{id}"), http.post(f"/responses/{id}/cancel"),
            http.get(f"/responses/{id}/input_items"),
        ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [404] * 4
    error = http.get("/responses/resp_x").json()["error"]
    assert error == {
        "message": "Response with id 'resp_x' not found.", "type": "invalid_request_error", "param": None, "code": None
    }  # fmt: skip


@promise("retrieve.stream")
def test_a_foreground_response_cannot_be_streamed_again(http: httpx2.Client, script: Script, model: str) -> None:
    script.will(says("ok"))
    made = http.post("/responses", json={"model": model, "input": "q"}).json()
    again = http.get(f"/responses/{made['id']}", params={"stream": "true", "starting_after": 1})
    assert (again.status_code, again.json()["error"]["param"]) == (400, "stream")


@promise("delete")
def test_a_deleted_response_is_gone(client: OpenAI, http: httpx2.Client, script: Script, model: str) -> None:
    script.will(says("ok"))
    made = client.responses.create(model=model, input="q")
    gone = http.delete(f"/responses/{made.id}")
    assert gone.json() == {"id": made.id, "object": "response", "deleted": True}
    with pytest.raises(NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(NotFoundError):
        client.responses.delete(made.id)


@promise("cancel.foreground")
def test_a_foreground_response_cannot_be_cancelled(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    made = client.responses.create(model=model, input="q")
    with pytest.raises(BadRequestError) as refused:
        client.responses.cancel(made.id)
    assert "Cannot cancel a synchronous response." in refused.value.message


@promise("input_items")
def test_input_items_are_listed_in_pages(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    given: Any = [{"role": "user", "content": f"m{n}"} for n in range(25)]
    made = client.responses.create(model=model, input=given)

    def text(item: Any) -> str:
        return item.content[0].text

    newest = client.responses.input_items.list(made.id)
    assert [text(item) for item in newest.data] == [f"m{n}" for n in range(24, 4, -1)]
    assert newest.has_more is True
    assert [text(item) for item in client.responses.input_items.list(made.id)] == [f"m{n}" for n in range(24, -1, -1)]
    oldest = client.responses.input_items.list(made.id, order="asc", limit=3)
    assert [text(item) for item in oldest.data] == ["m0", "m1", "m2"]
    after = client.responses.input_items.list(made.id, order="asc", limit=22, after=oldest.data[-1].id)
    assert [text(item) for item in after.data] == [f"m{n}" for n in range(3, 25)]
    assert after.has_more is False
    assert all(item.id.startswith("msg_") and item.status == "completed" for item in after.data)  # type: ignore[union-attr]


@promise("input_items")
def test_a_page_names_its_ends(http: httpx2.Client, script: Script, model: str) -> None:
    script.will(says("ok"))
    made = http.post("/responses", json={"model": model, "input": "q"}).json()
    page = http.get(f"/responses/{made['id']}/input_items").json()
    assert page["object"] == "list"
    assert page["first_id"] == page["last_id"] == page["data"][0]["id"]
    assert page["data"][0]["content"] == [{"type": "input_text", "text": "q"}]
    for wrong in ("limit=0", "limit=101", "limit=x", "order=up", "after=nobody"):
        assert http.get(f"/responses/{made['id']}/input_items?{wrong}").status_code == 400, wrong


@promise("input_items")
def test_input_items_are_those_of_this_response_and_what_came_before(
    client: OpenAI, script: Script, model: str
) -> None:
    script.will(says("one"), says("two"))
    first = client.responses.create(model=model, input="a")
    second = client.responses.create(model=model, input="b", previous_response_id=first.id)
    listed = client.responses.input_items.list(second.id, order="asc").data
    assert [item.content[0].text for item in listed][-1] == "b"  # type: ignore[union-attr]


@promise("models")
def test_models_are_those_of_the_model_server(
    client: OpenAI, http: httpx2.Client, upstream: Upstream, model: str
) -> None:
    names = [one.id for one in client.models.list()]
    assert model in names
    one = client.models.retrieve(model)
    assert (one.id, one.object) == (model, "model")
    missing = http.get("/models/nobody")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


@promise("models")
def test_a_model_that_appears_later_can_be_asked(client: OpenAI, upstream: Upstream, model: str) -> None:
    late = upstream.on(f"{model}-pulled-just-now").will(says("Here."))
    assert client.responses.create(model=late.model, input="q").output_text == "Here."


@promise("response.binary")
def test_a_file_given_as_bytes_reaches_the_model(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("A note."))
    data = "data:text/plain;base64," + base64.b64encode(b"hello").decode()
    parts: Any = [{"type": "input_file", "filename": "a.txt", "file_data": data}, {"type": "input_text", "text": "?"}]
    client.responses.create(model=model, input=[{"role": "user", "content": parts}])
    assert script.last.messages[0]["content"] == '<file name="a.txt">\nhello\n</file>\n?'
