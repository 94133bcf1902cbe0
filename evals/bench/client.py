"""The load client: bare connections with a C parser, so that it is not what is measured."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import httptools
import orjson

_LIMIT_S = 60
_PROMPT = "Say something steady about the weather in the harbour today, please."


class WrongAnswer(Exception):
    """A server answered wrongly: its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Api:
    """How one kind of server is asked, and what a good answer holds."""

    path: str
    #: What occurs once for each token of a stream, and at its end.
    token: bytes
    end: bytes

    def body(self, model: str, stream: bool, text: str, previous: str | None) -> dict[str, Any]:
        message = {"role": "user", "content": text}
        body: dict[str, Any] = {"model": model, "stream": stream}
        if self is CHAT:
            return {**body, "messages": [message], "stream_options": {"include_usage": True} if stream else None}
        return {**body, "input": [message], "previous_response_id": previous}


CHAT = Api("/v1/chat/completions", b'"delta":{"content":" ', b"data: [DONE]")
RESPONSES = Api("/v1/responses", b"event: response.output_text.delta\n", b"event: response.completed\n")


@dataclass(slots=True)
class Question:
    """One request. `text` is what the user says, `more` are further fields."""

    model: str
    stream: bool = False
    text: str = _PROMPT
    previous: str | None = None
    more: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def tokens(self) -> int:
        return int(self.model.split("-")[1])

    def written(self, api: Api) -> bytes:
        body = orjson.dumps({**api.body(self.model, self.stream, self.text, self.previous), **self.more})
        head = f"POST {api.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Wire(asyncio.Protocol):
    """One keep-alive connection that has one request under way at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.BaseTransport | None = None
        self._answered: asyncio.Future[None] | None = None

    async def send(self, request: bytes, limit_s: float = _LIMIT_S) -> bytes:
        """The body of the answer. Raises `WrongAnswer` unless it is a 200."""
        loop = asyncio.get_running_loop()
        if self._transport is None:
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._answered = loop.create_future()
        self._transport.write(request)
        async with asyncio.timeout(limit_s):
            await self._answered
        body = b"".join(self._parts)
        if self._parser.get_status_code() != 200:
            raise WrongAnswer(body[:500].decode(errors="replace"))
        return body

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._answered and not self._answered.done():
            self._answered.set_exception(WrongAnswer(f"The connection was lost: {error}."))

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_result(None)


class Connection(Wire):
    """Asks questions, and looks at the answers."""

    def __init__(self, port: int, api: Api) -> None:
        super().__init__(port)
        self._api = api

    async def ask(self, question: Question) -> bytes:
        """The body of a good answer. Raises `WrongAnswer`."""
        body = await self.send(question.written(self._api))
        self._check(question, body)
        return body

    def _check(self, question: Question, body: bytes) -> None:
        if question.model.startswith(("tool", "use")):
            good = b'"completed"' in body
        elif question.stream:
            good = body.count(self._api.token) == question.tokens and self._api.end in body
        else:
            usage = orjson.loads(body)["usage"]
            good = question.tokens in (usage.get("output_tokens"), usage.get("completion_tokens"))
        if not good:
            raise WrongAnswer(f"{question.tokens} tokens were expected: {body[-500:]!r}")


class Load:
    """Many connections to one server; each of them asks `times` times, back to back."""

    def __init__(self, port: int, api: Api) -> None:
        self._port = port
        self._api = api

    async def ask(self, question: Question, at_once: int, times: int) -> list[float]:
        """Milliseconds from question to answer, sorted."""
        connections = [Connection(self._port, self._api) for _ in range(at_once)]
        asked = await asyncio.gather(*(_asked(one, question, times) for one in connections))
        for connection in connections:
            connection.close()
        return sorted(took for some in asked for took in some)


async def _asked(connection: Connection, question: Question, times: int) -> Sequence[float]:
    took: list[float] = []
    for _ in range(times):
        began = perf_counter()
        await connection.ask(question)
        took.append((perf_counter() - began) * 1000)
    return took
