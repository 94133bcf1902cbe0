"""Who may open a WebSocket, what may come over it, and how it ends."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.conftest import StartServer, check_log
from tests.contract import promise
from tests.process import Server, run_module
from tests.recorder import Recorder
from tests.schema import check_error
from tests.sockets import LIMIT_S, Talk, talking
from tests.told import eventually, text_of
from tests.upstream import Script, Upstream, says

Json = dict[str, Any]
Started = Callable[[dict[str, str]], Server]
DELTA = "response.output_text.delta"
WARM: Json = {"model": "demo", "input": "q", "generate": False, "store": False}


#: Settings of servers that are each shared by some tests.
KEYED = {"GRAPHNEXUS_API_KEYS": "alice:sk-alice"}
SMALL = {"GRAPHNEXUS_MAX_BODY_BYTES": "30000"}
BRIEF = {"GRAPHNEXUS_WEBSOCKET_MINUTES": "0.01"}


@pytest.fixture(scope="module")
def started(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A server with these settings, the same for all who ask for them."""
    servers: dict[str, Server] = {}

    def start(settings: dict[str, str]) -> Server:
        name = next(iter(settings))
        if name not in servers:
            servers[name] = Server(tmp_path_factory.mktemp("server"), upstream.url, **settings).start()
        return servers[name]

    yield start
    for server in servers.values():
        server.stop()
        check_log(server.log())


@pytest.fixture
def talk(server: Server, log_watch: None) -> Iterator[Talk]:
    with talking(server) as opened:
        yield opened


def closed(talk: Talk) -> int:
    """Read on to the end of the connection; gives the close code."""
    try:
        while True:
            talk.hear()
    except ConnectionClosed as ended:
        return ended.rcvd.code if ended.rcvd else 0


# ---------------------------------------------------------------- who may come in


def refused(server: Server, **headers: str) -> tuple[int, Json]:
    """Status and error of a handshake that is refused; no time limit of either side ends it."""
    began = time.perf_counter()
    with pytest.raises(InvalidStatus) as answer, talking(server, **headers):
        pass
    assert time.perf_counter() - began < 5
    response = answer.value.response
    assert response.headers["x-request-id"].startswith("req_")
    assert response.headers["content-type"] == "application/json"
    body = json.loads(response.body or b"")
    check_error(body)
    return response.status_code, body["error"]


@promise("websocket.gate")
def test_a_handshake_needs_a_key_where_a_request_does(started: Started, script: Script, model: str) -> None:
    server = started(KEYED)
    for key in ("", "Bearer ", "Bearer sk-wrong", "Basic c2s6"):
        status, error = refused(server, authorization=key)
        assert (status, error["code"]) == (401, "invalid_api_key")
    script.will(says("one"))
    with talking(server, authorization="Bearer sk-alice") as talk:
        assert text_of(talk.ask(model=model, input="q")) == "one"
    assert "sk-" not in server.log()


@promise("websocket.gate")
def test_a_foreign_page_may_not_open_a_keyless_server(server: Server) -> None:
    status, error = refused(server, origin="http://evil.example")
    assert (status, error["type"], error["code"]) == (403, "permission_error", "foreign_origins")


@promise("websocket.gate")
def test_another_host_name_opens_no_keyless_server(server: Server) -> None:
    asked = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    asked |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "host": "evil.example"}
    answer = httpx2.get(f"{server.url}/responses", headers=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_hosts")


@promise("websocket.gate")
def test_a_client_that_upgrades_nothing_gets_the_list(http: httpx2.Client) -> None:
    for headers in ({}, {"connection": "Upgrade", "upgrade": "h2c"}):
        answer = http.get("/responses", headers=headers)
        assert (answer.status_code, answer.json()["object"]) == (200, "list"), "what there is without a socket"


@promise("websocket.key")
def test_a_key_that_is_revoked_opens_nothing_more(started: Started) -> None:
    server = started(KEYED)
    secret = _keys(server, "create", "alice").split()[-1]
    with talking(server, authorization=f"Bearer {secret}") as talk:
        assert talk.ask(**WARM)["status"] == "completed"
        _keys(server, "revoke", _keys(server, "list").split()[0])
        error = eventually(lambda: _answered(talk), LookupError)
        assert (error["status"], error["error"]["code"]) == (401, "invalid_api_key")


def _answered(talk: Talk) -> Json:
    """How a request is refused. Raises `LookupError` when it is not."""
    talk.create(**WARM)
    event = talk.until("response.completed", "error")
    if "error" not in event:
        raise LookupError
    return event


def _keys(server: Server, *command: str) -> str:
    return run_module("server", "keys", *command, "--data-dir", str(server.data_dir / "kept")).stdout


# ---------------------------------------------------------------- what may come over it


@pytest.mark.parametrize(
    "raw",
    [
        "", "nonsense", "[]", "5", "null", "{}", '{"type": 5}', '{"type": null}', '{"type": "response.cancel"}',
        '{"type": "response.create"', "[" * 5000, '{"a":' * 5000, b"{}", b"\x00\xff", '"\\ud800"', "\0",
        '{"type": "response.steer"}', '{"type": "response.steer", "previous_response_id": 5, "input": "a"}',
    ],
    ids=lambda raw: repr(raw[:40]),
)  # fmt: skip
@promise("websocket.errors")
def test_what_is_no_message_gets_an_envelope(talk: Talk, raw: str | bytes) -> None:
    talk.wire.send(raw)
    refused = talk.refused()
    assert (refused["status"], refused["type"]) == (400, "invalid_request_error")
    assert talk.ask(**WARM)["status"] == "completed"


@promise("websocket.errors")
def test_a_message_in_fragments_is_a_message(talk: Talk) -> None:
    said = json.dumps({"type": "response.create", **WARM})
    talk.wire.send(iter([said[:10], said[10:11], said[11:]]))
    assert talk.ended()["status"] == "completed"


@promise("websocket.errors")
def test_a_message_that_is_too_large_is_refused(started: Started) -> None:
    with talking(started(SMALL)) as talk:
        talk.create(**WARM, user="x" * 30_000)
        assert (talk.refused()["status"], talk.errors[-1]["error"]["code"]) == (413, "request_too_large")
        assert talk.ask(**WARM)["status"] == "completed"
        talk.create(**WARM, user="x" * 2_000_000)
        assert closed(talk) == 1009


@promise("websocket.errors")
def test_text_that_is_no_text_ends_the_connection(talk: Talk) -> None:
    talk.wire.send(b'{"type": "\xff"}', text=True)
    assert closed(talk) == 1007


@promise("websocket.create")
def test_ten_megabytes_go_in_and_come_out(talk: Talk, script: Script, model: str) -> None:
    long = "word " * 2_000_000
    script.will(lambda ask: says(ask.messages[0]["content"][:5_000_000], chunks=50))
    assert text_of(talk.ask(model=model, input=long)) == long[:5_000_000]


@promise("websocket.cache.bounded")
def test_a_connection_remembers_no_more_than_a_request_could_hold(started: Started, script: Script, model: str) -> None:
    script.will(*[says(str(number)) for number in range(3)])
    with talking(started(SMALL)) as talk:
        first, second = (talk.ask(model=model, input="x" * 16_000, store=False) for _ in range(2))
        talk.create(model=model, input="b", store=False, previous_response_id=first["id"])
        assert talk.refused()["code"] == "previous_response_not_found"
        talk.ask(model=model, input="b", store=False, previous_response_id=second["id"])


# ---------------------------------------------------------------- how it ends


@promise("websocket.time_limit")
def test_a_connection_that_is_too_old_says_so_and_closes(started: Started) -> None:
    with talking(started(BRIEF)) as talk:
        refused = talk.refused()
        assert (refused["status"], refused["code"]) == (400, "websocket_connection_limit_reached")
        assert refused["message"].startswith("Responses websocket connection limit reached (0.01 minutes).")
        assert closed(talk) == 1001


@promise("websocket.time_limit")
def test_what_runs_when_time_is_up_is_finished(started: Started, script: Script, model: str) -> None:
    go = threading.Event()
    script.will(says("one two").pauses(1, go))
    with talking(started(BRIEF)) as talk:
        talk.create(model=model, input="q", stream_id="main")
        talk.until(DELTA, lane="main")
        talk.create(**WARM, stream_id="main")
        while "code" not in (told := _late(talk)):
            pass
        assert told["code"] == "websocket_connection_limit_reached"
        go.set()
        assert text_of(talk.ended("main")) == "one two"
        assert talk.refused("main")["code"] == "websocket_connection_limit_reached"
        assert closed(talk) == 1001


def _late(talk: Talk) -> Json:
    """How a request in another lane is answered."""
    talk.create(**WARM, stream_id="other")
    event = talk.until("response.completed", "error", lane="other")
    return event.get("error", {})


@promise("websocket.leaving")
def test_who_leaves_stops_their_responses(server: Server, client: OpenAI, script: Script, model: str) -> None:
    script.will(*[says("one two three").stalls(after=1)] * 2)
    with talking(server) as talk:
        for lane in ("a", "b"):
            talk.create(model=model, input="q", stream_id=lane)
            talk.until(DELTA, lane=lane)
        talk.create(model=model, input="never", stream_id="a")
    assert all(ask.left.wait(5) for ask in script.seen), "the model server is left alone"
    for response in talk.responses:
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response.events[0]["response"]["id"])


@promise("websocket.leaving")
def test_a_connection_that_breaks_is_one_that_left(server: Server, script: Script, model: str) -> None:
    script.will(says("word " * 5000).paced(0.002))
    with suppress(ConnectionClosed), talking(server) as talk:
        talk.create(model=model, input="q")
        talk.until(DELTA)
        talk.wire.socket.close()
    assert script.last.left.wait(5)
    assert not script.last.answered.is_set()


@promise("websocket.slow")
def test_who_reads_late_misses_nothing(server: Server, log_watch: None, script: Script, model: str) -> None:
    script.will(says("x" * 4_000_000, chunks=400), says("quick"))
    with talking(server) as talk:
        talk.create(model=model, input="q", stream_id="long")
        assert script.wait_for(1).answered.wait(LIMIT_S)
        with talking(server) as other:  # nobody else waits
            assert text_of(other.ask(model=model, input="q")) == "quick"
        assert len(text_of(talk.ended("long"))) == 4_000_000


@promise("websocket.stop")
def test_a_server_that_stops_lets_responses_end(start_server: StartServer, script: Script, model: str) -> None:
    server, go = start_server(), threading.Event()
    script.will(says("one two").pauses(1, go))
    with talking(server) as talk, talking(server) as idle:
        talk.create(model=model, input="q")
        talk.until(DELTA)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert closed(idle) == 1012
        talk.create(**WARM, stream_id="late")
        assert talk.refused("late")["status"] == 503
        go.set()
        assert text_of(talk.ended()) == "one two"
        assert closed(talk) == 1012
        stopping.join(LIMIT_S)
    assert not stopping.is_alive()


@promise("websocket.stop")
def test_a_response_that_does_not_end_in_time_fails_before_the_close(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server(GRAPHNEXUS_SHUTDOWN_GRACE_S="0.3")
    script.will(says("one two").stalls(1))
    with talking(server) as talk:
        talk.create(model=model, input="q")
        talk.until(DELTA)
        threading.Thread(target=server.stop).start()
        assert talk.ended()["status"] == "failed"
        assert closed(talk) == 1012
