"""When the world fails: model servers that refuse, hang up, stall or talk nonsense, and readers who leave."""

import json
import threading
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.answers import Answer, Fails
from tests.conftest import StartServer, Tell, client_of
from tests.contract import promise
from tests.process import free_port
from tests.recorder import Recorder
from tests.told import deltas, final, text_of
from tests.upstream import Script, calls, fails, says, thinks

Json = dict[str, Any]
REFUSALS = [
    (fails(400, "bad request"), 400, "invalid_request_error"),
    (fails(401, "bad key"), 502, "server_error"),
    (fails(403, "no"), 502, "server_error"),
    (fails(404, "The model does not exist.", code="model_not_found"), 400, "invalid_request_error"),
    (fails(429, "slow down", retry_after=7), 429, "rate_limit_error"),
    (fails(500, "oops"), 502, "server_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: str(case[0].status))
@promise("failures.before_created", "errors.shape")
def test_a_refusal_of_the_model_server_is_an_http_status(
    http: httpx2.Client, script: Script, model: str, case: tuple[Fails, int, str], stream: bool
) -> None:
    refusal, status, kind = case
    script.will(refusal)
    answer = http.post("/responses", json={"model": model, "input": "q", "stream": stream})
    assert answer.headers["content-type"].startswith("application/json")
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    if status == 429:
        assert answer.headers["retry-after"] == "7"


@promise("failures.nothing_kept")
def test_a_response_that_was_refused_is_not_kept(
    http: httpx2.Client, client: OpenAI, script: Script, model: str
) -> None:
    script.will(says("one"), fails(500, "oops"), says("two"))
    made = client.conversations.create()
    client.responses.create(model=model, input="a", conversation=made.id)
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model=model, input="b", conversation=made.id)
    client.responses.create(model=model, input="c", conversation=made.id)
    assert [m["content"] for m in script.last.messages] == ["a", "one", "c"]


@promise("failures.retried")
def test_a_model_server_that_is_busy_for_a_moment_is_asked_again(client: OpenAI, script: Script, model: str) -> None:
    script.will(fails(503, "loading"), says("ok"))
    assert client.responses.create(model=model, input="q").output_text == "ok"


@pytest.mark.parametrize("hint", ["stream_options", "parallel_tool_calls", "reasoning_effort", "logprobs"])
@promise("failures.hints")
def test_a_hint_the_model_server_does_not_know_is_left_out(
    client: OpenAI, script: Script, model: str, hint: str
) -> None:
    script.rejects(hint).will(*[says("ok")] * 2)
    for _ in range(2):
        response = client.responses.create(
            model=model, input="q", parallel_tool_calls=False, reasoning={"effort": "low"}, tools=[TOOL],  # type: ignore[list-item]
            include=["message.output_text.logprobs"],
        )  # fmt: skip
        assert response.output_text == "ok"
    assert hint not in script.last.body


@promise("failures.hints")
def test_a_field_that_matters_is_never_left_out(http: httpx2.Client, script: Script, model: str) -> None:
    script.rejects("temperature", "Unsupported parameter: '{}' is not supported with this model.")
    refused = http.post("/responses", json={"model": model, "input": "q", "temperature": 0.5})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "temperature"
    assert "not supported" in refused.json()["error"]["message"]


TOOL: Json = {"type": "function", "name": "f", "parameters": {}, "strict": False}
BROKEN: list[tuple[str, Answer]] = [
    ("cut", says("one two three").cuts(after=2)),
    ("cut before any word", says("one two three").cuts(after=0)),
    ("ended early", says("one two three").ends(after=2)),
    ("half a frame", says("one two three").half_frame(after=2)),
    ("broken JSON", says("one two three").broken_json(after=2)),
    ("error frame", says("one two three").error_frame(after=2)),
    ("cut in a thought", thinks("one two three", says("four")).cuts(after=2)),
    ("cut in a call", calls("f", '{"a": "bcdefgh"}').cuts(after=2)),
]


@pytest.mark.parametrize("answer", [answer for _, answer in BROKEN], ids=[name for name, _ in BROKEN])
@promise("failures.after_created", "stream.order.error")
def test_a_stream_that_breaks_ends_with_error_and_failed(tell: Tell, script: Script, answer: Answer) -> None:
    script.will(answer)
    events = tell(input="q", tools=[TOOL])
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert final(events)["error"]["code"] == "server_error"
    assert final(events)["error"]["message"] == events[-2]["message"]
    assert "Traceback" not in events[-2]["message"]


@promise("failures.partial")
def test_what_was_said_before_a_failure_is_kept_as_incomplete(tell: Tell, client: OpenAI, script: Script) -> None:
    script.will(says("one two three").cuts(after=2))
    events = tell(input="q")
    assert deltas(events, "output_text") == ["one ", "two "]
    (message,) = final(events)["output"]
    assert (message["status"], text_of(final(events))) == ("incomplete", "one two ")
    kept = client.responses.retrieve(final(events)["id"])
    assert (kept.status, kept.output_text) == ("failed", "one two ")


@pytest.mark.parametrize("answer", [answer for _, answer in BROKEN], ids=[name for name, _ in BROKEN])
@promise("failures.waiting")
def test_who_waits_for_an_answer_that_breaks_is_told(
    http: httpx2.Client, script: Script, model: str, answer: Answer
) -> None:
    script.will(answer)
    told = http.post("/responses", json={"model": model, "input": "q", "tools": [TOOL]})
    if told.status_code == 200:
        assert told.json()["status"] == "failed"
        assert told.json()["error"]["code"] == "server_error"
    else:
        assert told.status_code in (502, 504)


@promise("failures.sdk")
def test_the_client_raises_what_broke_a_stream(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one two three").error_frame(after=1, message="Out of memory."))
    with pytest.raises(openai.APIError, match="Out of memory"):
        list(client.responses.create(model=model, input="q", stream=True))


@promise("failures.unreachable")
def test_a_model_server_that_is_not_there_is_502(start_server: StartServer, recorder: Recorder) -> None:
    server = start_server(upstream_url=f"http://127.0.0.1:{free_port()}/v1")
    with client_of(server, recorder) as client, pytest.raises(openai.APIStatusError) as refused:
        client.responses.create(model="any", input="q", stream=True)
    assert refused.value.status_code in (502, 503)
    assert "127.0.0.1" in refused.value.message


@promise("failures.stall")
def test_a_model_server_that_stalls_is_given_up(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server(GRAPHNEXUS_UPSTREAM_STALL_TIMEOUT_S="0.5")
    script.will(says("one two").stalls(after=1))
    with httpx2.Client(base_url=server.url, timeout=20) as http:
        told = http.post("/responses", json={"model": model, "input": "q", "stream": True})
    assert "event: error\n" in told.text
    assert "event: response.failed\n" in told.text
    assert script.last.left.wait(5)


@promise("failures.slow_start")
def test_a_model_server_that_thinks_long_does_not_keep_created_back(client: OpenAI, script: Script, model: str) -> None:
    go_on = threading.Event()
    script.will(says("late").pauses(after=-1, until=go_on))
    with client.responses.create(model=model, input="q", stream=True) as stream:
        assert next(stream).type == "response.created"
        go_on.set()
        assert list(stream)[-1].type == "response.completed"


# ---------------------------------------------------------------- readers who leave


@promise("leaving.stops")
def test_a_reader_who_leaves_stops_the_response(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one two three").stalls(after=1))
    stream = client.responses.create(model=model, input="q", stream=True)
    started = next(iter(stream))
    next(event for event in stream if event.type == "response.output_text.delta")
    stream.close()
    assert script.last.left.wait(5), "the model server is left alone"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(started.response.id)  # type: ignore[union-attr]


@promise("leaving.stops")
def test_a_reader_who_leaves_while_the_model_speaks_stops_it(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("word " * 5000).paced(0.002))
    stream = client.responses.create(model=model, input="q", stream=True)
    next(event for event in stream if event.type == "response.output_text.delta")
    stream.close()
    assert script.last.left.wait(5)
    assert not script.last.answered.is_set()


@promise("leaving.stops")
def test_who_hangs_up_while_waiting_stops_the_response(http: httpx2.Client, script: Script, model: str) -> None:
    script.will(says("one two").stalls(after=1))
    with pytest.raises(httpx2.ReadTimeout):
        http.post("/responses", json={"model": model, "input": "q"}, timeout=0.5)
    assert script.last.left.wait(5)


@promise("leaving.keeps_nothing")
def test_nothing_half_written_stays_of_a_response_that_was_left(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("never to end").stalls(after=2), says("two"))
    first = client.responses.create(model=model, input="a")
    stream = client.responses.create(model=model, input="left", previous_response_id=first.id, stream=True)
    next(event for event in stream if event.type == "response.output_text.delta")
    stream.close()
    assert script.last.left.wait(5)
    client.responses.create(model=model, input="b", previous_response_id=first.id)
    assert [m["content"] for m in script.last.messages] == ["a", "one", "b"]


@promise("failures.open_responses")
def test_an_error_event_bears_both_shapes_of_its_fields(tell: Tell, script: Script) -> None:
    script.will(says("one two").cuts(after=1))
    error = next(event for event in tell(input="q") if event["type"] == "error")
    assert error["error"]["message"] == error["message"]
    assert json.dumps(error["error"]["param"]) == "null"
