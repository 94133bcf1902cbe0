"""How much a model can read: tokens counted, conversations compacted, and what does not fit."""

import json
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, OpenAI

from tests.conftest import Tell
from tests.contract import promise
from tests.told import final
from tests.upstream import Script, fails, says


@promise("input_tokens")
def test_tokens_are_counted_as_the_model_server_counts_them(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("x", usage={"prompt_tokens": 17, "completion_tokens": 1, "total_tokens": 18}))
    counted = client.responses.input_tokens.count(model=model, input="How many tokens is this?")
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", 17)
    assert script.last.messages == [{"role": "user", "content": "How many tokens is this?"}]


@promise("compact", "compact.usable")
def test_a_compacted_conversation_goes_on(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("The cat is called Tom."), says("SUMMARY: a cat, Tom."), says("Tom."))
    first = client.responses.create(model=model, input="I have a cat.")
    compacted = client.responses.compact(model=model, previous_response_id=first.id)
    assert compacted.object == "response.compaction"
    kinds = [item.type for item in compacted.output]
    assert kinds == ["message", "compaction"]
    kept: Any = compacted.output[0].to_dict(warnings=False)
    assert (kept["role"], kept["content"][0]["text"], kept["status"]) == ("user", "I have a cat.", "completed")
    assert "Tom" not in json.dumps(compacted.output[1].to_dict(warnings=False))
    window: Any = [
        *(item.to_dict(warnings=False) for item in compacted.output),
        {"role": "user", "content": "Its name?"},
    ]
    assert client.responses.create(model=model, input=window).output_text == "Tom."
    assert "SUMMARY: a cat, Tom." in json.dumps(script.last.messages)
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input="q", previous_response_id=compacted.id)
    assert refused.value.code == "previous_response_not_found"


@promise("compact")
def test_compacting_needs_a_model(http: httpx2.Client) -> None:
    answer = http.post("/responses/compact", json={"input": "q"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "model"


@promise("compact.automatic")
def test_a_conversation_over_its_threshold_is_compacted_on_the_way(
    tell: Tell, client: OpenAI, script: Script, model: str
) -> None:
    long = {"prompt_tokens": 5000, "completion_tokens": 1, "total_tokens": 5001}
    counted = says("x", usage=long)
    script.will(says("one"), counted, says("SUMMARY"), says("two"), says("three"))
    first = client.responses.create(model=model, input="word " * 2000)
    compacting = [{"type": "compaction", "compact_threshold": 1000}]
    second = final(tell(input="b", previous_response_id=first.id, context_management=compacting))
    assert [item["type"] for item in second["output"]] == ["compaction", "message"]
    summary, asked = script.last.messages
    assert "SUMMARY" in summary["content"]
    assert asked == {"role": "user", "content": "b"}
    client.responses.create(model=model, input="c", previous_response_id=second["id"])
    assert script.last.messages[1:] == [
        asked, {"role": "assistant", "content": "two"}, {"role": "user", "content": "c"}
    ]  # fmt: skip


@promise("truncation.auto")
def test_what_does_not_fit_gives_way_from_the_beginning(client: OpenAI, script: Script, model: str) -> None:
    too_long = fails(400, "This model's maximum context length is 10 tokens.", code="context_length_exceeded")
    given: Any = [turn for n in range(4) for turn in (
        {"role": "user", "content": f"u{n}"}, {"role": "assistant", "content": f"a{n}"})]  # fmt: skip
    given = [*given, {"role": "user", "content": "last"}]
    script.will(too_long, says("ok"))
    response = client.responses.create(model=model, input=given, truncation="auto", instructions="Be brief.")
    assert response.output_text == "ok"
    texts = [message["content"] for message in script.last.messages]
    assert texts[0] == "Be brief."
    assert texts[-1] == "last"
    assert "u0" not in texts
    script.will(too_long)
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=model, input=given)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input")
