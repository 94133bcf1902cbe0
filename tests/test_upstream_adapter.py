"""Pure cores of the model adapter: splitting a stream, repairing an answer, reading a refusal, the demo model."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import validate

from graph.errors import Json, RequestError, UpstreamError
from graph.ports import Prompt
from nodes.upstreams.demo import say
from nodes.upstreams.demo_schema import instance_of
from nodes.upstreams.failures import refusal, retry_after_s
from nodes.upstreams.probe import Learned
from nodes.upstreams.reading import Reading
from nodes.upstreams.repair import Repair, as_chunk
from nodes.upstreams.sse import Frames
from nodes.upstreams.upstream import Upstream

UPSTREAM = Upstream("http://127.0.0.1:9/v1/", key="k", name="test")
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}


def delta(finish: str | None = None, **fields: Any) -> Json:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def event(chunk: object, end: bytes = b"\n\n") -> bytes:
    return b"data: " + orjson.dumps(chunk) + end


# ---------------------------------------------------------------- splitting a stream


def split(packets: list[bytes]) -> tuple[list[Json], bool]:
    frames = Frames("test")
    chunks = [chunk for packet in packets for chunk in frames.feed(packet)]
    return chunks + frames.end(), frames.ended


@given(st.lists(st.text(), max_size=4), st.lists(st.integers(0, 400)), st.sampled_from([b"\n\n", b"\r\n\r\n"]))
def test_chunks_are_the_same_however_a_stream_is_cut(texts: list[str], cuts: list[int], end: bytes) -> None:
    sent = [delta(content=text) for text in [*texts, "a\u2028b\u0085c"]]
    said = [delta(content=text.replace("\0", "")) for text in [*texts, "a\u2028b\u0085c"]]
    stream = b": ping" + end + b"".join(event(chunk, end) for chunk in sent) + b"data: [DONE]" + end
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    packets = [stream[a:b] for a, b in pairwise(edges)]
    assert split(packets) == (said, True)


@pytest.mark.parametrize(
    "stream",
    [
        b'data:{"a":1}\n\n',
        b'data: {"a":1}',
        b'event: message\nid: 7\ndata: {"a":1}\n\n',
        b'data: {"a":\ndata: 1}\n\n',
        b'data: {"a":1}\n\ndata: [DONE]\n\ndata: {"late":1}\n\ndata: nonsense\n\n',
    ],
)
def test_unusual_framing_is_understood(stream: bytes) -> None:
    assert split([stream])[0] == [{"a": 1}]


@pytest.mark.parametrize("stream", [b'data: {"a":\n\n', b"data: 7\n\n", b'data: {"a"', b"data: [1]\n\n"])
def test_an_event_that_is_no_json_object_is_the_upstreams_failure(stream: bytes) -> None:
    with pytest.raises(UpstreamError):
        split([stream])


# ---------------------------------------------------------------- repairing an answer


def repaired(chunks: list[Json], *, tools: bool = True) -> dict[str, Any]:
    """What a reader has after `chunks`: text, thought, calls by index, finish, notes."""
    repair = Repair({"get_weather": WEATHER} if tools else {})
    got: dict[str, Any] = {"text": "", "thought": "", "calls": {}, "finish": None}
    mended = [one for chunk in chunks for one in repair.mend(chunk)]
    for one in [*mended, *repair.end()]:
        for choice in one["choices"]:
            got["finish"] = choice["finish_reason"] or got["finish"]
            got["text"] += choice["delta"].get("content") or ""
            got["thought"] += choice["delta"].get("reasoning_content") or ""
            for call in choice["delta"].get("tool_calls") or ():
                known = got["calls"].setdefault(call["index"], {"arguments": ""})
                assert ("id" in call) == ("name" not in known), "only the first delta of a call names it"
                known |= {
                    "name": call["function"].get("name", known.get("name")),
                    "id": call.get("id", known.get("id")),
                }
                known["arguments"] += call["function"]["arguments"]
    return {**got, "notes": repair.notes}


def in_pieces(text: str, size: int) -> list[Json]:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [*(delta(content=piece) for piece in pieces), delta("stop")]


def calls_of(got: dict[str, Any]) -> list[tuple[str, object]]:
    assert all(call["id"] for call in got["calls"].values())
    return [(call["name"], orjson.loads(call["arguments"])) for _, call in sorted(got["calls"].items())]


SIZES = pytest.mark.parametrize("size", [1, 2, 5, 1000])


@SIZES
@pytest.mark.parametrize("tag", ["think", "thinking"])
def test_thoughts_in_tags_become_reasoning(tag: str, size: int) -> None:
    got = repaired(in_pieces(f"\n<{tag}>\nIs 1 < 2? </no> yes</{tag}>\n\nIt <b>is</b>.", size))
    assert (got["thought"], got["text"]) == ("Is 1 < 2? </no> yes", "It <b>is</b>.")
    assert got["notes"] == ["thoughts in tags"]


@SIZES
def test_a_tag_in_the_middle_of_an_answer_is_text(size: int) -> None:
    text = "Models write <think> before they answer, 1 < 2."
    assert repaired(in_pieces(text, size))["text"] == text


@SIZES
@pytest.mark.parametrize(
    "written",
    [
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
        '<tool_call>{"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\"}"}',
        '<function=get_weather>{"city": "Paris"}</function>',
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>",
        '{"name": "get_weather", "parameters": {"city": "Paris"}}',
        '{"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Paris"}}}',
        '<think>hm</think>\n\n{"name": "get_weather", "arguments": {"city": "Paris"}}',
    ],
)
def test_a_call_written_as_text_becomes_a_call(written: str, size: int) -> None:
    got = repaired(in_pieces(written, size))
    assert calls_of(got) == [("get_weather", {"city": "Paris"})]
    assert (got["text"], got["finish"]) == ("", "tool_calls")


@SIZES
def test_text_before_and_several_calls_written_as_text_are_kept_apart(size: int) -> None:
    call = '<tool_call>{"name": "get_weather", "arguments": {"city": "%s"}}</tool_call>'
    got = repaired(in_pieces(f"I look.\n{call % 'A'}\n{call % 'B'}", size))
    assert got["text"] == "I look.\n"
    assert calls_of(got) == [("get_weather", {"city": "A"}), ("get_weather", {"city": "B"})]


@SIZES
@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "rm", "arguments": {}}</tool_call> done',
        '{"name": "Ada", "age": 36}',
        '{"city": "Paris"}',
        "<tool_call>not json</tool_call>",
        "a <function> of x, <tool",
    ],
)
def test_text_that_only_looks_like_a_call_stays_text(text: str, size: int) -> None:
    got = repaired(in_pieces(text, size))
    assert (got["text"], got["calls"], got["finish"]) == (text, {}, "stop")


def test_calls_are_left_in_the_text_when_no_tool_was_offered() -> None:
    text = '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>'
    assert repaired(in_pieces(text, 7), tools=False)["text"] == text


def test_ordinary_chunks_pass_untouched() -> None:
    repair = Repair({})
    assert repair.mend(delta(content="one")) == [delta(content="one")]
    chunks = [delta(content=" or"), delta(content=" < two"), {"choices": [], "usage": {"prompt_tokens": 1}}]
    for chunk in chunks:
        (passed,) = repair.mend(chunk)
        assert passed is chunk
    assert repair.notes == []


def function(name: str | None = None, arguments: object = None, **fields: Any) -> Json:
    return {**fields, "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([[function("f", {"a": 1}, index=0)]], [("f", {"a": 1})]),
        ([[function("f", '{"a":1}'), function("g", "{}")]], [("f", {"a": 1}), ("g", {})]),
        (
            [[function("f", '{"a":1}', index=0)], [function("f", '{"a":2}', index=0)]],
            [("f", {"a": 1}), ("f", {"a": 2})],
        ),
        ([[function("f", "{}", index=0, id="x")], [function("f", "{}", index=0, id="y")]], [("f", {}), ("f", {})]),
        ([[function("f", '{"a"', index=0, id="x")], [function("f", ":1}", index=0, id="x")]], [("f", {"a": 1})]),
        ([[function("f", "", id="x")], [function(None, '{"a"')], [function(None, ":1}")]], [("f", {"a": 1})]),
        ([[function("f", None, index=3, id="x")]], [("f", {})]),
        (
            [[function("f", "", index=0, id="x"), function("g", "", index=1, id="y")], [function(None, "{}", index=1)]],
            [("f", {}), ("g", {})],
        ),
    ],
)
def test_calls_come_out_in_normal_form(calls: list[list[Json]], expected: list[tuple[str, object]]) -> None:
    got = repaired([*(delta(tool_calls=some) for some in calls), delta("stop")])
    assert calls_of(got) == expected
    assert got["finish"] == "tool_calls"


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": "hm"},
        {"reasoning_content": "hm", "reasoning": "hm"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
    ],
)
def test_reasoning_has_one_name(fields: Json) -> None:
    got = repaired([delta(role="assistant", **fields), delta(content="x"), delta("stop")])
    assert (got["thought"], got["text"]) == ("hm", "x")


def test_a_missing_finish_reason_is_made_up_only_at_the_end() -> None:
    got = repaired([delta(content="<tool_c"), delta(content="akes>")])
    assert (got["text"], got["finish"], got["notes"]) == ("<tool_cakes>", "stop", ["no finish reason"])


def test_a_whole_completion_is_one_chunk() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [function("f", {"a": 1}, id="x")]}
    got = repaired([as_chunk({"choices": [{"message": message, "finish_reason": "stop"}]})])
    assert calls_of(got) == [("f", {"a": 1})]


STRANGE = [
    {"choices": "none"},
    {"choices": [7]},
    delta(tool_calls="f"),
    delta(tool_calls=[{"function": "f"}]),
    {"choices": [{"delta": "x"}]},
    {"error": {"message": "out of memory"}},
    {"error": "out of memory"},
    {"message": "out of memory", "code": 500},
    {"detail": "out of memory"},
]


def reading() -> Reading:
    return Reading(UPSTREAM, "m", Repair({}), lambda chunk: None)


@pytest.mark.parametrize("chunk", STRANGE, ids=str)
def test_a_chunk_of_another_shape_is_the_upstreams_failure(chunk: Json) -> None:
    framed = reading()
    with pytest.raises(UpstreamError):
        framed.packet(event(chunk) + event(delta("stop"))) or framed.close()
    with pytest.raises(UpstreamError):
        reading().whole(orjson.dumps(chunk))


# ---------------------------------------------------------------- reading a refusal


@pytest.mark.parametrize(
    "body",
    [
        {"code": "context_length_exceeded", "message": "Too long.", "param": "messages"},
        {"type": "exceed_context_size_error", "message": "the request exceeds the available context size", "code": 400},
        {"object": "error", "message": "This model's maximum context length is 16 tokens. However, you requested 50."},
        "input length exceeds the context length",
        {"message": "The prompt is too long: 9000 tokens"},
    ],
)
def test_a_prompt_that_is_too_long_is_told_alike(body: object) -> None:
    failure = refusal(400, body, {}, UPSTREAM, "m")
    assert (failure.status, failure.code, failure.param) == (400, "context_length_exceeded", "input")


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (400, {"message": "bad", "param": "messages[0].role"}, (400, None, "input")),
        (422, {"detail": "nope"}, (400, None, None)),
        (401, {"message": "Incorrect API key provided: k"}, (502, None, None)),
        (403, "", (502, None, None)),
        (404, {"message": "model 'm' not found, try pulling it first"}, (400, "model_not_found", "model")),
        (404, "<html>nginx</html>", (502, None, None)),
        (404, {"detail": "Not Found"}, (502, None, None)),
        (429, {"message": "slow down"}, (429, "rate_limit_exceeded", None)),
        (500, "<html>oops</html>", (502, None, None)),
        (503, {"message": "loading"}, (503, None, None)),
    ],
)
def test_a_refusal_is_mapped(status: int, body: object, shown: tuple[object, ...]) -> None:
    failure = refusal(status, body, {"retry-after": "7"}, UPSTREAM, "m")
    assert (failure.status, failure.code, failure.param) == shown
    assert failure.retry_after_s == (7 if status in (429, 503) else None)
    assert isinstance(failure, RequestError) == (shown[0] == 400)
    assert "API key provided" not in failure.message
    assert "<" not in failure.message


def test_retry_after_may_be_a_date() -> None:
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after_s({"retry-after-ms": "1500"}) == 1.5
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({}) is None


def test_a_field_that_is_refused_is_left_out_from_then_on() -> None:
    learned = Learned(UPSTREAM)
    prompt = Prompt("m", [], options={"parallel_tool_calls": False, "temperature": 0.5})
    assert learned.learn(400, {"message": "Unknown parameter: 'stream_options'."}, prompt)
    assert learned.learn(422, {"detail": "parallel_tool_calls: extra inputs are not permitted"}, prompt)
    assert not learned.learn(400, {"message": "temperature is not supported", "param": "temperature"}, prompt)
    assert not learned.learn(400, {"message": "Unknown parameter: 'stream_options'."}, prompt)
    assert learned.body(prompt) == {"model": "m", "messages": [], "temperature": 0.5, "stream": True}


def test_system_messages_move_to_where_a_server_takes_them() -> None:
    learned = Learned(UPSTREAM)
    fragment = orjson.Fragment(b'{"role":"system","content":"a"},{"role":"user","content":"b"}')
    prompt = Prompt("m", [fragment, {"role": "system", "content": "c"}])
    assert learned.learn(500, {"message": "System message must be at the beginning."}, prompt)
    assert learned.body(prompt)["messages"] == [
        {"role": "system", "content": "a\n\nc"},
        {"role": "user", "content": "b"},
    ]
    assert learned.learn(400, {"message": "System role not supported"}, prompt)
    assert learned.body(prompt)["messages"] == [{"role": "user", "content": "a\n\nc\n\nb"}]
    assert not learned.learn(400, {"message": "System role not supported"}, prompt)


def test_a_model_without_tools_keeps_them_in_the_request() -> None:
    learned = Learned(UPSTREAM)
    prompt = Prompt("m", [], [TOOL])
    assert not learned.learn(400, {"message": "m does not support tools"}, prompt)
    assert not learned.profile().tools
    assert learned.body(prompt)["tools"] == [TOOL]


# ---------------------------------------------------------------- the demo model


def user(*texts: str) -> list[Json]:
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["My name is Ada.", "What is my name?"], "Your name is Ada."),
        (["What is my name?"], "You have not told me your name in this conversation."),
        (["What is (17 + 4) * 2?"], "(17 + 4) * 2 = 42"),
        (["what is 9^9^9^9"], "I cannot work out 9^9^9^9."),
        (["Count from 3 to 6"], "3 4 5 6"),
        (["one", "two", "What did I say first?"], "First you said: “one”"),
        (["Say hello world"], "hello world"),
    ],
)
def test_the_demo_model_answers_from_the_conversation(texts: list[str], expected: str) -> None:
    assert say(user(*texts), [], {}).text == expected


def test_the_demo_model_says_what_it_is() -> None:
    assert "not a language model" in say(user("Write a novel."), [], {}).text


def test_the_demo_model_calls_what_is_asked_for_round_by_round() -> None:
    other = {"type": "function", "function": {"name": "srv__echo", "parameters": {"type": "object", "properties": {}}}}
    asked = user('What is the weather in Paris? Use get_weather with {"city": "Paris"}, then use echo.')
    first = say(asked, [TOOL, other], {})
    assert [tuple(call) for call in first.calls] == [("get_weather", '{"city":"Paris"}')]
    called = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    asked += [{"role": "assistant", "tool_calls": [called]}, {"role": "tool", "tool_call_id": "c", "content": "rain"}]
    assert [call.name for call in say(asked, [TOOL, other], {}).calls] == ["srv__echo"]
    assert say(asked, [TOOL, other], {"tool_choice": "none"}).text == "get_weather answered: rain"


NODE = {"type": "object", "properties": {"v": {"type": "integer", "minimum": 3}}, "required": ["v", "next"]}
NODE["properties"] |= {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
        {"type": "array", "items": {"type": "integer", "multipleOf": 5}, "minItems": 3},
        {
            "allOf": [
                {"properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]},
                {"properties": {"b": {"const": 7}}},
            ]
        },
        {"properties": {"when": {"type": "string", "format": "date"}, "n": {"type": ["null", "number"]}}},
        {"type": "string", "minLength": 200},
        {"type": "string", "maxLength": 3},
    ],
)
def test_the_demo_model_fills_a_schema(schema: Json) -> None:
    validate(instance_of(schema, "Alice and Bob meet in Paris on 2026-05-06, 12 of them."), schema)
