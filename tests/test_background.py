"""Responses that are made without anybody waiting: queued, polled, streamed again, cancelled."""

import sqlite3
import threading
from contextlib import closing
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.told import ended, eventually, final, kinds, text_of
from tests.upstream import Script, calls, fails, says, thinks

Json = dict[str, Any]
OPENING = ["created", "queued", "in_progress"]
MESSAGE = [
    "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
    "output_item.done",
]  # fmt: skip


@pytest.fixture
def go_on() -> threading.Event:
    """What a model that pauses waits for."""
    return threading.Event()


@promise("background.run")
def test_a_background_response_is_queued_at_once_and_polled(
    client: OpenAI, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("The answer is 42.").pauses(after=1, until=go_on))
    queued = client.responses.create(model=model, input="q", background=True)
    assert (queued.status, queued.background, queued.output, queued.usage) == ("queued", True, [], None)
    script.wait_for(1)
    assert client.responses.retrieve(queued.id).status == "in_progress"
    go_on.set()
    done = ended(client, queued.id)
    assert (done.status, done.output_text, done.background) == ("completed", "The answer is 42.", True)
    assert done.usage and done.usage.output_tokens > 0


@promise("background.output_so_far")
def test_who_polls_sees_the_items_that_are_done(
    client: OpenAI, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(thinks("let me see", says("one two").pauses(after=4, until=go_on)))
    made = client.responses.create(model=model, input="q", background=True)

    def one_item() -> list[Any]:
        found = client.responses.retrieve(made.id).output
        assert found
        return found

    assert [item.type for item in eventually(one_item, AssertionError)] == ["reasoning"]
    go_on.set()
    assert [item.type for item in ended(client, made.id).output] == ["reasoning", "message"]


@promise("background.stream")
def test_a_background_response_is_streamed_from_its_first_event(
    client: OpenAI, recorder: Recorder, script: Script, model: str
) -> None:
    script.will(says("The answer is 42."))
    stream = client.responses.create(model=model, input="q", background=True, stream=True)
    told = [event.type.removeprefix("response.") for event in stream]
    events = recorder.last.events()
    assert kinds(events) == [*OPENING, *MESSAGE, "completed"]
    assert len(told) == len(events)
    assert [event["response"]["status"] for event in events[:3]] == ["queued", "queued", "in_progress"]
    assert client.responses.retrieve(final(events)["id"]).to_dict() == final(events)


@promise("background.leaving")
def test_a_reader_who_leaves_a_background_response_changes_nothing(
    client: OpenAI, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one two three").pauses(after=1, until=go_on))
    stream = client.responses.create(model=model, input="q", background=True, stream=True)
    created: Any = next(stream)
    stream.close()
    script.wait_for(1)
    go_on.set()
    assert ended(client, created.response.id).output_text == "one two three"
    assert script.last.answered.wait(5)


@promise("background.cancel")
def test_a_background_response_can_be_cancelled_more_than_once(
    client: OpenAI, recorder: Recorder, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one two three").pauses(after=1, until=go_on))
    stream = client.responses.create(model=model, input="q", background=True, stream=True)
    told: Any = [next(stream) for _ in range(6)]
    id = told[0].response.id
    cancelled = client.responses.cancel(id)
    assert cancelled.status == "cancelled"
    assert script.last.left.wait(5)
    assert list(stream)[-1].type == "response.cancelled"
    events = recorder.heard[0].events()
    (message,) = final(events)["output"]
    assert (message["status"], text_of(final(events))) == ("incomplete", "one ")
    assert client.responses.retrieve(id).to_dict() == final(events)
    assert client.responses.cancel(id).to_dict() == final(events)


@promise("background.cancel")
def test_a_background_response_that_has_ended_stays_as_it_is(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("ok"))
    made = ended(client, client.responses.create(model=model, input="q", background=True).id)
    assert client.responses.cancel(made.id).to_dict() == made.to_dict()
    assert client.responses.retrieve(made.id).status == "completed"


@promise("background.cancel")
def test_a_response_that_still_waits_can_be_cancelled(
    start_server: StartServer, recorder: Recorder, script: Script, model: str, go_on: threading.Event
) -> None:
    server = start_server(GRAPHNEXUS_BACKGROUND_RUNS="1")
    script.will(says("one").pauses(after=0, until=go_on))
    with client_of(server, recorder) as client:
        first = client.responses.create(model=model, input="a", background=True)
        script.wait_for(1)
        second = client.responses.create(model=model, input="b", background=True)
        assert client.responses.retrieve(second.id).status == "queued"
        assert client.responses.cancel(second.id).status == "cancelled"
        told = [event.type.removeprefix("response.") for event in client.responses.retrieve(second.id, stream=True)]
        assert told == ["created", "queued", "cancelled"]
        go_on.set()
        assert ended(client, first.id).output_text == "one"


@promise("background.delete")
def test_deleting_a_running_background_response_stops_it(
    client: OpenAI, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one two").pauses(after=1, until=go_on))
    made = client.responses.create(model=model, input="q", background=True)
    script.wait_for(1)
    client.responses.delete(made.id)
    assert script.last.left.wait(5)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


@promise("background.parent")
def test_a_response_that_has_not_ended_cannot_be_continued_yet(
    client: OpenAI, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one").pauses(after=0, until=go_on), says("two"))
    made = client.responses.create(model=model, input="a", background=True)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=model, input="b", previous_response_id=made.id)
    assert any(status in refused.value.message for status in ("queued", "in_progress"))
    go_on.set()
    ended(client, made.id)
    child = client.responses.create(model=model, input="b", previous_response_id=made.id, background=True)
    assert ended(client, child.id).output_text == "two"
    assert [m["content"] for m in script.last.messages] == ["a", "one", "b"]


@promise("background.input_items")
def test_the_input_of_a_response_that_waits_can_be_read(
    client: OpenAI, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one").pauses(after=0, until=go_on))
    made = client.responses.create(model=model, input="q", background=True)
    (item,) = client.responses.input_items.list(made.id).data
    assert item.type == "message" and item.content[0].to_dict()["text"] == "q"
    go_on.set()
    ended(client, made.id)


@promise("background.conversation")
def test_a_background_response_has_its_conversation_until_it_ends(
    client: OpenAI, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one").pauses(after=0, until=go_on), says("two"))
    conversation = client.conversations.create().id
    made = client.responses.create(model=model, input="a", conversation=conversation, background=True)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=model, input="b", conversation=conversation)
    assert refused.value.code == "conversation_locked"
    go_on.set()
    ended(client, made.id)
    client.responses.create(model=model, input="c", conversation=conversation)
    assert [m["content"] for m in script.last.messages] == ["a", "one", "c"]
    assert len(client.conversations.items.list(conversation).data) == 4


@promise("background.unstored")
def test_a_background_response_that_is_not_stored_can_be_polled_for_ten_minutes(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server()
    script.will(says("ok"))
    with client_of(server, recorder) as client:
        made = client.responses.create(model=model, input="q", background=True, store=False)
        assert made.store is False
        done = ended(client, made.id)
        assert (done.output_text, done.store) == ("ok", False)
    assert server.stop() == 0
    with closing(sqlite3.connect(server.data_dir / "kept" / "graphnexus.db")) as rows:
        ((expires_at,),) = rows.execute("SELECT expires_at FROM response WHERE id = ?", (made.id,)).fetchall()
    assert done.completed_at and 590 <= expires_at - done.completed_at <= 610


@promise("background.checked")
def test_a_background_request_is_checked_before_it_is_queued(
    client: OpenAI, http: httpx2.Client, script: Script, model: str
) -> None:
    missing: Json = {"type": "function_call_output", "call_id": "call_x", "output": "1"}
    for body, param in (
        ({"model": model, "input": [missing]}, "input"),
        ({"model": model, "input": "q", "tools": [{"type": "nothing"}]}, "tools[0].type"),
        ({"model": model, "input": "q", "previous_response_id": "resp_x"}, "previous_response_id"),
    ):
        refused = http.post("/responses", json={**body, "background": True})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    for path in ("input_tokens", "compact"):
        refused = http.post(f"/responses/{path}", json={"model": model, "input": "q", "background": True})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "background")


@promise("background.failed")
def test_a_model_server_that_refuses_fails_a_background_response(client: OpenAI, script: Script, model: str) -> None:
    script.will(fails(400, "bad request"))
    done = ended(client, client.responses.create(model=model, input="q", background=True).id)
    assert (done.status, done.output) == ("failed", [])
    assert done.error and "bad request" in done.error.message
    events = list(client.responses.retrieve(done.id, stream=True).response.iter_lines())
    assert "event: response.failed" in events


@promise("background.run")
def test_calls_of_the_client_end_a_background_response(client: OpenAI, script: Script, model: str) -> None:
    tool: Any = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    script.will(calls("f", x=1), says("done"))
    made = ended(client, client.responses.create(model=model, input="q", background=True, tools=[tool]).id)
    (call,) = made.output
    assert call.type == "function_call"
    answer: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "2"}]
    more = client.responses.create(model=model, input=answer, previous_response_id=made.id, background=True)
    assert ended(client, more.id).output_text == "done"
