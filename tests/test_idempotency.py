"""The same request sent twice under one key: one response, however often, and whatever happened to the first answer."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.answers import Ask, Step
from tests.conftest import StartServer
from tests.connection import Connection
from tests.contract import promise
from tests.recorder import Recorder
from tests.told import ended, eventually
from tests.upstream import Script, fails, says

Json = dict[str, Any]
REPLAYED = "idempotent-replayed"
_numbers = iter(range(1_000_000))


@dataclass(frozen=True)
class Later(Step):
    """A model server that takes its time before it says anything at all."""

    step: Step
    until: threading.Event

    async def play(self, ask: Ask, wire: Connection) -> None:
        await asyncio.to_thread(self.until.wait, 10)
        await self.step.play(ask, wire)


@pytest.fixture
def key() -> Json:
    """A key nobody has used, as headers."""
    return {"Idempotency-Key": f"key {next(_numbers)} of {id(object())}"}


@pytest.fixture
def go_on() -> threading.Event:
    return threading.Event()


@promise("idempotency.same")
def test_a_request_sent_again_gets_the_response_of_the_first(
    http: httpx2.Client, script: Script, model: str, key: Json
) -> None:
    script.will(says("once"))
    body = {"model": model, "input": "q", "metadata": {"a": "1", "b": "2"}}
    first = http.post("/responses", json=body, headers=key)
    again = http.post("/responses", json=dict(reversed(body.items())), headers=key)
    assert first.status_code == again.status_code == 200
    assert again.json() == first.json()
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")


@promise("idempotency.same")
def test_a_stream_asked_for_again_is_told_again(
    client: OpenAI, recorder: Recorder, script: Script, model: str, key: Json
) -> None:
    script.will(says("once only"))
    for _ in range(2):
        list(client.responses.create(model=model, input="q", stream=True, extra_headers=key))
    first, again = recorder.heard
    assert again.raw == first.raw
    assert again.headers[REPLAYED] == "true"


@promise("idempotency.same", "background.run")
def test_a_background_request_sent_again_is_not_queued_again(
    client: OpenAI, script: Script, model: str, key: Json
) -> None:
    script.will(says("once"))
    ids = {
        client.responses.create(model=model, input="q", background=True, extra_headers=key).id,
        client.responses.create(model=model, input="q", background=True, extra_headers=key).id,
    }
    assert len(ids) == 1
    assert ended(client, ids.pop()).output_text == "once"


@promise("idempotency.reused")
def test_a_key_that_was_sent_with_another_body_is_a_422(
    http: httpx2.Client, script: Script, model: str, key: Json
) -> None:
    script.will(says("once"))
    http.post("/responses", json={"model": model, "input": "q"}, headers=key)
    refused = http.post("/responses", json={"model": model, "input": "other"}, headers=key)
    error = refused.json()["error"]
    assert refused.status_code == 422
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "idempotency_key_reused", None)


@promise("idempotency.lost")
def test_a_response_whose_reader_lost_the_connection_is_found_by_its_key(
    client: OpenAI, script: Script, model: str, key: Json, go_on: threading.Event
) -> None:
    script.will(says("one two three").pauses(after=1, until=go_on))
    stream = client.responses.create(model=model, input="q", stream=True, extra_headers=key)
    next(event for event in stream if event.type == "response.output_text.delta")
    stream.close()
    again = client.responses.create(model=model, input="q", stream=True, extra_headers=key)
    go_on.set()
    last: Any = list(again)[-1]
    assert last.response.output_text == "one two three"


@promise("idempotency.lost")
def test_who_gave_up_waiting_joins_the_response_that_is_being_made(
    http: httpx2.Client, script: Script, model: str, key: Json, go_on: threading.Event
) -> None:
    script.will(says("one two three").pauses(after=1, until=go_on))
    body = {"model": model, "input": "q"}
    with pytest.raises(httpx2.ReadTimeout):
        http.post("/responses", json=body, headers=key, timeout=0.5)
    with ThreadPoolExecutor() as pool:
        again = pool.submit(http.post, "/responses", json=body, headers=key)
        go_on.set()
        assert again.result().json()["output"][0]["content"][0]["text"] == "one two three"


@promise("idempotency.together")
def test_of_requests_at_the_same_moment_one_runs_and_the_others_join(
    http: httpx2.Client, script: Script, model: str, key: Json
) -> None:
    script.will(says("one two three").paced(0.05))
    body = {"model": model, "input": "q"}
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(http.post, "/responses", json=body, headers=key) for _ in range(8)]
        told = [answer.result() for answer in answers]
    assert [answer.status_code for answer in told] == [200] * 8
    assert len({answer.json()["id"] for answer in told}) == 1
    assert len([answer for answer in told if REPLAYED not in answer.headers]) == 1


@promise("idempotency.free")
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_failed_before_it_began_gives_its_key_back(
    http: httpx2.Client, script: Script, model: str, key: Json, stream: bool
) -> None:
    script.will(fails(429, "slow down", retry_after=1), says("ok"))
    body = {"model": model, "input": "q", "stream": stream}
    assert http.post("/responses", json=body, headers=key).status_code == 429
    again = http.post("/responses", json=body, headers=key)
    assert (again.status_code, again.headers.get(REPLAYED)) == (200, None)


@promise("idempotency.free")
def test_a_request_that_was_wrong_gives_its_key_back(
    http: httpx2.Client, client: OpenAI, script: Script, model: str, key: Json
) -> None:
    script.will(says("ok"))
    wrong = {"model": model, "input": "q", "previous_response_id": "resp_x"}
    assert http.post("/responses", json=wrong, headers=key).status_code == 400
    assert http.post("/responses", json={"model": model, "input": "q"}, headers=key).status_code == 200


@promise("idempotency.free")
def test_who_waits_for_a_request_that_fails_has_its_key_next(
    http: httpx2.Client, script: Script, model: str, key: Json, go_on: threading.Event
) -> None:
    script.will(Later(fails(429, "slow down"), go_on), says("second"))
    body = {"model": model, "input": "q"}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(http.post, "/responses", json=body, headers=key)
        script.wait_for(1)
        again = pool.submit(http.post, "/responses", json=body, headers=key)
        with pytest.raises(TimeoutError):
            again.result(0.3)
        go_on.set()
        assert (first.result().status_code, again.result().status_code) == (429, 200)
    assert again.result().json()["output"][0]["content"][0]["text"] == "second"


@promise("idempotency.failed")
def test_a_response_that_failed_on_its_way_is_given_again_as_it_is(
    http: httpx2.Client, script: Script, model: str, key: Json
) -> None:
    script.will(says("one two").cuts(after=1))
    body = {"model": model, "input": "q"}
    assert http.post("/responses", json=body, headers=key).status_code == 502
    again = http.post("/responses", json=body, headers=key)
    assert (again.status_code, again.json()["status"]) == (200, "failed")


@promise("idempotency.free")
def test_a_deleted_response_gives_its_key_back(
    http: httpx2.Client, client: OpenAI, script: Script, model: str, key: Json
) -> None:
    script.will(says("one"), says("two"))
    body = {"model": model, "input": "q"}
    first = http.post("/responses", json=body, headers=key).json()
    client.responses.delete(first["id"])
    again = http.post("/responses", json=body, headers=key).json()
    assert again["id"] != first["id"]


@promise("idempotency.checked")
def test_a_key_that_cannot_be_kept_is_a_400(http: httpx2.Client, model: str) -> None:
    body = {"model": model, "input": "q"}
    for bad in ("", "x" * 256, b"k\xc3\xa9y", b"a\tb"):
        refused = http.post("/responses", json=body, headers={"Idempotency-Key": bad})  # type: ignore[dict-item]
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_value"), bad
    refused = http.post("/responses", json={**body, "store": False}, headers={"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "store")


@promise("idempotency.lost")
def test_a_response_with_a_key_can_be_streamed_again_by_its_id(
    client: OpenAI, script: Script, model: str, key: Json
) -> None:
    script.will(says("one two"))
    made = client.responses.create(model=model, input="q", extra_headers=key)
    again = list(client.responses.retrieve(made.id, stream=True, starting_after=2))
    assert again[-1].type == "response.completed"
    assert eventually(lambda: client.responses.retrieve(made.id), openai.NotFoundError).output_text == "one two"


@promise("idempotency.same")
def test_a_key_stands_for_a_response_of_its_owner_only(start_server: StartServer, script: Script, model: str) -> None:
    server = start_server(GRAPHNEXUS_API_KEYS="ann:key-a,bob:key-b")
    script.will(says("for Ann"), says("for Bob"))

    def ask(api_key: str) -> Json:
        headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {api_key}"}
        body = {"model": model, "input": "q", "background": True}
        return httpx2.post(f"{server.url}/responses", json=body, headers=headers, timeout=20).json()

    ann, bob = ask("key-a"), ask("key-b")
    assert ann["id"] != bob["id"]
    assert (ask("key-a")["id"], ask("key-b")["id"]) == (ann["id"], bob["id"])
    as_bob = {"Authorization": "Bearer key-b"}
    for method, path in (("GET", ""), ("GET", "?stream=true"), ("POST", "/cancel"), ("DELETE", "")):
        answer = httpx2.request(method, f"{server.url}/responses/{ann['id']}{path}", headers=as_bob, timeout=20)
        assert answer.status_code == 404
    with OpenAI(base_url=server.url, api_key="key-a") as client:
        assert ended(client, ann["id"]).output_text.startswith("for")
    with OpenAI(base_url=server.url, api_key="key-b") as client:
        ended(client, bob["id"])


@promise("idempotency.free")
def test_a_process_that_died_before_its_response_began_leaves_its_key_free(
    start_server: StartServer, script: Script, model: str, key: Json, go_on: threading.Event
) -> None:
    script.will(Later(fails(429), go_on), says("ok"))
    server = start_server()
    body = {"model": model, "input": "q"}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(httpx2.post, f"{server.url}/responses", json=body, headers=key, timeout=20)
        script.wait_for(1)
        server.kill()
        with pytest.raises(httpx2.TransportError):
            first.result()
    go_on.set()
    server.start()
    again = httpx2.post(f"{server.url}/responses", json=body, headers=key, timeout=20)
    assert again.json()["output"][0]["content"][0]["text"] == "ok"


@promise("idempotency.same")
def test_a_key_is_known_after_a_restart(start_server: StartServer, script: Script, model: str, key: Json) -> None:
    script.will(says("once"))
    server = start_server()
    body = {"model": model, "input": "q"}
    first = httpx2.post(f"{server.url}/responses", json=body, headers=key, timeout=20)
    server.kill()
    server.start()
    again = httpx2.post(f"{server.url}/responses", json=body, headers=key, timeout=20)
    assert again.json() == first.json()
