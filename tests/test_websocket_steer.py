"""Steering a response while it is made."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.contract import promise
from tests.process import Server
from tests.sockets import Talk, talking
from tests.told import text_of
from tests.upstream import Script, fails, says, thinks, together

Json = dict[str, Any]
DELTA = "response.output_text.delta"
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


@pytest.fixture
def go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def begun(talk: Talk, lane: str | None = None, at: str = DELTA, **body: Any) -> str:
    """Create a response and wait for its first word; gives its id."""
    talk.create(**body, **({"stream_id": lane} if lane else {}))
    talk.until(at, lane=lane)
    return talk.responses[-1].events[0]["response"]["id"]


def told(script: Script) -> list[Any]:
    return [message["content"] for message in script.last.messages]


def failed(talk: Talk, lane: str | None = None) -> Json:
    return talk.until("response.steer.failed", lane=lane)


# ---------------------------------------------------------------- taken up


@promise("websocket.steer")
def test_the_client_steers_a_response(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("A plan for ten people.").stalls(2), says("A plan for one."))
    heard: list[Any] = []
    with client.responses.connect() as connection:
        connection.response.create(model=model, input="Plan.")
        for event in connection:
            heard.append(event)
            if event.type == "response.completed":
                break
            if [each.type for each in heard].count(DELTA) == 2 and event.type == DELTA:
                connection.response.steer(previous_response_id=heard[0].response.id, input="For one.")
    (accepted,) = (event for event in heard if event.type == "response.steer.accepted")
    (stopped,) = (event.response for event in heard if event.type == "response.incomplete")
    assert accepted.steer.previous_response_id == stopped.id == heard[-1].response.previous_response_id
    assert heard[-1].response.output_text == "A plan for one."


@pytest.mark.parametrize("store", [True, False])
@promise("websocket.steer")
def test_steering_stops_the_answer_and_a_successor_takes_it_up(
    talk: Talk, script: Script, model: str, store: bool
) -> None:
    script.will(says("A plan for ten.").stalls(2), says("A plan for one."))
    id = begun(talk, model=model, input="Plan.", instructions="Be brief.", store=store, temperature=0.5)
    talk.until(DELTA)
    talk.steer(id, "For one.")
    accepted = talk.until("response.steer.accepted")
    assert accepted["steer"]["id"].startswith("steer_")
    assert accepted["steer"]["previous_response_id"] == id
    stopped, successor = talk.ended(), talk.ended()
    assert (stopped["status"], stopped["incomplete_details"]) == ("incomplete", {"reason": "steered"})
    assert [item["status"] for item in stopped["output"]] == ["incomplete"]
    assert text_of(stopped) == "A plan "
    assert (successor["status"], successor["previous_response_id"]) == ("completed", id)
    assert (successor["instructions"], successor["temperature"]) == ("Be brief.", 0.5)
    assert text_of(successor) == "A plan for one."
    assert told(script) == ["Be brief.", "Plan.", "A plan ", "For one."]
    assert script.seen[0].left.wait(5), "the model server is still speaking to nobody"


@promise("websocket.steer")
def test_what_was_steered_is_stored_as_it_was_told(talk: Talk, client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one two").stalls(1), says("three"), says("four"))
    id = begun(talk, model=model, input="a")
    talk.steer(id, "b")
    stopped, successor = talk.ended(), talk.ended()
    kept = client.responses.retrieve(id)
    assert (kept.status, kept.incomplete_details.reason, kept.output_text) == ("incomplete", "steered", "one ")  # type: ignore[union-attr]
    assert [item.content[0].text for item in client.responses.input_items.list(successor["id"])] == ["b"]  # type: ignore[union-attr, index]
    client.responses.create(model=model, input="c", previous_response_id=stopped["id"])
    assert told(script) == ["a", "one ", "c"]


@promise("websocket.steer")
def test_who_steers_while_one_response_follows_another_is_heard(talk: Talk, script: Script, model: str) -> None:
    """Some of these come when one has ended and the next has not begun."""
    script.will(says("one two").stalls(1))
    script.always(lambda ask: says("done") if "word 19" in str(ask.messages) else says("three").stalls(0))
    id = begun(talk, "main", model=model, input="a")
    for at in range(20):
        talk.steer(id, f"word {at}")
        time.sleep(0.003)
    while talk.ended("main")["status"] == "incomplete":
        pass
    assert [said for said in told(script) if str(said).startswith("word")] == [f"word {at}" for at in range(20)]


@promise("websocket.steer")
def test_several_steers_are_taken_up_together_in_their_order(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one two").stalls(1))
    script.always(lambda ask: says("done") if len(ask.messages) == 5 else says("three").stalls(0))
    id = begun(talk, "main", model=model, input="a")
    parts = [{"type": "input_text", "text": "d"}, {"type": "input_image", "image_url": "https://a.example/b.png"}]
    talk.steer(id, "b")
    talk.steer(id, [{"role": "user", "content": "c"}, {"type": "message", "role": "user", "content": parts}])
    while (ended := talk.ended("main"))["status"] == "incomplete":
        assert ended["incomplete_details"] == {"reason": "steered"}
    assert text_of(ended) == "done"
    assert told(script)[:4] == ["a", "one ", "b", "c"]
    assert told(script)[4][0] == {"type": "text", "text": "d"}


@promise("websocket.steer")
def test_a_successor_is_steered_in_its_turn(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one two").stalls(1), says("three four").stalls(1), says("five"))
    talk.steer(begun(talk, model=model, input="a", store=False), "b")
    talk.ended()
    talk.until(DELTA)
    talk.steer(talk.responses[-1].events[0]["response"]["id"], "c")
    assert [talk.ended()["status"] for _ in range(2)] == ["incomplete", "completed"]
    assert told(script) == ["a", "one ", "b", "three ", "c"]


@promise("websocket.steer")
def test_the_successor_comes_before_what_waits_in_its_lane(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one two").stalls(1), says("three"), says("four"))
    id = begun(talk, model=model, input="a")
    talk.create(model=model, input="later")
    talk.steer(id, "b")
    talk.ended()
    assert [text_of(talk.ended()) for _ in range(2)] == ["three", "four"]
    assert told(script) == ["later"]


@promise("websocket.steer")
def test_steering_does_not_touch_other_lanes(talk: Talk, script: Script, model: str, go: threading.Event) -> None:
    script.will(says("one two").pauses(1, go), says("three four").stalls(1), says("five"))
    begun(talk, "calm", model=model, input="a")
    talk.steer(begun(talk, "steered", model=model, input="b"), "c")
    talk.ended("steered")
    assert text_of(talk.ended("steered")) == "five"
    go.set()
    assert text_of(talk.ended("calm")) == "one two"


@promise("websocket.steer")
def test_a_thought_is_cut_too(talk: Talk, script: Script, model: str) -> None:
    script.will(thinks("Let me see now.", says("never")).stalls(2), says("two"))
    id = begun(talk, at="response.reasoning_text.delta", model=model, input="a")
    talk.steer(id, "b")
    stopped = talk.ended()
    assert [item["type"] for item in stopped["output"]] == ["reasoning"]
    assert text_of(talk.ended()) == "two"


# ---------------------------------------------------------------- waiting for the client


def asking(talk: Talk, script: Script, model: str, go: threading.Event, **body: Any) -> str:
    """A response whose first call is whole and whose second is being written; gives its id."""
    asked = together(("weather", {"city": "Paris"}), ("weather", {"city": "Rome"}), ids=["call_1", "call_2"])
    script.will(asked.pauses(6, go))
    at = "response.output_item.done"
    return begun(talk, body.pop("lane", None), at, model=model, input="Weather?", tools=[TOOL], **body)


ANSWER: Json = {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"}


@pytest.mark.parametrize("store", [True, False])
@promise("websocket.steer.pending")
def test_steering_waits_for_the_outputs_of_the_clients_calls(
    talk: Talk, script: Script, model: str, go: threading.Event, store: bool
) -> None:
    id = asking(talk, script, model, go, store=store, lane="main")
    talk.steer(id, "For one.")
    accepted = talk.until("response.steer.accepted", lane="main")
    assert talk.ended("main")["incomplete_details"] == {"reason": "steered"}
    pending = talk.until("response.steer.pending", lane="main")
    assert (pending["reason"], pending["steer"]) == ("waiting_for_required_input", accepted["steer"])
    stub = {"type": "function_call_output", "call_id": "call_1", "name": "weather"}
    assert pending["required_input"] == [stub]
    script.will(says("Sunny."))
    later = {"role": "user", "content": "Tell me."}
    talk.ask(model=model, input=[ANSWER, later], store=store, previous_response_id=id, stream_id="main")
    assert [message["role"] for message in script.last.messages] == ["user", "assistant", "tool", "user", "user"]
    assert told(script)[-3:] == ["18 degrees", "For one.", "Tell me."]


@promise("websocket.steer.pending")
def test_nothing_is_pending_when_the_outputs_are_there_already(
    talk: Talk, script: Script, model: str, go: threading.Event
) -> None:
    id = asking(talk, script, model, go)
    script.will(says("Sunny."))
    talk.create(model=model, input=[ANSWER], previous_response_id=id)
    talk.steer(id, "For one.")
    assert [talk.ended()["status"] for _ in range(2)] == ["incomplete", "completed"]
    assert told(script)[-2:] == ["18 degrees", "For one."]
    types = [event["type"] for response in talk.responses for event in response.events]
    assert "response.steer.pending" not in types


@promise("websocket.steer.pending")
def test_a_request_of_another_lane_does_not_take_what_is_queued(
    talk: Talk, script: Script, model: str, go: threading.Event
) -> None:
    id = asking(talk, script, model, go, lane="main")
    talk.steer(id, "For one.")
    talk.until("response.steer.pending", lane="main")
    script.will(says("other"), says("main"))
    talk.ask(model=model, input=[ANSWER], previous_response_id=id, stream_id="fork")
    assert "For one." not in told(script)
    talk.ask(model=model, input=[ANSWER], previous_response_id=id, stream_id="main")
    assert told(script)[-1] == "For one."


# ---------------------------------------------------------------- given back


@pytest.mark.parametrize(
    "said",
    [
        {}, {"input": None}, {"input": 5}, {"input": []}, {"input": "a", "stream_id": "main"},
        {"input": "a", "model": "m"}, {"input": [{"role": "system", "content": "a"}]},
        {"input": [{"role": "user", "content": "a", "phase": "b"}]}, {"input": [{"role": "user"}]},
        {"input": [{"role": "user", "content": [{"type": "output_text", "text": "a"}]}]}, {"input": [ANSWER]},
    ],
    ids=str,
)  # fmt: skip
@promise("websocket.steer.failed")
def test_input_that_steers_nothing_is_given_back(
    talk: Talk, script: Script, model: str, go: threading.Event, said: Json
) -> None:
    script.will(says("one two").pauses(1, go))
    id = begun(talk, "main", model=model, input="a")
    talk.say({"type": "response.steer", "previous_response_id": id, **said})
    event = failed(talk, "main")
    assert (event["error"]["code"], event["error"]["type"]) == ("invalid_input", "invalid_request_error")
    assert event["steer"] == {"input": said.get("input"), "previous_response_id": id}
    go.set()
    assert text_of(talk.ended("main")) == "one two"


@promise("websocket.steer.failed")
def test_a_response_of_nobody_or_of_another_connection_is_not_found(
    talk: Talk, server: Server, script: Script, model: str, go: threading.Event
) -> None:
    script.will(says("one two").pauses(1, go))
    with talking(server) as other:
        for id in ("resp_none", begun(other, model=model, input="a")):
            talk.steer(id, "b")
            assert failed(talk)["error"]["code"] == "response_not_found"
        go.set()
        assert other.ended()["status"] == "completed"


@promise("websocket.steer.failed")
def test_a_response_that_has_ended_is_not_steered(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one"), says("one two").cuts(1), says("one two", finish="length"))
    codes = {"completed": "response_already_completed", "failed": "response_not_active"}
    for status in ("completed", "failed", "incomplete"):
        ended = talk.ask(model=model, input="a")
        assert ended["status"] == status
        talk.steer(ended["id"], "b")
        event = failed(talk)
        assert event["error"]["code"] == codes.get(status, "response_not_active")
        assert event["steer"] == {"input": "b", "previous_response_id": ended["id"]}


@promise("websocket.steer.failed")
def test_conversations_and_compaction_are_not_steered(
    talk: Talk, client: OpenAI, script: Script, model: str, go: threading.Event
) -> None:
    script.will(*[says("one two").pauses(1, go)] * 2)
    compaction = [{"type": "compaction", "compact_threshold": 100_000}]
    for lane, more in (
        ("a", {"conversation": client.conversations.create().id}),
        ("b", {"context_management": compaction}),
    ):
        talk.steer(begun(talk, lane, model=model, input="a", **more), "b")
        assert failed(talk, lane)["error"]["code"] == "steering_not_supported"
    go.set()
    while not all(response.over for response in talk.responses):
        talk.hear()


@promise("websocket.steer.failed")
def test_a_successor_that_is_refused_gives_its_input_back(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one two").stalls(1), fails(400, "Nonsense."), says("two"))
    id = begun(talk, "main", model=model, input="a", store=False)
    talk.steer(id, "b")
    accepted = talk.until("response.steer.accepted", lane="main")
    assert talk.ended("main")["status"] == "incomplete"
    event = failed(talk, "main")
    assert event["error"]["code"] == "successor_creation_failed"
    assert "Nonsense." in event["error"]["message"]
    assert event["steer"] == {"input": "b", **accepted["steer"]}
    assert talk.errors == []
    talk.ask(model=model, input="b", store=False, previous_response_id=id, stream_id="main")
    assert told(script) == ["a", "one ", "b"]


@promise("websocket.steer.failed")
def test_a_request_that_is_refused_gives_back_what_it_would_have_taken_up(
    talk: Talk, script: Script, model: str, go: threading.Event
) -> None:
    id = asking(talk, script, model, go)
    talk.steer(id, "For one.")
    talk.until("response.steer.pending")
    talk.create(model=model, input="no output", previous_response_id=id)
    assert "No tool output found" in talk.refused()["message"]
    assert failed(talk)["error"]["code"] == "successor_creation_failed"
