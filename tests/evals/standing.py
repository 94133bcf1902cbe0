"""What suites are run against in tests: the shipped scripted model, a server, and a proxy that breaks things."""

import asyncio
import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evals.results import Attempt
from evals.running.grading import Graders
from evals.running.journal import Journal
from evals.running.run import Run
from evals.solving.site import served
from evals.solving.target import opened
from evals.suite.reading import find, read
from evals.suite.schema import Suite, Target
from evals.suite.whole import whole
from tests.process import free_port, nursery

Json = dict[str, Any]
START_S = 20
_PASSED = ("authorization", "idempotency-key")


@contextmanager
def scripted(log: Path, script: str = "baseline") -> Iterator[str]:
    """A scripted model, started the way a person starts it; its API's address."""
    port = free_port()
    process = nursery().start(["evals.command", "model", script, "--port", str(port)], os.environ, log)
    until = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/v1"
    process.kill()
    process.wait()


async def attempts(suite: Suite, url: str, directory: Path, model: str = "scripted") -> dict[str, Attempt]:
    """Every case of a suite asked once, without inspect_ai."""
    target = Target(url=url, model=model)
    async with AsyncExitStack() as stack:
        site = stack.enter_context(served(suite))
        cases = {case.id: whole(case, suite, site) for case in suite.cases}
        asked = await stack.enter_async_context(opened(target, suite.directory))
        journal = stack.enter_context(Journal.opened(directory, suite, asked.shown, asked.model))
        run = Run(cases, asked, Graders(suite, None), journal, lambda attempt, known: None)
        made = await asyncio.gather(*(run.make(id, 1) for id in cases))
    return dict(zip(cases, made, strict=True))


def shipped(name: str, *ids: str, tag: str | None = None) -> Suite:
    """A shipped suite, or some cases of it."""
    suite = read(find(name))
    some = [case for case in suite.cases if (not ids or case.id in ids) and (tag is None or tag in case.tags)]
    return suite.model_copy(update={"cases": some})


# ---------------------------------------------------------------- breaking things

#: Path and JSON in, JSON out.
Change = Callable[[str, Json], Json]


def unchanged(path: str, body: Json) -> Json:
    return body


class Proxy:
    """Stands between a harness and a server and changes what goes through."""

    def __init__(self, server: str) -> None:
        """`server`: address without a path."""
        self._server = server
        self.asks: Change = unchanged
        #: Of whole answers, and of each event of a stream; an event without a type is left out.
        self.answers: Change = unchanged
        self.tells: Callable[[Json], Json] = lambda event: event

    def app(self) -> Starlette:
        every = ["GET", "POST", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._pass, methods=every)])

    async def _pass(self, request: Request) -> Response:
        body = await request.body()
        kind = request.headers.get("content-type", "")
        if body and kind.startswith("application/json"):
            body = json.dumps(self.asks(request.url.path, json.loads(body))).encode()
        headers = {
            name: request.headers[name] for name in ("authorization", "idempotency-key") if name in request.headers
        }
        async with httpx2.AsyncClient(timeout=60) as client:
            url = f"{self._server}{request.url.path}?{request.url.query}"
            answer = await client.request(request.method, url, content=body, headers={**headers, "content-type": kind})
        sort = answer.headers.get("content-type", "")
        if sort.startswith("text/event-stream"):
            return Response(self._streamed(answer.content), media_type=sort)
        content = answer.content
        if sort.startswith("application/json"):
            content = json.dumps(self.answers(request.url.path, json.loads(content))).encode()
        return Response(content, answer.status_code, media_type=sort)

    def _streamed(self, content: bytes) -> bytes:
        frames = [frame for frame in content.split(b"\n\n") if frame]
        told = list[bytes]()
        for frame in frames:
            said = frame.partition(b"data: ")[2]
            if said == b"[DONE]":
                told.append(frame)
            elif event := self.tells(json.loads(said)):
                told.append(f"event: {event['type']}\ndata: {json.dumps(event)}".encode())
        return b"\n\n".join([*told, b""])


@contextmanager
def standing_between(proxy: Proxy) -> Iterator[str]:
    """Serve a proxy; its API's address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(proxy.app(), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/v1"
    server.should_exit = True
    thread.join()
