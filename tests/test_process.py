"""What a server leaves behind: killed, stopped, and on its disk and in its log."""

import threading
from pathlib import Path

import openai
import pytest

from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.upstream import Script, fails, says


@promise("process.kill")
def test_a_server_that_was_killed_has_lost_nothing_it_acknowledged(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    script.will(says("one"), says("two"), says("three"))
    server = start_server()
    with client_of(server, recorder) as client:
        first = client.responses.create(model=model, input="a")
        second = client.responses.create(model=model, input="b", previous_response_id=first.id)
        server.kill()
        server.start()
        assert client.responses.retrieve(second.id).to_dict() == second.to_dict()
        client.responses.create(model=model, input="c", previous_response_id=second.id)
    assert [m["content"] for m in script.last.messages] == ["a", "one", "b", "two", "c"]


@promise("process.kill")
def test_a_server_killed_in_mid_response_leaves_nothing_half_done(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    script.will(says("one"), says("never to end").stalls(after=2), says("two"))
    server = start_server()
    with client_of(server, recorder) as client:
        made = client.conversations.create()
        client.responses.create(model=model, input="a", conversation=made.id)
        stream = client.responses.create(model=model, input="lost", conversation=made.id, stream=True)
        lost = next(iter(stream)).response.id  # type: ignore[union-attr]
        next(event for event in stream if event.type == "response.output_text.delta")
        server.kill()
        stream.close()
        server.start()
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(lost)
        client.responses.create(model=model, input="b", conversation=made.id)
    assert [m["content"] for m in script.last.messages] == ["a", "one", "b"]


@promise("process.stop")
def test_a_server_that_is_stopped_finishes_what_it_does_and_exits_with_0(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    go_on = threading.Event()
    script.will(says("one two").pauses(after=1, until=go_on))
    server = start_server()
    with client_of(server, recorder) as client:
        stream = client.responses.create(model=model, input="q", stream=True)
        next(event for event in stream if event.type == "response.output_text.delta")
        stopping = threading.Thread(target=lambda: codes.append(server.stop()))
        codes: list[int] = []
        stopping.start()
        go_on.set()
        assert list(stream)[-1].type == "response.completed"
    stopping.join(20)
    assert codes == [0]


@promise("store.false")
def test_nothing_of_what_is_not_stored_is_on_the_disk(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server()
    script.will(says("the answer is xyzzy-answer"))
    with client_of(server, recorder) as client:
        client.responses.create(model=model, input="my word is xyzzy-question", store=False)
    server.stop()
    kept = [path for path in Path(server.data_dir).rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"xyzzy" in path.read_bytes()]


@promise("secrets.not_kept")
def test_prompts_and_keys_are_not_logged(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server(GRAPHNEXUS_LOG_LEVEL="debug", OPENAI_API_KEY="sk-upstream-secret")
    script.will(says("xyzzy-answer"), fails(500, "oops"))
    with client_of(server, recorder) as client:
        client.responses.create(model=model, input="xyzzy-question")
        with pytest.raises(openai.InternalServerError):
            client.responses.create(model=model, input="xyzzy-question")
    assert script.last.headers["authorization"] == "Bearer sk-upstream-secret"
    log = server.log()
    assert not [word for word in ("xyzzy", "sk-upstream-secret", "sk-test") if word in log]
