"""The scripted model server: each model name has a script, each chat request plays the next step of it."""

import asyncio
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, Self

from tests.answers import (
    Answer,
    Ask,
    Fails,
    Json,
    Step,
    calls,
    fails,
    refuses,
    says,
    says_with_logprobs,
    thinks,
    together,
)
from tests.connection import Connection
from tests.meanings import embedded, reranked

__all__ = [
    "Answer",
    "Ask",
    "Fails",
    "Script",
    "Upstream",
    "calls",
    "fails",
    "refuses",
    "says",
    "says_with_logprobs",
    "thinks",
    "together",
]

LIMIT_S = 10.0
#: A step, or a function that makes one of the request.
Line = Step | Callable[[Ask], Step]


class Script:
    """What one model will say, and what it was asked."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.seen: list[Ask] = []
        #: Requests beyond the last line; they were answered 418.
        self.overrun = 0
        self._lines: deque[Line] = deque()
        self._rejected: dict[str, str] = {}
        self._enforcing = True
        self._always: Line | None = None
        self._asked = threading.Condition()

    def will(self, *lines: Line) -> Self:
        self._lines.extend(lines)
        return self

    def always(self, line: Line) -> Self:
        """What to say when there is no other line, however often."""
        self._always = line
        return self

    def forget(self) -> None:
        """Drop the lines nobody has asked for."""
        self._lines.clear()

    def rejects(self, parameter: str, message: str = "Unsupported parameter: '{}'.") -> Self:
        """Answer 400 to every request that has `parameter`; such requests use up no line."""
        self._rejected[parameter] = message.format(parameter)
        return self

    def ignores_schemas(self) -> Self:
        """Take a `response_format` and pay no heed to it, as many servers do."""
        self._enforcing = False
        return self

    @property
    def left(self) -> int:
        """Lines nobody has asked for yet."""
        return len(self._lines)

    @property
    def last(self) -> Ask:
        return self.seen[-1]

    def wait_for(self, asks: int = 1, limit_s: float = LIMIT_S) -> Ask:
        """The latest request, once there have been `asks` of them."""
        with self._asked:
            if not self._asked.wait_for(lambda: len(self.seen) >= asks, limit_s):
                raise TimeoutError(f"{self.model} was asked {len(self.seen)} times, not {asks}")
        return self.seen[-1]

    def next(self, ask: Ask) -> Step:
        for parameter, message in self._rejected.items():
            if parameter in ask.body:
                return fails(400, message, type="invalid_request_error", param=parameter, code="unsupported_parameter")
        if pinned := _pinned(ask.body.get("response_format") or {}):
            return says(json.dumps(pinned) if self._enforcing else "Hello!")
        with self._asked:
            self.seen.append(ask)
            self._asked.notify_all()
        line = self._lines.popleft() if self._lines else self._always
        if line is None:
            self.overrun += 1
            return fails(418, f"The script of {self.model} has no line left.")
        return line if isinstance(line, Step) else line(ask)


def _pinned(format: Json) -> Json | None:
    """The one document a schema leaves room for: such a request asks what the server can do, and uses up no line."""
    properties: Json = format.get("json_schema", {}).get("schema", {}).get("properties", {})
    if properties and all(len(property.get("enum", ())) == 1 for property in properties.values()):
        return {name: property["enum"][0] for name, property in properties.items()}
    return None


class Upstream:
    """The server; runs in a thread of its own between `start` and `stop`."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        #: Paths asked for that are not of Chat Completions.
        self.strays: dict[str, int] = defaultdict(int)
        self._loop = asyncio.new_event_loop()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def on(self, model: str) -> Script:
        return self.scripts.setdefault(model, Script(model))

    def start(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        if not ready.wait(LIMIT_S):
            raise TimeoutError("the scripted model server did not start")
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)

    def _run(self, ready: threading.Event) -> None:
        listening = self._loop.create_server(lambda: Connection(self._serve), "127.0.0.1", 0)
        self._server = self._loop.run_until_complete(listening)
        self.port = self._server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        self._server.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, wire: Connection) -> None:
        while True:
            line, headers, body = await wire.request()
            match line.split()[:2]:
                case ["POST", "/v1/chat/completions"]:
                    await self._chat(wire, headers, body)
                case ["POST", "/v1/embeddings"]:
                    await wire.json(*embedded(json.loads(body)))
                case ["POST", "/v1/rerank"]:
                    await wire.json(*reranked(json.loads(body)))
                case ["GET", "/v1/models"]:
                    await wire.json(200, {"object": "list", "data": self._models()})
                case [_, path]:
                    self.strays[path] += 1
                    await wire.json(404, {"error": {"message": "Not found.", "type": "not_found", "code": 404}})

    async def _chat(self, wire: Connection, headers: Any, body: bytes) -> None:
        ask = Ask(headers, json.loads(body), time.monotonic())
        script = self.scripts.get(ask.body["model"])
        step = script.next(ask) if script else fails(404, "No such model.", code="model_not_found")
        watch = asyncio.create_task(_note_leaving(wire, ask))
        try:
            await step.play(ask, wire)
            ask.answered.set()
        finally:
            watch.cancel()
            if wire.gone.is_set():
                ask.left.set()

    def _models(self) -> list[Json]:
        return [{"id": name, "object": "model", "created": 1, "owned_by": "script"} for name in self.scripts]


async def _note_leaving(wire: Connection, ask: Ask) -> None:
    await wire.gone.wait()
    ask.left.set()
