"""What operators read: counted over the wire, and opened to operators only."""

import time
from pathlib import Path

import httpx2
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.metrics import Measured, Metrics
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.postgres import url_of
from tests.process import Server
from tests.recorder import Recorder
from tests.test_cli import graphnexus
from tests.upstream import Script, Upstream, fails, says

Labels = frozenset[tuple[str, str]]


class Scrape:
    """One look at the metrics of a server."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self._samples = {(one.name, frozenset(one.labels.items())): one.value for f in families for one in f.samples}

    def get(self, name: str, **labels: str) -> float:
        return self._samples.get((f"graphnexus_{name}", frozenset(labels.items())), 0.0)

    def names(self) -> set[str]:
        return {name for name, _ in self._samples}


def scrape(server: Server, key: str | None = None) -> Scrape:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = httpx2.get(f"{server.origin}/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return Scrape(answer.text)


@promise("operations.metrics")
def test_responses_tokens_and_requests_are_counted(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server()
    script.will(says("one"), says("two"), fails(500, "no"))
    with client_of(server, recorder) as client:
        first = client.responses.create(model=model, input="a")
        list(client.responses.create(model=model, input="b", stream=True))
        with pytest.raises(openai.APIStatusError):
            client.responses.create(model=model, input="c")
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve("resp_unknown")
    seen = scrape(server)
    assert seen.get("responses_begun_total", model=model) == 3
    assert seen.get("responses_ended_total", model=model, status="completed") == 2
    assert seen.get("responses_ended_total", model=model, status="refused") == 1
    assert seen.get("response_seconds_count", status="completed") == 2
    assert first.usage
    assert seen.get("tokens_total", model=model, kind="output") >= first.usage.output_tokens > 0
    asked = {"method": "POST", "route": "/v1/responses"}
    assert seen.get("http_request_seconds_count", **asked, status="200") == 2
    shown = {"method": "GET", "route": "/v1/responses/{response_id}"}
    assert seen.get("http_request_seconds_count", **shown, status="404") == 1
    assert seen.get("runs_active") == 0 and seen.get("store_up") == 1


@promise("operations.metrics")
def test_what_is_under_way_is_counted_while_it_is(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    server = start_server("--background-runs", "1")
    script.will(says("one two").stalls(after=1))
    with client_of(server, recorder) as client:
        made = [client.responses.create(model=model, input="a", background=True) for _ in range(2)]
        until = time.monotonic() + 20
        while (seen := scrape(server)).get("runs_active") != 1 or seen.get("queue_oldest_seconds") < 0.2:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert seen.get("queue_depth") == 1
        while scrape(server).get("event_write_seconds_count") == 0:
            assert time.monotonic() < until
            time.sleep(0.05)
        for one in made:
            client.responses.cancel(one.id)
        while scrape(server).get("responses_ended_total", model=model, status="cancelled") != 2:
            assert time.monotonic() < until
            time.sleep(0.05)
    assert scrape(server).get("runs_active") == 0


@promise("operations.metrics")
def test_the_processes_of_a_port_count_together(start_server: StartServer, upstream: Upstream, tmp_path: Path) -> None:
    server = start_server("--workers", "2", GRAPHNEXUS_DATABASE_URL=url_of(tmp_path))
    for _ in range(30):
        assert httpx2.get(f"{server.origin}/live").status_code == 200
    live = {"method": "GET", "route": "/live", "status": "200"}
    counts = [scrape(server).get("http_request_seconds_count", **live) for _ in range(6)]
    assert counts == [30.0] * 6
    assert scrape(server).get("store_pool", state="open") >= 2


@pytest.fixture
def keyed(start_server: StartServer) -> Server:
    return start_server(GRAPHNEXUS_API_KEYS="alice:sk-alice", GRAPHNEXUS_METRICS_KEY="sk-operator")


@promise("operations.metrics_key")
def test_metrics_are_opened_by_their_own_key_only(keyed: Server) -> None:
    assert scrape(keyed, "sk-operator").get("store_up") == 1
    for headers in ({}, {"authorization": "Bearer sk-alice"}, {"authorization": "Bearer sk-operato"}):
        assert httpx2.get(f"{keyed.origin}/metrics", headers=headers).status_code == 401
    assert httpx2.get(f"{keyed.url}/models", headers={"authorization": "Bearer sk-operator"}).status_code == 401


@promise("operations.metrics_key")
def test_without_a_key_of_their_own_metrics_are_as_open_as_the_server(start_server: StartServer) -> None:
    server = start_server()
    assert httpx2.get(f"{server.origin}/metrics", headers={"host": "evil.example"}).status_code == 403
    kept = ("--data-dir", str(server.data_dir / "kept"))
    key = graphnexus("keys", "create", "alice", *kept).stdout.strip()
    until = time.monotonic() + 20
    while httpx2.get(f"{server.origin}/metrics").status_code != 401:
        assert time.monotonic() < until
        time.sleep(0.1)
    refused = httpx2.get(f"{server.origin}/metrics", headers={"authorization": f"Bearer {key}"})
    assert refused.status_code == 403
    assert "metrics_key" in refused.json()["error"]["message"]


def test_models_that_callers_make_up_are_told_apart_up_to_a_bound() -> None:
    metrics = Metrics()
    for at in range(1000):
        metrics.begun(f"model-{at}")("completed", None)
    assert len(metrics.models) == 200


async def test_counting_costs_next_to_nothing() -> None:
    """Of the whole budget of 20 µs a request; the machine may be four times slower than thought."""
    metrics = Metrics()

    async def answer(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]

    async def nowhere(message: object) -> None: ...

    measured, times = Measured(answer, metrics), 5_000  # type: ignore[arg-type]
    usage = {"input_tokens": 10, "output_tokens": 20}
    began = time.process_time()
    for _ in range(times):
        await measured({"type": "http", "method": "POST"}, nowhere, nowhere)  # type: ignore[arg-type]
        metrics.begun("model")("completed", usage)
    assert (time.process_time() - began) / times < 80e-6
