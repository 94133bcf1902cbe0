"""Lanes of a WebSocket: side by side, each in order, bounded; and what goes wrong in one stays in it."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import promise
from tests.horrors import horrors
from tests.process import Server
from tests.sockets import LAST, Talk, talking
from tests.told import text_of
from tests.upstream import Script, fails, says

Json = dict[str, Any]
DELTA = "response.output_text.delta"


@pytest.fixture
def talk(server: Server, log_watch: None) -> Iterator[Talk]:
    with talking(server) as opened:
        yield opened


@pytest.fixture
def go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@promise("websocket.lanes")
def test_lanes_run_side_by_side(talk: Talk, script: Script, model: str, go: threading.Event) -> None:
    script.will(says("one two three").pauses(1, go), says("quick"))
    talk.create(model=model, input="a", stream_id="slow")
    talk.until(DELTA, lane="slow")
    assert text_of(talk.ask(model=model, input="b", stream_id="quick-1.2_3")) == "quick"
    go.set()
    assert text_of(talk.ended("slow")) == "one two three"
    assert [len(response.events) > 5 for response in talk.responses] == [True, True]


@promise("websocket.lanes")
def test_the_lane_without_a_name_is_one_of_them(talk: Talk, script: Script, model: str, go: threading.Event) -> None:
    script.will(says("one two three").pauses(1, go), says("quick"))
    talk.create(model=model, input="a")
    talk.until(DELTA)
    assert text_of(talk.ask(model=model, input="b", stream_id="named")) == "quick"
    go.set()
    assert text_of(talk.ended()) == "one two three"


@promise("websocket.sequential")
def test_a_lane_that_waits_keeps_its_order(talk: Talk, script: Script, model: str, go: threading.Event) -> None:
    script.will(says("one two").pauses(1, go), says("second"), says("third"))
    for text in ("a", "b", "c"):
        talk.create(model=model, input=text, stream_id="main")
    script.wait_for(1)
    go.set()
    assert [text_of(talk.ended("main")) for _ in range(3)] == ["one two", "second", "third"]
    assert [ask.messages[-1]["content"] for ask in script.seen] == ["a", "b", "c"]


@promise("websocket.fork")
def test_a_conversation_is_forked_into_another_lane(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one"), says("two"), says("three"), says("four"))
    first = talk.ask(model=model, input="a", store=False, stream_id="main")
    fork = talk.ask(model=model, input="b", store=False, stream_id="critic", previous_response_id=first["id"])
    talk.ask(model=model, input="c", store=False, stream_id="main", previous_response_id=first["id"])
    talk.ask(model=model, input="d", store=False, stream_id="critic", previous_response_id=fork["id"])
    asked = [[message["content"] for message in ask.messages] for ask in script.seen]
    assert asked[2:] == [["a", "one", "c"], ["a", "one", "b", "two", "d"]]


@promise("websocket.lanes")
def test_a_lane_that_is_used_again_without_a_parent_begins_anew(talk: Talk, script: Script, model: str) -> None:
    script.will(says("one"), says("two"))
    talk.ask(model=model, input="a", stream_id="main")
    talk.ask(model=model, input="b", stream_id="main")
    assert [message["content"] for message in script.last.messages] == ["b"]


# ---------------------------------------------------------------- bounds


@promise("websocket.active")
def test_sixteen_are_made_at_once_and_more_wait(talk: Talk, script: Script, model: str, go: threading.Event) -> None:
    script.always(says("one two").pauses(1, go))
    lanes = [f"lane-{number}" for number in range(18)]
    for lane in lanes:
        talk.create(model=model, input="q", stream_id=lane)
    script.wait_for(16)
    talk.say({})
    talk.refused()  # all that came before has been looked at
    assert len(script.seen) == 16
    go.set()
    while not all(response.over for response in talk.responses) or len(talk.responses) < 18:
        talk.hear()
    assert len(script.seen) == 18


@promise("websocket.stream_limit")
def test_a_connection_has_32_named_lanes(talk: Talk, model: str) -> None:
    warm = {"model": model, "input": "q", "generate": False, "store": False}
    for number in range(32):
        talk.ask(**warm, stream_id=f"lane-{number}")
    talk.create(**warm, stream_id="one-more")
    refused = talk.refused("one-more")
    assert (refused["code"], refused["param"]) == ("websocket_stream_limit_reached", "stream_id")
    assert refused["status"] == 400
    for lane in (None, "lane-0", "lane-31"):
        assert talk.ask(**warm, **({"stream_id": lane} if lane else {}))["status"] == "completed"


@pytest.mark.parametrize("name", ["", "a b", "x" * 257, "ü", "a\n", 5, ["a"], {}], ids=repr)
@promise("websocket.stream_id")
def test_a_name_no_lane_can_have_is_refused(talk: Talk, model: str, name: Any) -> None:
    talk.create(model=model, input="q", stream_id=name)
    refused = talk.refused()
    assert (refused["code"], refused["param"], refused["status"]) == ("invalid_stream_id", "stream_id", 400)


@promise("websocket.stream_id")
def test_a_name_of_256_characters_is_a_name_and_null_is_none(talk: Talk, model: str) -> None:
    for name in ("x" * 256, None):
        talk.create(model=model, input="q", generate=False, stream_id=name)
        assert talk.ended(name)["status"] == "completed"


@promise("websocket.queue")
def test_more_than_may_wait_are_refused(talk: Talk, script: Script, model: str, go: threading.Event) -> None:
    script.will(says("one two").pauses(1, go))
    talk.create(model=model, input="q")
    talk.until(DELTA)
    for _ in range(257):
        talk.create(model=model, input="q", generate=False, store=False)
    refused = talk.refused()
    assert (refused["status"], refused["code"]) == (429, "rate_limit_exceeded")
    go.set()
    assert [talk.ended()["status"] for _ in range(257)] == ["completed"] * 257


# ---------------------------------------------------------------- what goes wrong


@promise("websocket.errors")
def test_a_refusal_of_the_model_server_is_an_envelope_in_its_lane(talk: Talk, script: Script, model: str) -> None:
    script.will(fails(429, "slow down", retry_after=7), fails(500, "oops"), says("fine"))
    talk.create(model=model, input="q", stream_id="main")
    refused = talk.refused("main")
    assert (refused["status"], refused["type"]) == (429, "rate_limit_error")
    assert refused["headers"] == {"retry-after": "7"}
    talk.create(model=model, input="q", stream_id="main")
    assert talk.refused("main")["status"] == 502
    assert text_of(talk.ask(model=model, input="q", stream_id="main")) == "fine"


@promise("websocket.errors")
def test_what_a_request_gets_wrong_is_told_where_http_tells_it(talk: Talk, http: Any, model: str) -> None:
    wrong: list[Json] = [
        {"model": model}, {"input": "q"}, {"model": "none-such", "input": "q"}, {"model": model, "input": 5},
        {"model": model, "input": "q", "temperature": 9}, {"model": model, "input": "q", "previous_response_id": []},
        {"model": model, "input": "q", "previous_response_id": "resp_none"},
        {"model": model, "input": "q", "conversation": "conv_none"},
    ]  # fmt: skip
    for number, body in enumerate(wrong):
        talk.create(**body, stream_id=f"lane-{number}")
        answer = http.post("/responses", json=body)
        refused = talk.refused(f"lane-{number}")
        error = answer.json()["error"]
        assert {"status": answer.status_code, **error, "code": error["code"] or error["type"]} == refused
    talk.create(model=model, input="q", generate="no")
    assert talk.refused()["param"] == "generate"


@promise("websocket.errors")
def test_errors_of_a_lane_wait_for_their_turn(talk: Talk, script: Script, model: str, go: threading.Event) -> None:
    script.will(says("one two").pauses(1, go))
    talk.create(model=model, input="q")
    talk.create(model=model, input="q", temperature=9)
    talk.until(DELTA)
    talk.say({"type": "nonsense"})
    assert talk.refused()["param"] == "type"  # of the connection, not of a lane
    go.set()
    assert text_of(talk.ended()) == "one two"
    assert talk.refused()["param"] == "temperature"


@promise("websocket.failures")
def test_a_response_that_breaks_fails_in_its_lane_alone(
    talk: Talk, script: Script, model: str, go: threading.Event
) -> None:
    script.will(says("one two").pauses(1, go), says("half of it").cuts(1), says("fine"))
    talk.create(model=model, input="a", stream_id="good")
    talk.until(DELTA, lane="good")
    broken = talk.ask(model=model, input="b", stream_id="bad")
    assert (broken["status"], broken["error"]["code"]) == ("failed", "server_error")
    assert text_of(talk.ask(model=model, input="c", stream_id="bad")) == "fine"
    go.set()
    assert talk.ended("good")["status"] == "completed"
    assert [event["type"] for event in talk.responses[1].events[-2:]] == ["error", "response.failed"]


@promise("websocket.errors")
def test_horrors_are_answered_or_refused_and_break_nothing(talk: Talk, script: Script, model: str) -> None:
    script.always(says("ok"))
    for name, body in horrors(model):
        talk.say({"type": "response.create", "model": model, **body})
        event = talk.until(*LAST, "error")
        assert event.get("status", 400) < 500, (name, event["error"])
    assert text_of(talk.ask(model=model, input="q")) == "ok"
