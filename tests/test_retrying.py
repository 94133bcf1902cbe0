"""What the SDKs do by themselves after a failure: ask again where nothing began, and never after a run has begun."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from graph.errors import Failure, NotFound, RequestError, StoreUnavailable, Unavailable, UpstreamError
from server.http import failure_response
from tests import mcp_servers
from tests.contract import promise
from tests.process import Server
from tests.recorder import Recorder, RecordingTransport
from tests.upstream import Script, calls, fails, says


@pytest.fixture
def retrying(server: Server, recorder: Recorder, log_watch: None) -> Iterator[OpenAI]:
    """The client as people use it: it asks twice more."""
    plain = httpx2.Client(transport=RecordingTransport(recorder), timeout=30)
    with OpenAI(base_url=server.url, api_key="sk-test", max_retries=2, http_client=plain) as bound:
        yield bound


@promise("retry.never_began")
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_before_anything_began_is_asked_again(
    retrying: OpenAI, recorder: Recorder, script: Script, model: str, stream: bool
) -> None:
    script.will(fails(429, "slow down"), fails(500, "oops"), says("ok"))
    answer: Any = retrying.responses.create(model=model, input="q", stream=stream)
    if stream:
        assert list(answer)[-1].type == "response.completed"
    assert [heard.headers.get("x-should-retry") for heard in recorder.heard] == ["true", "true", None]
    assert len(script.seen) == 3


@promise("retry.began")
def test_an_answer_that_broke_off_is_not_asked_for_again(
    retrying: OpenAI, recorder: Recorder, script: Script, model: str
) -> None:
    script.will(says("one two three").cuts(after=2))
    with pytest.raises(openai.InternalServerError):
        retrying.responses.create(model=model, input="q")
    assert len(script.seen) == 1
    assert recorder.last.headers["x-should-retry"] == "false"


@promise("retry.began")
def test_a_refusal_after_a_tool_was_called_is_not_asked_again(
    retrying: OpenAI, recorder: Recorder, script: Script, model: str
) -> None:
    with mcp_servers.serve("fast") as server:
        script.will(calls("fast_tool", text="a"), fails(429, "slow down", retry_after=1))
        tools: Any = [server.tool()]
        with pytest.raises(openai.RateLimitError):
            retrying.responses.create(model=model, input="q", tools=tools)
        assert server.counts()["tools/call"] == 1
    assert len(script.seen) == 2
    assert recorder.last.headers["x-should-retry"] == "false"


@promise("retry.began")
def test_a_client_without_a_hint_would_have_asked_again(server: Server, script: Script, model: str) -> None:
    """The SDK does ask again after a status like this one: it is our header that stops it."""
    script.will(says("one two").cuts(after=1))
    asked: list[httpx2.Request] = []

    class Deaf(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            asked.append(request)
            response = super().handle_request(request)
            response.headers.pop("x-should-retry", None)
            return response

    plain = httpx2.Client(transport=Deaf(verify=False), timeout=30)
    client = OpenAI(base_url=server.url, api_key="sk-test", max_retries=1, http_client=plain)
    script.will(says("two"))
    with client:
        assert client.responses.create(model=model, input="q").output_text == "two"
    assert len(asked) == 2


TABLE = [
    (RequestError("x."), None, None),
    (NotFound("x."), None, None),
    (RequestError("x.", status=422), None, None),
    (Unavailable("x."), "true", "2"),
    (Unavailable("x.", retry_after_s=5), "true", "5"),
    (StoreUnavailable("x."), "true", "2"),
    (UpstreamError("x.", status=429, retry_after_s=7), "true", "7"),
    (UpstreamError("x.", status=429), "true", None),
    (UpstreamError("x."), "true", None),
    (UpstreamError("x.", status=503), "true", None),
    (UpstreamError("x.", status=504), "false", None),
    (Failure("x."), "false", None),
]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{type(case[0]).__name__} {case[0].status}")
@promise("retry.began", "retry.never_began")
def test_each_failure_says_whether_to_ask_again(case: tuple[Failure, str | None, str | None]) -> None:
    failure, retry, wait = case
    answer = failure_response(failure)
    assert (answer.headers.get("x-should-retry"), answer.headers.get("retry-after")) == (retry, wait)
    began = failure_response(failure, accepted=True)
    assert began.headers.get("x-should-retry") == (retry and "false")


@promise("retry.never_began")
def test_the_wait_a_model_server_asks_for_is_kept(retrying: OpenAI, script: Script, model: str) -> None:
    script.will(fails(429, "slow down", retry_after=1), says("ok"))
    begun = time.monotonic()
    assert retrying.responses.create(model=model, input="q").output_text == "ok"
    assert time.monotonic() - begun >= 1
