"""Two servers on one PostgreSQL: what one has begun, the other polls, streams, cancels and gives again."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import openai
import pytest
from openai import OpenAI

from tests import mcp_servers, postgres
from tests.conftest import check_log, client_of
from tests.contract import promise
from tests.process import Server
from tests.recorder import Recorder
from tests.told import deltas, ended, eventually, final
from tests.upstream import Script, Upstream, says, together

SECRET = "a secret that both know"


class Pair(NamedTuple):
    a: OpenAI
    b: OpenAI

    def one(self, which: str) -> OpenAI:
        return self.a if which == "a" else self.b


@pytest.fixture(scope="module")
def servers(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    directory = tmp_path_factory.mktemp("replicas")
    shared = {"GRAPHNEXUS_DATABASE_URL": postgres.url_of(directory), "GRAPHNEXUS_SECRET_KEY": SECRET}
    started = [Server(directory / name, upstream.url, **shared).start() for name in ("a", "b")]
    yield started
    for server in started:
        server.stop()
        check_log(server.log())


@pytest.fixture
def pair(servers: list[Server], recorder: Recorder) -> Iterator[Pair]:
    with client_of(servers[0], recorder) as a, client_of(servers[1], recorder) as b:
        yield Pair(a, b)


@pytest.fixture
def go_on() -> threading.Event:
    """What a model that pauses waits for."""
    return threading.Event()


@promise("background.replicas")
def test_what_one_server_was_asked_for_the_other_polls(
    pair: Pair, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one two").pauses(after=1, until=go_on))
    made = pair.a.responses.create(model=model, input="q", background=True)
    script.wait_for(1)
    assert {pair.a.responses.retrieve(made.id).status, pair.b.responses.retrieve(made.id).status} == {"in_progress"}
    go_on.set()
    assert ended(pair.b, made.id).output_text == "one two"
    assert pair.a.responses.retrieve(made.id).to_dict() == pair.b.responses.retrieve(made.id).to_dict()


@promise("background.replicas", "background.resume", "background.same_bytes")
def test_a_stream_of_one_server_is_taken_up_at_the_other(
    pair: Pair, recorder: Recorder, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one two three four").pauses(after=2, until=go_on))
    stream = pair.a.responses.create(model=model, input="q", background=True, stream=True)
    seen: Any = next(event for event in stream if event.type == "response.output_text.delta" and event.delta == "two ")
    id = recorder.last.grammar().events[0]["response"]["id"]
    again = pair.b.responses.retrieve(id, stream=True, starting_after=seen.sequence_number)
    go_on.set()
    assert list(again)[-1].type == "response.completed"
    assert deltas(recorder.last.events(), "output_text") == ["three ", "four"]
    list(stream)
    first, second = recorder.heard
    assert bytes(first.raw).endswith(bytes(second.raw))


@promise("background.replicas", "background.cancel")
@pytest.mark.parametrize("canceller", ["a", "b"])
def test_either_server_cancels_and_both_say_so(
    pair: Pair, recorder: Recorder, script: Script, model: str, go_on: threading.Event, canceller: str
) -> None:
    script.will(says("one two three").pauses(after=1, until=go_on))
    stream = pair.a.responses.create(model=model, input="q", background=True, stream=True)
    told: Any = [next(stream) for _ in range(6)]
    cancelled = pair.one(canceller).responses.cancel(told[0].response.id)
    assert cancelled.status == "cancelled"
    assert list(stream)[-1].type == "response.cancelled"
    assert script.last.left.wait(10)
    assert final(recorder.heard[0].events()) == cancelled.to_dict()
    for client in pair:
        assert client.responses.retrieve(cancelled.id).to_dict() == cancelled.to_dict()


@promise("background.replicas", "background.delete")
def test_either_server_deletes_what_runs(pair: Pair, script: Script, model: str, go_on: threading.Event) -> None:
    script.will(says("one two").pauses(after=1, until=go_on), says("one two").pauses(after=1, until=go_on))
    for asks, client in enumerate(pair, 1):
        made = pair.a.responses.create(model=model, input="q", background=True)
        asked = script.wait_for(asks)
        client.responses.delete(made.id)
        assert asked.left.wait(10)
        for each in pair:
            with pytest.raises(openai.NotFoundError):
                each.responses.retrieve(made.id)


@promise("idempotency.together")
def test_of_requests_to_both_servers_at_once_one_runs(
    servers: list[Server], script: Script, model: str, recorder: Recorder
) -> None:
    script.will(says("one two three").paced(0.05))
    body = {"model": model, "input": "q"}

    def ask(at: int) -> httpx2.Response:
        headers = {"Idempotency-Key": f"together {model}"}
        return httpx2.post(f"{servers[at % 2].url}/responses", json=body, headers=headers, timeout=20)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(ask, range(8)))
    assert [answer.text for answer in told if answer.status_code != 200] == []
    assert len({answer.text for answer in told}) == 1
    assert len([answer for answer in told if "idempotent-replayed" not in answer.headers]) == 1


@promise("idempotency.lost")
def test_a_stream_that_broke_off_is_asked_for_again_at_the_other_server(
    pair: Pair, script: Script, model: str, go_on: threading.Event
) -> None:
    script.will(says("one two three").pauses(after=1, until=go_on))
    key = {"Idempotency-Key": f"lost {model}"}
    stream = pair.a.responses.create(model=model, input="q", stream=True, extra_headers=key)
    next(event for event in stream if event.type == "response.output_text.delta")
    stream.close()
    again = pair.b.responses.create(model=model, input="q", stream=True, extra_headers=key)
    go_on.set()
    last: Any = list(again)[-1]
    assert last.response.output_text == "one two three"


@promise("approvals.replicas", "approvals.background")
def test_requests_of_one_server_are_decided_at_both_and_one_response_goes_on(
    servers: list[Server], pair: Pair, script: Script, model: str
) -> None:
    def post(at: int, id: str, approve: bool = True) -> httpx2.Response:
        return httpx2.post(f"{servers[at % 2].url}/approvals/{id}", json={"approve": approve}, timeout=20)

    with mcp_servers.serve("fast") as fast, ThreadPoolExecutor(8) as pool:
        tool: Any = fast.tool(require_approval="always")
        two = together(("both", {"text": "1"}), ("both", {"text": "2"}), ids=["call_1", "call_2"])
        script.will(two, says("Done."), two, says("Done."))
        asking: Any = {"model": model, "tools": [tool], "conversation": pair.a.conversations.create().id}
        made = ended(pair.a, pair.a.responses.create(**asking, input="q", background=True).id)
        waiting = [item.id for item in made.output if item.type == "mcp_approval_request"]
        decided = list(pool.map(lambda at: post(at, waiting[at // 2 % 2]), range(8)))
        assert [answer.status_code for answer in decided] == [200] * 8, [answer.text for answer in decided]
        (next_id,) = {answer.json()["next_response_id"] for answer in decided} - {None}
        followed: Any = ended(pair.b, next_id)
        assert [item.type for item in followed.output] == ["mcp_call", "mcp_call", "message"]
        assert [item.output for item in followed.output[:2]] == ["fast both: 1", "fast both: 2"]
        assert fast.counts()["tools/call"] == 2
        assert "cannot go on" not in servers[0].log() + servers[1].log()

        asked = pair.b.responses.create(**asking, input="And again.")
        waiting = [item.id for item in asked.output if item.type == "mcp_approval_request"]
        told = list(pool.map(lambda at: post(at, waiting[0], approve=at < 4), range(8)))
        assert sorted(answer.status_code for answer in told) == [200] * 4 + [409] * 4
        yes: Any = [
            {"type": "mcp_approval_response", "approval_request_id": id, "approve": id != waiting[0]} for id in waiting
        ]
        if told[0].status_code == 200:
            yes[0]["approve"] = True
        done = pair.a.responses.create(**asking, input=yes)
        assert done.output_text == "Done."


@pytest.fixture
def database() -> Iterator[postgres.Postgres]:
    own = postgres.Postgres()
    yield own
    own.close()


@promise("retry.store_away")
def test_a_store_that_cannot_be_reached_is_a_503_until_it_is_back(
    database: postgres.Postgres, upstream: Upstream, tmp_path: Path, script: Script, model: str
) -> None:
    script.will(says("one"), says("two"))
    shared = {"GRAPHNEXUS_DATABASE_URL": postgres.made(database.url, "away")}
    server = Server(tmp_path, upstream.url, **shared).start()
    body = {"model": model, "input": "q"}
    key = {"Idempotency-Key": "k"}
    try:
        with httpx2.Client(base_url=server.url, timeout=30) as http, ThreadPoolExecutor(8) as pool:
            id = http.post("/responses", json=body).json()["id"]
            database.stop()
            asked = [
                pool.submit(http.get, f"/responses/{id}"),
                pool.submit(http.get, f"/responses/{id}", params={"stream": "true"}),
                pool.submit(http.delete, f"/responses/{id}"),
                pool.submit(http.post, f"/responses/{id}/cancel"),
                pool.submit(http.get, f"/responses/{id}/input_items"),
                pool.submit(http.post, "/responses", json={**body, "previous_response_id": id}),
                pool.submit(http.post, "/responses", json={**body, "background": True}),
                pool.submit(http.post, "/responses", json=body, headers=key),
            ]
            told = [answer.result() for answer in asked]
            assert [(answer.status_code, answer.headers["x-should-retry"]) for answer in told] == [(503, "true")] * 8
            assert all(int(answer.headers["retry-after"]) > 0 for answer in told)
            database.start()
            eventually(lambda: http.get(f"/responses/{id}").raise_for_status(), httpx2.HTTPStatusError)
            assert http.post("/responses", json=body, headers=key).json()["output"]
    finally:
        server.kill()
    assert "failed on a bug" not in server.log()
