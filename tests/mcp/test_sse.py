"""Servers that speak SSE and do harm with it: what they say is checked as it is over streamable HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.session import Sessions
from nodes.mcp.target import Target
from nodes.reach import Reach
from tests.contract import promise

Json = dict[str, Any]
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "a", "version": "1"}}
ENOUGH: Json = {"content": [{"type": "text", "text": "fine"}]}


def event(data: bytes | Json, kind: str = "message") -> bytes:
    text = data if isinstance(data, bytes) else json.dumps({"jsonrpc": "2.0", **data}).encode()
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), text)


def result(id: int, said: Json) -> bytes:
    return event({"id": id, "result": said})


class Strange:
    """Knows only SSE; `says` is what it answers a call with, as it goes over the wire."""

    def __init__(self, says: Callable[[int], bytes | int], endpoint: str = "/post") -> None:
        self._says = says
        self._endpoint = endpoint
        self._stream: asyncio.StreamWriter | None = None
        self.posted = list[str]()
        self._writers = list[asyncio.StreamWriter]()
        self.port = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        sizes = [int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        body = await reader.readexactly(sizes[0]) if sizes else b""
        if head.startswith("GET /sse"):
            self._stream = writer
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            writer.write(event(self._endpoint.encode(), "endpoint"))
            return await writer.drain()
        status = self._answered(json.loads(body)) if head.startswith("POST /post") else 405
        writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _answered(self, message: Json) -> int:
        self.posted.append(message["method"])
        assert self._stream
        if message["method"] == "initialize":
            self._stream.write(result(message["id"], HELLO))
        elif message["method"] == "tools/call":
            said = self._says(message["id"])
            if isinstance(said, int):
                return said
            self._stream.write(said)
        return 202


@asynccontextmanager
async def asked(strange: Strange, **limits: Any) -> AsyncIterator[Callable[[], Any]]:
    """What a call of its tool comes to."""
    listening = await asyncio.start_server(strange.connected, "127.0.0.1", 0)
    strange.port = listening.sockets[0].getsockname()[1]
    sessions = Sessions(Limits(**{"connect_timeout_s": 5, "call_timeout_s": 5, **limits}), Reach(loopback=True))
    target = Target(f"http://127.0.0.1:{strange.port}/sse")
    try:
        yield lambda: sessions.call(target, "tool", {})
    finally:
        await sessions.close()
        await strange.close()
        listening.close()


@promise("mcp.sse.checked")
async def test_what_nobody_asked_for_is_dropped() -> None:
    def says(id: int) -> bytes:
        noise = event({"method": "notifications/message", "params": {"level": "info", "data": "x"}})
        return result(id + 77, {"content": "forged"}) + noise * 3000 + event(b"", "ping") + result(id, ENOUGH)

    async with asked(Strange(says)) as call:
        assert await call() == ENOUGH
        assert await call() == ENOUGH


@promise("mcp.sse.checked")
@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (lambda id: event(b"x" * 200_000), "larger than 100000 bytes"),
        (lambda id: b"data: " + b"x" * 200_000, "larger than 100000 bytes"),
        (lambda id: event(b"no json"), "not JSON-RPC"),
        (lambda id: event(b'{"jsonrpc": "2.0", "id": %d, "result": []}' % id), "not JSON-RPC"),
        (lambda id: result(id, {"a": [[]] * 5000}), "more than 1000 values"),
        (lambda id: 500, "HTTP status 500"),
    ],
)
async def test_what_does_harm_fails_the_call_and_the_next_one_works(says: Any, reason: str) -> None:
    answers = iter([says, lambda id: result(id, ENOUGH)])
    strange = Strange(lambda id: next(answers)(id))
    async with asked(strange, answer_bytes=100_000, answer_values=1000) as call:
        with pytest.raises(ServerFailed, match=reason):
            await call()
        assert await call() == ENOUGH


@promise("mcp.sse.checked")
async def test_messages_go_nowhere_but_to_the_server_itself() -> None:
    other = Strange(lambda id: result(id, ENOUGH))
    async with asked(other):
        strange = Strange(lambda id: result(id, ENOUGH), f"http://127.0.0.1:{other.port}/post")
        async with asked(strange, connect_timeout_s=30) as call:
            with pytest.raises(ServerFailed):
                await call()
    assert not other.posted and not strange.posted
