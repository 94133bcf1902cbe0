"""Streams that are taken up again: from any event, with the same bytes, then live."""

import threading
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.process import run_module
from tests.recorder import Recorder
from tests.told import deltas, ended
from tests.upstream import Script, says


@pytest.fixture
def go_on() -> threading.Event:
    """What a model that pauses waits for."""
    return threading.Event()


@promise("background.resume", "background.same_bytes")
def test_a_stream_is_taken_up_where_it_was_left_with_the_same_bytes(
    client: OpenAI, recorder: Recorder, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one two three four").pauses(after=2, until=go_on))
    stream = client.responses.create(model=model, input="q", background=True, stream=True)
    seen: Any = next(event for event in stream if event.type == "response.output_text.delta" and event.delta == "two ")
    stream.close()
    created: Any = client.responses.retrieve(_id(recorder), stream=True)
    first: Any = next(created)
    go_on.set()
    rest = list(created)
    whole = bytes(recorder.last.raw)
    again = client.responses.retrieve(first.response.id, stream=True, starting_after=seen.sequence_number)
    assert [event.sequence_number for event in again] == [e.sequence_number for e in rest[seen.sequence_number :]]
    assert whole.endswith(bytes(recorder.last.raw))
    assert deltas(recorder.last.events(), "output_text") == ["three ", "four"]


def _id(recorder: Recorder) -> str:
    return recorder.heard[0].grammar().events[0]["response"]["id"]


@promise("background.resume")
def test_who_takes_a_stream_up_follows_it_live(
    client: OpenAI, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one two three").pauses(after=1, until=go_on))
    made = client.responses.create(model=model, input="q", background=True)
    stream = client.responses.retrieve(made.id, stream=True, starting_after=1)
    told = next(event for event in stream if event.type == "response.output_text.delta")
    assert told.delta == "one "
    assert not script.last.answered.is_set()
    go_on.set()
    assert list(stream)[-1].type == "response.completed"


@promise("background.resume", "sdk.stream_helper")
def test_the_stream_helper_of_the_client_takes_a_stream_up(client: OpenAI, script: Script, model: str) -> None:
    script.will(says("one two three"))
    made = client.responses.create(model=model, input="q", background=True)
    with client.responses.stream(response_id=made.id, starting_after=5) as stream:
        numbers = [event.sequence_number for event in stream]
        assert stream.get_final_response().output_text == "one two three"
    assert numbers[0] == 6


@promise("background.starting_after")
def test_a_place_to_start_from_that_is_none_is_a_400(
    client: OpenAI, http: httpx2.Client, script: Script, model: str
) -> None:
    script.will(says("ok"))
    made = ended(client, client.responses.create(model=model, input="q", background=True).id)
    for given in ("x", "-1", "1.5", "", "1e3", "9" * 30, "999"):
        refused = http.get(f"/responses/{made.id}", params={"stream": "true", "starting_after": given})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "starting_after"), given
    refused = http.get(f"/responses/{made.id}", params={"stream": "maybe"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "stream")


@promise("background.starting_after")
def test_behind_the_last_event_there_is_only_the_end(
    client: OpenAI, http: httpx2.Client, script: Script, model: str
) -> None:
    script.will(says("ok"))
    made = client.responses.create(model=model, input="q", background=True)
    last = list(client.responses.retrieve(made.id, stream=True, include_obfuscation=False))[-1].sequence_number
    again = http.get(f"/responses/{made.id}", params={"stream": "true", "starting_after": last})
    assert (again.status_code, again.content) == (200, b"data: [DONE]\n\n")


@promise("background.resumable_streams")
def test_a_setting_makes_every_stored_stream_one_that_can_be_taken_up(
    start_server: StartServer, recorder: Recorder, script: Script, model: str, go_on: threading.Event
) -> None:
    server = start_server(GRAPHNEXUS_RESUMABLE_STREAMS="true")
    script.will(says("one two three").pauses(after=1, until=go_on))
    with client_of(server, recorder) as client:
        stream = client.responses.create(model=model, input="q", stream=True)
        seen: Any = next(event for event in stream if event.type == "response.output_text.delta")
        stream.close()
        id = _id(recorder)
        assert client.responses.retrieve(id).status == "in_progress"
        with pytest.raises(openai.BadRequestError, match="synchronous"):
            client.responses.cancel(id)
        go_on.set()
        again = client.responses.retrieve(id, stream=True, starting_after=seen.sequence_number)
        assert [event.delta for event in again if event.type == "response.output_text.delta"] == ["two ", "three"]
        assert client.responses.retrieve(id).output_text == "one two three"


@promise("background.expired")
def test_events_that_are_no_longer_kept_are_a_400_that_says_so(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server()
    script.will(says("one two"))
    with client_of(server, recorder) as client:
        made = ended(client, client.responses.create(model=model, input="q", background=True).id)
        assert list(client.responses.retrieve(made.id, stream=True))
        pruned = run_module("server", "prune", "--events-older-than", "0s", "--data-dir", str(server.data_dir / "kept"))
        assert pruned.returncode == 0
        with pytest.raises(openai.BadRequestError, match="no longer kept") as refused:
            client.responses.retrieve(made.id, stream=True)
        assert refused.value.param == "stream"
        assert client.responses.retrieve(made.id).output_text == "one two"
