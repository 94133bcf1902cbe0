"""A streamed response as its reader sees it: which events, in which order, and when."""

import asyncio
import json
import socket
import threading
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.conftest import StartServer, Tell, client_of
from tests.contract import promise
from tests.process import Server
from tests.recorder import Recorder
from tests.told import deltas, final, kinds, output, text_of
from tests.upstream import Script, calls, refuses, says, says_with_logprobs, thinks, together

OPENING = ["created", "in_progress"]
MESSAGE = [
    "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
    "output_item.done",
]  # fmt: skip
THOUGHT = [
    "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done",
    "output_item.done",
]  # fmt: skip
CALL = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
WEATHER = {
    "type": "function", "name": "weather", "description": "Tell the weather.", "strict": False,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}  # fmt: skip


@promise("stream.order.message", "stream.numbers", "stream.done")
def test_text_is_told_in_the_order_of_the_contract(tell: Tell, script: Script, recorder: Recorder) -> None:
    script.will(says("The answer is 42."))
    events = tell(input="What is the answer?")
    assert kinds(events) == [*OPENING, *MESSAGE, "completed"]
    assert deltas(events, "output_text") == ["The ", "answer ", "is ", "42."]
    assert output(events)[0]["content"][0]["text"] == "The answer is 42."
    assert bytes(recorder.last.raw).endswith(b"\n\ndata: [DONE]\n\n")
    assert recorder.last.headers["content-type"].startswith("text/event-stream")


@promise("stream.live")
def test_text_reaches_the_reader_while_the_model_still_speaks(client: OpenAI, script: Script, model: str) -> None:
    go_on = threading.Event()
    script.will(says("first second").pauses(after=1, until=go_on))
    with client.responses.create(model=model, input="q", stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta" and event.delta == "first ":
                assert not script.last.answered.is_set()
                go_on.set()
    assert script.last.answered.wait(5)


@promise("stream.created_early")
def test_created_is_said_as_soon_as_the_model_server_accepts(client: OpenAI, script: Script, model: str) -> None:
    go_on = threading.Event()
    script.will(says("late").pauses(after=-1, until=go_on))
    with client.responses.create(model=model, input="q", stream=True) as stream:
        assert [next(stream).type, next(stream).type] == ["response.created", "response.in_progress"]
        assert not script.last.answered.is_set()
        go_on.set()
        assert list(stream)[-1].type == "response.completed"


@promise("stream.framing")
def test_frames_leave_whole(server: Server, script: Script, model: str, log_watch: None) -> None:
    script.will(says("one two three four five six").paced(0.01))
    body = json.dumps({"model": model, "input": "q", "stream": True}).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        wire.sendall(f"{head}content-type: application/json\r\nconnection: close\r\n\r\n".encode() + body)
        received = b"".join(iter(lambda: wire.recv(65536), b""))
    chunks = received.partition(b"\r\n\r\n")[2]
    frames: list[bytes] = []
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        frames.append(rest[: int(size, 16)])
        chunks = rest[int(size, 16) + 2 :]
    assert len(frames) > 5, "the stream came in one piece"
    assert all(frame.endswith(b"\n\n") and frame.startswith((b"event: ", b"data: ")) for frame in frames if frame)


@promise("stream.order.refusal")
def test_a_refusal_is_told_as_one(tell: Tell, script: Script) -> None:
    script.will(refuses("I cannot do that."))
    events = tell(input="Do it.")
    assert deltas(events, "refusal") == ["I ", "cannot ", "do ", "that."]
    assert output(events)[0]["content"] == [{"type": "refusal", "refusal": "I cannot do that."}]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@promise("stream.order.reasoning")
def test_thoughts_are_an_item_of_their_own_before_the_answer(tell: Tell, script: Script, field: str) -> None:
    script.will(thinks("Hm, let me see.", says("42"), field=field))
    events = tell(input="q")
    assert kinds(events) == [*OPENING, *THOUGHT, *MESSAGE, "completed"]
    thought, message = output(events)
    assert thought["content"] == [{"type": "reasoning_text", "text": "Hm, let me see."}]
    assert thought["summary"] == []
    assert message["content"][0]["text"] == "42"


@promise("stream.open_responses_names")
def test_reasoning_events_can_bear_the_names_of_open_responses(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    script.will(thinks("Hm.", says("42")))
    server = start_server(GRAPHNEXUS_REASONING_EVENT_NAMES="open_responses")
    with client_of(server, recorder) as client:
        names = [event.type for event in client.responses.create(model=model, input="q", stream=True)]
    assert "response.reasoning.delta" in names
    assert "response.reasoning.done" in names
    assert not any("reasoning_text" in name for name in names)


@promise("include.logprobs")
def test_logprobs_are_told_only_to_who_asks(tell: Tell, script: Script) -> None:
    script.will(says_with_logprobs("It is", top=2), says("It is"))
    asked = tell(input="q", include=["message.output_text.logprobs"], top_logprobs=2)
    assert (script.last.body["logprobs"], script.last.body["top_logprobs"]) == (True, 2)
    first = next(event for event in asked if event["type"] == "response.output_text.delta")
    assert first["logprobs"][0]["token"] == "It "
    assert len(first["logprobs"][0]["top_logprobs"]) == 2
    told = output(asked)[0]["content"][0]["logprobs"]
    assert [entry["token"] for entry in told] == ["It ", "is"]
    assert told[0]["bytes"] == [73, 116, 32]
    silent = tell(input="q")
    assert "logprobs" not in script.last.body
    assert output(silent)[0]["content"][0].get("logprobs", []) == []


@promise("stream.order.function_call", "tools.function")
def test_a_call_streams_its_arguments_as_arguments(tell: Tell, script: Script) -> None:
    script.will(calls("weather", city="Paris", id="call_a"))
    events = tell(input="q", tools=[WEATHER])
    assert kinds(events) == [*OPENING, *CALL, "completed"]
    assert len(deltas(events, "function_call_arguments")) > 1
    (call,) = output(events)
    assert json.loads(call["arguments"]) == {"city": "Paris"}
    assert (call["name"], call["call_id"], call["status"]) == ("weather", "call_a", "completed")


@pytest.mark.parametrize("interleave", [False, True])
@promise("stream.no_interleaving")
def test_parallel_calls_are_told_one_after_the_other(tell: Tell, script: Script, interleave: bool) -> None:
    cities = ["Paris", "Rome", "Oslo"]
    script.will(together(*(("weather", {"city": city}) for city in cities), interleave=interleave, ids=["a", "b", "c"]))
    events = tell(input="q", tools=[WEATHER])
    assert kinds(events) == [*OPENING, *CALL * 3, "completed"]
    assert [json.loads(call["arguments"])["city"] for call in output(events)] == cities
    assert [call["call_id"] for call in output(events)] == ["a", "b", "c"]


@promise("stream.order.function_call")
def test_text_before_a_call_is_a_message_before_it(tell: Tell, script: Script) -> None:
    script.will(together(("weather", {"city": "Paris"}), text="Let me look."))
    events = tell(input="q", tools=[WEATHER])
    assert kinds(events) == [*OPENING, *MESSAGE, *CALL, "completed"]
    assert [item["type"] for item in output(events)] == ["message", "function_call"]


@promise("stream.order.function_call")
def test_a_call_without_arguments_is_whole(tell: Tell, script: Script) -> None:
    script.will(calls("weather", ""))
    (call,) = output(tell(input="q", tools=[WEATHER]))
    assert call["arguments"] in ("", "{}")


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
@promise("stream.incomplete")
def test_an_answer_cut_short_is_incomplete_and_so_is_its_last_item(
    tell: Tell, script: Script, finish: str, reason: str
) -> None:
    script.will(says("It all began", finish=finish))
    events = tell(input="q", max_output_tokens=16)
    assert events[-1]["type"] == "response.incomplete"
    assert final(events)["incomplete_details"] == {"reason": reason}
    assert output(events)[-1]["status"] == "incomplete"
    assert text_of(final(events)) == "It all began"


@promise("stream.incomplete")
def test_a_call_cut_short_is_incomplete(tell: Tell, script: Script) -> None:
    cut = calls("weather", '{"city": "Par')
    script.will(type(cut)(cut.deltas, finish="length"))
    events = tell(input="q", tools=[WEATHER])
    assert events[-1]["type"] == "response.incomplete"
    assert output(events)[-1]["status"] == "incomplete"


@promise("response.usage")
def test_usage_is_what_the_model_server_counted(tell: Tell, script: Script) -> None:
    counted: dict[str, Any] = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    details = {"prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens_details": {"reasoning_tokens": 3}}
    script.will(says("42", usage=counted | details))
    usage = final(tell(input="q"))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (11, 7, 18)
    assert usage["input_tokens_details"]["cached_tokens"] == 5
    assert usage["output_tokens_details"]["reasoning_tokens"] == 3
    assert script.last.body["stream_options"]["include_usage"] is True


@promise("stream.empty")
def test_an_empty_answer_is_a_completed_response(tell: Tell, script: Script) -> None:
    script.will(says(""))
    events = tell(input="q")
    assert events[-1]["type"] == "response.completed"
    assert text_of(final(events)) == ""


@promise("sdk.stream_helper")
def test_the_stream_helper_of_the_client_works(client: OpenAI, script: Script, model: str) -> None:
    script.will(thinks("Hm.", together(("weather", {"city": "Paris"}), text="Let me look.", interleave=True)))
    with client.responses.stream(model=model, input="q", tools=[WEATHER]) as stream:  # type: ignore[list-item]
        seen = [event.type for event in stream]
        whole = stream.get_final_response()
    assert seen[-1] == "response.completed"
    assert whole.output_text == "Let me look."
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call"]


@promise("stream.same_as_stored")
def test_what_was_streamed_is_what_is_stored(tell: Tell, http: httpx2.Client, script: Script) -> None:
    script.will(thinks("Hm.", together(("weather", {"city": "Paris"}), text="Let me look.")))
    told = final(tell(input="q", tools=[WEATHER], metadata={"a": "b"}, temperature=0.5))
    assert http.get(f"/responses/{told['id']}").json() == told


@promise("stream.stored_before_completed")
def test_a_completed_response_can_be_read_and_continued_at_once(client: OpenAI, script: Script, model: str) -> None:
    script.will(*(says(f"turn {n}") for n in range(10)))
    parent = None
    for turn in range(10):
        stream = client.responses.create(model=model, input="q", stream=True, previous_response_id=parent)
        for event in stream:
            if event.type == "response.completed":
                parent = event.response.id
                assert client.responses.retrieve(parent).output_text == f"turn {turn}"
    assert len([m for m in script.last.messages if m["role"] == "assistant"]) == 9


@promise("stream.options")
def test_obfuscation_may_be_asked_for(tell: Tell, script: Script) -> None:
    script.will(says("42"))
    assert text_of(final(tell(input="q", stream_options={"include_obfuscation": False}))) == "42"


@promise("stream.long")
def test_a_long_answer_arrives_whole(tell: Tell, script: Script) -> None:
    words = " ".join(str(n) for n in range(3000))
    script.will(says(words))
    assert text_of(final(tell(input="q"))) == words


@promise("stream.concurrent")
async def test_many_streams_at_once_do_not_mix(async_client: Any, script: Script, model: str) -> None:
    def echo(ask: Any) -> Any:
        return says(f"you said {ask.messages[-1]['content']} " * 20).paced(0.001)

    script.will(*[echo] * 20)

    async def one(number: int) -> None:
        stream = await async_client.responses.create(model=model, input=f"n{number}", stream=True)
        text = "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])
        assert text == f"you said n{number} " * 20

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(one(number))
