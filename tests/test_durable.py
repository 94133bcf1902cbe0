"""What was acknowledged is kept: over many turns, and over a process that is killed."""

import threading

import httpx2
import pytest
from openai import NotFoundError, OpenAI

from tests.answers import says
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.upstream import Script

TURNS = 1000


@pytest.fixture
def model(script: Script) -> str:
    return script.model


@promise("chain.fork")
def test_a_thousand_turns_can_be_forked_in_the_middle(http: httpx2.Client, script: Script, model: str) -> None:
    script.always(says("Yes."))
    ids: list[str | None] = [None]
    for turn in range(TURNS):
        body = {"model": model, "input": f"u{turn}", "previous_response_id": ids[-1]}
        ids.append(http.post("/responses", json=body).json()["id"])
    assert [len(script.last.messages), script.last.messages[-1]["content"]] == [2 * TURNS - 1, f"u{TURNS - 1}"]
    http.post("/responses", json={"model": model, "input": "fork", "previous_response_id": ids[TURNS // 2]})
    assert [message["content"] for message in script.last.messages][-3:] == [f"u{TURNS // 2 - 1}", "Yes.", "fork"]
    assert len(script.last.messages) == TURNS + 1


@promise("chain.killed")
def test_a_killed_server_has_lost_nothing_it_acknowledged(
    start_server: StartServer, script: Script, model: str, recorder: Recorder
) -> None:
    server = start_server()
    script.always(says("Yes."))
    parent = None
    for turn in range(9):
        with client_of(server, recorder) as client:
            parent = client.responses.create(model=model, input=f"u{turn}", previous_response_id=parent).id
        if turn % 3 == 2:
            server.kill()
            server.start()
    asked = [message["content"] for message in script.last.messages if message["role"] == "user"]
    assert asked == [f"u{turn}" for turn in range(9)]
    with client_of(server, recorder) as client:
        assert parent
        assert client.responses.retrieve(parent).output_text == "Yes."


@promise("chain.killed")
def test_a_response_that_was_killed_leaves_nothing_locked_and_nothing_half_written(
    start_server: StartServer, script: Script, model: str, recorder: Recorder
) -> None:
    server = start_server()
    never = threading.Event()
    script.will(says("This will not be heard to its end.").pauses(2, never), says("I am back."))
    with OpenAI(base_url=server.url, api_key="sk-test", max_retries=0) as client:
        conversation = client.conversations.create()
        stream = client.responses.create(model=model, input="u0", conversation=conversation.id, stream=True)
        begun = next(iter(stream))
        assert begun.type == "response.created"
        server.kill()
    never.set()
    server.start()
    with client_of(server, recorder) as client:
        with pytest.raises(NotFoundError):
            client.responses.retrieve(begun.response.id)
        again = client.responses.create(model=model, input="u1", conversation=conversation.id)
        assert again.output_text == "I am back."
        items = client.conversations.items.list(conversation.id, order="asc").data
        assert [item.content[0].text for item in items if item.type == "message"] == ["u1", "I am back."]
