"""A scripted model server, as fast as Python allows: `python -m evals.bench.upstream PORT`.

The model's name is the script: `say-200` answers 200 tokens as fast as it can, `say-200-d10` waits 10 ms before each.
Of `time-200-d10` every token is the time at which it was sent. `tool-3` calls the first tool three times, one after the
other, and then answers 20 tokens; `tool-3-d10` waits 10 ms before each turn. `use-1` makes the call that the user has
written as JSON, `{"name", "arguments"}`.
Every token is a write of its own, as with real model servers.
"""

import asyncio
import sys
import time
from collections.abc import Coroutine
from typing import Any

import orjson
import uvloop

from evals.bench.answering import HEAD, Answering, listen

_WORDS = (" the", " harbour", " lies", " in", " a", " steady", " breeze", " and", " no", " rain", " is", " seen")
#: Of the answer after the last tool.
_LAST_TOKENS = 20
_CHUNK = b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"say","choices":[{"index":0,"delta":'


def _frame(payload: bytes) -> bytes:
    data = b"data: %b\n\n" % payload
    return b"%x\r\n%b\r\n" % (len(data), data)


def _delta(delta: dict[str, Any], finish: str | None = None) -> bytes:
    tail = orjson.dumps({"logprobs": None, "finish_reason": finish})[1:]
    return _frame(_CHUNK + orjson.dumps(delta) + b"," + tail + b"]}")


_TOKENS = [_delta({"content": word}) for word in _WORDS]
_BEGIN = (
    HEAD + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + _delta({"role": "assistant", "content": ""})
)


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": tokens + 10}


def _end(tokens: int, finish: str = "stop") -> bytes:
    last = orjson.dumps({"id": "chatcmpl-1", "choices": [], "usage": _usage(tokens)})
    return _delta({}, finish) + _frame(last) + _frame(b"[DONE]") + b"0\r\n\r\n"


def _whole(tokens: int) -> dict[str, Any]:
    text = "".join(_WORDS[i % len(_WORDS)] for i in range(tokens))
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": _usage(tokens)}


def _calls(call: dict[str, Any], step: int) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": orjson.dumps(call["arguments"]).decode()}
    return {"tool_calls": [{"index": 0, "id": f"call_{step}", "type": "function", "function": function}]}


def _step(messages: list[dict[str, Any]]) -> int:
    """How many tools have answered since the user spoke."""
    return next((at for at, message in enumerate(reversed(messages)) if message["role"] == "user"), 0) // 2


class Model(Answering):
    """`GET` tells how many answers were under way at once since it was asked last."""

    busy = most = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._answering: asyncio.Task[None] | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self._answering:
            self._answering.cancel()

    def answer(self, method: bytes, body: bytes) -> None:
        if method != b"POST":
            self.reply({"object": "list", "data": [{"id": "say-20", "object": "model"}], "most": Model.most})
            Model.most = Model.busy
            return
        asked = orjson.loads(body)
        kind, count, *options = asked["model"].split("-")
        pause_s = float(options[0][1:]) / 1000 if options else 0.0
        if kind in ("tool", "use"):
            self._start(self._use(asked, int(count), pause_s))
        elif asked.get("stream"):
            self._start(self._stream(int(count), pause_s, timed=kind == "time"))
        else:
            self.reply(_whole(int(count)))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._answering = asyncio.get_running_loop().create_task(work)
        Model.busy += 1
        Model.most = max(Model.most, Model.busy)
        self._answering.add_done_callback(self._free)

    def _free(self, _: asyncio.Task[None]) -> None:
        Model.busy -= 1

    async def _stream(self, tokens: int, pause_s: float, timed: bool = False) -> None:
        now = asyncio.get_running_loop().time
        self.write(_BEGIN)
        due = now()
        for index in range(tokens):
            due += pause_s
            await asyncio.sleep(max(0.0, due - now()) if pause_s else 0)
            self.write(_delta({"content": f" {time.monotonic_ns()}"}) if timed else _TOKENS[index % len(_TOKENS)])
        self.write(_end(tokens))

    async def _use(self, asked: dict[str, Any], steps: int, pause_s: float) -> None:
        """Always a stream: so it is asked."""
        await asyncio.sleep(pause_s)
        step = _step(asked["messages"])
        if step >= steps:
            await self._stream(_LAST_TOKENS, 0)
            return
        call = {"name": asked["tools"][0]["function"]["name"], "arguments": {"step": step}}
        if asked["model"].startswith("use"):
            call = orjson.loads(next(one for one in reversed(asked["messages"]) if one["role"] == "user")["content"])
        self.write(_BEGIN + _delta(_calls(call, step)) + _end(10, "tool_calls"))


if __name__ == "__main__":
    uvloop.run(listen(Model, int(sys.argv[1])))
