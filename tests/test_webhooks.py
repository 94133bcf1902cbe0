"""Webhooks: who wants to be told how background responses ended is told, in OpenAI's words and with its signature."""

import asyncio
import base64
import contextlib
import http.server
import json
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from nodes.webhooks import Endpoint, Message, Webhooks
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.process import Server
from tests.recorder import Recorder
from tests.told import ended
from tests.upstream import Script, fails, says

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four!").decode()
OTHER = "whsec_" + base64.b64encode(b"another of twenty-four!!").decode()
EVERY = ("response.completed", "response.failed", "response.incomplete", "response.cancelled")


@dataclass(frozen=True)
class Post:
    headers: dict[str, str]
    body: bytes


class Receiver:
    """An address that is told; answers with the statuses it was given, then with 204."""

    def __init__(self) -> None:
        self.posts: queue.Queue[Post] = queue.Queue()
        self.statuses: list[int] = []
        receiver = self

        class Answering(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.posts.put(Post(dict(self.headers.items()), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("location", receiver.url)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next(self, limit_s: float = 20) -> Post:
        return self.posts.get(timeout=limit_s)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


Start = Callable[..., Server]


@pytest.fixture
def start(start_server: StartServer, receiver: Receiver) -> Start:
    def run(*events: str) -> Server:
        hook: dict[str, Any] = {"url": receiver.url, "secret_env": "HOOK_SECRET"}
        if events:
            hook["events"] = events
        return start_server(GRAPHNEXUS_WEBHOOK=json.dumps([hook]), HOOK_SECRET=SECRET)

    return run


@promise("webhook.sent", "webhook.signed")
def test_each_way_to_end_is_told_and_the_official_client_believes_it(
    start: Start, recorder: Recorder, receiver: Receiver, script: Script
) -> None:
    server = start()
    script.will(
        says("ok"),
        says("cut", finish="length"),
        fails(400, "no", type="invalid_request_error"),
        says("a b").stalls(after=1),
    )
    with client_of(server, recorder) as client:
        for status in ("completed", "incomplete", "failed", "cancelled"):
            made = client.responses.create(model=script.model, input="q", background=True)
            if status == "cancelled":
                script.wait_for(4)
                client.responses.cancel(made.id)
            post = receiver.next()
            event: Any = client.webhooks.unwrap(post.body.decode(), post.headers, secret=SECRET)
            assert (event.type, event.data.id, event.object) == (f"response.{status}", made.id, "event")
            assert event.id.startswith("evt_") and post.headers["webhook-id"].startswith("wh_")
            assert client.responses.retrieve(made.id).status == status
            with pytest.raises(InvalidWebhookSignatureError):
                client.webhooks.unwrap(post.body.decode(), post.headers, secret=OTHER)
        assert receiver.posts.empty()


@promise("webhook.background")
def test_nobody_is_told_of_what_somebody_waits_for_nor_of_what_nobody_asked_to_hear(
    start: Start, recorder: Recorder, receiver: Receiver, script: Script
) -> None:
    server = start("response.failed")
    script.will(says("a"), says("b"), fails(400, "no", type="invalid_request_error"))
    with client_of(server, recorder) as client:
        client.responses.create(model=script.model, input="q")
        ended(client, client.responses.create(model=script.model, input="q", background=True).id)
        failed = client.responses.create(model=script.model, input="q", background=True)
        assert json.loads(receiver.next().body)["data"] == {"id": failed.id}
        assert receiver.posts.empty()


@promise("webhook.retried")
def test_an_event_is_sent_again_in_the_same_bytes_also_by_a_server_that_started_anew(
    start: Start, recorder: Recorder, receiver: Receiver, script: Script
) -> None:
    server = start()
    receiver.statuses = [503]
    script.will(says("ok"))
    with client_of(server, recorder) as client:
        made = ended(client, client.responses.create(model=script.model, input="q", background=True).id)
        first = receiver.next()
        server.kill()
        server.start()
        second = receiver.next(30)
        assert (second.body, second.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])
        event: Any = client.webhooks.unwrap(second.body.decode(), second.headers, secret=SECRET)
        assert event.data.id == made.id


@promise("webhook.secret")
def test_secrets_are_neither_logged_nor_kept(
    start: Start, recorder: Recorder, receiver: Receiver, script: Script
) -> None:
    server = start()
    script.will(says("ok"))
    receiver.statuses = [500]
    with client_of(server, recorder) as client:
        client.responses.create(model=script.model, input="q", background=True)
        receiver.next()
    server.stop()
    kept = [path for path in server.data_dir.rglob("*") if path.is_file()]
    assert server.data_dir / "kept" / "engine.db" in kept
    secrets = (SECRET.removeprefix("whsec_").encode(), b"a secret of twenty-four!")
    assert not [path for path in kept if any(secret in path.read_bytes() for secret in secrets)]


# ---------------------------------------------------------------- one attempt

MESSAGE = Webhooks([Endpoint("http://x/", SECRET, EVERY)]).messages("resp_ab", "completed", 7)[0]


async def answer(receiver: Receiver, *statuses: int, secrets: tuple[str, ...] = (SECRET,)) -> str:
    receiver.statuses = [*statuses]
    hooks = Webhooks([Endpoint(receiver.url, secret, EVERY) for secret in secrets], timeout_s=1.0)
    try:
        return await hooks.send(Message(MESSAGE.id, receiver.url, MESSAGE.body))
    finally:
        await hooks.close()


@promise("webhook.answers")
@pytest.mark.parametrize(
    ("status", "meaning"),
    [(200, "taken"), (204, "taken"), (301, "again"), (307, "again"), (400, "again"), (410, "gone"), (500, "again")],
)
async def test_a_2xx_is_the_end_and_so_is_a_410(receiver: Receiver, status: int, meaning: str) -> None:
    assert await answer(receiver, status) == meaning
    assert receiver.posts.qsize() == 1  # no redirect is followed


@promise("webhook.answers")
async def test_an_address_that_cannot_be_reached_is_tried_again_and_a_removed_one_is_not(receiver: Receiver) -> None:
    hooks = Webhooks([Endpoint("http://127.0.0.1:1/", SECRET, EVERY)], timeout_s=1.0)
    assert await hooks.send(Message("wh_1", "http://127.0.0.1:1/", "{}")) == "again"
    assert await hooks.send(Message("wh_1", receiver.url, "{}")) == "gone"
    await hooks.close()


@promise("webhook.answers")
async def test_an_address_that_does_not_answer_in_time_is_tried_again() -> None:
    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A byte now and then, so that no single wait is long."""
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 204 No Content\r\nx: ")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)

    async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        hooks = Webhooks([Endpoint(url, SECRET, EVERY)], timeout_s=0.3)
        async with asyncio.timeout(10):
            assert await hooks.send(Message("wh_1", url, "{}")) == "again"
        await hooks.close()
        server.close()


@promise("webhook.signed")
async def test_a_secret_can_be_changed_while_both_are_valid(receiver: Receiver) -> None:
    await answer(receiver, secrets=(SECRET, OTHER))
    post, client = receiver.next(), OpenAI(api_key="sk-test")
    for secret in (SECRET, OTHER):
        assert client.webhooks.unwrap(post.body.decode(), post.headers, secret=secret).id == "evt_ab"
    client.close()


@promise("webhook.sent")
def test_the_event_is_shaped_like_openais_and_the_same_however_often_it_is_made() -> None:
    assert json.loads(MESSAGE.body) == {
        "id": "evt_ab", "object": "event", "type": "response.completed", "created_at": 7, "data": {"id": "resp_ab"}
    }  # fmt: skip
    again = Webhooks([Endpoint("http://x/", OTHER, EVERY)]).messages("resp_ab", "completed", 7)
    assert again == [MESSAGE]
