"""The server side of a scripted server: bare connections with a C parser."""

import asyncio
from typing import Any

import httptools
import orjson

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: "


class Answering(asyncio.Protocol):
    """One keep-alive connection; answers one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body: list[bytes] = []

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.answer(self._parser.get_method(), b"".join(self._body))

    def answer(self, method: bytes, body: bytes) -> None:
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def reply(self, content: dict[str, Any]) -> None:
        data = orjson.dumps(content)
        self.write(HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))

    def nothing(self, status: bytes) -> None:
        self.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % status)


async def listen(kind: type[Answering], port: int) -> None:
    server = await asyncio.get_running_loop().create_server(kind, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()
