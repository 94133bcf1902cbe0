"""A scripted model server, as fast as Python allows: `python -m evals.bench.upstream PORT`.

The model's name is the script: `say-200` answers 200 tokens as fast as it can, `say-200-d10` waits 10 ms before each.
Every token is a write of its own, as with real model servers.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import httptools
import orjson
import uvloop

_WORDS = (" the", " harbour", " lies", " in", " a", " steady", " breeze", " and", " no", " rain", " is", " seen")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: "
_CHUNK = b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"say","choices":[{"index":0,"delta":'


def _frame(payload: bytes) -> bytes:
    data = b"data: %b\n\n" % payload
    return b"%x\r\n%b\r\n" % (len(data), data)


def _delta(delta: dict[str, Any], finish: str | None = None) -> bytes:
    tail = orjson.dumps({"logprobs": None, "finish_reason": finish})[1:]
    return _frame(_CHUNK + orjson.dumps(delta) + b"," + tail + b"]}")


_TOKENS = [_delta({"content": word}) for word in _WORDS]
_BEGIN = (
    _HEAD + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + _delta({"role": "assistant", "content": ""})
)


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": tokens + 10}


def _end(tokens: int) -> bytes:
    last = orjson.dumps({"id": "chatcmpl-1", "choices": [], "usage": _usage(tokens)})
    return _delta({}, "stop") + _frame(last) + _frame(b"[DONE]") + b"0\r\n\r\n"


def _whole(tokens: int) -> dict[str, Any]:
    text = "".join(_WORDS[i % len(_WORDS)] for i in range(tokens))
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": _usage(tokens)}


class Connection(asyncio.Protocol):
    """One keep-alive connection; answers one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._answering: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answering:
            self._answering.cancel()

    def on_message_begin(self) -> None:
        self._url, self._body = b"", []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"POST":
            self._reply({"object": "list", "data": [{"id": "say-20", "object": "model"}]})
            return
        asked = orjson.loads(b"".join(self._body))
        _, tokens, *options = asked["model"].split("-")
        if not asked.get("stream"):
            self._reply(_whole(int(tokens)))
            return
        pause_s = float(options[0][1:]) / 1000 if options else 0.0
        self._start(self._stream(int(tokens), pause_s))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._answering = asyncio.get_running_loop().create_task(work)

    def _reply(self, content: dict[str, Any]) -> None:
        data = orjson.dumps(content)
        self._transport.write(_HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))

    async def _stream(self, tokens: int, pause_s: float) -> None:
        write, now = self._transport.write, asyncio.get_running_loop().time
        write(_BEGIN)
        due = now()
        for index in range(tokens):
            due += pause_s
            await asyncio.sleep(max(0.0, due - now()) if pause_s else 0)
            write(_TOKENS[index % len(_TOKENS)])
        write(_end(tokens))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
