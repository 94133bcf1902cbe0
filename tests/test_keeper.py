"""What becomes of background responses when the process that makes them dies, stops, sleeps, or never comes back."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.postgres import url_of
from tests.process import Server
from tests.recorder import Recorder
from tests.told import ended, eventually
from tests.upstream import Script, says

Json = dict[str, Any]
Start = Callable[..., Server]
TEXT = "one two three"


@pytest.fixture(params=["sqlite", "postgresql"])
def start(request: pytest.FixtureRequest, start_server: StartServer, tmp_path: Path) -> Start:
    """Start a server on either database; several share the one."""
    if request.param == "sqlite":
        return start_server
    return lambda **environment: start_server(**shared(tmp_path), **environment)


@pytest.fixture
def replica(start_server: StartServer, tmp_path: Path) -> Start:
    return lambda **environment: start_server(**shared(tmp_path), **environment)


def shared(path: Path) -> dict[str, str]:
    """What replicas have in common."""
    return {"GRAPHNEXUS_DATABASE_URL": url_of(path), "GRAPHNEXUS_SECRET_KEY": "secret of all replicas"}


def begun(client: OpenAI, script: Script, again: bool = True) -> str:
    """A background response whose model has said its first word, and says no more until it is asked `again`."""
    script.will(says(TEXT).stalls(after=1), *([says(TEXT)] if again else []))
    made = client.responses.create(model=script.model, input="q", background=True)
    script.wait_for(1)

    def first_word() -> None:
        numbers = [event["type"] for event in events(client, made.id, wait=False)]
        assert "response.output_text.delta" in numbers

    eventually(first_word, AssertionError)
    return made.id


def events(client: OpenAI, response_id: str, wait: bool = True) -> list[Json]:
    """Those of a response, told again; without `wait`, those of the first moment."""
    found: list[Json] = []
    with client.responses.with_streaming_response.retrieve(response_id, stream=True) as answer:
        for event in answer.parse():
            found.append(event.to_dict())
            if not wait and event.type == "response.output_text.delta":
                break
    return found


def check(client: OpenAI, response_id: str) -> None:
    """It has ended well, and its events are numbered without gap; what was lost is closed as incomplete."""
    done = ended(client, response_id)
    assert done.status == "completed"
    assert [(item.status, item.content[0].text) for item in done.output if item.type == "message"] == [  # type: ignore[union-attr]
        ("incomplete", "one "), ("completed", TEXT)
    ]  # fmt: skip
    told = events(client, response_id)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert [event["type"] for event in told].count("response.completed") == 1


@promise("crash.goes_on")
def test_a_response_goes_on_when_its_killed_server_starts_again(
    start: Start, recorder: Recorder, script: Script
) -> None:
    server = start(GRAPHNEXUS_LEASE_S="2")
    with client_of(server, recorder) as client:
        response_id = begun(client, script)
        server.kill()
        server.start()
        check(client, response_id)


@promise("crash.replica")
def test_another_replica_finishes_what_a_killed_one_has_begun(
    replica: Start, recorder: Recorder, script: Script
) -> None:
    first, second = (replica(OPENAI_API_KEY=key) for key in ("sk-first", "sk-second"))
    with client_of(first, recorder) as client, client_of(second, recorder) as other:
        response_id = begun(client, script)
        by_first = script.last.headers["authorization"] == "Bearer sk-first"
        (first if by_first else second).kill()
        at = time.monotonic()
        check(other if by_first else client, response_id)
        assert time.monotonic() - at < 10


@promise("crash.handed_over")
def test_a_response_goes_on_at_once_when_its_stopped_server_starts_again(
    start: Start, recorder: Recorder, script: Script
) -> None:
    server = start(GRAPHNEXUS_LEASE_S="60", GRAPHNEXUS_SHUTDOWN_GRACE_S="0.5")
    with client_of(server, recorder) as client:
        response_id = begun(client, script)
        assert server.stop() == 0
        server.start()
        at = time.monotonic()
        check(client, response_id)
        assert time.monotonic() - at < 10


@promise("crash.sleeper")
def test_a_server_that_slept_longer_than_its_lease_writes_nothing_and_goes_on_serving(
    replica: Start, recorder: Recorder, script: Script
) -> None:
    sleeper = replica(GRAPHNEXUS_LEASE_S="1")
    with client_of(sleeper, recorder) as client:
        response_id = begun(client, script)
        with client_of(replica(GRAPHNEXUS_LEASE_S="1"), recorder) as other:
            os.kill(sleeper.pid, signal.SIGSTOP)
            check(other, response_id)
            os.kill(sleeper.pid, signal.SIGCONT)
            check(client, response_id)
            script.will(says("well"))
            made = client.responses.create(model=script.model, input="q", background=True)
            assert ended(other, made.id).output_text == "well"


@promise("crash.given_up")
def test_a_response_whose_process_always_dies_is_given_up(
    start_server: StartServer, recorder: Recorder, script: Script
) -> None:
    server = start_server()
    with client_of(server, recorder) as client:
        response_id = begun(client, script, again=False)
        server.kill()
        with sqlite3.connect(server.data_dir / "kept" / "graphnexus.db") as rows:
            rows.execute("UPDATE run SET epoch = 15 WHERE response_id = ?", (response_id,))
        rows.close()
        server.start()
        failed = ended(client, response_id)
        assert failed.status == "failed" and failed.error and failed.error.code == "server_error"
        with pytest.raises(openai.APIError, match="several times"):
            events(client, response_id)


@promise("crash.queue_lost")
def test_what_waits_is_made_at_once_when_the_queue_was_lost(
    start_server: StartServer, recorder: Recorder, script: Script
) -> None:
    """However young it is: a lone server that starts knows that nobody is about to put it into the queue."""
    script.will(says("never to end").stalls(after=1), says("a"), says("b"))
    alone = {"GRAPHNEXUS_BACKGROUND_RUNS": "1", "GRAPHNEXUS_BACKGROUND_RUNS_PER_OWNER": "1"}
    server = start_server(GRAPHNEXUS_LEASE_S="60", **alone)
    with client_of(server, recorder) as client:
        made = [client.responses.create(model=script.model, input="q", background=True).id for _ in range(2)]
        script.wait_for(1)
        assert sorted(client.responses.retrieve(id).status for id in made) == ["in_progress", "queued"]
        server.kill()
        for path in (server.data_dir / "kept").glob("engine.db*"):
            path.unlink()
        server.start()
        at = time.monotonic()
        assert [ended(client, id).status for id in made] == ["completed", "completed"]
        assert time.monotonic() - at < 10
