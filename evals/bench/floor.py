"""The least a Python server can cost: `python -m evals.bench.floor httpx|raw PORT UPSTREAM`.

`httpx` hands Chat Completions through, byte for byte, with Starlette and httpx: the floor of a proxy, and what the bars
refer to. `raw` does the same without either, over bare connections: how much of that floor is the libraries.
They are yardsticks, not servers: nothing is parsed, checked or stored.
"""

import asyncio
import sys
from urllib.parse import urlsplit

import httptools
import httpx
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def httpx_floor(upstream: str) -> Starlette:
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=200)
    client = httpx.AsyncClient(base_url=upstream, timeout=120, limits=limits, trust_env=False)

    async def forward(request: Request) -> Response:
        headers = {"content-type": request.headers.get("content-type", "application/json")}
        asked = client.build_request(request.method, request.url.path, content=await request.body(), headers=headers)
        answer = await client.send(asked, stream=True)
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, {"content-type": answer.headers["content-type"]}
        )

    return Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])])


class _Asking(asyncio.Protocol):
    """A connection to the upstream; what it answers is written to the reader as it comes."""

    def __init__(self, reader: "_Asked") -> None:
        self._reader = reader

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.transport.write(data)


class _Asked(asyncio.Protocol):
    """A connection of a client, with one of its own to the upstream."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._asking: _Asking | None = None
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._asking:
            self._asking.transport.close()

    def on_message_complete(self) -> None:
        request = b"".join(self._parts)
        self._parts.clear()
        if self._asking:
            self._asking.transport.write(request)
        else:
            self._opening = asyncio.get_running_loop().create_task(self._open(request))

    async def _open(self, request: bytes) -> None:
        _, self._asking = await asyncio.get_running_loop().create_connection(lambda: _Asking(self), *self._address)
        self._asking.transport.write(request)


async def raw_floor(port: int, upstream: str) -> None:
    at = urlsplit(upstream)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Asked(at.hostname or "", at.port or 80), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    kind, port, upstream = sys.argv[1:]
    if kind == "raw":
        uvloop.run(raw_floor(int(port), upstream))
    else:
        uvicorn.run(httpx_floor(upstream), host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
