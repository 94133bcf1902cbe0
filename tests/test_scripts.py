"""Whatever a model says, in whatever order, the stream is legal and the response is stored as it was told."""

import json
from typing import Any

import httpx2
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers import Answer
from tests.conftest import Tell
from tests.contract import promise
from tests.told import final, text_of
from tests.upstream import Script, says

Json = dict[str, Any]
TOOLS: list[Json] = [
    {"type": "function", "name": "f", "parameters": {}, "strict": False},
    {"type": "custom", "name": "c"},
    {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "g"}]},
    {"type": "shell", "environment": {"type": "local"}},
    {"type": "local_shell"},
    {"type": "apply_patch"},
    {"type": "computer"},
    {"type": "tool_search", "execution": "client"},
]
NAMES = ["f", "c", "n__g", "shell", "local_shell", "apply_patch", "computer", "tool_search", "nobody", ""]
ARGUMENTS = [
    "", "{}", '{"a": 1}', '{"input": "x"}', '{"commands": ["ls", "pwd"]}', '{"command": ["ls"]}', "[]", "null", "7",
    '{"type": "create_file", "path": "a", "diff": "+x"}', '{"type": "delete_file", "path": "a"}', '{"broken": ', "text",
    '{"actions": [{"type": "screenshot"}]}', '{"query": "q"}', '{"commands": "ls"}', '{"actions": []}', "{}{}",
]  # fmt: skip
ODD = ["a ", "<", "think", "<think>", "</think>", "\n\n", "data: x\n", "```", "\x00", "\ud83d", "\u2028", "[DONE]"]
FAULTS = ["cuts", "ends", "half_frame", "broken_json", "error_frame"]
words = st.one_of(st.sampled_from(ODD), st.text(max_size=5))


def told(**delta: Any) -> Json:
    return {"delta": delta}


texts = st.builds(lambda text: told(content=text), words)
thoughts = st.builds(
    lambda field, text: told(**{field: text}), st.sampled_from(["reasoning_content", "reasoning"]), words
)
refusals = st.builds(lambda text: told(refusal=text), words)
oddities = st.sampled_from(
    [
        told(),
        told(content=None),
        told(tool_calls=None),
        told(tool_calls=[]),
        told(role="assistant"),
        told(x=1),
        {"x": 1},
    ]
)


@st.composite
def tool_calls(draw: st.DrawFn) -> list[Json]:
    """Several calls whose deltas come in any order that keeps each call's own."""
    queues: list[list[Json]] = []
    for index in range(draw(st.integers(1, 3))):
        head: Json = {"index": index, "type": "function", "function": {"name": draw(st.sampled_from(NAMES))}}
        if draw(st.booleans()):
            head["id"] = f"call_{index}"
        text = draw(st.sampled_from(ARGUMENTS))
        cut = draw(st.integers(0, len(text)))
        tail = [{"index": index, "function": {"arguments": part}} for part in (text[:cut], text[cut:])]
        queues.append([head, *tail])
    mixed: list[Json] = []
    while queues:
        queue = draw(st.sampled_from(queues))
        mixed.append(told(tool_calls=[queue.pop(0)]))
        queues = [queue for queue in queues if queue]
    return mixed


speech = st.lists(st.one_of(texts, texts, thoughts, refusals, oddities), max_size=8)
turns = st.builds(
    lambda before, calls, after: (*before, *calls, *after), speech, st.one_of(st.just([]), tool_calls()), speech
)
finishes = st.sampled_from(["stop", "stop", "tool_calls", "length", "content_filter", None, "function_call", "eos"])


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    answer = Answer(
        draw(turns), draw(finishes), silent_usage=draw(st.booleans()), newline=draw(st.sampled_from(["\n", "\r\n"]))
    )
    at = draw(st.integers(0, len(answer.deltas)))
    manner = draw(st.sampled_from([*[""] * 12, *["as_json"] * 2, *FAULTS]))
    if manner in FAULTS:
        return getattr(answer, manner)(at)
    return answer.as_json() if manner else answer


@promise("stream.any_script", "stream.same_as_stored")
def test_whatever_a_model_says_is_told_by_the_grammar(tell: Tell, http: httpx2.Client, script: Script) -> None:
    script.always(says("ok"))

    @given(st.lists(answers(), min_size=1, max_size=2), st.booleans())
    @settings(max_examples=150, deadline=None, database=None)
    def holds(lines: list[Answer], parallel: bool) -> None:
        script.forget()
        script.will(*lines)
        response = final(tell(input="q", tools=TOOLS, parallel_tool_calls=parallel))
        stored = http.get(f"/responses/{response['id']}")
        assert stored.json() == response, json.dumps([line.deltas for line in lines])

    holds()
    script.forget()


@given(st.lists(st.sampled_from(["one ", "two\n", "three", " 😀", "\u2028", "é"]), min_size=1, max_size=9))
@settings(max_examples=5, database=None)
def test_pieces_of_a_script_add_up(said: list[str]) -> None:
    assert "".join(choice["delta"]["content"] for choice in says("".join(said)).deltas) == "".join(said)


@promise("stream.text_whole")
def test_no_character_of_a_text_is_lost(tell: Tell, script: Script) -> None:
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00<"), min_size=1), st.integers(1, 9))
    @settings(max_examples=50, deadline=None, database=None)
    def holds(text: str, chunks: int) -> None:
        script.will(says(text, chunks=chunks))
        assert text_of(final(tell(input="q"))) == text

    holds()
