"""What model servers lack or get wrong is made good."""

import pytest

from tests.conftest import Tell
from tests.contract import promise
from tests.test_stream import MESSAGE, OPENING, WEATHER
from tests.told import final, kinds, output, text_of
from tests.upstream import Script, calls, says


@pytest.mark.parametrize("chunks", [1, 9, 40])
@promise("repair.think_tags")
def test_thoughts_in_tags_are_thoughts(tell: Tell, script: Script, chunks: int) -> None:
    script.will(says("<think>Hm, let me see.</think>\n\nIt is 42 < 43.", chunks=chunks))
    events = tell(input="q")
    thought, message = output(events)
    assert thought["content"][0]["text"].strip() == "Hm, let me see."
    assert message["content"][0]["text"].strip() == "It is 42 < 43."


@promise("repair.usage")
def test_usage_is_there_when_the_model_server_counts_nothing(tell: Tell, script: Script) -> None:
    script.will(says("42").without_usage())
    assert final(tell(input="q"))["usage"] is not None


@promise("repair.framing")
def test_a_model_server_that_ends_lines_with_crlf_is_understood(tell: Tell, script: Script) -> None:
    script.will(says("one\u2028two\u2029 three\x85four 😀").crlf())
    assert text_of(final(tell(input="q"))) == "one\u2028two\u2029 three\x85four 😀"


@promise("repair.surrogates")
def test_half_a_character_does_not_break_a_stream(tell: Tell, script: Script) -> None:
    halves = says("x")
    script.will(type(halves)(tuple({"delta": {"content": half}} for half in ("a", "\ud83d", "\ude00", "b", "\ud83d"))))
    text = text_of(final(tell(input="q")))
    assert text.startswith("a")
    assert "b" in text


@promise("repair.plain_json")
def test_a_model_server_that_does_not_stream_is_understood(tell: Tell, script: Script) -> None:
    script.will(says("All at once.").as_json(), calls("weather", city="Paris").as_json())
    events = tell(input="q")
    assert kinds(events) == [*OPENING, *MESSAGE, "completed"]
    assert text_of(final(events)) == "All at once."
    assert [item["type"] for item in output(tell(input="q", tools=[WEATHER]))] == ["function_call"]


@promise("repair.nonsense")
def test_calls_that_are_none_are_told_to_the_model(tell: Tell, script: Script) -> None:
    nonsense = says("x")
    wrong = {"index": 0, "id": 7, "type": "function", "function": {"name": ["weather"], "arguments": {}}}
    script.will(type(nonsense)(({"delta": {"tool_calls": [wrong]}, "finish_reason": "tool_calls"},)), says("Sorry."))
    assert text_of(final(tell(input="q", tools=[WEATHER]))) == "Sorry."
