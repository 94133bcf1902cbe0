"""Responses over a WebSocket: through the real client, one after another, chained, refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.contract import promise
from tests.process import Server
from tests.sockets import Talk, talking
from tests.told import text_of
from tests.upstream import Script, calls, fails, says, thinks

Json = dict[str, Any]
TOOL: Json = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


@pytest.fixture
def talk(server: Server, log_watch: None) -> Iterator[Talk]:
    with talking(server) as opened:
        yield opened


def said(script: Script) -> list[Any]:
    """What the model was last told, by role."""
    return [(message["role"], message["content"]) for message in script.last.messages]


# ---------------------------------------------------------------- responses


@promise("websocket.create")
def test_the_client_connects_creates_and_chains(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("Hello Ada."), says("Your name is Ada."))
    with client.responses.connect() as connection:
        connection.response.create(model=model, input="I am Ada.", store=False)
        first = next(event for event in connection if event.type == "response.completed").response
        connection.response.create(model=model, input="Who am I?", store=False, previous_response_id=first.id)
        told = []
        for event in connection:
            told.append(event)
            if event.type == "response.completed":
                break
    assert [event.sequence_number for event in told] == list(range(len(told)))
    assert "".join(event.delta for event in told if event.type == "response.output_text.delta") == "Your name is Ada."
    assert said(script) == [("user", "I am Ada."), ("assistant", "Hello Ada."), ("user", "Who am I?")]


@promise("websocket.create")
def test_events_are_those_of_a_stream(talk: Talk, tell: Any, script: Script, model: str) -> None:
    script.will(*[thinks("Let me see.", calls("weather", city="Paris"))] * 2)
    talk.ask(model=model, input="Weather?", tools=[TOOL])
    streamed = tell(input="Weather?", tools=[TOOL])
    (over_socket,) = talk.responses
    assert [event["type"] for event in over_socket.events] == [event["type"] for event in streamed]
    assert all(first.keys() == second.keys() for first, second in zip(over_socket.events, streamed, strict=True))


@promise("websocket.create")
def test_what_was_made_over_a_socket_is_stored_like_any_other(
    talk: Talk, client: OpenAI, script: Script, model: str
) -> None:
    script.will(says("one"), says("two"), says("three"))
    first = talk.ask(model=model, input="a")
    assert client.responses.retrieve(first["id"]).output_text == "one"
    over_http = client.responses.create(model=model, input="b", previous_response_id=first["id"])
    talk.ask(model=model, input="c", previous_response_id=over_http.id)
    assert [text for _, text in said(script)] == ["a", "one", "b", "two", "c"]


@promise("websocket.create")
def test_stream_is_not_needed_and_does_no_harm(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one"))
    talk.create(model=model, input="a", stream=False, stream_options={"include_obfuscation": False})
    assert text_of(talk.ended()) == "one"


@promise("websocket.background")
def test_background_is_refused(talk: Talk, model: str) -> None:
    talk.create(model=model, input="a", background=True)
    assert talk.refused()["param"] == "background"


@promise("websocket.sequential")
def test_requests_of_one_lane_are_answered_in_their_order(talk: Talk, script: Script, model: str) -> None:
    script.will(*[says(f"answer {number}") for number in range(4)])
    for number in range(4):
        talk.create(model=model, input=str(number))
    assert [text_of(talk.ended()) for _ in range(4)] == [f"answer {number}" for number in range(4)]


# ---------------------------------------------------------------- chains that only the connection knows


@promise("websocket.cache")
def test_unstored_responses_are_continued_on_their_connection_only(
    talk: Talk, server: Server, client: OpenAI, script: Script, model: str
) -> None:
    script.will(says("one"), says("two"), says("three"))
    first = talk.ask(model=model, input="a", store=False)
    second = talk.ask(model=model, input="b", store=False, previous_response_id=first["id"])
    with talking(server) as other:
        other.create(model=model, input="c", previous_response_id=second["id"])
        refused = other.refused()
    assert (refused["code"], refused["param"]) == ("previous_response_not_found", "previous_response_id")
    assert refused["status"] == 400
    talk.ask(model=model, input="c", store=False, previous_response_id=second["id"])
    assert [text for _, text in said(script)] == ["a", "one", "b", "two", "c"]


@promise("websocket.cache")
def test_calls_are_answered_in_an_unstored_chain(talk: Talk, script: Script, model: str) -> None:
    script.will(calls("weather", city="Paris", id="call_1"), says("Sunny."))
    asked = talk.ask(model=model, input="Weather?", tools=[TOOL], store=False)
    answer = {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"}
    told = talk.ask(model=model, input=[answer], store=False, previous_response_id=asked["id"], tools=[TOOL])
    assert text_of(told) == "Sunny."
    assert [role for role, _ in said(script)] == ["user", "assistant", "tool"]


@promise("websocket.cache")
def test_a_stored_response_may_go_on_from_an_unstored_one(
    talk: Talk, client: OpenAI, script: Script, model: str
) -> None:
    script.will(says("one"), says("two"), says("three"), says("four"))
    first = talk.ask(model=model, input="a", store=False)
    second = talk.ask(model=model, input="b", previous_response_id=first["id"])
    fork = talk.ask(model=model, input="c", previous_response_id=first["id"])
    client.responses.create(model=model, input="d", previous_response_id=second["id"])
    assert [text for _, text in said(script)] == ["a", "one", "b", "two", "d"]
    assert client.responses.retrieve(fork["id"]).output_text == "three"
    assert [item.content[0].text for item in client.responses.input_items.list(second["id"])] == ["b"]  # type: ignore[union-attr, index]


@promise("websocket.cache")
def test_an_unstored_response_may_go_on_from_a_stored_one(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one"), says("two"), says("three"))
    first = talk.ask(model=model, input="a")
    second = talk.ask(model=model, input="b", store=False, previous_response_id=first["id"])
    talk.ask(model=model, input="c", store=False, previous_response_id=second["id"])
    assert [text for _, text in said(script)] == ["a", "one", "b", "two", "c"]


@promise("websocket.evict")
def test_a_continuation_that_is_refused_costs_its_parent_its_place(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one"), fails(400, "Nonsense."))
    first = talk.ask(model=model, input="a", store=False)
    for code in ("invalid_request_error", "previous_response_not_found"):
        talk.create(model=model, input="b", store=False, previous_response_id=first["id"])
        assert talk.refused()["code"] == code


@promise("websocket.evict")
def test_a_parent_that_is_stored_is_found_again(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one"), fails(400, "Nonsense."), says("two"))
    first = talk.ask(model=model, input="a")
    talk.create(model=model, input="b", previous_response_id=first["id"])
    assert talk.refused()["status"] == 400
    assert text_of(talk.ask(model=model, input="b", previous_response_id=first["id"])) == "two"


@promise("websocket.fork")
def test_a_fork_that_is_refused_leaves_the_parent_where_it_is(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one"), fails(400, "Nonsense."), says("two"))
    first = talk.ask(model=model, input="a", store=False, stream_id="main")
    talk.create(model=model, input="b", store=False, previous_response_id=first["id"], stream_id="critic")
    assert talk.refused("critic")["status"] == 400
    again = talk.ask(model=model, input="c", store=False, previous_response_id=first["id"], stream_id="main")
    assert text_of(again) == "two"


# ---------------------------------------------------------------- warm-up, compaction


@pytest.mark.parametrize("how", [{"generate": False}, {"prompt_cache_options": {"prewarm": True}}], ids=str)
@pytest.mark.parametrize("store", [True, False])
@promise("websocket.warm_up")
def test_a_warm_up_asks_no_model_and_is_continued(
    talk: Talk, script: Script, model: str, how: Json, store: bool
) -> None:
    warm = talk.ask(model=model, input="Be brief.", store=store, instructions="Rhyme.", **how)
    assert (warm["status"], warm["output"], script.seen) == ("completed", [], [])
    assert [event["type"] for event in talk.responses[0].events] == [
        "response.created", "response.in_progress", "response.completed",
    ]  # fmt: skip
    script.will(says("one"))
    talk.ask(model=model, input="Go.", store=store, previous_response_id=warm["id"])
    assert said(script) == [("user", "Be brief."), ("user", "Go.")]


@promise("websocket.compact")
def test_a_compacted_conversation_begins_a_new_chain(talk: Talk, client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one"), says("They said a and one."), says("two"), says("three"))
    first = talk.ask(model=model, input="a")
    short = client.responses.compact(model=model, previous_response_id=first["id"])
    window = [item.to_dict(warnings=False) for item in short.output]
    begun = talk.ask(model=model, input=[*window, {"role": "user", "content": "b"}], store=False)
    talk.ask(model=model, input="c", store=False, previous_response_id=begun["id"])
    texts = [text for _, text in said(script)]
    assert texts[-3:] == ["b", "two", "c"]
    assert "They said a and one." in "".join(texts[:-3])
    talk.create(model=model, input="d", previous_response_id=short.id)
    assert talk.refused()["code"] == "previous_response_not_found"
